"""The messages about packets that no flow matched, written at once: thousands a second come so."""

from __future__ import annotations

import struct

from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.datapath import UNALIGNED
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.nested import Encoded

_head = struct.Struct("=IHHIIBBHiHH")
"""nlmsghdr, genlmsghdr, ovs_header, and the header of the key."""
_hash = struct.Struct("=HHQHH")
"""The hash, and the header of the packet."""
_ATTRIBUTE = 4


class Misses:
    """Writes what `Codec.encode` would."""

    def __init__(self, codec: Codec) -> None:
        names = PACKET.attributes.by_name
        self._type = codec.ids[PACKET]
        self._command = PACKET.by_name["miss"].number
        self._key, self._hash, self._packet = (
            names[name].kind for name in ("key", "hash", "packet")
        )

    def encode(
        self, datapath: int, key: Encoded, number: int, frame: bytes, features: int
    ) -> bytes:
        """A message with a key, the hash `number` and the whole frame."""
        padding = b"" if features & UNALIGNED else bytes(-len(frame) % 4)
        size = _head.size + len(key) + _hash.size + len(frame) + len(padding)
        return b"".join(
            (
                _head.pack(
                    size, self._type, 0, 0, 0, self._command, PACKET.version, 0, datapath,
                    _ATTRIBUTE + len(key), self._key,
                ),
                key,
                _hash.pack(12, self._hash, number, _ATTRIBUTE + len(frame), self._packet),
                frame,
                padding,
            )
        )  # fmt: skip
