"""Misses: packets that no flow matched, given to a program that may add a flow for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from bench import lab, programs
from bench.child import CPUS, Child
from bench.lab import Host, Pair
from bench.netlink.client import NetlinkClient
from bench.results import Row, rows_of
from bench.subjects.datapaths import served
from bench.summary import percentile
from hotswitch.kernel import netns
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.programs import XDP_LIVE_FRAMES, Program, ProgramType
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import Ethernet
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE

_SECONDS = 3.0
_BATCH = 64
_TURN = 1 << 16
"""Frames of one kind: beginning to generate takes milliseconds."""
_FOREVER = (1 << 31) - 1
_LONGEST = 60.0
_TRIPS = 300
_SOURCE, _TARGET, _OTHER = 0x02_00_00_00_00_01, 0x02_00_00_00_00_02, 0x02_00_00_00_00_03


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    return rows_of((("misses", _misses), ("a miss and back", _round_trips)), note)


def _misses() -> list[Row]:
    """Delivered a second, in batches and one by one; and what is forwarded meanwhile."""
    rows = []
    for together in (True, False):
        with (
            served() as daemon,
            closing(NetlinkClient(daemon.path, together=together)) as hearer,
        ):
            datapath = daemon.datapath
            _hear(hearer, datapath)
            with _flooding(daemon.pair, _frame(_OTHER)):
                time.sleep(0.3)
                received, lost = _delivered(hearer, datapath, _SECONDS)
        how = "in batches" if together else "one a datagram"
        key = "misses" if together else ""
        rows.append(Row(f"misses delivered {how}", received, "/s", key))
        rows.append(Row(f"misses lost meanwhile, {how}", lost, "/s"))
    with served() as daemon, closing(NetlinkClient(daemon.path, together=True)) as hearer:
        datapath = daemon.datapath
        _hear(hearer, datapath)
        hits = _flow_to(_TARGET)
        hearer.ask(FLOW, "new", hits, datapath)
        with _flooding(daemon.pair, _frame(_TARGET)):
            alone = _passed(hearer, datapath)
        with _flooding(daemon.pair, _frame(_TARGET), _frame(_OTHER)):
            both = _passed(hearer, datapath, reads=True)
    return [
        *rows,
        Row("hits, nothing else", alone / 1e6, "M/s"),
        Row(f"hits, {_TURN:,} packets alternately hits and misses", both / 1e6, "M/s"),
    ]


def _hear(client: NetlinkClient, datapath: int) -> None:
    """Have both ports' misses."""
    for port in (1, 2):
        said = Attributes(port=port, upcall_pid=(client.port,))
        client.ask(VPORT, "set", said, datapath)


def _frame(target: int) -> bytes:
    return programs.udp_frame((_SOURCE, "10.0.0.1"), (target, "10.0.0.2"))


def _flow_to(target: int) -> Attributes:
    return Attributes(
        ufid=target.to_bytes(16, "big"),
        key=Attributes(in_port=1, ethernet=Ethernet.value(src=0, dst=target)),
        mask=Attributes(in_port=0xFFFFFFFF, ethernet=Ethernet.value(src=0, dst=(1 << 48) - 1)),
        actions=Attributes(output=2),
    )


@contextmanager
def _flooding(pair: Pair, *frames: bytes) -> Iterator[None]:
    """These frames, one after the other, come in by the first port as fast as they can."""
    first = pair.first.namespace
    out = lab.link_of(first, pair.first.link).index
    lab.offload(pair.switch, lab.NEAR[0], "gro", True)
    with (
        programs.redirect(ProgramType.XDP, out) as program,
        Child(lambda: _generate(program, frames), first, CPUS[-1]),
    ):
        yield


def _generate(program: Program, frames: Sequence[bytes]) -> None:
    repeat = _FOREVER if len(frames) == 1 else _TURN
    while True:
        for frame in frames:
            program.test_run(frame, repeat=repeat, flags=XDP_LIVE_FRAMES, batch_size=_BATCH)


def _delivered(client: NetlinkClient, datapath: int, seconds: float) -> tuple[float, float]:
    """Misses a second that come, and that are lost."""
    with closing(NetlinkClient(client.path)) as other:
        before = _lost(other, datapath)
        began = time.monotonic()
        count = 0
        while time.monotonic() < began + seconds:
            count += client.received()
        passed = time.monotonic() - began
        return count / passed, (_lost(other, datapath) - before) / passed


def _lost(client: NetlinkClient, datapath: int) -> int:
    said = client.ask(DATAPATH, "get", datapath=datapath).attributes
    return int(said["statistics"].lost)


def _passed(client: NetlinkClient, datapath: int, *, reads: bool = False) -> float:
    """Packets a second that left by the second port."""
    with closing(NetlinkClient(client.path)) as other:
        time.sleep(0.3)
        before, began = _sent(other, datapath), time.monotonic()
        while time.monotonic() < began + _SECONDS:
            if reads:
                client.received()
            else:
                time.sleep(0.1)
        return (_sent(other, datapath) - before) / (time.monotonic() - began)


def _sent(client: NetlinkClient, datapath: int) -> int:
    said = client.ask(VPORT, "get", Attributes(port=2), datapath).attributes
    return int(said["statistics"].tx_packets)


def _socket(host: Host) -> PacketSocket:
    with netns.inside(host.namespace):
        return PacketSocket(lab.link_of(host.namespace, host.link).index)


def _round_trips() -> list[Row]:
    """From a packet's entry to its exit, where the program adds a flow and carries it out."""
    took = []
    with served() as daemon, closing(NetlinkClient(daemon.path)) as client:
        datapath = daemon.datapath
        _hear(client, datapath)
        with _socket(daemon.pair.first) as near, _socket(daemon.pair.second) as far:
            for number in range(_TRIPS + 10):
                frame = _frame(_OTHER + number)
                began = time.perf_counter()
                near.send(frame)
                miss = client.answer()
                while miss.command != "miss" or miss.attributes["packet"] != frame:
                    miss = client.answer()
                said = miss.attributes
                named = _flow_to(_OTHER + number)
                given = Attributes(packet=said["packet"], key=said["key"], actions=named["actions"])
                client.socket.send(
                    client.message(FLOW, "new", named, datapath, CREATE)
                    + client.message(PACKET, "execute", given, datapath, 0)
                )
                while (came := far.receive()) is None or came.data != frame:
                    pass
                took.append(time.perf_counter() - began)
    took = sorted(took[10:])  # the first have something compiled
    return [
        Row("miss, install, execute: p50", 1e6 * percentile(took, 50), "µs"),
        Row("miss, install, execute: p99", 1e6 * percentile(took, 99), "µs"),
    ]
