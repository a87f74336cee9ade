"""Runs that take long, each by its own command; not for `make test`."""
