"""Dagster's own records: their storage, their retention, and orphaned runs.

Besides ``io_managers``, this is the only package that uses Dagster's private API (``dagster._core``).
"""
