"""Everything that can be measured, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench import programs
from bench.measures import commands, database, flows, latency, packets, tcp
from bench.results import Figure
from bench.subjects import commands as commanders
from bench.subjects import databases, datapaths, hotswitch, openvswitch, plain
from bench.subjects.commands import Commanders
from bench.subjects.databases import Servers
from bench.subjects.datapaths import Datapaths
from bench.subjects.subject import Running, Subject
from hotswitch.kernel.programs import ProgramType
from hotswitch.model.port import Hook

SWITCHES: Mapping[str, Subject[Running]] = {
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

DATABASES: Mapping[str, Subject[Servers]] = {
    each.name: each
    for each in (
        Subject("ovsdb-server", "ovsdb-server", databases.ovsdb_server, databases.why_not),
        Subject("hotswitch-ovsdb", "hotswitch's database", databases.hotswitch_ovsdb),
    )
}

COMMANDERS: Mapping[str, Subject[Commanders]] = {
    each.name: each
    for each in (
        Subject("ip-link", "ip link, Linux bridge", commanders.linux_bridge),
        Subject(
            "vsctl-openvswitch",
            "ovs-vsctl, Open vSwitch",
            commanders.open_vswitch,
            openvswitch.why_not,
        ),
        Subject("vsctl-hotswitch", "ovs-vsctl, hotswitch", commanders.with_hotswitch),
    )
}

DATAPATHS: Mapping[str, Subject[Datapaths]] = {
    each.name: each
    for each in (
        Subject(
            "dpctl-openvswitch",
            "dpctl, Open vSwitch, userspace",
            datapaths.open_vswitch,
            openvswitch.why_not,
        ),
        Subject(
            "netlink-hotswitch",
            "Netlink, hotswitch, a message a datagram",
            datapaths.over_netlink(together=False),
        ),
        Subject(
            "netlink-together",
            "Netlink, hotswitch, several in a datagram",
            datapaths.over_netlink(together=True),
        ),
    )
}

SUBJECTS: Mapping[str, Subject[Any]] = {**SWITCHES, **DATABASES, **COMMANDERS, **DATAPATHS}

BASES = (
    "bridge",
    "redirect",
    "redirect-peer",
    "redirect-xdp",
    "ovsdb-server",
    "ip-link",
    "vsctl-openvswitch",
    "dpctl-openvswitch",
)
"""What the others are compared with."""


@dataclass(frozen=True)
class Measure:
    """run: a running subject and seconds in, numbers by figure's name out.

    subjects: those that can be measured so.
    """

    name: str
    run: Callable[[Any, float], Mapping[str, float]]
    figures: tuple[Figure, ...]
    subjects: Mapping[str, Subject[Any]]


MEASURES: Mapping[str, Measure] = {
    each.name: each
    for each in (
        Measure("tcp", tcp.measure, tcp.FIGURES, SWITCHES),
        Measure("latency", latency.measure, latency.FIGURES, SWITCHES),
        Measure("packets", packets.measure, packets.FIGURES, SWITCHES),
        Measure("transactions", database.transactions, database.TRANSACTIONS, DATABASES),
        Measure("ports", database.ports, database.PORTS, DATABASES),
        Measure("monitors", database.monitors, database.MONITORS, DATABASES),
        Measure("flows", flows.measure, flows.FIGURES, DATAPATHS),
        Measure("commands", commands.measure, commands.FIGURES, COMMANDERS),
    )
}

FIGURES: Mapping[str, Figure] = {
    figure.name: figure for measure in MEASURES.values() for figure in measure.figures
}
