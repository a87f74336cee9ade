"""Checksums after several edits with write-backs in between, in programs that also set checksums.

What one entry sets decides what code all of them have: only where some entry sets a checksum does
the flow carry checksums at all.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.packet import Raw

from hotswitch.headers.parse import parse
from hotswitch.headers.standard import standard_registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match
from hotswitch.model.port import Hook
from tests.engines.agreement import assert_same
from tests.engines.frames import c_tag, ethernet, ip4, ip6, tcp4, tcp6, udp
from tests.engines.harness import ReferenceHarness, Setup, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness

REGISTRY = standard_registry()

FIELDS = (
    "ipv4.src", "ipv4.dst", "ipv4.ttl", "ipv4.checksum", "ipv6.src", "ipv6.dst",
    "tcp.src", "tcp.dst", "tcp.checksum", "udp.src", "udp.dst", "udp.checksum",
)  # fmt: skip
FRAMES = (
    tcp4(),
    tcp4(c_tag(5)),
    tcp6(),
    ethernet(ip4(udp())),
    ethernet(ip4(udp(chksum=0))),
    ethernet(ip6(udp() / Raw(bytes(301)))),
    ethernet(ip4(udp() / Raw(bytes(300)))),
)
# Enough for the code of all entries to have checksums in the flow.
SETS_CHECKSUMS = Entry(
    0, 9, Match.of({"in_port": (3, 0xFFFFFFFF)}),
    tuple(act.SetField(f"{layer}.checksum", 5) for layer in ("ipv4", "tcp", "udp")),
)  # fmt: skip


@st.composite
def sets(draw: st.DrawFn, fields: tuple[str, ...]) -> Action:
    """Any value, under any mask for a checksum."""
    info = REGISTRY.field(draw(st.sampled_from(fields)))
    mask = info.mask
    if info.name.endswith("checksum"):
        mask = draw(st.sampled_from((mask, mask, 0xFF0)))
    return act.SetField(info.name, draw(st.integers(0, info.mask)) & mask, mask)


OUTPUTS: st.SearchStrategy[Action] = st.sampled_from(
    (act.Output(2), act.Output(3), act.OutputList((2, 3)), act.OutputList(()))
)
TAGS: st.SearchStrategy[Action] = st.sampled_from((act.PushVlan(), act.PopVlan()))
LABELS: st.SearchStrategy[Action] = st.sampled_from((act.PushMpls(), act.PopMpls(0x0800)))


@st.composite
def edits(draw: st.DrawFn, fields: tuple[str, ...]) -> Actions:
    """Two sets or more among what writes back, cuts off, and changes tags and labels."""
    set_ = sets(fields)
    plain = set_ | set_ | OUTPUTS | TAGS
    copies = st.lists(plain, min_size=1, max_size=4).map(lambda inner: act.Clone(tuple(inner)))
    begin = draw(st.lists(plain | copies | LABELS, max_size=5))
    middle = (draw(set_), act.Output(2), draw(set_), act.Output(3))
    end = draw(st.sampled_from([(), (act.Truncate(200), act.Output(2)), (act.Recirculate(1),)]))
    return (*begin, *middle, *draw(st.lists(plain | copies | LABELS, max_size=3)), *end)


@st.composite
def packets(draw: st.DrawFn) -> tuple[bytes, Actions, Actions]:
    """A frame, and edits in two passes of mostly what it has."""
    frame = draw(st.sampled_from(FRAMES))
    has = parse(REGISTRY, frame).layers
    there = tuple(each for each in FIELDS if each.partition(".")[0] in has)
    fields = draw(st.sampled_from((there, there, FIELDS)))
    return frame, draw(edits(fields)), draw(edits(fields))


@pytest.fixture(scope="module", params=[Hook.TCX, Hook.XDP])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=request.param) as made:
        yield made


def both(harness: KernelHarness, entries: list[Entry], frame: bytes) -> None:
    """The kernel does as the reference does."""
    setup, traffic = Setup(entries), [(1, frame)]
    assert_same(
        observe(ReferenceHarness(REGISTRY), setup, traffic), observe(harness, setup, traffic)
    )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packet=packets())
def test_any_edits(harness: KernelHarness, packet: tuple[bytes, Actions, Actions]) -> None:
    frame, first, again = packet
    entries = [Entry(0, 1, Match(), first), SETS_CHECKSUMS]
    if isinstance(first[-1], act.Recirculate):
        match = Match.of({"recirc_id": (1, 0xFFFFFFFF)})
        entries.append(Entry(0, 2, match, again if again[-1] != first[-1] else again[:-1]))
    both(harness, entries, frame)


def test_what_matches_see(harness: KernelHarness) -> None:
    """A later table is asked for the checksum that was sent."""
    sent = int.from_bytes(tcp4(src="9.9.9.9")[24:26], "big")
    out = (act.SetField("ipv4.src", 0x09090909), act.Output(2), act.GotoTable(1))
    entries = [
        Entry(0, 1, Match(), out),
        Entry(1, 1, Match.of({"ipv4.checksum": (sent, 0xFFFF)}), (act.Output(3),)),
    ]
    both(harness, entries, tcp4())


SOURCE, CHECKSUM = act.SetField("ipv4.src", 0x09090909), act.SetField("ipv4.checksum", 0x1234)
BETWEEN: list[tuple[Action, ...]] = [
    (),
    (act.PushVlan(),),
    (act.PopVlan(),),
    (act.PushVlan(), act.PopVlan()),
    (act.PopMpls(0x0800),),
    (act.Clone((act.PushVlan(), CHECKSUM, act.Output(3))),),
    (act.Clone((act.Output(3),)),),
    (act.Output(1),),
    (act.OutputList((1,)),),
]


@pytest.mark.parametrize("between", BETWEEN, ids=str)
def test_what_writes_back(harness: KernelHarness, between: Actions) -> None:
    """A checksum that is set behind it is sent as it is; else it follows what was set before."""
    entries = [Entry(0, 1, Match(), (SOURCE, *between, CHECKSUM, act.Output(2)))]
    for frame in (tcp4(), tcp4(c_tag(5))):
        both(harness, entries, frame)


def test_what_matches_see_behind_a_copy(harness: KernelHarness) -> None:
    """The checksum of what is put back."""
    before = int.from_bytes(tcp4()[24:26], "big")
    copy = act.Clone((SOURCE, act.Output(3)))
    entries = [
        Entry(0, 1, Match(), (copy, act.GotoTable(1))),
        Entry(1, 1, Match.of({"ipv4.checksum": (before, 0xFFFF)}), (act.Output(2),)),
    ]
    both(harness, entries, tcp4())


def test_order(harness: KernelHarness) -> None:
    """Frames of kinds that the kernel knows and does not know come out in their order."""
    again = Match.of({"recirc_id": (1, 0xFFFFFFFF)})
    entries = [
        Entry(0, 1, Match(), (act.PushMpls(), act.Output(2), act.Recirculate(1))),
        Entry(0, 2, again, (act.PopMpls(0x0800), act.Output(2))),
    ]
    both(harness, entries, tcp4())
