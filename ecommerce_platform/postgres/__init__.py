"""The database itself: the embedded server, and the DDL with its roles."""
