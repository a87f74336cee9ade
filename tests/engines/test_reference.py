"""What must hold for the reference engine on any pipeline and any frame."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import End, Recorder, ReferenceEngine, snapshot
from hotswitch.headers.build import build
from hotswitch.headers.checksum import internet_checksum
from hotswitch.headers.parse import Parsed, parse
from hotswitch.headers.registry import FieldInfo, FieldKind, Registry
from hotswitch.headers.standard import standard_registry
from hotswitch.model import action as act
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry, EntryStatistics
from hotswitch.model.match import ANY
from hotswitch.model.port import Meter, PortStatistics
from tests.engines import strategies
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4
from tests.engines.harness import PORTS, ReferenceHarness, Setup, install, observe
from tests.headers.stacks import stacks

REGISTRY = standard_registry()


@settings(max_examples=60)
@given(strategies.scenes(REGISTRY))
def test_books_balance(scene: tuple[Setup, list[tuple[int, bytes]]]) -> None:
    setup, traffic = scene
    seen = observe(ReferenceHarness(REGISTRY), setup, traffic)
    for port in PORTS:
        arrived = [frame for number, frame in traffic if number == port]
        assert seen.ports[port].get("rx_packets", 0) == len(arrived)
        assert seen.ports[port].get("rx_bytes", 0) == sum(map(len, arrived))
        assert seen.ports[port].get("tx_packets", 0) == len(seen.outputs[port])
        assert seen.ports[port].get("tx_bytes", 0) == sum(map(len, seen.outputs[port]))
    first = sum(counted[0] for key, counted in seen.entries.items() if key.table == 0)
    looks_again = "Recirculate(" in repr(setup.entries)
    assert first >= len(traffic) if looks_again else first == len(traffic)


@settings(max_examples=60)
@given(strategies.scenes(REGISTRY))
def test_a_recorder_changes_nothing(scene: tuple[Setup, list[tuple[int, bytes]]]) -> None:
    setup, traffic = scene
    plain, watched = (ReferenceHarness(REGISTRY) for _ in range(2))
    for harness in (plain, watched):
        install(harness.datapath, setup)
    for port, frame in traffic:
        listener = Listener()
        outcome = watched.engine.process(port, frame, listener)
        assert plain.engine.process(port, frame) == outcome
        assert [event for event in listener.events if event[0] == "sent"] == [
            ("sent", *each) for each in outcome.outputs
        ]
        assert listener.events[-1] == ("end", outcome.end)


class Listener(Recorder):
    """Notes some of what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def header(self, layer: str, offset: int, length: int, values: object) -> None:
        self.events.append(("header", layer, offset, length))

    def entry(self, entry: Entry) -> None:
        self.events.append(("entry", entry.priority))

    def field(self, name: str, before: int, after: int) -> None:
        self.events.append(("field", name, before, after))

    def sent(self, port: int, frame: bytes) -> None:
        self.events.append(("sent", port, frame))

    def end(self, end: End) -> None:
        self.events.append(("end", end))


def wrong_checksums(registry: Registry, frame: bytes, parsed: Parsed) -> set[str]:
    """The layers whose checksums are not what a full computation gives."""
    wrong = set()
    addresses = b""
    order = list(parsed.layers.items())
    for name, placed in order:
        header = registry.layers[name].header
        fixed = frame[placed.offset : placed.offset + header.size]
        if header.addresses:
            bits = [header.offsets[each] // 8 for each in header.addresses]
            sizes = [header.by_name[each].width // 8 for each in header.addresses]
            addresses = b"".join(
                fixed[at : at + size] for at, size in zip(bits, sizes, strict=True)
            )
        rule = header.checksum
        if rule is None or (rule.zero_is_none and not placed.values[rule.field]):
            continue
        end = len(frame) if rule.covers_payload else placed.offset + placed.length
        data = frame[placed.offset : end]
        if rule.pseudo_header:
            number = {"tcp": 6, "udp": 17, "icmpv6": 58, "ipv6_mobility": 135}[name]
            data += b"\0" * (len(data) % 2)
            data += addresses + number.to_bytes(2, "big") + (end - placed.offset).to_bytes(2, "big")
        if internet_checksum(data) not in (0, 0xFFFF):
            wrong.add(name)
    return wrong


def is_plain(info: FieldInfo) -> bool:
    """Not a checksum, nor something that a checksum's rule does not follow."""
    return info.kind is FieldKind.HEADER and not info.name.endswith(".checksum")


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, list[Action]]:
    stack, payload = draw(stacks(REGISTRY))
    frame = build(REGISTRY, stack, payload)
    infos = [
        info
        for info in REGISTRY.fields()
        if info.settable and is_plain(info) and info.layer in parse(REGISTRY, frame).layers
    ]
    some = draw(st.lists(st.sampled_from(infos), min_size=1, max_size=6))
    sets: list[Action] = [
        act.SetField(each.name, draw(strategies.values(each)), each.mask) for each in some
    ]
    return frame, sets


@settings(max_examples=150)
@given(edits())
def test_right_checksums_stay_right(case: tuple[bytes, list[Action]]) -> None:
    frame, sets = case
    before = parse(REGISTRY, frame)
    harness = ReferenceHarness(REGISTRY)
    entry = Entry(0, 0, ANY, (*sets, act.Output(2)))
    install(harness.datapath, Setup([entry]))
    ((_, out),) = harness.engine.process(1, frame).outputs
    after = parse(REGISTRY, out)
    shared = {name: after.layers[name] for name in before.layers if name in after.layers}
    trusted = Parsed(shared, after.keys, after.malformed, after.end)
    if shared.keys() == before.layers.keys():
        assert wrong_checksums(REGISTRY, out, trusted) <= wrong_checksums(REGISTRY, frame, before)


@settings(max_examples=100)
@given(strategies.frames(REGISTRY))
def test_pop_undoes_push(frame: bytes) -> None:
    harness = ReferenceHarness(REGISTRY)
    pushes = "0 0 any push_vlan,output:2,pop_vlan,output:3"
    install(harness.datapath, Setup([read_entry(REGISTRY, pushes)]))
    outcome = harness.engine.process(1, frame)
    if outcome.end is End.ERROR:
        assert "vlan2" in parse(REGISTRY, frame).layers
    else:
        (_, tagged), (_, plain) = outcome.outputs
        assert plain == frame and len(tagged) == len(frame) + 4


def one(text: str, clock: ManualClock | None = None) -> ReferenceEngine:
    engine = ReferenceEngine(REGISTRY, clock or ManualClock())
    datapath = EntryDatapath("test", REGISTRY, engine)
    datapath.add_port("a", ifindex=1)
    datapath.add_port("b", ifindex=2)
    datapath.change([PutEntry(read_entry(REGISTRY, text))])
    return engine


@pytest.mark.parametrize("length", range(14))
def test_a_frame_without_an_ethernet_header(length: int) -> None:
    engine = one("0 0 any output:2")
    outcome = engine.process(1, bytes(length))
    assert outcome.end is End.MALFORMED and outcome.went_nowhere
    assert engine.counters().malformed == 1
    assert engine.port_statistics()[1] == PortStatistics(1, length, rx_dropped=1)
    assert set(engine.entry_statistics().values()) == {EntryStatistics()}


def test_the_host_gets_the_frame_as_it_is_by_then() -> None:
    outcome = one("0 0 any set:ipv4.ttl=9,host").process(1, tcp4())
    assert (outcome.end, outcome.host) == (End.HOST, tcp4(ttl=9))


def test_a_frame_comes_in_by_a_port() -> None:
    with pytest.raises(ValueError, match="no port 3"):
        one("0 0 any drop").process(3, tcp4())


def test_a_meter_in_time() -> None:
    clock = ManualClock(5)
    engine = one("0 0 any limit:1,output:2", clock)
    engine.put_meter(Meter(1, rate=10, burst=2))

    def passes() -> bool:
        return bool(engine.process(1, tcp4()).outputs)

    assert [passes() for _ in range(4)] == [True, True, True, False]
    clock.advance(99_999_999)
    assert not passes()
    clock.advance(1)
    assert [passes(), passes()] == [True, False]
    clock.advance(10_000_000_000)
    assert [passes() for _ in range(4)] == [True, True, True, False]
    assert engine.counters().limited == 4


def test_statistics_have_times() -> None:
    clock = ManualClock(1000)
    engine = one("0 0 any learn,output:2", clock)
    engine.process(1, tcp4())
    clock.advance(500)
    engine.process(1, tcp4())
    assert list(engine.entry_statistics().values()) == [EntryStatistics(2, 2 * len(tcp4()), 1500)]
    assert [row.last_seen for row in engine.addresses()] == [1500]


def test_a_recorder_is_told_in_order() -> None:
    listener = Listener()
    one("0 7 tcp set:tcp.dst=81,output:2").process(1, tcp4(), listener)
    assert [event[:2] for event in listener.events] == [
        ("header", "ethernet"),
        ("header", "ipv4"),
        ("header", "tcp"),
        ("entry", 7),
        ("field", "tcp.dst"),
        ("sent", 2),
        ("end", End.DONE),
    ]


def test_a_snapshot_is_apart() -> None:
    harness = ReferenceHarness(REGISTRY)
    install(harness.datapath, Setup([read_entry(REGISTRY, "0 1 any learn,limit:3,output:2")]))
    harness.datapath.put_meter(Meter(3, 1, 1))
    copy = snapshot(harness.datapath, REGISTRY, ManualClock())
    assert [bool(copy.process(1, tcp4()).outputs) for _ in range(3)] == [True, True, False]
    assert harness.datapath.addresses() == []
    assert harness.datapath.port_statistics()[1] == PortStatistics()
