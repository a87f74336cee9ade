"""Checksums that a frame's sender has left to its device.

A host's own TCP and UDP packets have the sum of the pseudo header alone in the checksum's place
until a device completes it (CHECKSUM_PARTIAL, include/linux/skbuff.h). User space has to be given
the whole checksum, as the kernel's module does before an upcall (queue_userspace_packet,
net/openvswitch/datapath.c): what it sends again is not completed by anybody.

That a checksum has only been begun is seen from the frame itself. A whole one can look so; then it
is completed to what it is.
"""

from __future__ import annotations

from typing import NamedTuple

from hotswitch.headers.parse import Parsed, parse
from hotswitch.headers.registry import Registry

TCP, UDP = 6, 17

_PROTOCOLS = {"tcp": TCP, "udp": UDP}
_CHECKSUMS = {TCP: 16, UDP: 6}
"""Where the checksum is in the header, by protocol."""
_IPV6 = 40
"""Bytes of its header."""
_ONES = 0xFFFF
"""What sums in one's complement are taken modulo."""


class Layer4(NamedTuple):
    """Where the headers of IP and of TCP or UDP begin in a frame, in bytes."""

    network: int
    start: int
    protocol: int

    @property
    def checksum(self) -> int:
        """Where the checksum begins."""
        return self.start + _CHECKSUMS[self.protocol]


def layer_4(parsed: Parsed) -> Layer4 | None:
    """Of a frame that has TCP or UDP right behind IP and its extension headers."""
    layers = parsed.layers
    network = layers.get("ipv4") or layers.get("ipv6")
    for name, protocol in _PROTOCOLS.items():
        if network is not None and name in layers:
            return Layer4(network.offset, layers[name].offset, protocol)
    return None


def completed(frame: bytes, where: Layer4) -> bytes:
    """The frame with its checksum, if that has only been begun, and if the frame is whole."""
    total, size = _pseudo_header(frame, where)
    start, protocol, at = where.start, where.protocol, where.checksum
    found = int.from_bytes(frame[at : at + 2])
    is_begun = found and found % _ONES == total % _ONES
    if not is_begun or not at + 2 - start <= size <= len(frame) - start:
        return frame
    covered = int.from_bytes(frame[start : start + size]) << 8 * (size % 2)
    # The sum has the pseudo header's in it, as that is in the checksum's place.
    whole = -covered % _ONES
    if protocol == UDP:
        whole = whole or _ONES  # 0 would be none
    return b"".join((frame[:at], whole.to_bytes(2), frame[at + 2 :]))


def begun(frame: bytes, where: Layer4) -> bytes:
    """The frame with the sum of its pseudo header alone in the checksum's place."""
    at = where.checksum
    begun = _pseudo_header(frame, where)[0] % _ONES
    return b"".join((frame[:at], begun.to_bytes(2), frame[at + 2 :]))


def completed_anyhow(registry: Registry, frame: bytes) -> bytes:
    """The same for a frame of which nothing is known yet."""
    where = layer_4(parse(registry, frame))
    return frame if where is None else completed(frame, where)


def _pseudo_header(frame: bytes, where: Layer4) -> tuple[int, int]:
    """The sum of its parts, and the bytes of the header and what follows, as IP says."""
    network, start, protocol = where
    if frame[network] >> 4 == 4:
        size = int.from_bytes(frame[network + 2 : network + 4]) - (start - network)
        addresses = frame[network + 12 : network + 20]
    else:
        size = int.from_bytes(frame[network + 4 : network + 6]) - (start - network - _IPV6)
        addresses = frame[network + 8 : network + 40]
    return int.from_bytes(addresses) + protocol + size, size
