"""Dagster's own records: where they are stored, how long they are kept, and runs whose process is gone.

The only room beside ``io_managers`` that uses what Dagster does not publish (``dagster._core``).
"""
