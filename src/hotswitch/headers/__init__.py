"""Protocols as data: one declaration a header (`declaration`, `protocols`), fields beside packets
(`meta`), and the registry that joins them to a parse graph.

Whoever parses, builds, matches, shows or documents a packet reads the registry; docs/headers.md
says how to add a header.
"""
