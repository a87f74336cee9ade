"""Matches, and frames, to flow keys: with the attributes and in the order that the kernel writes.

The order is that of __ovs_nla_put_key (net/openvswitch/flow_netlink.c): which attributes there are
depends on the key alone, and a mask has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hotswitch.headers.parse import parse
from hotswitch.headers.registry import Registry
from hotswitch.model.match import Match
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extension_headers import FRAGMENT, LAYERS
from hotswitch.netlink.families.keys import (
    FRAGMENT_LATER,
    KEY,
    TAG_PRESENT,
)
from hotswitch.netlink.key_shape import Shape, shape_of_frame, shape_of_match
from hotswitch.netlink.places import (
    ADVERT,
    ARP,
    IPV4,
    IPV6,
    LAYER_4,
    MPLS,
    NUMBER,
    PLACES,
    RARP,
    SOLICIT,
    gather,
    has_field,
    label_fields,
    width,
)
from hotswitch.netlink.types import Number, Structure

_NEXT_HEADER_FRAGMENT = 44  # RFC 8200, 4.5
_ALL = 0xFFFFFFFF
_NO_LABELS = bytes(16)


def key_of(registry: Registry, match: Match) -> tuple[Attributes, Attributes]:
    """The key and the mask of a match.

    `match_of` turns them into the same match again. Raises NetlinkError, naming the field, for
    what a key can't say.
    """
    values = {term.field: term.value for term in match}
    masks = {term.field: term.mask & registry.field(term.field).mask for term in match}
    shape = shape_of_match(registry, values, masks)
    key = _Writer(registry, shape, values, ports.from_model(values.get("in_port", 0)), False)
    mask = _Writer(registry, shape, masks, _ALL if "in_port" in masks else 0, True)
    if "ipv4.fragment_offset" in masks and "ipv4.more_fragments" not in masks:
        mask.fragment = FRAGMENT_LATER
    if "ip_fragment" in masks:
        mask.fragment = masks["ip_fragment"]
        if shape.fragment == FRAGMENT_LATER:
            mask.fragment = 0xFF
            if shape.ethertype == IPV6:
                key.protocol = _NEXT_HEADER_FRAGMENT
                mask.protocol = 0xFF
    written = key.write(), mask.write()
    left = sorted(masks.keys() - mask.used)
    if left:
        raise NetlinkError(f"a flow key has no place for {left[0]} in this match")
    return written


def key_of_frame(
    registry: Registry,
    frame: bytes,
    in_port: int,
    beside: Iterable[tuple[str, int]] = (),
) -> Attributes:
    """The key of a frame that came in by a port (the model's number), as MISS messages have it.

    beside: fields beside the packet that are not 0.
    """
    parsed = parse(registry, frame)
    values = {
        f"{layer}.{field}": value
        for layer, placed in parsed.layers.items()
        for field, value in placed.values.items()
    }
    values |= parsed.keys
    values |= beside
    shape = shape_of_frame(parsed, values)
    if shape.ethertype == IPV6 and shape.fragment == FRAGMENT_LATER:
        values["ip_protocol"] = _NEXT_HEADER_FRAGMENT
    return _Writer(registry, shape, values, ports.from_model(in_port), False).write()


class _Writer:
    """Writes a key, or a mask of the same shape, from fields' values, or masks."""

    def __init__(
        self,
        registry: Registry,
        shape: Shape,
        values: Mapping[str, int],
        in_port: int,
        is_mask: bool,
    ) -> None:
        self._registry = registry
        self._shape = shape
        self._values = values
        self._in_port = in_port
        self._is_mask = is_mask
        self.used = {"in_port"}
        """The fields that have been written."""
        self.fragment = 0
        """The mask of kinds of fragments, where it can't be told from the shape."""
        self.protocol = 0
        """The protocol of an IPv6 packet, where no field has it."""

    def write(self) -> Attributes:
        inner = self._behind_tags()
        for place in reversed(range(len(self._shape.tags))):
            inner = self._tag(place, inner)
        return Attributes((*self._beside(), ("ethernet", self._members("ethernet")), *inner))

    def _beside(self) -> list[tuple[Name, Any]]:
        pairs: list[tuple[Name, Any]] = [
            (name, self._number(name)) for name in ("recirc_id", "dp_hash", "priority")
        ]
        version = self._shape.tunnel
        if version:
            self.used.update(tunnel_keys.said_fields(version))
            pairs.append(("tunnel", tunnel_keys.key_of(self._values, version)))
        elif self._is_mask:
            self.used.add("tunnel")
            # So the kernel does; one that is not zero says that there are no outer headers.
            pairs.append(("tunnel", Attributes(ttl=0 if version is None else 0xFF)))
        pairs.append(("in_port", self._in_port))
        pairs += [(name, self._number(name)) for name in _BESIDE_BEHIND_PORT]
        pairs.append(("ct_labels", _NO_LABELS))
        return pairs

    def _tag(self, place: int, inner: list[tuple[Name, Any]]) -> list[tuple[Name, Any]]:
        layer = "vlan2" if place else "vlan"
        self.used |= {layer, "vlan.type" if place else "ethernet.type"}
        pcp, vid = self._value(f"{layer}.pcp"), self._value(f"{layer}.vid")
        return [
            ("ethertype", 0xFFFF if self._is_mask else self._shape.tags[place]),
            ("vlan", pcp << 13 | TAG_PRESENT | vid),
            ("encap", Attributes(inner)),
        ]

    def _behind_tags(self) -> list[tuple[Name, Any]]:
        shape = self._shape
        if len(shape.tags) < 2:
            self.used.add("vlan2" if shape.tags else "vlan")
        if shape.cut:
            self.used.add("vlan.type" if shape.tags else "ethernet.type")
            kind = 0xFFFF if self._is_mask else shape.cut
            return [("ethertype", kind), ("vlan", 0), ("encap", Attributes())]
        if shape.ethertype is None:
            self.used.add("length_frame")
            kind = 0xFFFF if "length_frame" in self._values else 0
            return [("ethertype", kind)] if self._is_mask else []
        self.used.add("ethertype")
        pairs: list[tuple[Name, Any]] = [
            ("ethertype", 0xFFFF if self._is_mask else shape.ethertype)
        ]
        if shape.ethertype in (ARP, RARP):
            pairs.append(("arp", self._members("arp")))
        elif shape.ethertype in MPLS:
            fields = [label_fields(place) for place in range(shape.labels)]
            pairs.append(("mpls", tuple(self._gather(each) for each in fields)))
        elif shape.ethertype in (IPV4, IPV6):
            pairs += self._internet("ipv4" if shape.ethertype == IPV4 else "ipv6")
        return pairs

    def _internet(self, name: str) -> list[tuple[Name, Any]]:
        shape = self._shape
        pairs: list[tuple[Name, Any]] = [(name, self._members(name, fragment=self._fragment(name)))]
        if shape.extensions:
            pairs.append(("ipv6_extensions", self._extensions()))
        layer_4 = LAYER_4.get(shape.protocol)
        other = "icmpv6" if name == "ipv4" else "icmp"
        if shape.fragment == FRAGMENT_LATER or layer_4 in (None, other):
            return pairs
        assert layer_4 is not None
        pairs.append((layer_4, self._members(layer_4)))
        if layer_4 == "tcp":
            pairs.append(("tcp_flags", self._number("tcp_flags")))
        elif layer_4 == "icmpv6" and shape.icmpv6 in (SOLICIT, ADVERT):
            pairs.append(("nd", self._neighbour()))
        return pairs

    def _extensions(self) -> int:
        looked_at = [layer for layer, bit in LAYERS.items() if self._shape.extensions & bit]
        self.used |= set(looked_at)
        return sum(LAYERS[layer] for layer in looked_at if self._values[layer])

    def _fragment(self, name: str) -> int:
        fields = (
            {"ipv4.more_fragments", "ipv4.fragment_offset"}
            if name == "ipv4"
            else {"ipv6_fragment", "ipv6_fragment.fragment_offset"}
        )
        self.used |= {*fields, "ip_fragment"}
        if not self._is_mask:
            return self._shape.fragment
        if self.fragment:
            return self.fragment
        if self._shape.extensions & FRAGMENT:
            return 0  # whether there is a fragment header is said by these
        return 0xFF if any(field in self._values for field in fields) else 0

    def _neighbour(self) -> Any:
        solicit = self._shape.icmpv6 == SOLICIT
        header, option, member = (
            ("nd_solicit", "nd_source_link", "source_link")
            if solicit
            else ("nd_advert", "nd_target_link", "target_link")
        )
        self.used.add(option)
        link = self._value(f"{option}.address")
        if self._is_mask and option in self._values:
            link = (1 << 48) - 1  # no option: no address
        links = {"source_link": 0, "target_link": 0, member: link}
        structure = KEY.by_name["nd"].type
        assert isinstance(structure, Structure)
        return structure.value(target=self._value(f"{header}.target"), **links)

    def _members(self, name: str, **given: int) -> Any:
        structure = KEY.by_name[name].type
        assert isinstance(structure, Structure)
        places = PLACES[name]
        found = {member: self._gather(fields) for member, fields in places.items()}
        if name == "ipv6" and self.protocol:
            found["protocol"] = self.protocol
        return structure.value(**found, **given)

    def _number(self, name: str) -> int:
        fields = PLACES[name][NUMBER]
        if not all(has_field(self._registry, field) for field in fields):
            return 0
        number = self._gather(fields)
        kind = KEY.by_name[name].type
        assert isinstance(kind, Number)
        bits = width(self._registry, fields)
        if self._is_mask and number == (1 << bits) - 1:
            return (1 << 8 * kind.size) - 1
        return number

    def _gather(self, fields: tuple[str, ...]) -> int:
        self.used |= set(fields)
        return gather(self._registry, fields, self._values)

    def _value(self, field: str) -> int:
        return self._gather((field,))


_BESIDE_BEHIND_PORT = ("skb_mark", "ct_state", "ct_zone", "ct_mark")
