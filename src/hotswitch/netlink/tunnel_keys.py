"""Tunnel keys (OVS_KEY_ATTR_TUNNEL) and the fields beside the packet that they stand for.

A key means what the kernel's does (net/openvswitch/flow_netlink.c, ip_tun_from_nlattr and
__ip_tun_to_nlattr): a mask that is there always looks at the IP version; a mask with an id looks
at whether there is one. What a packet came with is in the fields `tunnel…`, what it shall leave
with in `out_tunnel…`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hotswitch.headers.meta import (
    META,
    TUNNEL_CHECKSUM,
    TUNNEL_DONT_FRAGMENT,
    TUNNEL_HAS_ID,
    TUNNEL_OAM,
    Origin,
)
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.netlink import lacks
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.errors import NetlinkError, UnsupportedError
from hotswitch.netlink.places import is_zero

FIELDS = tuple(each.name for each in META if each.origin is Origin.TUNNEL)
"""What a packet came with."""
OUT = "out_tunnel"
OUT_FIELDS = tuple(each.name for each in META if each.origin is Origin.OUT_TUNNEL)
"""What it shall leave with, in the order in which that is set; their names begin with `OUT`."""

_ADDRESSES = {4: ("ipv4_src", "ipv4_dst"), 6: ("ipv6_src", "ipv6_dst")}
_PLACES = {
    "id": "_id",
    "ipv4_src": "_src",
    "ipv4_dst": "_dst",
    "ipv6_src": "_ipv6_src",
    "ipv6_dst": "_ipv6_dst",
    "tos": "_tos",
    "ttl": "_ttl",
}
_FLAGS = {
    "dont_fragment": TUNNEL_DONT_FRAGMENT,
    "checksum": TUNNEL_CHECKSUM,
    "oam": TUNNEL_OAM,
}
_WITH_ACTIONS = frozenset({"sample", "check_pkt_len", "dec_ttl"})
_ALL_FLAGS = TUNNEL_HAS_ID | TUNNEL_DONT_FRAGMENT | TUNNEL_CHECKSUM | TUNNEL_OAM
_EXACT = -1


def fields_of(key: Attributes) -> dict[str, int]:
    """The fields that a key's tunnel stands for, by what follows "tunnel" in their names.

    Raises NetlinkError for what is no tunnel's key, or can't be said.
    """
    version = _version(key)
    if "ttl" not in key:
        raise NetlinkError("ttl is missing", missing=4)
    for name in lacks.TUNNELS:
        if not is_zero(key.get(name)):
            raise _lacking(name)
    found = {"": version, "_flags": _flags(key)}
    for name, place in _PLACES.items():
        if name in key:
            found[place] = key[name]
    return found


def terms_of(key: Attributes | None, mask: Attributes | None) -> dict[str, tuple[int, int]]:
    """Fields, values and masks of a flow's tunnel. key None: there are no outer headers; mask
    None: everything counts.

    Raises NetlinkError, with the attribute in its path, for what can't be told of packets.
    """
    if key is None:
        return {} if is_zero(mask) else {"tunnel": (0, _EXACT)}
    for name in lacks.TUNNELS:
        if not is_zero(key.get(name) if mask is None else mask.get(name)):
            raise _lacking(name)
    said = fields_of(Attributes(each for each in key if each[0] not in lacks.TUNNELS))
    version = said[""]
    for other in _ADDRESSES[_other(version)]:
        if mask is not None and not is_zero(mask.get(other)):
            raise NetlinkError("the key has the other IP version", path=(other,))
    terms = {
        f"tunnel{place}": (said.get(place, 0), _EXACT if mask is None else mask.get(name, 0))
        for name, place in _places(version).items()
    }
    flags = said["_flags"], _ALL_FLAGS if mask is None else _flags(mask)
    return {"tunnel": (version, _EXACT), "tunnel_flags": flags, **terms}


def key_of(values: Mapping[str, int], version: int) -> Attributes:
    """The key that these fields, or their masks, are in; version: of IP, the fields' own."""
    flags = values.get("tunnel_flags", 0)
    pairs: list[tuple[Name, Any]] = []
    if flags & TUNNEL_HAS_ID:
        pairs.append(("id", values.get("tunnel_id", 0)))
    source, target = _ADDRESSES[version]
    if address := values.get(f"tunnel{_PLACES[source]}", 0):
        pairs.append((source, address))
    pairs.append((target, values.get(f"tunnel{_PLACES[target]}", 0)))
    if tos := values.get("tunnel_tos", 0):
        pairs.append(("tos", tos))
    pairs.append(("ttl", values.get("tunnel_ttl", 0)))
    pairs += [(name, True) for name, flag in _FLAGS.items() if flags & flag]
    return Attributes(pairs)


def said_fields(version: int) -> tuple[str, ...]:
    """The fields that `key_of` writes."""
    return ("tunnel", "tunnel_flags", *(f"tunnel{place}" for place in _places(version).values()))


def settings_of(key: Attributes) -> dict[str, int]:
    """What a set action sets, by field; the fields that count, whatever they were before.

    Raises NetlinkError for what can't be set.
    """
    found = fields_of(Attributes(each for each in key if each[0] != "dst_port"))
    if found["_flags"] & TUNNEL_OAM:
        raise UnsupportedError(lacks.OAM, path=("oam",))
    if found.get("_id", 0) >> 32:
        raise NetlinkError("no tunnel here has ids of more than 32 bits", path=("id",))
    version = found[""]
    if not found.get(_PLACES[_ADDRESSES[version][1]]):
        raise NetlinkError("the destination is missing", path=(_ADDRESSES[version][1],))
    wanted = {OUT, f"{OUT}_flags", *(f"{OUT}{place}" for place in _places(version).values())}
    return {name: found.get(name.removeprefix(OUT), 0) for name in OUT_FIELDS if name in wanted}


def outer_headers(beside: Mapping[str, int]) -> TunnelKey | None:
    """What fields beside a packet say of how it is to leave by a tunnel's device, if anything."""

    def said(name: str) -> int:
        return beside.get(f"{OUT}{name}", 0)

    version = said("")
    if not version:
        return None
    source, target = (_PLACES[name] for name in _ADDRESSES[6 if version == 6 else 4])
    flags = said("_flags")
    return TunnelKey(
        version,
        said("_id") & 0xFFFFFFFF,
        said(target),
        said(source),
        said("_tos"),
        said("_ttl"),
        checksum=bool(flags & TUNNEL_CHECKSUM),
        dont_fragment=bool(flags & TUNNEL_DONT_FRAGMENT),
    )


def ports_said(actions: Attributes, said: int = 0) -> Iterator[tuple[int, int]]:
    """The UDP ports that set actions say, each with the vport that a packet then goes to."""
    for name, value in actions:
        if name == "set" and "tunnel" in value:
            said = value["tunnel"].get("dst_port", 0)
        elif name == "output" and said:
            yield said, value
        elif name == "clone":
            yield from ports_said(value, said)
        elif name in _WITH_ACTIONS:
            for _, inner in value:
                if isinstance(inner, Attributes):
                    yield from ports_said(inner, said)


def set_key_of(settings: Mapping[str, int]) -> Attributes | None:
    """The key of a set action after which what counts of the outer headers is this, or None if
    there is none."""
    version = settings.get(OUT, 0)
    if version not in _ADDRESSES:
        return None
    key = key_of({name.removeprefix("out_"): value for name, value in settings.items()}, version)
    try:
        said = settings_of(key)
    except NetlinkError:
        return None
    return key if said.items() <= settings.items() else None


def _places(version: int) -> dict[str, str]:
    others = _ADDRESSES[_other(version)]
    return {name: place for name, place in _PLACES.items() if name not in others}


def _other(version: int) -> int:
    return 6 if version == 4 else 4


def _version(key: Attributes) -> int:
    there = {version for version, names in _ADDRESSES.items() if any(name in key for name in names)}
    if len(there) != 1:
        what = "IPv4 and IPv6 are mixed" if there else "the destination is missing"
        raise NetlinkError(what)
    return there.pop()


def _flags(key: Attributes) -> int:
    found = TUNNEL_HAS_ID if "id" in key else 0
    return found | sum(flag for name, flag in _FLAGS.items() if key.get(name))


def _lacking(name: str) -> NetlinkError:
    return UnsupportedError(lacks.TUNNELS[name], path=(name,))
