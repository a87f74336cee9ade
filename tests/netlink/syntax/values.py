"""Hypothesis strategies for what can be written: keys under masks, and actions.

What is left out of a text can't be in what is read from it, so values have no bits there.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families import actions as kernel
from hotswitch.netlink.families.keys import KEY, NshBase
from hotswitch.netlink.families.tunnels import TUNNEL_KEY
from hotswitch.netlink.syntax.actions import FORMS as ACTIONS
from hotswitch.netlink.syntax.cookies import COOKIES, Cookie
from hotswitch.netlink.syntax.keys import FORMS
from hotswitch.netlink.types import Array, Binary, Masked, Number, Structure
from tests.netlink.values import of_type

Pair = tuple[Any, Any]
"""A value and its mask."""

_LABEL_BITS = {"label": 20, "operation": 16}
_TAG = 0x1000


def bits(width: int) -> st.SearchStrategy[Pair]:
    """A number under a mask: of all bits, none, or some."""
    full = (1 << width) - 1
    masks = st.sampled_from((0, full)) | st.integers(0, full)
    return st.tuples(st.integers(0, full), masks)


def octets(size: int) -> st.SearchStrategy[Pair]:
    masks = st.sampled_from((bytes(size), b"\xff" * size)) | st.binary(min_size=size, max_size=size)
    return st.tuples(st.binary(min_size=size, max_size=size), masks)


def _members(structure: Structure) -> st.SearchStrategy[Pair]:
    def built(pairs: tuple[Pair, ...]) -> Pair:
        values, masks = (structure.value._make(each) for each in zip(*pairs, strict=True))
        return values, masks

    parts = [
        st.just((0, 0))
        if name == "padding"
        else st.sampled_from(((0, 0), (0, 0xFF), (1, 0xFF), (2, 0xFF)))
        if name == "fragment"
        else bits(_LABEL_BITS.get(name, 8 * kind.size))
        for name, kind in structure.members.items()
    ]
    return st.tuples(*parts).map(built)


def _generic(attribute: str, attributes: Any = KEY) -> st.SearchStrategy[Pair]:
    kind = attributes.by_name[attribute].type
    if isinstance(kind, Number):
        return bits(8 * kind.size)
    if isinstance(kind, Structure):
        return _members(kind)
    assert isinstance(kind, Binary), attribute
    return octets(min(kind.maximum, 16))


def _labels() -> st.SearchStrategy[Pair]:
    return st.lists(bits(32), min_size=1, max_size=3).map(
        lambda pairs: (tuple(v for v, _ in pairs), tuple(m for _, m in pairs))
    )


def _optional(pairs: dict[str, st.SearchStrategy[Pair]]) -> st.SearchStrategy[Pair]:
    """Some of these attributes, and their masks."""
    return st.fixed_dictionaries({}, optional=pairs).map(
        lambda found: (
            Attributes((name, value) for name, (value, _) in found.items()),
            Attributes((name, mask) for name, (_, mask) in found.items()),
        )
    )


def nsh(*, partial: bool = True) -> st.SearchStrategy[Pair]:
    """An NSH header; a context of type 1 goes with that type."""

    def built(parts: tuple[Pair, tuple[Pair, ...], Pair]) -> Pair:
        (base, under), context, (data, looked_at) = parts
        if not partial:
            under, looked_at = NshBase.value(255, 255, 255, 255, 0xFFFFFFFF), b"\xff" * 4
            context = tuple((value, 0xFFFFFFFF) for value, _ in context)
        value, mask = {"base": base}, {"base": under}
        if base.md_type == 1 and under.md_type:
            value["md1"], mask["md1"] = zip(*context, strict=True)
        elif base.md_type == 2 and under.md_type:
            value["md2"], mask["md2"] = data, looked_at
        else:
            value["base"] = base._replace(md_type=0)
        # What is left out is not shown at all.
        shown = {
            name: type(each)._make(v if m else 0 for v, m in zip(each, mask[name], strict=True))
            if name == "base"
            else tuple(v if m else 0 for v, m in zip(each, mask[name], strict=True))
            if name == "md1"
            else each
            for name, each in value.items()
        }
        path, mask_of_path = shown["base"].path, mask["base"].path
        for part in (0xFFFFFF00, 0xFF):
            if not mask_of_path & part:
                path &= ~part
        shown["base"] = shown["base"]._replace(path=path)
        return Attributes(shown.items()), Attributes(mask.items())

    base = _members(NshBase).flatmap(
        lambda pair: st.sampled_from((0, 1, 1, 2)).map(
            lambda kind: (pair[0]._replace(md_type=kind), pair[1])
        )
    )
    return st.tuples(base, st.tuples(*[bits(32)] * 4), octets(4)).map(built)


def _geneve() -> st.SearchStrategy[Pair]:
    def one(words: int) -> st.SearchStrategy[Pair]:
        head = st.tuples(octets(3), octets(4 * words), st.sampled_from((0, 31)))
        return head.map(
            lambda found: (
                found[0][0] + bytes([words]) + found[1][0],
                found[0][1] + bytes([found[2]]) + found[1][1],
            )
        )

    many = st.lists(st.integers(0, 3).flatmap(one), max_size=3)
    return many.map(lambda found: (b"".join(v for v, _ in found), b"".join(m for _, m in found)))


def _erspan() -> st.SearchStrategy[Pair]:
    import sys

    version = {n: n.to_bytes(4, sys.byteorder) for n in (1, 2, 255)}
    first = octets(4).map(
        lambda pair: (version[1] + pair[0] + bytes(4), version[255] + pair[1] + bytes(4))
    )
    second = st.tuples(st.integers(0, 15), st.integers(0, 1)).map(
        lambda pair: (
            version[2] + bytes(7) + bytes([pair[0] << 4 | pair[1] << 3]),
            version[255] + bytes(7) + b"\xf8",
        )
    )
    return first | second


def tunnel(*, flags: bool = True) -> st.SearchStrategy[Pair]:
    """A tunnel's key; some flags, of which the value has only those that are looked at."""
    gbp = bits(24).map(lambda pair: tuple(Attributes(gbp=each) for each in pair))
    plain = ("id", "tos", "ttl", "ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst")
    plain += ("src_port", "dst_port")
    pairs: Any = {name: _generic(name, TUNNEL_KEY) for name in plain}
    pairs |= {"vxlan_options": gbp, "geneve_options": _geneve(), "erspan_options": _erspan()}
    names = ("oam", "dont_fragment", "checksum")
    states = st.tuples(*[st.sampled_from(((), (0,), (0, 1)))] * 3)

    def with_flags(parts: tuple[Pair, tuple[tuple[int, ...], ...]]) -> Pair:
        (value, mask), found = parts
        here = Attributes((n, True) for n, f in zip(names, found, strict=True) if 1 in f)
        looked_at = Attributes((n, True) for n, f in zip(names, found, strict=True) if 0 in f)
        return value + here, mask + looked_at

    return st.tuples(_optional(pairs), states).map(with_flags)


def key_attribute(name: str) -> st.SearchStrategy[Pair]:
    """An attribute's value and mask."""
    match name:
        case "encap":
            return keys(_INNER)
        case "vlan":
            return bits(16).map(lambda pair: (pair[0], pair[1] | _TAG))
        case "tcp_flags":
            some = bits(12).map(lambda pair: (pair[0] & pair[1], pair[1]))
            return some.map(lambda pair: (pair[0], 0xFFFF if pair[1] == 0xFFF else pair[1]))
        case "mpls":
            return _labels()
        case "nsh":
            return nsh()
        case "tunnel":
            return tunnel()
        case "nd_extensions":
            return st.tuples(bits(32), bits(8)).map(
                lambda found: tuple(
                    (found[0][n] << 32 | found[1][n] << 24).to_bytes(8, "big") for n in (0, 1)
                )
            )
    return _generic(name)


_INNER = ("ethertype", "ipv4", "ipv6", "tcp", "tcp_flags", "icmp", "arp", "vlan")


def keys(names: Any = None, **more: Any) -> st.SearchStrategy[Pair]:
    """Keys of some attributes, each under its mask."""
    names = [form.attribute for form in FORMS] if names is None else names
    some = st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)
    return some.flatmap(lambda found: key_of(*found))


def key_of(*names: Any) -> st.SearchStrategy[Pair]:
    """A key of just these attributes, in this order."""
    pairs = st.tuples(*(key_attribute(name) for name in names))
    return pairs.map(
        lambda found: (
            Attributes((n, v) for n, (v, _) in zip(names, found, strict=True)),
            Attributes((n, m) for n, (_, m) in zip(names, found, strict=True)),
        )
    )


# Actions

_SETTABLE = (
    *("priority", "ethernet", "ipv4", "ipv6", "tcp", "udp", "skb_mark", "sctp"),
    *("ct_mark", "ct_labels", "mpls", "arp", "nd", "icmp"),
)


def _set() -> st.SearchStrategy[Any]:
    def full(value: Any) -> Any:
        kind = KEY.by_name[value.names[0]].type
        value = value[value.names[0]]
        if isinstance(kind, Number):
            return (1 << 8 * kind.size) - 1
        if isinstance(kind, Binary):
            return b"\xff" * len(value)
        if isinstance(kind, Array):
            return (0xFFFFFFFF,) * len(value)
        assert isinstance(kind, Structure)
        wide = {name: (1 << 8 * each.size) - 1 for name, each in kind.members.items()}
        wide |= {name: (1 << 20) - 1 for name in wide if name == "label"}
        return kind.value(**wide | {name: 0 for name in wide if name == "padding"})

    def one(pair: Pair) -> tuple[str, Attributes]:
        value, mask = pair
        name = value.names[0]
        if mask[name] == full(value):
            return "set", value
        # What is not set is not shown.
        shown = value[name]
        if hasattr(shown, "_make"):
            shown = shown._make(v if m else 0 for v, m in zip(shown, mask[name], strict=True))
        return "set_masked", Attributes([(name, Masked(shown, mask[name]))])

    masked = st.sampled_from(_SETTABLE).flatmap(lambda name: key_of(name).map(one))
    whole_nsh = nsh(partial=False).map(lambda pair: ("set", Attributes(nsh=pair[0])))
    tunnels = tunnel().map(lambda pair: ("set", Attributes(tunnel=pair[0])))
    return masked | tunnels | whole_nsh


def _ct() -> st.SearchStrategy[Attributes]:
    commits = st.sampled_from(({}, {"commit": True}, {"force_commit": True}))
    words = st.text("abcz-09", min_size=1, max_size=15)
    more = st.fixed_dictionaries(
        {},
        optional={
            "zone": st.integers(1, 0xFFFF),
            "mark": bits(32).map(lambda pair: Masked(*pair)),
            "labels": octets(16).map(lambda pair: Masked(*pair)),
            "helper": words,
            "timeout": words,
            "nat": _nat(),
        },
    )
    return st.tuples(commits, more).map(lambda found: Attributes((found[0] | found[1]).items()))


def _nat() -> st.SearchStrategy[Attributes]:
    def built(found: tuple[Any, ...]) -> Attributes:
        way, addresses, ports, persistent, how = found
        pairs: dict[str, Any] = {way: True}
        if addresses:
            low, high = sorted(addresses)
            pairs |= {"ip_minimum": low} | ({"ip_maximum": high} if high > low else {})
            if ports:
                first, last = sorted(ports)
                pairs["port_minimum"] = first
                pairs |= {"port_maximum": last} if last > first else {}
        pairs |= {"persistent": True} if persistent else {}
        pairs |= {how: True} if how else {}
        return Attributes(pairs.items())

    both = st.sampled_from((4, 16)).flatmap(
        lambda size: st.tuples(*[st.binary(min_size=size, max_size=size).filter(any)] * 2)
    )
    ports = st.tuples(*[st.integers(1, 0xFFFF)] * 2)
    some = st.tuples(
        st.sampled_from(("src", "dst")),
        st.none() | both,
        st.none() | ports,
        st.booleans(),
        st.sampled_from(("", "hash", "random")),
    )
    return st.just(Attributes()) | some.map(built)


def _optional_values(pairs: dict[str, Any], **needed: Any) -> st.SearchStrategy[Attributes]:
    return st.fixed_dictionaries(needed, optional=pairs).map(
        lambda found: Attributes(found.items())
    )


def cookies() -> st.SearchStrategy[bytes]:
    """User data of the size of Open vSwitch's cookies: of all kinds, and damaged."""
    whole = st.sampled_from(tuple(COOKIES.values())).flatmap(cookie)
    damage = st.tuples(st.integers(0, 47), st.integers(0, 255))
    return whole | st.tuples(whole, damage).map(
        lambda found: found[0][: found[1][0]] + bytes([found[1][1]]) + found[0][found[1][0] + 1 :]
    )


def cookie(kind: Cookie) -> st.SearchStrategy[bytes]:
    """One that the text says all of."""
    members = {
        name: st.integers(0, _HIGHEST.get(name, (1 << 8 * number.size) - 1))
        for name, number in kind.structure.members.items()
    }

    def built(found: dict[str, int]) -> bytes:
        value = kind.complete(kind.structure.value(**found | {"type": kind.type}))
        return kind.structure.encode(value, 0)

    return st.fixed_dictionaries(members).map(built)


_HIGHEST = {"unused": 0, "gap": 0, "rest": 0, "dont_send": 1, "continuation": 1, "direction": 2}
"""Of a member of a cookie."""


def action(name: str, depth: int = 2) -> st.SearchStrategy[tuple[str, Any]]:
    """An action of this name (`set` may be `set_masked`)."""
    inner = actions(depth - 1) if depth else st.just(Attributes())
    u32 = st.integers(0, 0xFFFFFFFF)
    value: st.SearchStrategy[Any]
    match name:
        case "set":
            return _set()
        case "userspace":
            value = _optional_values(
                {
                    "userdata": st.binary(max_size=40) | cookies(),
                    "actions": st.just(True),
                    "egress_port": u32,
                },
                pid=u32,
            )
        case "sample":
            value = _optional_values({}, probability=u32, actions=inner)
        case "ct":
            value = _ct()
        case "push_nsh":
            value = nsh(partial=False).map(lambda pair: Attributes(nsh=pair[0]))
        case "clone":
            value = inner
        case "check_pkt_len":
            value = _optional_values(
                {}, length=st.integers(0, 0xFFFF), if_greater=inner, if_less_equal=inner
            )
        case "dec_ttl":
            value = _optional_values({}, actions=inner)
        case "psample":
            value = _optional_values({"cookie": st.binary(max_size=16)}, group=u32)
        case "push_vlan" | "push_mpls" | "add_mpls" | "hash":
            structure = {
                "push_vlan": kernel.PushVlan,
                "push_mpls": kernel.PushMpls,
                "add_mpls": kernel.AddMpls,
                "hash": kernel.Hash,
            }[name]
            value = of_type(structure, 1).map(
                lambda found: found._replace(padding=0) if hasattr(found, "padding") else found
            )
        case _:
            value = of_type(kernel.ACTION.by_name[name].type, 1)
    return value.map(lambda found: (name, found))


NAMES = ("output", "set", *(str(form.attribute) for form in ACTIONS))


def actions(depth: int = 2) -> st.SearchStrategy[Attributes]:
    """Some actions."""
    each = st.sampled_from(NAMES).flatmap(lambda name: action(name, depth))
    return st.lists(each, max_size=3).map(Attributes)
