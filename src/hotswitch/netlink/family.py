"""What a generic Netlink family consists of (include/uapi/linux/genetlink.h)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from hotswitch.netlink.nested import AttributeSet

ADMINISTRATOR = 0x01
"""GENL_ADMIN_PERM: needs CAP_NET_ADMIN in the initial namespace."""
DO = 0x02
"""GENL_CMD_CAP_DO: one request, one answer."""
DUMP = 0x04
"""GENL_CMD_CAP_DUMP: a request that lists."""
HAS_POLICY = 0x08
"""GENL_CMD_CAP_HASPOL: its attributes are checked by a policy."""
NAMESPACE_ADMINISTRATOR = 0x10
"""GENL_UNS_ADMIN_PERM: needs CAP_NET_ADMIN in the network's namespace."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a family; answers and events have commands too.

    flags: how it can be asked (DO, DUMP, ...); 0: it can't, it only answers or announces.
    needs: the attributes that a request (not a dump) has to have.
    """

    name: str
    number: int
    kernel: str
    flags: int = 0
    doc: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Family:
    """A generic Netlink family.

    header: bytes of the family's own header between genlmsghdr and the attributes; here it is
        0 or 4, the number of a datapath.
    groups: the names of its multicast groups.
    """

    name: str
    version: int
    header: int
    commands: tuple[Command, ...]
    attributes: AttributeSet
    groups: tuple[str, ...] = ()
    doc: str = ""

    def __repr__(self) -> str:
        return f"<{self.name}>"  # not the whole table, of which each message would be full

    @cached_property
    def by_number(self) -> Mapping[int, Command]:
        """The commands by number."""
        return MappingProxyType({each.number: each for each in self.commands})

    @cached_property
    def by_name(self) -> Mapping[str, Command]:
        """The commands by name."""
        return MappingProxyType({each.name: each for each in self.commands})
