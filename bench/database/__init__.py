"""The database server, beside the real one."""
