"""Flow keys and masks to matches.

A flow says the same as the kernel's (net/openvswitch/flow_netlink.c, ovs_nla_get_match): what the
mask leaves out is not looked at, a mask that is missing is exact in all that the key has, and
whether there is a tag is always looked at. Refusals have the kernel's errno, EINVAL, also for
what the model can't say: clients that probe take it for "not supported".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotswitch.headers.registry import Registry
from hotswitch.model.match import Match
from hotswitch.netlink import extension_headers, lacks, ports, tunnel_keys
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.errors import NetlinkError, UnsupportedError
from hotswitch.netlink.families.keys import (
    FRAGMENT_FIRST,
    FRAGMENT_LATER,
    FRAGMENT_NONE,
    KEY,
    TAG_PRESENT,
)
from hotswitch.netlink.key_rules import EXACT, check_mask, expected_in, mask_of, said_by
from hotswitch.netlink.places import (
    BESIDE,
    FIRST_ETHERTYPE,
    NUMBER,
    PLACES,
    SOLICIT,
    TAGS,
    is_zero,
    label_fields,
    members,
    spread,
)

_NEXT_HEADER_FRAGMENT = 44  # RFC 8200, 4.5


def match_of(registry: Registry, key: Attributes, mask: Attributes | None = None) -> Match:
    """The match that a flow's key and mask stand for. Masks have the width of their field.

    Raises NetlinkError, with "key" or "mask" and the attribute in its path, for what contradicts
    itself, and for what the model can't say.
    """
    return _Translation(registry, key, mask).match()


def beside_of(registry: Registry, key: Attributes) -> dict[str, int]:
    """The fields beside the packet in a key's metadata (of an EXECUTE request); `in_port`, the
    model's number, is 0 if there is none.

    Raises NetlinkError for metadata that no packet here can have.
    """
    port = key.get("in_port")
    found = {"in_port": 0 if port is None else _port(port)}
    for name, value in key:
        if name in BESIDE:
            found |= spread(registry, PLACES[str(name)][NUMBER], value)
        elif name == "tunnel":
            found |= _outer_headers(value)
        elif name in lacks.ALWAYS_ZERO and not is_zero(value):
            raise _lacking("key", str(name))
    return found


def _outer_headers(key: Attributes) -> dict[str, int]:
    try:
        fields = tunnel_keys.fields_of(key)
    except NetlinkError as error:
        raise error.inside("tunnel").inside("key") from None
    return {f"tunnel{name}": value for name, value in fields.items()}


class _Translation:
    """One flow on its way into a match."""

    def __init__(self, registry: Registry, key: Attributes, mask: Attributes | None) -> None:
        self._registry = registry
        self._key = key
        self._mask = mask
        self._terms: dict[str, tuple[int, int]] = {}

    def match(self) -> Match:
        if "ethernet" not in self._key:
            raise _missing("ethernet", "every flow")
        self._tags()
        self._ethertype()
        expected = expected_in(self._key, self._mask)
        for each in expected:
            if each not in self._key:
                raise _missing(each, said_by(self._key, each))
        check_mask(self._key, self._mask, expected)
        for name, value in self._key:
            if name not in ("ethertype", "vlan", "encap", "tunnel", "ipv6_extensions"):
                self._attribute(str(name), value)
        self._extensions()
        self._tunnel()
        return Match.of(self._terms)

    def _extensions(self) -> None:
        """The extension headers, behind what else is known of the packet."""
        value, mask = self._key.get("ipv6_extensions"), mask_of(self._mask, "ipv6_extensions")
        if value is None or not mask:
            return
        protocol, exact = self._terms.get("ip_protocol", (0, 0))
        try:
            if "ethertype" not in self._terms or "ipv6" not in self._key:
                raise NetlinkError("nothing that is matched says that it is IPv6")
            known = protocol if exact == 0xFF else None
            for layer, there in extension_headers.presence(value, mask, known):
                if self._terms.get(layer, (there, 1)) != (there, 1):
                    raise NetlinkError(f"it contradicts ipv6.fragment {self._key['ipv6'].fragment}")
                self._term(layer, there, 1)
        except NetlinkError as error:
            raise error.inside("ipv6_extensions").inside("key") from None

    def _tunnel(self) -> None:
        """The outer headers; a mask that is there looks at them even if it is zero."""
        key, mask = self._key.get("tunnel"), mask_of(self._mask, "tunnel")
        if mask is None:
            return
        try:
            terms = tunnel_keys.terms_of(key, None if mask == EXACT else mask)
        except NetlinkError as error:
            raise error.inside("tunnel").inside("key") from None
        for field, (value, bits) in terms.items():
            self._term(field, value, bits)

    # -- tags

    def _tags(self) -> None:
        """Take the tags off key and mask, outermost first."""
        type_field = "ethernet.type"
        for layer in ("vlan", "vlan2"):
            if self._key.get("ethertype") not in TAGS:
                self._term(layer, 0, 1)
                break
            if not self._tag(layer, type_field):
                break
            type_field = f"{layer}.type"
        for name in ("vlan", "encap"):
            if name in self._key:
                raise NetlinkError("it is there without a tag's EtherType", path=("key", name))
            if self._mask is not None and not is_zero(self._mask.get(name)):
                raise NetlinkError("the key has no tag", path=("mask", name))

    def _tag(self, layer: str, type_field: str) -> bool:
        """One tag; whether something can follow it."""
        key, mask = self._key, self._mask
        for name in ("vlan", "encap"):
            if name not in key:
                raise _missing(name, f"ethertype {key['ethertype']:#06x}")
        tci, inner = key["vlan"], key["encap"]
        self._term(type_field, key["ethertype"], EXACT)
        if not tci & TAG_PRESENT:
            if tci:
                raise NetlinkError("the bit 0x1000 is not set: no tag", path=("key", "vlan"))
            if len(inner):
                raise NetlinkError("nothing follows a tag that is cut off", path=("key", "encap"))
            self._term(layer, 0, 1)
            self._key = _without_tag(key, NONE)
            if mask is not None:
                self._mask = _without_tag(mask, NONE)
            return False
        tci_mask = 0xFFFF
        if mask is not None and "encap" in mask:
            if mask.get("ethertype") != 0xFFFF:
                raise NetlinkError("a tag's EtherType is matched whole", path=("mask", "ethertype"))
            tci_mask = mask.get("vlan", 0)
            if not tci_mask & TAG_PRESENT:
                raise NetlinkError("whether there is a tag is matched", path=("mask", "vlan"))
            self._mask = _without_tag(mask, mask["encap"])
        self._key = _without_tag(key, inner)
        self._term(layer, 1, 1)
        self._term(f"{layer}.pcp", tci >> 13, tci_mask >> 13)
        self._term(f"{layer}.vid", tci & 0xFFF, tci_mask & 0xFFF)
        return True

    def _ethertype(self) -> None:
        """The EtherType is matched whole or not at all, whatever bits the mask has."""
        value = self._key.get("ethertype")
        if value is None:
            if self._mask is not None and not is_zero(self._mask.get("ethertype")):
                self._term("length_frame", 1, EXACT)
            return
        if value < FIRST_ETHERTYPE:
            raise NetlinkError(f"{value:#x} is a length", path=("key", "ethertype"))
        if not is_zero(mask_of(self._mask, "ethertype")):
            self._term("ethertype", value, EXACT)

    # -- one attribute

    def _attribute(self, name: str, value: Any) -> None:
        mask = mask_of(self._mask, name)
        if is_zero(mask) and name not in ("packet_type", "nd_extensions", "tunnel_info"):
            return
        try:
            if name == "in_port":
                self._term("in_port", _port(value), EXACT)
            elif name == "mpls":
                self._labels(value, mask)
            elif name == "nd":
                self._neighbour(value, mask)
            elif name in lacks.KEYS:
                self._must_be_zero(name, value, mask)
            else:
                self._members(name, value, mask)
        except NetlinkError as error:
            if not error.path:
                error.path = ("key", name)
            raise

    def _members(self, name: str, value: Any, mask: Any) -> None:
        places = PLACES[name]
        masks = {} if mask == EXACT else members(mask)
        for member, number in members(value).items():
            member_mask = masks.get(member, EXACT)
            fields = places.get(member)
            if fields == ("ip_protocol",) and number & member_mask == _NEXT_HEADER_FRAGMENT:
                # Only a key of a later fragment has it.
                self._term("ip_fragment", FRAGMENT_LATER, FRAGMENT_LATER)
            elif fields:
                self._spread(fields, number, member_mask)
        if name == "ipv4":
            self._ipv4_fragment(value.fragment, masks.get("fragment", EXACT) & 0xFF)
        elif name == "ipv6":
            self._ipv6_fragment(value, masks)

    def _spread(self, fields: tuple[str, ...], number: int, mask: int) -> None:
        total = sum(self._registry.field(field).width for field in fields)
        values = spread(self._registry, fields, number & mask)
        masks = spread(self._registry, fields, mask & (1 << total) - 1)
        for field in fields:
            self._term(field, values[field], masks[field])

    def _labels(self, labels: tuple[int, ...], masks: Any) -> None:
        if masks != EXACT and len(masks) != len(labels):
            raise NetlinkError("key and mask have another number of labels", path=("mask", "mpls"))
        for place, label in enumerate(labels):
            mask = 0xFFFFFFFF if masks == EXACT else masks[place]
            self._spread(label_fields(place), label, mask)

    def _neighbour(self, value: Any, mask: Any) -> None:
        solicit = self._key["icmpv6"].type == SOLICIT
        all_bits = mask == EXACT
        header, option = (
            ("nd_solicit", "nd_source_link") if solicit else ("nd_advert", "nd_target_link")
        )
        self._spread((f"{header}.target",), value.target, EXACT if all_bits else mask.target)
        for member in ("source_link", "target_link"):
            link = getattr(value, member)
            link_mask = (1 << 48) - 1 if all_bits else getattr(mask, member)
            if not link_mask:
                continue
            if not option.endswith(member):
                if link & link_mask:
                    raise NetlinkError(f"{member} is in the other kind of message")
            elif link & link_mask:
                self._spread((f"{option}.address",), link, link_mask)
            elif link_mask == (1 << 48) - 1:
                self._term(option, 0, 1)  # no address: no option
            else:
                raise UnsupportedError(lacks.NO_OPTION)

    def _ipv4_fragment(self, value: int, mask: int) -> None:
        _check_fragment(value)
        match value & mask & 3, mask & 3:
            case _, 0:
                return
            case (0, 3 | 2) | (1, 3) as found:
                self._term("ipv4.fragment_offset", 0, EXACT)
                if found[1] == 3:
                    self._term("ipv4.more_fragments", found[0], EXACT)
            case kind, looked_at:
                self._kind_of_fragment(kind, looked_at)

    def _kind_of_fragment(self, kind: int, mask: int) -> None:
        if kind == FRAGMENT_LATER:
            mask = FRAGMENT_LATER  # so it is not the first
        self._term("ip_fragment", kind, mask)

    def _ipv6_fragment(self, key: Any, masks: Mapping[str, int]) -> None:
        value, mask = key.fragment, masks.get("fragment", EXACT) & 0xFF
        _check_fragment(value)
        looked_at = key.protocol & masks.get("protocol", EXACT)
        if value & mask == FRAGMENT_LATER and looked_at not in (0, _NEXT_HEADER_FRAGMENT):
            raise NetlinkError(f"a later fragment has the protocol {_NEXT_HEADER_FRAGMENT}")
        match value & mask & 3, mask & 3:
            case _, 0:
                return
            case 0, 3:
                self._term("ipv6_fragment", 0, 1)
            case 1, (1 | 3):
                self._term("ipv6_fragment", 1, 1)
                self._term("ipv6_fragment.fragment_offset", 0, EXACT)
            case kind, looked_at:
                self._kind_of_fragment(kind, looked_at)

    def _must_be_zero(self, name: str, value: Any, mask: Any) -> None:
        """Nothing here has such a field; what no packet has may be matched as zero."""
        both = isinstance(value, int) and isinstance(mask, int)
        looked_at = value & mask if both else value
        if name not in lacks.ALWAYS_ZERO or not is_zero(looked_at):
            raise _lacking("key", name)

    def _term(self, field: str, value: int, mask: int) -> None:
        mask &= self._registry.field(field).mask
        if mask:
            self._terms[field] = (value & mask, mask)


def _without_tag(attributes: Attributes, inner: Attributes) -> Attributes:
    """The attributes around a tag together with those behind it."""
    outer = [pair for pair in attributes if pair[0] not in ("ethertype", "vlan", "encap")]
    for name, _ in inner:
        if any(name == other for other, _ in outer):
            raise NetlinkError("it is there twice", path=("key", "encap", str(name)))
    return Attributes((*outer, *inner))


def _port(number: int) -> int:
    try:
        return ports.to_model(number)
    except NetlinkError as error:
        raise error.inside("in_port").inside("key") from None


def _check_fragment(value: int) -> None:
    if value not in (FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER):
        raise NetlinkError(f"no kind of fragment is {value}")


def _lacking(where: str, name: str) -> NetlinkError:
    return UnsupportedError(lacks.KEYS[name], path=(where, name))


def _missing(name: str, needing: str) -> NetlinkError:
    """needing: what of a key can't be without it."""
    text = "eth" if name == "ethernet" else name
    return NetlinkError(
        f"{name} is missing, which {needing} needs ({text}() matches any)",
        path=("key",),
        missing=KEY.by_name[name].number,
    )
