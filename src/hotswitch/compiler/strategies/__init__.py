"""Lookup strategies, one a file: how the entries of some subtables are stored and found."""
