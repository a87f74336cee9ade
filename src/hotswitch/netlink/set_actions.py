"""Set actions of Netlink messages to the model's: which fields of a header get which values."""

from __future__ import annotations

from typing import Any

from hotswitch.headers.registry import Registry
from hotswitch.model.action import Action, SetField
from hotswitch.netlink import lacks, tunnel_keys
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError, UnsupportedError
from hotswitch.netlink.families.keys import FRAGMENT_FIRST, FRAGMENT_LATER, FRAGMENT_NONE
from hotswitch.netlink.known import Known
from hotswitch.netlink.places import (
    ARP,
    IPV4,
    IPV6,
    LAYER_4,
    MPLS,
    PLACES,
    RARP,
    label_fields,
    members,
    spread,
)
from hotswitch.netlink.types import Masked

_EXACT = -1
# A set action has the protocol of the flow's key, which is 0 where the flow does not look at it.
_PROTOCOLS = {"ipv4.protocol": 0, "ip_protocol": 0}
_NOT_SET = frozenset({"in_port", "ethertype", "recirc_id", "dp_hash"})


def set_field(registry: Registry, field: str, value: int, mask: int = _EXACT) -> SetField:
    """The action that sets a field, or those of its bits that the mask has."""
    return SetField(field, value, mask & registry.field(field).mask)


class HeaderSetting:
    """One set action on its way.

    known: what is known of the packets. outer_headers: what the actions before set of a tunnel's;
    what this one sets is added to it.
    """

    def __init__(self, registry: Registry, known: Known, outer_headers: dict[str, int]) -> None:
        self._registry = registry
        self._known = known
        self._outer_headers = outer_headers
        self._actions: list[Action] = []

    def actions(self, attributes: Attributes) -> list[Action]:
        """What a set action says. Raises NetlinkError; its path begins with the header's name."""
        if len(attributes) != 1:
            raise NetlinkError(f"one attribute has to be in it, not {len(attributes)}")
        ((name, value),) = attributes
        both = value if isinstance(value, Masked) else Masked(value, _EXACT)
        try:
            self._set_attribute(str(name), both.value, both.mask)
        except NetlinkError as error:
            raise error.inside(str(name)) from None
        return self._actions

    def _set_attribute(self, name: str, value: Any, mask: Any) -> None:
        if name == "mpls":
            self._require(self._known.get("ethertype") in MPLS, name)
            if len(value) != 1:
                raise NetlinkError("only the outermost label can be set")
            self._set_fields(label_fields(0), value[0], mask if mask == _EXACT else mask[0])
            return
        if name == "tunnel":
            self._set_tunnel(value, mask)
            return
        places = PLACES.get(name)
        if name in lacks.KEYS:
            raise UnsupportedError(lacks.KEYS[name])
        if places is None or name in _NOT_SET:
            raise NetlinkError("it can't be set")
        self._require(self._is_there(name), name)
        masks = {} if mask == _EXACT else members(mask)
        for member, number in members(value).items():
            member_mask = masks.get(member, _EXACT)
            fields = places.get(member)
            if fields:
                self._set_fields(fields, number, member_mask)
            elif member == "fragment" and (member_mask if masks else number != self._fragment()):
                raise NetlinkError("what kind of fragment it is can't be set")

    def _set_tunnel(self, key: Attributes, mask: Any) -> None:
        """All outer headers anew: what is not said is zero, or what the kernel takes."""
        if mask != _EXACT:
            raise NetlinkError("it can't be set under a mask")
        settings = tunnel_keys.settings_of(key)
        for field, number in settings.items():
            if self._outer_headers.get(field) != number:
                self._set(field, number)
        self._outer_headers.update(settings)

    def _set_fields(self, fields: tuple[str, ...], number: int, mask: int) -> None:
        if number & ~mask:
            raise NetlinkError("the value has bits that its mask does not have")
        total = sum(self._registry.field(field).width for field in fields)
        values = spread(self._registry, fields, number)
        masks = spread(self._registry, fields, mask & (1 << total) - 1)
        for field in fields:
            if not masks[field]:
                continue
            if self._registry.field(field).settable:
                self._set(field, values[field] & masks[field], masks[field])
            elif values[field] != self._known.get(field, _PROTOCOLS.get(field)):
                raise NetlinkError(f"{field} can't be set")

    def _set(self, field: str, value: int, mask: int = _EXACT) -> None:
        self._actions.append(set_field(self._registry, field, value, mask))

    def _is_there(self, name: str) -> bool:
        """Whether what is known says that the packets have what is to be set."""
        ethertype = self._known.get("ethertype")
        match name:
            case "ipv4":
                return ethertype == IPV4
            case "ipv6":
                return ethertype == IPV6
            case "arp":
                return ethertype in (ARP, RARP)
            case "tcp" | "udp" | "sctp" | "icmp" | "icmpv6" | "tcp_flags":
                protocol = self._known.get("ipv4.protocol" if ethertype == IPV4 else "ip_protocol")
                layer_4 = name.removesuffix("_flags")
                return ethertype in (IPV4, IPV6) and LAYER_4.get(protocol or 0) == layer_4
            case _:
                return True

    def _fragment(self) -> int:
        """The kind of fragment that is known, as a key has it."""
        for fragmented in ("ipv4", "ipv6_fragment"):
            if self._known.get(f"{fragmented}.fragment_offset"):
                return FRAGMENT_LATER
        first = self._known.get("ipv4.more_fragments") or self._known.get("ipv6_fragment")
        return FRAGMENT_FIRST if first else FRAGMENT_NONE

    def _require(self, there: bool, name: str) -> None:
        if not there:
            raise NetlinkError(f"nothing that is matched says that there is {name}")
