"""Clients of the Netlink server that take little time for themselves."""
