"""Everything that can be measured, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import programs
from bench.measures import latency, packets, tcp
from bench.results import Figure
from bench.subjects import hotswitch, openvswitch, plain
from bench.subjects.subject import Running, Subject
from hotswitch.kernel.programs import ProgramType
from hotswitch.model.port import Hook

SUBJECTS: Mapping[str, Subject] = {
    each.name: each
    for each in (
        Subject("direct", "two hosts, one veth pair", plain.direct),
        Subject("redirect", "bare redirect, tcx", plain.redirect(ProgramType.SCHED_CLS)),
        Subject(
            "redirect-peer",
            "bare redirect to peer, tcx",
            plain.redirect(ProgramType.SCHED_CLS, programs.REDIRECT_PEER),
        ),
        Subject("redirect-xdp", "bare redirect, XDP", plain.redirect(ProgramType.XDP)),
        Subject("bridge", "Linux bridge", plain.linux_bridge),
        Subject(
            "openvswitch", "Open vSwitch, userspace", openvswitch.open_vswitch, openvswitch.why_not
        ),
        Subject("hotswitch", "hotswitch, hook auto", hotswitch.with_hook(Hook.AUTO)),
        Subject("hotswitch-tcx", "hotswitch, hook tcx", hotswitch.with_hook(Hook.TCX)),
        Subject("hotswitch-xdp", "hotswitch, hook xdp", hotswitch.with_hook(Hook.XDP)),
    )
}

BASES = ("bridge", "redirect", "redirect-peer", "redirect-xdp")
"""What the others are compared with."""


@dataclass(frozen=True)
class Measure:
    """run: a running subject and seconds in, numbers by figure's name out."""

    name: str
    run: Callable[[Running, float], Mapping[str, float]]
    figures: tuple[Figure, ...]


MEASURES: Mapping[str, Measure] = {
    "tcp": Measure("tcp", tcp.measure, tcp.FIGURES),
    "latency": Measure("latency", latency.measure, latency.FIGURES),
    "packets": Measure("packets", packets.measure, packets.FIGURES),
}

FIGURES: Mapping[str, Figure] = {
    figure.name: figure for measure in MEASURES.values() for figure in measure.figures
}
