"""The database: the embedded server, and the DDL with its roles."""
