"""New devices: when the kernel tells of one, and when frames go through it both ways.

Who waits here lets go of the CPU: with both CPUs busy, what the kernel waits for when something is
attached to a device (an RCU grace period, which one of its own threads has to see to) takes
milliseconds more, and that would be the measure's doing.
"""

from __future__ import annotations

import os
import select
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import NamedTuple

from bench import programs
from bench.child import Child
from bench.errors import BenchError
from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_monitor import Changed, LinkMonitor
from hotswitch.kernel.links import Link, get_link

LONGEST = 60.0
"""Seconds."""
_NAP = 0.0001
"""Seconds between two looks."""

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
                        if isinstance(event, Changed):
                            heard.setdefault(event.link.name, now)
                    if reading in readable:
                        return heard

        child = cleanup.enter_context(Child(listen, namespace))
        os.read(ready, 1)

        def end() -> Mapping[str, float]:
            os.write(writing, b"!")
            times: dict[str, float] = child.result(LONGEST)
            return times

        yield end


def arrive(source: PacketSocket, name: str) -> tuple[Arrival, Link]:
    """Make a veth pair and set up both ends; one of them is a port as soon as the switch has it.

    Returns when a frame from the other end has come to `source`, another port's other end, and the
    answer to it has come back.
    """
    asked = time.perf_counter()
    device = link_actions.create_veth(name, f"x{name}")
    far = found(f"x{name}")
    link_actions.set_up(far.index)
    link_actions.set_up(device.index)
    with closing(PacketSocket(far.index)) as target:
        while (now := time.perf_counter()) < asked + LONGEST:
            if has_come(target, ANSWER):
                return Arrival(name, asked, now), device
            send(target, REQUEST)
            if has_come(source, REQUEST):
                send(source, ANSWER)
            time.sleep(_NAP)
    raise BenchError("a new device is not forwarded to")


def delays(arrivals: Sequence[Arrival], heard: Mapping[str, float]) -> tuple[list[float], ...]:
    """Milliseconds until they forward: percentiles from the kernel's event on, and from asking."""
    from_event = [each.forwards - heard[each.name] for each in arrivals]
    from_asking = [each.forwards - each.asked for each in arrivals]
    return tuple(
        [1000 * each for each in statistics.quantiles(of, n=100)]
        for of in (from_event, from_asking)
    )


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
