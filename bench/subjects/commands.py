"""Bridges whose ports a person adds and deletes by command, one command at a time."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import lab
from bench.errors import BenchError
from bench.subjects import hotswitch, openvswitch

BRIDGE = "br0"


@dataclass(frozen=True)
class Commander:
    """A bridge without ports. add, delete: all these devices by one command; returns seconds.

    Both return when it is in force. Raises BenchError.
    """

    add: Callable[[Sequence[str]], float]
    delete: Callable[[Sequence[str]], float]


@dataclass(frozen=True)
class Commanders:
    """start: a bridge in a namespace of this name, which is there. most: ports that it can have."""

    start: Callable[[str], AbstractContextManager[Commander]]
    most: int = 65_000


@contextmanager
def linux_bridge(_: str) -> Iterator[Commanders]:
    """`ip link set master`; many together by `ip -batch`."""

    @contextmanager
    def start(namespace: str) -> Iterator[Commander]:
        lab.ip(namespace, f"link add {BRIDGE} type bridge")
        try:
            yield Commander(
                lambda names: _together(namespace, names, f"master {BRIDGE} up"),
                lambda names: _together(namespace, names, "nomaster"),
            )
        finally:
            lab.ip(namespace, f"link del {BRIDGE}")

    yield Commanders(start, most=1_023)  # BR_MAX_PORTS, net/bridge/br_private.h


@contextmanager
def open_vswitch(_: str) -> Iterator[Commanders]:
    """`ovs-vsctl`, to the userspace datapath."""

    @contextmanager
    def start(namespace: str) -> Iterator[Commander]:
        with openvswitch.daemons(namespace) as running:
            kind = ("--", "set", "bridge", BRIDGE, "datapath_type=netdev")
            _vsctl(running.address, ["add-br", BRIDGE, *kind], running.environment)
            yield _by_vsctl(running.address, running.environment)

    yield Commanders(start)


@contextmanager
def with_hotswitch(_: str) -> Iterator[Commanders]:
    """The same `ovs-vsctl`, to hotswitch."""

    @contextmanager
    def start(namespace: str) -> Iterator[Commander]:
        with tempfile.TemporaryDirectory(dir="/run") as name:
            folder = Path(name)
            address = f"unix:{folder}/run/db.sock"
            with hotswitch.daemon_in(folder, namespace):
                _vsctl(address, ["add-br", BRIDGE])
                yield _by_vsctl(address)
            hotswitch.stop_forwarding(folder, namespace)

    yield Commanders(start)


def _by_vsctl(address: str, environment: Mapping[str, str] | None = None) -> Commander:
    def each(command: Sequence[str]) -> Callable[[Sequence[str]], float]:
        def run(names: Sequence[str]) -> float:
            words = [word for name in names for word in ("--", *command, name)]
            return _vsctl(address, words, environment)

        return run

    return Commander(each(("add-port", BRIDGE)), each(("del-port", BRIDGE)))


def _vsctl(
    address: str, words: Sequence[str], environment: Mapping[str, str] | None = None
) -> float:
    began = time.perf_counter()
    lab.run("ovs-vsctl", f"--db={address}", "--timeout=120", *words, environment=environment)
    return time.perf_counter() - began


def _together(namespace: str, names: Sequence[str], change: str) -> float:
    lines = "".join(f"link set {name} {change}\n" for name in names)
    began = time.perf_counter()
    done = subprocess.run(
        ["ip", "-n", namespace, "-batch", "-"], input=lines, text=True, capture_output=True
    )
    if done.returncode:
        raise BenchError(f"ip -batch failed: {done.stderr.strip()}")
    return time.perf_counter() - began
