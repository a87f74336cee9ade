"""Nanoseconds a packet of the program alone: BPF_PROG_TEST_RUN, one frame again and again.

So memory is warm, nothing is transmitted, and what the kernel does around the program does not
count; an empty program shows what the test run itself takes.
"""

from __future__ import annotations

import statistics
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from bench import lab, programs
from bench.alone.datapath import PORTS, datapath, program_of
from bench.errors import BenchError
from bench.results import Row, rows_of
from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.kernel.programs import Program, ProgramType
from hotswitch.model.action import Actions, Learn, Lookup, Output
from hotswitch.model.entry import Entry
from hotswitch.model.match import ANY, Match
from hotswitch.model.port import Address, Hook
from hotswitch.switch.desired import DesiredBridge, DesiredPort
from hotswitch.switch.pipeline import entries as bridge_entries

ENTRIES = (1, 10, 1_000, 100_000)
MASKS = (1, 4, 16, 64)

_REPEAT = 200_000
_TRIES = 7
_FIRST, _SECOND = (0x02_00_00_00_00_01, "10.0.0.1"), (0x02_00_00_00_00_02, "10.0.0.2")
_FRAME = programs.udp_frame(_FIRST, _SECOND)
_TARGET = 0x0A000002
_WHOLE = (1 << 48) - 1
_REDIRECTED = {Hook.TCX: 7, Hook.XDP: 4}
"""TCX_REDIRECT, XDP_REDIRECT."""
_RETURN_ZERO = bytes.fromhex("b700000000000000 9500000000000000")


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    return rows_of(((title, partial(_made, title, make)) for title, make in _cases()), note)


def _made(title: str, make: Callable[[], Case]) -> list[Row]:
    return [
        Row(f"{title}{part}", value, unit, "" if part else title) for part, value, unit in make()
    ]


def nanoseconds(program: Program, ifindex: int, hook: Hook, expected: int) -> float:
    """Of one run on a packet that comes in by a link of this namespace; the median of several.

    Raises BenchError if the program does not return the verdict that is expected.
    """
    context = _context(ifindex, hook, len(_FRAME))
    runs = [program.test_run(_FRAME, context=context, repeat=_REPEAT) for _ in range(_TRIES)]
    if any(run.result != expected for run in runs):
        raise BenchError(f"the program returns {runs[0].result}, not {expected}")
    return statistics.median(run.duration for run in runs)


def _context(ifindex: int, hook: Hook, length: int) -> bytes:
    if hook is Hook.XDP:  # struct xdp_md: data, data_end, data_meta, ingress_ifindex, queue, egress
        return struct.pack("=6I", 0, length, 0, ifindex, 0, 0)
    return struct.pack("=11I148x", *[0] * 10, ifindex)  # struct __sk_buff


_PARTS = {
    "an entry for all packets: output": (Output(2),),
    "and learn the source": (Learn(), Output(2)),
    "and look up the destination": (Lookup(), Learn(), Output(2)),
}
Case = Iterator[tuple[str, float, str]]


def _cases() -> Iterator[tuple[str, Callable[[], Case]]]:
    yield "an empty program", _empty
    yield "a bare redirect, tcx", _redirect
    for hook in (Hook.AUTO, Hook.TCX, Hook.XDP):
        yield f"the bridge, VLAN and learning, {hook.value}", partial(_bridge, hook)
    for title, actions in _PARTS.items():
        yield title, partial(_parts, actions)
    for count in ENTRIES:
        yield f"{count:,} entries, one mask", partial(_entries, count)
    for count in MASKS:
        yield f"{count} masks, the last one hits", partial(_masks, count, count - 1)
    yield f"{MASKS[-1]} masks, the first one hits", lambda: _masks(MASKS[-1], 0)


def _empty() -> Case:
    with Program.load(ProgramType.SCHED_CLS, _RETURN_ZERO) as program:
        yield "", nanoseconds(program, 1, Hook.TCX, 0), "ns"


def _redirect() -> Case:
    with programs.redirect(ProgramType.SCHED_CLS, 1) as program:
        yield "", nanoseconds(program, 1, Hook.TCX, _REDIRECTED[Hook.TCX]), "ns"


def _bridge(hook: Hook) -> Case:
    with datapath(f"bridge-{hook.value}", hook) as made:
        ports = {name: DesiredPort(name, tag=10, hook=hook) for name in lab.NEAR}
        numbers = dict(zip(lab.NEAR, PORTS, strict=True))
        made.change(
            [
                PutEntry(each)
                for each in bridge_entries(DesiredBridge("br0", ports), numbers).values()
            ]
        )
        for (mac, _), port in zip((_FIRST, _SECOND), PORTS, strict=True):
            made.put_address(Address(10, mac, port, static=True))
        yield from _run(made, hook)


def _parts(actions: Actions) -> Case:
    with datapath(f"parts-{len(actions)}") as made:
        made.change([PutEntry(Entry(0, 0, ANY, actions))])
        for (mac, _), port in zip((_FIRST, _SECOND), PORTS, strict=True):
            made.put_address(Address(0, mac, port, static=True))
        yield from _run(made, Hook.TCX)


def _entries(count: int) -> Case:
    """Exact on the IPv4 destination; the frame's own is the one that was put last."""
    with datapath(f"entries-{count}") as made:
        full = (1 << 32) - 1
        made.change(
            [
                PutEntry(Entry(0, 1, Match.of({"ipv4.dst": (_TARGET + other, full)}), (Output(2),)))
                for other in range(count - 1, -1, -1)
            ]
        )
        yield from _run(made, Hook.TCX)


def _masks(count: int, hit: int) -> Case:
    """As many masks over the source address, tried in order; the frame matches under one."""
    with datapath(f"masks-{count}-{hit}") as made:
        changes = []
        for number in range(count):
            mask = _WHOLE ^ (number << 8 | 1)
            value = _FIRST[0] if number == hit else _FIRST[0] ^ (1 << 40)
            match = Match.of({"ethernet.src": (value & mask, mask)})
            changes.append(PutEntry(Entry(0, 1000 - number, match, (Output(2),))))
        made.change(changes)
        yield from _run(made, Hook.TCX)


def _run(made: EntryDatapath, hook: Hook) -> Case:
    kind = Hook.XDP if hook is Hook.XDP else Hook.TCX
    with closing(program_of(made, kind)) as program:
        info = program.info()
        ifindex = made.ports()[PORTS[0]].ifindex
        yield "", nanoseconds(program, ifindex, kind, _REDIRECTED[kind]), "ns"
        yield ": size", info.translated_length // 8, "instructions"
