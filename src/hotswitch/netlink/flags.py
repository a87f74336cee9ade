"""The flags of nlmsghdr (include/uapi/linux/netlink.h). Plain numbers: they are looked at often."""

from __future__ import annotations

from typing import Final

REQUEST: Final = 0x001
MULTI: Final = 0x002
"""One of several parts; a DONE message follows them."""
ACK: Final = 0x004
ECHO: Final = 0x008
DUMP_INTERRUPTED: Final = 0x010
"""Something changed between the parts of a dump."""
DUMP_FILTERED: Final = 0x020

ROOT: Final = 0x100
MATCH: Final = 0x200
ATOMIC: Final = 0x400
DUMP: Final = ROOT | MATCH

REPLACE: Final = 0x100
EXCLUSIVE: Final = 0x200
CREATE: Final = 0x400
APPEND: Final = 0x800

CAPPED: Final = 0x100
"""In an acknowledgement: it has the request's header only."""
ACK_ATTRIBUTES: Final = 0x200
"""In an acknowledgement: attributes say more (extended acknowledgement)."""
