"""The built-in headers, one a file."""
