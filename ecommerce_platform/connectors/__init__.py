"""Connectors: from a shop's own export files to feed files, one per feed and day. No Dagster, no PostgreSQL.

A connector is a folder: ``connector.toml`` says which files there are and what their columns are called, and one SELECT
per feed (``FEED.sql``, run by DuckDB) says what they mean. :mod:`.connector` reads such a folder, :mod:`.matching` and
:mod:`.source_files` find and open a shop's files, :mod:`.loading` puts them into a scratch database, :mod:`.queries`
runs the connector's SELECTs there, :mod:`.conversion` writes the feed files. :mod:`.guessing` and :mod:`.judging`
answer ``source guess`` and ``source check``.
"""
