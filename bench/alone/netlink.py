"""The Netlink server by itself: what Python could do at most, and many flows."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.child import CPUS, Child
from bench.errors import BenchError
from bench.netlink import flows
from bench.netlink.client import NetlinkClient
from bench.results import Row, rows_of
from bench.subjects.datapaths import served
from bench.summary import percentile
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW

MANY = 100_000
_ALONE = 2_000
_TOGETHER = 50_000
_SECONDS = 3.0
_BATCH = 64


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    return rows_of(
        (("an echo", _echo), (f"{MANY:,} flows", _many), ("installs", _beside_installs)), note
    )


def _echo() -> list[Row]:
    with (
        tempfile.TemporaryDirectory(dir="/run") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening,
    ):
        path = Path(folder) / "echo.sock"
        listening.bind(str(path))
        listening.listen()
        with (
            Child(lambda: asyncio.run(_serve_echo(listening)), cpu=CPUS[0]),
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client,
        ):
            client.connect(str(path))
            message = bytes(184)
            took = sorted(_one_by_one(client, message, _ALONE))
            began = time.perf_counter()
            _in_flight(client, message, _TOGETHER)
            rate = _TOGETHER / (time.perf_counter() - began)
    return [
        Row("an asyncio server that only echoes: p50", 1e6 * percentile(took, 50), "µs"),
        Row("the same, pipelined", rate, "/s"),
    ]


async def _serve_echo(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    listening.setblocking(False)
    client, _ = await loop.sock_accept(listening)
    client.setblocking(False)
    ended = loop.create_future()

    def readable() -> None:
        for _ in range(_BATCH):
            try:
                data = client.recv(1 << 16)
            except BlockingIOError:
                return
            if not data:
                loop.remove_reader(client)
                ended.set_result(None)
                return
            client.send(data[:36])

    loop.add_reader(client, readable)
    await ended


def _one_by_one(client: socket.socket, message: bytes, count: int) -> Iterator[float]:
    for _ in range(count):
        began = time.perf_counter()
        client.send(message)
        client.recv(1 << 16)
        yield time.perf_counter() - began


def _in_flight(client: socket.socket, message: bytes, count: int) -> None:
    sent = answered = 0
    while answered < count:
        while sent < min(count, answered + 2 * _BATCH):
            client.send(message)
            sent += 1
        client.recv(1 << 16)
        answered += 1


def _many() -> list[Row]:
    with served() as daemon, closing(NetlinkClient(daemon.path, together=True)) as client:
        path, datapath = daemon.path, daemon.datapath
        client.in_flight(flows.installs((0,), datapath))
        installed = client.in_flight(flows.installs(range(1, MANY), datapath))
        count, listed = client.listed(FLOW, datapath)
        if count != MANY:
            raise BenchError(f"{count} of {MANY:,} flows are listed")
        with closing(NetlinkClient(path)) as other:
            calm = sorted(_asked(other, datapath, 1.0))
            with Child(lambda: _list_on_and_on(path, datapath), cpu=CPUS[-1]):
                time.sleep(0.2)
                busy = sorted(_asked(other, datapath, _SECONDS))
        deleted = client.in_flight(flows.deletes(range(1, MANY), datapath))
    return [
        Row("flows in all", count, "", "flows in all"),
        Row(f"{MANY:,} flows installed", MANY / installed, "/s"),
        Row(f"{MANY:,} flows listed", listed, "s"),
        Row(f"{MANY:,} flows deleted with statistics", MANY / deleted, "/s"),
        Row("another client's transaction: p50", 1e6 * percentile(calm, 50), "µs", "answer p50"),
        Row("the same beside a dump: p50", 1e6 * percentile(busy, 50), "µs"),
        Row("the same beside a dump: p99", 1e3 * percentile(busy, 99), "ms", "beside a dump"),
        Row("the same beside a dump: the longest", 1e3 * busy[-1], "ms"),
    ]


def _beside_installs() -> list[Row]:
    with served() as daemon, closing(NetlinkClient(daemon.path)) as other:
        path, datapath = daemon.path, daemon.datapath
        other.in_flight(flows.installs((1,), datapath))
        took: list[float] = []
        with Child(lambda: _install(path, datapath), cpu=CPUS[-1]):
            while _there(other, datapath) < MANY:
                took += _asked(other, datapath, 0.1)
        took.sort()
    what = f"another client's transaction beside {MANY:,} installs"
    return [
        Row(f"{what}: p50", 1e6 * percentile(took, 50), "µs"),
        Row(f"{what}: p99", 1e3 * percentile(took, 99), "ms"),
        Row(f"{what}: the longest", 1e3 * took[-1], "ms"),
    ]


def _install(path: Path, datapath: int) -> None:
    with closing(NetlinkClient(path, together=True)) as client:
        client.in_flight(flows.installs(range(2, MANY + 1), datapath))


def _there(client: NetlinkClient, datapath: int) -> int:
    said = client.ask(DATAPATH, "get", datapath=datapath).attributes
    return int(said["statistics"].flows)


def _asked(client: NetlinkClient, datapath: int, seconds: float) -> Iterator[float]:
    said = Attributes(ufid=(1).to_bytes(16, "big"))
    message = [client.message(FLOW, "get", said, datapath, 0)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield from client.one_by_one(message)


def _list_on_and_on(path: Path, datapath: int) -> None:
    with closing(NetlinkClient(path)) as client:
        while True:
            client.listed(FLOW, datapath)
