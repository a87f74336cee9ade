"""Devices that come, go, change their names and take over from each other, while packets flow.

The bridge adopts devices; nobody adds a port by command.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench import lab, programs
from bench.alone.arrivals import (
    LONGEST,
    Arrival,
    arrive,
    delay_rows,
    delays,
    found,
    has_come,
    listener,
    lock_rows,
    send,
    until,
)
from bench.child import CPUS, Child
from bench.results import Row, rows_of
from bench.subjects.hotswitch import ready_daemon, stop_forwarding
from hotswitch.app.control.client import ControlClient
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.link_counters import link_counters
from hotswitch.kernel.links import Link
from hotswitch.kernel.programs import XDP_LIVE_FRAMES, Program, ProgramType

BURST = 1_000
_APPEARANCES = 200
_RENAMES = 20
_FLIPS = 20
_FRAMES = 1_000_000
_BATCH = 64
_SPACE = "hotplug"
_FRAME = programs.udp_frame((0x02_00_00_00_00_01, "10.0.0.1"), (0x02_00_00_00_00_02, "10.0.0.2"))


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    parts = (
        ("a device appears", _appearances),
        (f"{BURST:,} devices at once", _burst),
        ("renames under load", _renames),
        ("flips of a VIF under load", _flips),
    )
    return rows_of(parts, note)


class _Switch:
    """A daemon with one bridge, in a namespace of its own."""

    def __init__(self, folder: Path, control: ControlClient) -> None:
        self._folder = folder
        self.control = control

    def adopt(self, rules: str) -> None:
        self.control.call("bridge/set", name="br0", adopt=rules)

    def names(self) -> set[str]:
        return {port["name"] for port in self.control.call("port/list", bridge="br0")}


@contextmanager
def _switch() -> Iterator[_Switch]:
    with tempfile.TemporaryDirectory(dir="/run") as name:
        folder = Path(name)
        with (
            ready_daemon(folder, _SPACE),
            ControlClient(folder / "run" / "ctl.sock") as control,
        ):
            control.call("bridge/add", name="br0")
            yield _Switch(folder, control)
        stop_forwarding(folder, _SPACE)


@contextmanager
def _namespace() -> Iterator[None]:
    lab.add_namespace(_SPACE)
    try:
        with netns.inside(_SPACE):
            yield
    finally:
        lab.run("ip", "netns", "del", _SPACE)


def _pair(name: str, other: str) -> Link:
    """A veth pair, both ends up; the one called `name`."""
    near = link_actions.create_veth(name, other)
    link_actions.set_up(found(other).index)
    link_actions.set_up(near.index)
    return near


def _appearances() -> list[Row]:
    """Milliseconds until a device forwards both ways, devices one after another."""
    with _namespace():
        _pair("tap.source", "source")
        with (
            _switch() as switch,
            closing(PacketSocket(found("source").index)) as source,
            listener(_SPACE) as heard,
        ):
            switch.adopt("tap*")

            def appear(name: str) -> Arrival:
                with arrive(source, f"tap.{name}") as arrival:
                    return arrival

            appear("warm")
            at_once = [appear(f"a{number}") for number in range(_APPEARANCES)]
            apart = []
            for number in range(_APPEARANCES):
                until(lambda: len(switch.names()) == 2)
                apart.append(appear(f"b{number}"))
            lock = lock_rows(found("source").index, _APPEARANCES)
            times = heard()
    from_event, from_asking = delays(at_once, times)
    event_apart, asking_apart = delays(apart, times)
    return [
        *delay_rows("a device appears and forwards", from_event, 50, p99="appears: p99"),
        *delay_rows("once the last one's port has gone", event_apart, 50, 90),
        *delay_rows("with its making, from the request on", from_asking, 50),
        *delay_rows("with its making, the last port gone", asking_apart, 50),
        *lock,
    ]


def _burst() -> list[Row]:
    """Seconds for many devices: the kernel alone, with adoption, and their end."""
    with _namespace():
        began = time.perf_counter()
        _make_many()
        alone = time.perf_counter() - began
        began = time.perf_counter()
        _delete_many()
        deleted = time.perf_counter() - began
    with _namespace():
        _pair("tap.source", "source")
        with _switch() as switch, closing(PacketSocket(found("source").index)) as source:
            switch.adopt("tap*")
            began = time.perf_counter()
            last = _make_many()
            with closing(PacketSocket(last)) as target:
                _until_received(source, target)
            adopted = time.perf_counter() - began
            until(lambda: len(switch.names()) == BURST + 2)
            began = time.perf_counter()
            _delete_many()
            until(lambda: len(switch.names()) == 2)
            gone = time.perf_counter() - began
    return [
        Row(f"{BURST:,} veth pairs made, without a switch", alone, "s"),
        Row(f"{BURST:,} made and adopted, until the last one forwards", adopted, "s"),
        Row("each of them, beyond its making", 1000 * (adopted - alone) / BURST, "ms"),
        Row(f"{BURST:,} deleted, without a switch", deleted, "s"),
        Row(f"{BURST:,} deleted, until their ports have gone", gone, "s"),
    ]


def _make_many() -> int:
    """The index of the last one's other end."""
    for number in range(BURST):
        _pair(f"tap{number}", f"far{number}")
    return found(f"far{BURST - 1}").index


def _delete_many() -> None:
    for number in range(BURST):
        link_actions.delete(found(f"tap{number}").index)


def _until_received(source: PacketSocket, target: PacketSocket) -> None:
    def has_come_now() -> bool:
        send(source, _FRAME)
        return has_come(target, _FRAME)

    until(has_come_now)


def _renames() -> list[Row]:
    """Packets lost while the device that they leave by is renamed again and again."""
    with _loaded("tap.target") as (switch, stream):
        switch.adopt("tap*")
        _settle(stream)
        without = stream(lambda: None)
        index = found("tap.target").index

        def rename() -> None:
            for number in range(_RENAMES):
                link_actions.rename(index, f"name{number}")
                time.sleep(0.02)

        during = stream(rename)
    return [
        Row("packets a second, without a rename", without.rate / 1e6, "M/s"),
        Row(f"packets lost of {_FRAMES:,}, without a rename", without.lost, ""),
        Row(f"packets lost of {_FRAMES:,}, {_RENAMES} renames", during.lost, "", "renames: lost"),
    ]


def _flips() -> list[Row]:
    """Packets lost when a VIF's better link comes up, and when it or its other end goes down."""
    with _loaded("tap1.0", "vif1.0") as (switch, stream):
        switch.adopt("tap.source; tap{dom}.{dev}+vif{dom}.{dev}")
        _settle(stream)
        better, other_end = found("vif1.0").index, found("far-vif1.0").index
        lost: dict[tuple[int, bool], list[float]] = {}
        before = link_counters(better).tx_dropped
        for number in range(_FLIPS):
            index, up = (better, other_end)[number // 2 % 2], number % 2 == 1

            def change(index: int = index, up: bool = up) -> None:
                time.sleep(0.1)
                link_actions.set_up(index, up=up)

            lost.setdefault((index, up), []).append(stream(change).lost)
        dropped = link_counters(better).tx_dropped - before
    comes_up = [*lost[better, True], *lost[other_end, True]]
    return [
        Row("packets lost, at most, as the better link comes up", max(comes_up), ""),
        Row("the same, as it is set down", max(lost[better, False]), "", "flips: lost"),
        Row("the same, as its other end is set down", max(lost[other_end, False]), ""),
        Row("of all these, dropped by the link itself", dropped, ""),
    ]


class _Stream:
    """What became of a stream of packets: packets a second, and how many did not arrive."""

    def __init__(self, sent: int, received: int, seconds: float) -> None:
        self.rate = sent / seconds
        self.lost = sent - received


def _settle(stream: Callable[[Callable[[], None]], _Stream]) -> None:
    """Wait until packets come through."""
    until(lambda: stream(lambda: time.sleep(0.1)).lost < _FRAMES)


@contextmanager
def _loaded(
    *targets: str,
) -> Iterator[tuple[_Switch, Callable[[Callable[[], None]], _Stream]]]:
    """A switch, and a function that sends packets through it while something is done.

    They come in by tap.source and are counted at the other ends of the targets.
    """
    with _namespace(), ExitStack() as cleanup:
        _pair("tap.source", "source")
        for target in targets:
            _pair(target, f"far-{target}")
        lab.offload(_SPACE, "tap.source", "gro", True)
        counters = [programs.Counter(_SPACE, f"far-{target}") for target in targets]
        for counter in counters:
            cleanup.callback(counter.close)
        switch = cleanup.enter_context(_switch())
        out = found("source").index

        def stream(work: Callable[[], None]) -> _Stream:
            before = sum(each.packets() for each in counters)
            began = time.perf_counter()
            with (
                programs.redirect(ProgramType.XDP, out) as program,
                Child(lambda: _send(program), _SPACE, CPUS[-1]) as child,
            ):
                work()
                child.result(LONGEST)
            seconds = time.perf_counter() - began
            _until_quiet(counters)
            return _Stream(_FRAMES, sum(each.packets() for each in counters) - before, seconds)

        yield switch, stream


def _send(program: Program) -> None:
    program.test_run(_FRAME, repeat=_FRAMES, flags=XDP_LIVE_FRAMES, batch_size=_BATCH)


def _until_quiet(counters: list[programs.Counter]) -> None:
    """Until two looks, 50 ms apart, see the same."""
    before = -1
    while (now := sum(each.packets() for each in counters)) != before:
        before = now
        time.sleep(0.05)
