"""Feeds: what an exported file is: its columns, its reader, what is wrong with a folder. No Dagster, no database."""
