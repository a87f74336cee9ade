"""The datapath over Netlink messages: a codec without input or output, and translations.

The tables in `families/` are the truth about the messages; decoder, encoder, validation,
policies and docs/netlink.md all read them. `Client` is for programs.
"""

from hotswitch.netlink.client import Client as Client
