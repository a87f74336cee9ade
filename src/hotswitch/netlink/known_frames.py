"""The keys of frames like one that was parsed before: then only the addresses and ports are read.

Once a frame has been parsed and its key written, what frames of that form have in common is kept:
the bits of their headers that must be the same, and where in them the values stand that go into the
key. Which fields may differ is said here; where they stand, the headers' declarations and the table
of key attributes say. A frame that differs in anything else is parsed as a whole.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from hotswitch.headers.declaration import Header
from hotswitch.headers.parse import Parsed, parse
from hotswitch.headers.registry import Registry
from hotswitch.model.port import Upcall
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.checksums import Layer4, completed, completed_anyhow, layer_4
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.packet import HASH_LAYER_4, HASH_SOFTWARE
from hotswitch.netlink.keys import key_of_frame
from hotswitch.netlink.nested import Encoded, frames
from hotswitch.netlink.places import NUMBER, PLACES
from hotswitch.netlink.types import Structure

KEPT = 256
"""Places of which forms are kept, at most; the oldest go."""
_OF_ONE = 8
"""Forms for one place, at most."""
_ETHERTYPE = slice(12, 14)
_LAYERS = frozenset({"ethernet", "arp", "ipv4", "ipv6", "tcp", "udp", "sctp"})
"""Layers of which all fields are read here that may differ; frames with others have no form."""
_FREE = {
    "ethernet": ("src", "dst"),
    "arp": ("sender_ip", "target_ip", "sender_mac", "target_mac"),
    "ipv4": ("src", "dst", "tos", "ttl"),
    "ipv6": ("src", "dst", "traffic_class", "label", "hop_limit"),
    "tcp": ("src", "dst"),
    "tcp_flags": (NUMBER,),
    "udp": ("src", "dst"),
    "sctp": ("src", "dst"),
}
"""Members of the key that do not decide what else there is."""
_UNSEEN = {
    "ipv4": ("total_length", "identification", "reserved", "dont_fragment", "checksum"),
    "ipv6": ("payload_length",),
    "tcp": ("sequence", "acknowledgement", "window", "checksum", "urgent"),
    "udp": ("length", "checksum"),
    "sctp": ("verification_tag", "checksum"),
}
"""Fields that neither the key nor the parser looks at."""


class Seen(NamedTuple):
    """What a MISS message says of a frame: its key as a payload, its hash, and the frame, of which
    the checksum is whole."""

    key: Encoded
    hash: int
    frame: bytes


class _Copy(NamedTuple):
    """Bits that go from the frame's headers into the key, both as big-endian numbers."""

    right: int
    mask: int
    left: int


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """What frames of one form have in common, of which the headers have `size` bytes.

    same: the bits of the headers that must be those of `value`. selectors: a value that must not
    be one of those that something follows under. key: the key without what is copied.
    ends: where source and target stand, address and port each. behind: what else is hashed.
    """

    size: int
    same: int
    value: int
    selectors: tuple[tuple[int, int, frozenset[int]], ...]
    key: int
    key_size: int
    copies: tuple[_Copy, ...]
    ends: tuple[slice, slice, slice, slice]
    behind: bytes
    flags: int
    layer_4: Layer4 | None

    def read(self, frame: bytes) -> Seen | None:
        """What there is to say of a frame, if it is of this form."""
        if len(frame) < self.size:
            return None
        number = int.from_bytes(frame[: self.size], "big")
        if number & self.same != self.value:
            return None
        for right, mask, known in self.selectors:
            if number >> right & mask in known:
                return None
        key = self.key
        for right, mask, left in self.copies:
            key |= (number >> right & mask) << left
        source, source_port, target, target_port = self.ends
        one, other = frame[source] + frame[source_port], frame[target] + frame[target_port]
        mixed = one + other if one < other else other + one
        return Seen(
            Encoded(key.to_bytes(self.key_size, "big")),
            zlib.crc32(mixed + self.behind) | self.flags,
            frame if self.layer_4 is None else completed(frame, self.layer_4),
        )


_Place: TypeAlias = tuple[int, bytes, tuple[tuple[str, int], ...]]
"""The port that a frame came in by, its EtherType, and what is beside it."""


class FrameKeys:
    """Knows the forms of frames that were seen lately, of one registry's headers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._forms: OrderedDict[_Place, list[_Form]] = OrderedDict()

    def of(self, upcall: Upcall) -> Seen:
        """What there is to say of the frame of an upcall."""
        frame, in_port = upcall.frame, upcall.in_port
        place = in_port, frame[_ETHERTYPE], upcall.fields
        forms = self._forms.get(place, ())
        for form in forms:
            seen = form.read(frame)
            if seen is not None:
                return seen
        seen = self._parsed(upcall)
        learned = _form(self._registry, frame, seen)
        if learned is not None:
            self._forms[place] = [learned, *forms][:_OF_ONE]
            if len(self._forms) > KEPT:
                self._forms.popitem(last=False)
        return seen

    def _parsed(self, upcall: Upcall) -> Seen:
        key = key_of_frame(self._registry, upcall.frame, upcall.in_port, upcall.fields)
        frame = completed_anyhow(self._registry, upcall.frame)
        return Seen(Encoded(KEY.encode(key)), flow_hash(key), frame)


def flow_hash(key: Attributes) -> int:
    """A packet's hash as messages have it, the same for both directions of a flow."""
    ethernet = key["ethernet"]
    while "encap" in key:
        key = key["encap"]
    network = key.get("ipv4") or key.get("ipv6")
    if network is None:
        ends = sorted((ethernet.src.to_bytes(6, "big"), ethernet.dst.to_bytes(6, "big")))
        return zlib.crc32(b"".join(ends) + _behind(key.get("ethertype"))) | HASH_SOFTWARE
    size = 4 if "ipv4" in key else 16
    source, target = network.src.to_bytes(size, "big"), network.dst.to_bytes(size, "big")
    more = 0
    for name in _LAYER_4:
        if name in key:
            source += key[name].src.to_bytes(2, "big")
            target += key[name].dst.to_bytes(2, "big")
            more = HASH_LAYER_4
    mixed = b"".join(sorted((source, target))) + bytes([network.protocol])
    return zlib.crc32(mixed) | HASH_SOFTWARE | more


_LAYER_4 = ("tcp", "udp", "sctp")
_NOTHING = slice(0, 0)


def _behind(ethertype: int | None) -> bytes:
    return (ethertype or 0).to_bytes(2, "big")


def _form(registry: Registry, frame: bytes, seen: Seen) -> _Form | None:
    """The form of a frame of which this is known; None if not all is known that may differ."""
    parsed = parse(registry, frame)
    if parsed.malformed or not _LAYERS.issuperset(parsed.layers):
        return None
    size = parsed.end
    places = {name: _bits(registry, parsed, name, size) for name in _free_fields(parsed)}
    same = (1 << 8 * size) - 1
    for right, width in places.values():
        same &= ~((1 << width) - 1 << right)
    copies = list(_copies(seen.key, places))
    key = int.from_bytes(seen.key, "big")
    for _, mask, left in copies:
        key &= ~(mask << left)
    ends, behind, flags = _hashed(parsed, frame)
    number = int.from_bytes(frame[:size], "big")
    selectors = tuple(_selectors(registry, parsed, places))
    return _Form(
        size, same, number & same, selectors, key, len(seen.key), tuple(copies), ends, behind,
        flags, layer_4(parsed),
    )  # fmt: skip


def _free_fields(parsed: Parsed) -> Iterator[str]:
    """The fields that may differ among frames of one form."""
    for layer in parsed.layers:
        for name in (layer, f"{layer}_flags"):
            for member in _FREE.get(name, ()):
                yield from PLACES[name][member]
        yield from (f"{layer}.{name}" for name in _UNSEEN.get(layer, ()))


def _bits(registry: Registry, parsed: Parsed, field: str, size: int) -> tuple[int, int]:
    """Where a field is in the headers as a number: how far from its low end, and its width."""
    layer, _, name = field.partition(".")
    header: Header = registry.headers[layer]
    behind = header.width
    for each in header.fields:
        behind -= each.width
        if each.name == name:
            from_end = 8 * (size - parsed.layers[layer].offset) - header.width
            return from_end + behind, each.width
    raise LookupError(field)


def _copies(key: bytes, places: Mapping[str, tuple[int, int]]) -> Iterator[_Copy]:
    """What the key takes from the fields that may differ."""
    for number, start, end in frames(key, 0, len(key)):
        attribute = KEY.by_number[number]
        if attribute.name not in _FREE:
            continue
        kind = attribute.type
        sizes = {NUMBER: end - start}
        if isinstance(kind, Structure):
            sizes = {member: each.size for member, each in kind.members.items()}
        at = start
        for member, member_size in sizes.items():
            stop = at + member_size
            if member in _FREE[attribute.name]:
                left = 8 * (len(key) - stop)
                for field in reversed(PLACES[attribute.name][member]):
                    right, width = places[field]
                    yield _Copy(right, (1 << width) - 1, left)
                    left += width
            at = stop


def _selectors(
    registry: Registry, parsed: Parsed, places: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[int, int, frozenset[int]]]:
    for layer in parsed.layers:
        select = registry.headers[layer].select
        place = places.get(f"{layer}.{select.by}") if select else None
        if select and place:
            right, width = place
            yield right, (1 << width) - 1, frozenset(registry.spaces.get(select.space, ()))


def _hashed(parsed: Parsed, frame: bytes) -> tuple[tuple[slice, slice, slice, slice], bytes, int]:
    """The ends of a flow in the frame, and what is hashed with them: as `flow_hash` does."""
    for name, source, target, size in (("ipv4", 12, 16, 4), ("ipv6", 8, 24, 16)):
        if name not in parsed.layers:
            continue
        at = parsed.layers[name].offset
        protocol = frame[at + 9] if name == "ipv4" else frame[at + 6]
        ends = [slice(at + each, at + each + size) for each in (source, target)]
        ports, flags = [_NOTHING, _NOTHING], HASH_SOFTWARE
        for each in _LAYER_4:
            if each in parsed.layers:
                port = parsed.layers[each].offset
                ports = [slice(port, port + 2), slice(port + 2, port + 4)]
                flags |= HASH_LAYER_4
        return (ends[0], ports[0], ends[1], ports[1]), bytes([protocol]), flags
    behind = frame[_ETHERTYPE] if frame[_ETHERTYPE] >= b"\x06\x00" else bytes(2)
    return (slice(6, 12), _NOTHING, slice(0, 6), _NOTHING), behind, HASH_SOFTWARE
