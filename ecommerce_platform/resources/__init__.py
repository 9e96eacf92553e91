"""The database, the embedded server behind it, and where Dagster keeps its own state."""
