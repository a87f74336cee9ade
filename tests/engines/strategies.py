"""Random pipelines, and random frames that have a chance to hit their entries.

Values come from small pools, so that matches, actions and frames meet. Every field of every
header takes part, by the registry; so a header that is added is tested without a word here.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume
from hypothesis import strategies as st

from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.build import build
from hotswitch.headers.meta import META
from hotswitch.headers.parse import parse
from hotswitch.headers.registry import FieldInfo, Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match
from hotswitch.model.port import Address, Meter
from tests.engines.harness import NO_LINK, PORTS, Setup
from tests.headers.packets import CASES
from tests.headers.stacks import stacks

_BESIDE = tuple(field.name for field in META)
TABLES = (0, 1, 2, 254)
NO_PORT = 9
MACS = (1, 2, 0x02000000000A, 0x02000000000B)
METER = Meter(1, 1_000_000_000, 1_000_000)
"""A meter that never limits, whatever the machine's speed."""

FAVOURITES = (
    "in_port", "metadata", "reg0", "reg1", "ethertype", "ip_protocol", "ethernet.dst",
    "ethernet.src", "vlan.vid", "vlan.pcp", "vlan2.vid", "vlan", "vlan2", "mpls.label",
    "mpls2.ttl", "mpls", "ipv4", "ipv4.src", "ipv4.dst", "ipv4.ttl", "ipv6", "ipv6.src", "ipv6.dst",
    "ipv6.hop_limit", "tcp", "tcp.dst", "tcp.flags", "udp", "udp.src", "udp.dst", "udp.checksum",
    "icmp.type", "nd_solicit.target", "nd_source_link.address", "vxlan.vni", "arp.operation",
    "skb_mark", "priority", "ip_fragment", "length_frame", "recirc_id", "dp_hash",
)  # fmt: skip
"""Drawn more often than others."""


def fields(registry: Registry, *, settable: bool = False) -> st.SearchStrategy[FieldInfo]:
    """Any field, or any that can be set."""
    every = [info for info in registry.fields() if info.settable or not settable]
    liked = [info for info in every if info.name in FAVOURITES]
    return st.sampled_from(liked) | st.sampled_from(every)


def values(info: FieldInfo) -> st.SearchStrategy[int]:
    """Mostly one of a few."""
    few = st.sampled_from((0, 1, 2, 3, info.mask)).map(lambda value: value & info.mask)
    return few | few | st.integers(0, info.mask)


def masks(info: FieldInfo) -> st.SearchStrategy[int]:
    """Exact, a prefix, a few low bits, or any mask but zero."""
    prefix = st.integers(1, info.width).map(lambda bits: info.mask ^ (info.mask >> bits))
    low = st.integers(1, info.width).map(lambda bits: (1 << bits) - 1)
    return st.just(info.mask) | prefix | low | st.integers(1, info.mask)


@st.composite
def matches(draw: st.DrawFn, registry: Registry, wanted: Sequence[tuple[str, int]]) -> Match:
    """Of up to four fields. wanted: fields and values that the frames have."""
    terms: dict[str, tuple[int, int]] = {}
    for _ in range(draw(st.integers(0, 4))):
        if wanted and draw(st.integers(0, 3)):
            name, value = draw(st.sampled_from(wanted))
            mask = draw(masks(registry.field(name)))
        else:
            info = draw(fields(registry))
            name, value, mask = info.name, draw(values(info)), draw(masks(info))
        terms[name] = (value & mask, mask)
    return Match.of(terms)


@st.composite
def set_fields(draw: st.DrawFn, registry: Registry) -> Action:
    info = draw(fields(registry, settable=True))
    mask = draw(masks(info))
    return act.SetField(info.name, draw(values(info)) & mask, mask)


@st.composite
def copy_fields(draw: st.DrawFn, registry: Registry) -> Action:
    source, target = draw(fields(registry)), draw(fields(registry, settable=True))
    width = draw(st.integers(1, min(source.width, target.width)))
    return act.CopyField(
        source.name,
        target.name,
        draw(st.integers(0, source.width - width)),
        draw(st.integers(0, target.width - width)),
        width,
    )


@st.composite
def lookups(draw: st.DrawFn, registry: Registry) -> Action:
    target = draw(fields(registry, settable=True).filter(lambda info: info.width >= 16))
    return act.Lookup(draw(fields(registry)).name, target.name)


def actions(registry: Registry) -> st.SearchStrategy[Action]:
    """Any action but those that only come last."""
    port = st.sampled_from((*PORTS, *PORTS, NO_LINK, NO_PORT))
    ttl = st.sampled_from(("ipv4.ttl", "ipv6.hop_limit", "mpls.ttl", "reg0"))
    return st.one_of(
        set_fields(registry),
        set_fields(registry),
        copy_fields(registry),
        port.map(act.Output),
        st.just(act.Output(act.IN_PORT)),
        st.lists(port, unique=True, max_size=6).map(lambda ports: act.OutputList(tuple(ports))),
        st.sampled_from((act.PushVlan(), act.PushVlan(0x88A8), act.PopVlan(), act.PopVlan())),
        st.sampled_from((act.PushMpls(), act.PushMpls(0x8848))),
        st.sampled_from((0x0800, 0x8847, 0x86DD)).map(act.PopMpls),
        ttl.map(act.DecrementTtl),
        st.builds(
            act.CopyToUser,
            st.integers(0, 0xFFFFFFFF),
            st.integers(1, 200),
            st.lists(st.sampled_from(_BESIDE), unique=True, max_size=3).map(tuple),
        ),
        fields(registry).map(lambda info: act.Learn(info.name)),
        lookups(registry),
        st.sampled_from((act.Limit(METER.number), act.Limit(77))),
        port.map(lambda number: act.Output(number, hairpin=True)),
        st.integers(0, 0xFFFFFFFF).map(act.Hash),
        st.just(act.NoteFlags()),
    )


@st.composite
def with_copies(draw: st.DrawFn, registry: Registry, depth: int = 2) -> Action:
    """Actions within an action, for a packet that goes on."""

    def inner() -> tuple[Action, ...]:
        possible = actions(registry).filter(lambda each: act.can_be_undone((each,)))
        if depth:
            possible |= with_copies(registry, depth - 1)
        end = draw(st.sampled_from([(), (), (act.Drop(),)]))
        return (*draw(st.lists(possible, max_size=3)), *end)

    match draw(st.integers(0, 3)):
        case 0:
            return act.Sample(draw(st.sampled_from((0xFFFFFFFF,))), inner())
        case 1:
            return act.CheckLength(draw(st.integers(14, 120)), inner(), inner())
        case 2:
            ttl = draw(st.sampled_from(("ipv4.ttl", "ipv6.hop_limit", "mpls.ttl", "reg0")))
            return act.DecrementTtl(ttl, inner())
        case _:
            return act.Clone(inner())


@st.composite
def recirculations(draw: st.DrawFn, registry: Registry) -> tuple[Action, ...]:
    """What ends in another lookup."""
    end: tuple[Action, ...] = (act.Recirculate(draw(st.integers(0, 2))),)
    if draw(st.booleans()):
        end = (*draw(st.lists(actions(registry), max_size=2)), *end)
        end = draw(st.sampled_from([(act.Clone(end),), (act.CheckLength(60, end),), end]))
    return end


def lasts(registry: Registry, table: int) -> st.SearchStrategy[tuple[Action, ...]]:
    """Nothing, drop, the host, another lookup or, most often, a table further on."""
    gotos = [(act.GotoTable(each),) for each in TABLES if each > table]
    ends: list[tuple[Action, ...]] = [(), (act.Drop(),), (act.ToHost(),)]
    again = recirculations(registry)
    return again | again | _plain_lasts(gotos, ends)


def _plain_lasts(
    gotos: list[tuple[act.GotoTable]], ends: list[tuple[Action, ...]]
) -> st.SearchStrategy[tuple[Action, ...]]:
    return st.sampled_from(gotos + gotos + ends) if gotos else st.sampled_from(ends)


@st.composite
def entries(draw: st.DrawFn, registry: Registry, wanted: Sequence[tuple[str, int]]) -> Entry:
    table = draw(st.sampled_from(TABLES))
    done = (
        *draw(st.lists(actions(registry) | with_copies(registry), max_size=5)),
        *draw(lasts(registry, table)),
    )
    assume(sum(1 for _ in act.walk(done)) <= STANDARD.actions)
    return Entry(
        table,
        draw(st.integers(0, 3) | st.just(0xFFFF)),
        draw(matches(registry, wanted)),
        done,
        draw(st.integers(0, (1 << 64) - 1)),
    )


@st.composite
def frames(draw: st.DrawFn, registry: Registry) -> bytes:
    """Any stack of headers or a real packet; at times cut off, or with bytes changed."""
    kind = draw(st.integers(0, 9))
    if kind < 5:
        stack, payload = draw(stacks(registry))
        frame = build(registry, stack, payload)
    else:
        frame = bytes(draw(st.sampled_from(list(CASES.values()))).packet)
    if kind in (0, 9):
        frame = frame[: draw(st.integers(14, len(frame)))]
    if kind in (1, 9):
        changed = bytearray(frame)
        for _ in range(draw(st.integers(1, 3))):
            changed[draw(st.integers(12, len(frame) - 1))] = draw(st.integers(0, 255))
        frame = bytes(changed)
    return frame


def long_enough(frame: bytes) -> bytes:
    """With padding, so that whatever tags come off or on, `wires.can_arrive` holds."""
    return frame.ljust(30 if frame[12:14] in (b"\x81\0", b"\x88\xa8") else 16, b"\0")


def terms_of(registry: Registry, frame: bytes) -> list[tuple[str, int]]:
    """The fields that a frame has, and what is in them."""
    parsed = parse(registry, frame)
    found = [(name, 1) for name in parsed.layers]
    found += parsed.keys.items()
    for name, placed in parsed.layers.items():
        found += [(f"{name}.{each}", value) for each, value in placed.values.items()]
    return found


@st.composite
def scenes(
    draw: st.DrawFn, registry: Registry, *, on_wires: bool = False
) -> tuple[Setup, list[tuple[int, bytes]]]:
    """A pipeline, and frames that come in by ports.

    on_wires: only frames that Linux carries whatever happens to them.
    """
    some = draw(st.lists(frames(registry), min_size=1, max_size=4))
    if on_wires:
        some = [long_enough(frame) for frame in some]
    wanted = [term for frame in some for term in terms_of(registry, frame)]
    pipeline = {
        entry.key: entry
        for entry in draw(st.lists(entries(registry, wanted), min_size=1, max_size=12))
    }
    # Most frames should get somewhere.
    start = Entry(0, 0, Match(), (*draw(st.lists(actions(registry), max_size=3)), act.GotoTable(1)))
    pipeline.setdefault(start.key, start)
    known = [
        Address(vlan, mac, draw(st.sampled_from((*PORTS, NO_LINK))), static=draw(st.booleans()))
        for vlan in (0, 1)
        for mac in draw(
            st.lists(
                st.sampled_from((1, 2, 0x02000000000A, 0x02000000000B)), max_size=3, unique=True
            )
        )
    ]
    traffic = draw(
        st.lists(st.tuples(st.sampled_from(PORTS), st.sampled_from(some)), min_size=1, max_size=8)
    )
    return Setup(list(pipeline.values()), known, [METER]), traffic
