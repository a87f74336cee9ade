"""The server of the Netlink families: sans-IO but for `serve`, `journal_file` and `devices`."""
