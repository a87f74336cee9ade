"""Datapaths into which a program puts flows: hotswitch's Netlink server, Open vSwitch's `dpctl`."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import lab
from bench.child import precedence
from bench.errors import BenchError
from bench.lab import Pair
from bench.netlink import flows
from bench.netlink.client import NetlinkClient
from bench.subjects import hotswitch, openvswitch
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.vport import NETDEV, VPORT

_IN_FLIGHT = 32
"""Commands on a control connection that wait for no answer."""
_LARGEST = 1 << 20

_spaces = iter(range(1_000_000))


@dataclass(frozen=True)
class Datapath:
    """A datapath with two ports and no flows. The flows are those of `bench.netlink.flows`.

    one_by_one: installs; seconds from each request to its answer. install, delete: seconds for
    all, which do not wait for each other; a delete is answered with
    statistics where that is known (not by `dpctl/del-flow` over a control connection).
    listed: lists all; how many there are, and seconds. Raises BenchError.
    """

    one_by_one: Callable[[Sequence[int]], list[float]]
    install: Callable[[Sequence[int]], float]
    delete: Callable[[Sequence[int]], float]
    listed: Callable[[], tuple[int, float]]


@dataclass(frozen=True)
class Datapaths:
    """start: a datapath of its own."""

    start: Callable[[], AbstractContextManager[Datapath]]


@dataclass(frozen=True)
class Served:
    """A daemon. path: its Netlink socket; datapath: a number; pair: the hosts at its ports."""

    path: Path
    datapath: int
    pair: Pair


def over_netlink(*, together: bool) -> Callable[[str], AbstractContextManager[Datapaths]]:
    """together: several messages are in a datagram; else each is one."""

    @contextmanager
    def start(_: str) -> Iterator[Datapaths]:
        yield Datapaths(lambda: _over_netlink(together))

    return start


@contextmanager
def _over_netlink(together: bool) -> Iterator[Datapath]:
    with served() as daemon, closing(NetlinkClient(daemon.path, together=together)) as client:
        datapath = daemon.datapath
        client.in_flight(flows.installs((0,), datapath))  # from now on nothing is compiled
        yield Datapath(
            lambda numbers: client.one_by_one(flows.installs(numbers, datapath)),
            lambda numbers: client.in_flight(flows.installs(numbers, datapath)),
            lambda numbers: client.in_flight(flows.deletes(numbers, datapath)),
            lambda: client.listed(FLOW, datapath),
        )


@contextmanager
def served() -> Iterator[Served]:
    """A daemon that has a datapath with the ports 1 and 2."""
    name = f"flows{next(_spaces)}"
    pair = lab.switched_pair(name)
    with tempfile.TemporaryDirectory(dir="/run") as folder_name:
        folder = Path(folder_name)
        with hotswitch.daemon_in(folder, pair.switch) as daemon, precedence(daemon.pid):
            path = folder / "run" / "netlink.sock"
            with closing(NetlinkClient(path)) as client:
                said = Attributes(name="dp0", upcall_pid=0, user_features=3)
                datapath = client.ask(DATAPATH, "new", said).datapath
                for near in lab.NEAR:
                    said = Attributes(type=NETDEV, name=near, upcall_pid=(0,))
                    client.ask(VPORT, "new", said, datapath)
            yield Served(path, datapath, pair)
        hotswitch.stop_forwarding(folder, pair.switch)


@contextmanager
def open_vswitch(_: str) -> Iterator[Datapaths]:
    """The userspace datapath; commands go over one control connection."""
    yield Datapaths(_open_vswitch)


@contextmanager
def _open_vswitch() -> Iterator[Datapath]:
    pair = lab.switched_pair(f"flows{next(_spaces)}")
    with openvswitch.daemons(pair.switch) as running:
        folder = Path(running.address.removeprefix("unix:")).parent
        path = folder / f"ovs-vswitchd.{running.switch}.ctl"
        lab.until(path.exists, "ovs-vswitchd takes commands")
        with closing(_Control(path)) as control:
            # One that no bridge has: of a bridge's, flows are deleted that are not its own.
            name = "netdev@bench"
            control.all([("dpctl/add-dp", [name])])
            for near in lab.NEAR:
                control.all([("dpctl/add-if", [name, near])])

            def install(numbers: Sequence[int]) -> float:
                return control.timed(
                    [("dpctl/add-flow", [name, flows.text(each), "2"]) for each in numbers]
                )

            def delete(numbers: Sequence[int]) -> float:
                return control.timed(
                    [("dpctl/del-flow", [name, flows.text(each)]) for each in numbers]
                )

            def listed() -> tuple[int, float]:
                began = time.perf_counter()
                (text,) = control.all([("dpctl/dump-flows", [name])])
                return text.count("in_port("), time.perf_counter() - began

            install((0,))
            yield Datapath(
                lambda numbers: [install((each,)) for each in numbers], install, delete, listed
            )


class _Control:
    """A control connection (ovs-appctl(8)) that does not wait for each answer."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._decoder = json.JSONDecoder()
        self._text = ""

    def timed(self, commands: Sequence[tuple[str, list[str]]]) -> float:
        """Seconds until all are answered."""
        made = [
            json.dumps({"id": 0, "method": method, "params": words}).encode()
            for method, words in commands
        ]
        began = time.perf_counter()
        self._all(made)
        return time.perf_counter() - began

    def all(self, commands: Sequence[tuple[str, list[str]]]) -> list[str]:
        """The answers. Raises BenchError for a refusal."""
        return self._all(
            [
                json.dumps({"id": 0, "method": method, "params": words}).encode()
                for method, words in commands
            ]
        )

    def _all(self, made: Sequence[bytes]) -> list[str]:
        answers: list[str] = []
        sent = 0
        while len(answers) < len(made):
            if sent < min(len(made), len(answers) + _IN_FLIGHT):
                upto = min(len(made), len(answers) + _IN_FLIGHT)
                self._socket.sendall(b"".join(made[sent:upto]))
                sent = upto
            answers.append(self._answer())
        return answers

    def _answer(self) -> str:
        while True:
            try:
                answer, end = self._decoder.raw_decode(self._text)
            except ValueError:
                data = self._socket.recv(_LARGEST)
                if not data:
                    raise BenchError("ovs-vswitchd has hung up") from None
                self._text += data.decode()
                continue
            self._text = self._text[end:].lstrip()
            if answer["error"]:
                raise BenchError(f"ovs-vswitchd: {answer['error'].strip()}")
            return str(answer["result"])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
