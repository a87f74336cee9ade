"""Outer headers of tunnels, as BPF programs read and write them beside a packet.

The source is `struct bpf_tunnel_key` and the helpers bpf_skb_get_tunnel_key and
bpf_skb_set_tunnel_key in include/uapi/linux/bpf.h, net/core/filter.c. Numbers are in machine
order, but for IPv6 addresses and the flags of a packet that came in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIZE = 44
"""Bytes of the structure, with the local address (Linux 6.0)."""
ID, REMOTE, TOS, TTL, FLAGS, LOCAL = 0, 4, 20, 21, 22, 28
"""Where its members are. FLAGS: of a packet that came in (Linux 6.1)."""

IPV6, NO_CHECKSUM, DONT_FRAGMENT, WITH_FLAGS = 1, 2, 4, 16
"""Flags of the helpers: BPF_F_TUNINFO_IPV6, _ZERO_CSUM_TX, _DONT_FRAGMENT, _TUNINFO_FLAGS."""

_KEY = struct.Struct("<I16sBBHI16s")


@dataclass(frozen=True, slots=True)
class TunnelKey:
    """What is in a packet's outer headers, or to be.

    version: of IP, 4 or 6. id: the network's, 32 bits. Addresses are 32 or 128 bits; local 0 is
    the one that the route says. tos: 8 bits. checksum: the outer UDP header has one.
    """

    version: int
    id: int
    remote: int
    local: int = 0
    tos: int = 0
    ttl: int = 64
    checksum: bool = False
    dont_fragment: bool = False

    def encode(self) -> tuple[bytes, int]:
        """The structure, and the flags for bpf_skb_set_tunnel_key."""
        flags = (
            (IPV6 if self.version == 6 else 0)
            | (0 if self.checksum else NO_CHECKSUM)
            | (DONT_FRAGMENT if self.dont_fragment else 0)
        )
        remote, local = self._address(self.remote), self._address(self.local)
        return _KEY.pack(self.id, remote, self.tos, self.ttl, 0, 0, local), flags

    def _address(self, number: int) -> bytes:
        if self.version == 6:
            return number.to_bytes(16, "big")
        return struct.pack("<I12x", number)
