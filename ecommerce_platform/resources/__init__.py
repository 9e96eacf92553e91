"""Dagster resources: the database, the source of the exports, and the published files."""
