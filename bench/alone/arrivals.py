"""New TAP devices: when the kernel tells of one, and when frames go through it both ways.

Who waits here lets go of the CPU: with both CPUs busy, what the kernel waits for when something is
attached to a device (an RCU grace period, which one of its own threads has to see to) takes
milliseconds more, and that would be the measure's doing.
"""

from __future__ import annotations

import fcntl
import os
import select
import statistics
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from bench import programs
from bench.child import Child
from bench.errors import BenchError
from bench.results import Row
from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_monitor import Changed, LinkMonitor, Removed
from hotswitch.kernel.links import Link, get_link

LONGEST = 60.0
"""Seconds."""
_NAP = 0.0001
"""Seconds between two looks."""
_PAUSE = 0.02

_SET_INTERFACE = 0x400454CA
_TAP, _NO_INFORMATION = 0x0002, 0x1000
_request = struct.Struct("=16sH22x")
"""TUNSETIFF, IFF_TAP, IFF_NO_PI and `struct ifreq`, include/uapi/linux/if_tun.h."""

_HERE, _THERE = (0x02_00_00_00_00_01, "10.0.0.1"), (0x02_00_00_00_00_02, "10.0.0.2")
ANSWER, REQUEST = programs.udp_frame(_HERE, _THERE), programs.udp_frame(_THERE, _HERE)


class Arrival(NamedTuple):
    """asked: when its making began. forwards: when a frame from it had been answered. Seconds."""

    name: str
    asked: float
    forwards: float


@contextmanager
def listener(namespace: str) -> Iterator[Callable[[], Mapping[str, float]]]:
    """Somebody who has nothing to do with anything notes when the kernel tells first of each link.

    The function ends that and returns the times by name, of the clock that `Arrival` has.
    """
    with ExitStack() as cleanup:
        (reading, writing), (ready, tells) = os.pipe(), os.pipe()
        for descriptor in (reading, writing, ready, tells):
            cleanup.callback(os.close, descriptor)

        def listen() -> dict[str, float]:
            heard: dict[str, float] = {}
            with LinkMonitor() as monitor:
                os.write(tells, b"!")
                while True:
                    readable, _, _ = select.select([monitor.fileno(), reading], [], [])
                    now = time.perf_counter()
                    for event in monitor.read():
                        match event:
                            case Changed(link):
                                heard.setdefault(link.name, now)
                            case Removed(_, name):  # so late that nothing else is told any more
                                heard.setdefault(name, now)
                    if reading in readable:
                        return heard

        child = cleanup.enter_context(Child(listen, namespace))
        os.read(ready, 1)

        def end() -> Mapping[str, float]:
            os.write(writing, b"!")
            times: dict[str, float] = child.result(LONGEST)
            return times

        yield end


@contextmanager
def arrive(source: PacketSocket, name: str) -> Iterator[Arrival]:
    """Make a TAP device, a port as soon as the switch has it, and set it up. It goes at the end.

    Begins when a frame from it has come to `source`, another port's other end, and the answer to
    it has come back. (Of a veth pair, the other end cannot send before the kernel's link watch has
    had the lock of network devices.)
    """
    asked = time.perf_counter()
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _SET_INTERFACE, _request.pack(name.encode(), _TAP | _NO_INFORMATION))
        link_actions.set_up(found(name).index)
        while (now := time.perf_counter()) < asked + LONGEST:
            if _has_come_out(device):
                break
            with suppress(OSError):  # it may not be up yet
                os.write(device, REQUEST)
            if has_come(source, REQUEST):
                send(source, ANSWER)
            time.sleep(_NAP)
        else:
            raise BenchError("a new device is not forwarded to")
        yield Arrival(name, asked, now)
    finally:
        os.close(device)


def _has_come_out(device: int) -> bool:
    """Whether the answer has, of all that have come out of the device since the last look."""
    there = False
    while True:
        try:
            there = os.read(device, 4096) == ANSWER or there
        except BlockingIOError:
            return there


def lock_rows(index: int, count: int) -> list[Row]:
    """How long the kernel takes to set a link up that is up: the wait for its lock, almost.

    Everything that makes, changes or ends a device or a filter, in any namespace, holds that lock.
    """
    times = []
    for _ in range(count):
        began = time.perf_counter()
        link_actions.set_up(index)
        times.append(time.perf_counter() - began)
        time.sleep(_PAUSE)
    return delay_rows("the kernel's lock of devices, no switch", times, 50, 90)


def delays(
    arrivals: Sequence[Arrival], heard: Mapping[str, float]
) -> tuple[list[float], list[float]]:
    """Seconds until each forwards: from the kernel's event on, and from asking."""
    from_event = [each.forwards - heard[each.name] for each in arrivals]
    from_asking = [each.forwards - each.asked for each in arrivals]
    return from_event, from_asking


def delay_rows(title: str, seconds: Sequence[float], *percents: int, p99: str = "") -> list[Row]:
    """These percentiles and the 99th, in milliseconds. p99: what aims know that one by."""
    at = statistics.quantiles(seconds, n=100)
    rows = [Row(f"{title}: p{percent}", 1000 * at[percent - 1], "ms") for percent in percents]
    return [*rows, Row(f"{title}: p99", 1000 * at[98], "ms", p99)]


def has_come(target: PacketSocket, wanted: bytes) -> bool:
    """Whether a frame has come there, of all that have come since the last look."""
    there = False
    while frame := target.receive():
        there = there or frame.data == wanted
    return there


def send(source: PacketSocket, frame: bytes) -> None:
    """Send a frame, if that can be done just now: the link may not be up yet, or be full."""
    with suppress(KernelError):
        source.send(frame)


def found(name: str) -> Link:
    """The link of that name. Raises BenchError."""
    link = get_link(name)
    if link is None:
        raise BenchError(f"there is no link {name}")
    return link


def until(look: Callable[[], bool]) -> None:
    """Wait until it is so. Raises BenchError."""
    deadline = time.monotonic() + LONGEST
    while not look():
        if time.monotonic() > deadline:
            raise BenchError(f"not so after {LONGEST:g} s")
        time.sleep(0.001)
