"""Feeds: the columns of an exported file, its reader, and the check of a folder. No Dagster, no database."""
