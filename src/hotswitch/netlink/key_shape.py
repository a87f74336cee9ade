"""Which attributes a flow key has, from a frame or a match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hotswitch.headers.parse import Parsed
from hotswitch.headers.registry import Registry
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extension_headers import FRAGMENT, LAYERS
from hotswitch.netlink.families.keys import FRAGMENT_FIRST, FRAGMENT_LATER, FRAGMENT_NONE
from hotswitch.netlink.places import FIRST_ETHERTYPE, IPV4, IPV6, LABELS, TAGS


@dataclass(frozen=True, slots=True)
class Shape:
    """Which attributes a key has.

    tags: the EtherType of each tag, outermost first; cut: that of a tag that is cut off, or 0.
    ethertype: None: left out. protocol: -1: left out. tunnel: the outer headers' IP version; 0:
    there are none, None: they are not looked at. extensions: the bits of `ipv6_extensions` that are
    looked at.
    """

    tags: tuple[int, ...] = ()
    cut: int = 0
    ethertype: int | None = None
    protocol: int = -1
    fragment: int = FRAGMENT_NONE
    labels: int = 1
    icmpv6: int = -1
    tunnel: int | None = None
    extensions: int = 0


def shape_of_frame(parsed: Parsed, values: Mapping[str, int]) -> Shape:
    """values: the frame's fields, and those beside it."""
    layers = parsed.layers
    types = [values.get(name, 0) for name in ("ethernet.type", "vlan.type", "vlan2.type")]
    tags = types[: sum(layer in layers for layer in ("vlan", "vlan2"))]
    ethertype = types[len(tags)]
    # A third tag is not looked into; one that should be there and is not has been cut off.
    cut = ethertype if ethertype in TAGS and len(tags) < 2 else 0
    labels = sum(layer in layers for layer in LABELS) or 1
    protocol, fragment = -1, FRAGMENT_NONE
    if ethertype == IPV4:
        protocol = values.get("ipv4.protocol", 0)
        if values.get("ipv4.fragment_offset"):
            fragment = FRAGMENT_LATER
        elif values.get("ipv4.more_fragments"):
            fragment = FRAGMENT_FIRST
    elif ethertype == IPV6:
        protocol = values.get("ip_protocol", 0) if "ipv6" in layers else 0
        if "ipv6_fragment" in layers:
            later = values["ipv6_fragment.fragment_offset"]
            fragment = FRAGMENT_LATER if later else FRAGMENT_FIRST
    return Shape(
        tuple(tags),
        cut,
        ethertype if ethertype >= FIRST_ETHERTYPE and not cut else None,
        protocol,
        fragment,
        labels,
        values.get("icmpv6.type", -1),
        values.get("tunnel", 0),
    )


def shape_of_match(
    registry: Registry, values: Mapping[str, int], masks: Mapping[str, int]
) -> Shape:
    """Raises NetlinkError for a match that leaves open what a key has to say.

    values, masks: its terms', by field.
    """

    def exact(field: str) -> int | None:
        return values[field] if masks.get(field) == registry.field(field).mask else None

    tags: list[int] = []
    type_field = "ethernet.type"
    cut = 0
    for layer in ("vlan", "vlan2"):
        kind = exact(type_field)
        if layer not in masks:
            raise NetlinkError(f"a flow key says whether there is {layer}, this match does not")
        if not values[layer]:
            cut = kind or 0
            break
        if kind is None:
            raise NetlinkError(f"a flow key says what tag it is, this match not in {type_field}")
        tags.append(kind)
        type_field = f"{layer}.type"
    ethertype = exact("ethertype")
    protocol = -1
    if ethertype == IPV4:
        protocol = exact("ipv4.protocol") or -1
    elif ethertype == IPV6:
        protocol = exact("ip_protocol") or -1
    fragment = FRAGMENT_NONE
    if "ip_fragment" in masks:
        fragment = values["ip_fragment"] & (FRAGMENT_FIRST | FRAGMENT_LATER)
    elif values.get("ipv4.more_fragments") or "ipv6_fragment.fragment_offset" in masks:
        fragment = FRAGMENT_FIRST
    kind = exact("icmpv6.type")
    return Shape(
        tuple(tags),
        cut,
        ethertype,
        protocol,
        fragment,
        _label_count(masks),
        -1 if kind is None else kind,
        exact("tunnel"),
        _extensions(values, masks) if ethertype == IPV6 else 0,
    )


def _extensions(values: Mapping[str, int], masks: Mapping[str, int]) -> int:
    """That there is no fragment header, or that it is the first fragment's, is said otherwise."""
    looked_at = sum(bit for layer, bit in LAYERS.items() if layer in masks)
    if not values.get("ipv6_fragment") or "ipv6_fragment.fragment_offset" in masks:
        looked_at &= ~FRAGMENT
    return looked_at


def _label_count(masks: Mapping[str, int]) -> int:
    named = [
        place for place, layer in enumerate(LABELS) if any(f"{layer}." in field for field in masks)
    ]
    return max(named, default=0) + 1
