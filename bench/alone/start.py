"""The daemon with 100 ports: how long until it forwards, how much memory it takes.

A frame is sent into the first port every millisecond until one comes out of the second.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import lab, programs
from bench.errors import BenchError
from bench.memory import memory as memory_of
from bench.results import Row
from bench.subjects.hotswitch import VLAN, command, ready_daemon, stop_forwarding
from hotswitch.app.control.client import ControlClient
from hotswitch.base.errors import HotswitchError
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.af_packet import PacketSocket

PORTS = 100
_LONGEST = 60.0
_FRAME = programs.udp_frame((0x02_00_00_00_00_01, "10.0.0.1"), (0x02_00_00_00_00_02, "10.0.0.2"))


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    rows: list[Row] = []
    try:
        note(f"{PORTS} links")
        _make_links("start")
        with tempfile.TemporaryDirectory(dir="/run") as name:
            folder = Path(name)
            with ready_daemon(folder, "start"):
                note("the database is filled")
                _add_ports(folder)
            stop_forwarding(folder, "start")
            for title in ("start", "start again, after kill -9"):
                note(title)
                rows += _start(folder, title)
            note("one port more")
            rows.append(_port_more(folder))
            stop_forwarding(folder, "start")
    except HotswitchError as error:
        rows.append(Row(f"the daemon with {PORTS} ports", str(error), ""))
    return rows


def _make_links(namespace: str) -> None:
    lab.add_namespace(namespace)
    with netns.inside(namespace):
        for number in range(PORTS + 1):
            near = link_actions.create_veth(f"tap{number}", f"far{number}")
            link_actions.set_up(near.index)
    for number in range(PORTS + 1):
        lab.ip(namespace, f"link set far{number} up")
    lab.until_up(namespace, f"tap{PORTS}")


def _add_ports(folder: Path) -> None:
    with ControlClient(folder / "run" / "ctl.sock") as daemon:
        daemon.call("bridge/add", name="br0")
        for number in range(PORTS):
            daemon.call("port/add", name=f"tap{number}", bridge="br0", tag=VLAN)


def _start(folder: Path, title: str) -> list[Row]:
    what = f"{PORTS} ports, {title}"
    with _watching("start") as forwards:
        began = time.monotonic()
        with ready_daemon(folder, "start") as (running, seconds):
            forwarding = forwards(began)
            rows = [
                Row(f"{what}: forwards after", forwarding, "s", f"{title}: forwards"),
                Row(f"{what}: ready after", seconds, "s"),
            ]
            memory = memory_of(running.pid)
            rows += [Row(f"{what}: {name}", memory[name], "MiB") for name in ("Rss", "Pss")]
    return rows


def _port_more(folder: Path) -> Row:
    with ready_daemon(folder, "start"):
        began = time.monotonic()
        command(folder, *f"port add tap{PORTS} bridge br0 tag {VLAN}".split())
        return Row("one port more, as a command", time.monotonic() - began, "s")


@contextmanager
def _watching(namespace: str) -> Iterator[Callable[[float], float]]:
    """Sends frames from now on; gives a function from a start to the seconds until one got through.

    With an unknown destination the frame is flooded, so the second port's other end sees it.
    """
    with netns.inside(namespace):
        source, target = (
            PacketSocket(lab.link_of(namespace, name).index) for name in ("far0", "far1")
        )
    arrived = threading.Event()
    at: list[float] = []
    stop = threading.Event()

    def work() -> None:
        deadline = time.monotonic() + _LONGEST
        while not stop.is_set() and time.monotonic() < deadline:
            source.send(_FRAME)
            while frame := target.receive():
                if frame.data == _FRAME:
                    at.append(time.monotonic())
                    arrived.set()
                    return
            time.sleep(0.001)

    def seconds(began: float) -> float:
        if not arrived.wait(_LONGEST):
            raise BenchError("nothing is forwarded")
        return max(0.0, at[0] - began)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield seconds
    finally:
        stop.set()
        worker.join()
        source.close()
        target.close()
