"""What is aimed at, and whether it is met. Only people read this: no test depends on a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.alone.beside import COUNTS
from bench.alone.entries import BATCHED
from bench.alone.netlink import MANY as MANY_FLOWS
from bench.alone.program import ENTRIES, MASKS
from bench.measures.commands import MANY, MOST
from bench.results import Results


@dataclass(frozen=True)
class Verdict:
    """An aim and what was found."""

    aim: str
    found: str
    met: bool


def verdicts(results: Results) -> list[Verdict]:
    """Of the aims for which everything needed was measured."""
    return [
        *of_switches(results),
        *of_databases(results),
        *of_commands(results),
        *of_netlink(results),
    ]


def of_switches(results: Results) -> list[Verdict]:
    """Of the aims that are about forwarding."""
    return [*_compared(results), *_alone(results)]


def of_databases(results: Results) -> list[Verdict]:
    """Of the aims that are about the database."""
    return [*_rates(results), *_costs(results)]


def of_commands(results: Results) -> list[Verdict]:
    """Of the aims that are about ports by command."""
    verdicts = []
    if found := results.ratio("port_many", "vsctl-hotswitch", "vsctl-openvswitch"):
        aim = f"a port added beside {MANY:,}: a tenth of the time that Open vSwitch takes"
        verdicts.append(Verdict(aim, f"{found.median:.2f} ×", found.median <= 0.1))
    if took := results.summary("port_most", "vsctl-hotswitch"):
        aim = f"{MOST:,} ports added by one command in 2 s"
        verdicts.append(Verdict(aim, f"{took.median:.2f} s", took.median <= 2))
    return verdicts


def of_netlink(results: Results) -> list[Verdict]:
    """Of the aims that are about the Netlink server."""
    installs = results.summary("flow_installs", "netlink-together")
    latency = results.summary("flow_p50", "netlink-hotswitch")
    rate, wait = installs.median if installs else None, latency.median if latency else None
    limits: tuple[tuple[str, float | None, str, float, float], ...] = (
        ("30,000 flows installed a second, pipelined", rate, "/s", 3e4, _M),
        (f"{MANY_FLOWS:,} flows in all", results.row("flows in all"), "", MANY_FLOWS, _M),
        ("a flow installed and answered in 150 µs, p50", wait, " µs", 0, 150),
        (
            f"a dump of {MANY_FLOWS:,} flows delays others by at most 10 ms, p99",
            results.row("beside a dump"), " ms", 0, 10,
        ),
        ("100,000 misses a second delivered in batches", results.row("misses"), "/s", 1e5, _M),
    )  # fmt: skip
    return [
        Verdict(aim, f"{value:,.0f}{unit}", lowest <= value <= highest)
        for aim, value, unit, lowest, highest in limits
        if value is not None
    ]


_M = float("inf")


def _rates(results: Results) -> Iterator[Verdict]:
    for aim, figure, limit in (
        ("durable transactions at least as many as ovsdb-server's", "db_durable", 1.0),
        ("transactions, one after another: at least half as many", "db_one", 0.5),
        ("transactions, 100 in flight: at least half as many", "db_flight", 0.5),
        ("durable transactions, 100 in flight: at least as many", "db_durable_flight", 1.0),
    ):
        found = results.ratio(figure, *_SERVERS)
        if found:
            yield Verdict(aim, f"{found.median:.2f} ×", found.median >= limit)


def _costs(results: Results) -> Iterator[Verdict]:
    for aim, figure in (
        ("10,000 ports in one transaction: at most twice the time", "db_insert"),
        ("the first answer to a monitor of 10,000 ports: at most twice the time", "db_monitor"),
        ("1,000 ports told to 100 monitors: at most twice the time", "db_fan"),
        ("one port more beside 10,000: at most twice the time", "db_more"),
        ("memory with 10,000 ports: at most twice", "db_memory"),
        ("memory with 100 monitors: at most twice", "db_fan_memory"),
    ):
        found = results.ratio(figure, *_SERVERS)
        if found:
            yield Verdict(aim, f"{found.median:.2f} ×", found.median <= 2.0)


_SERVERS = ("hotswitch-ovsdb", "ovsdb-server")


def _compared(results: Results) -> Iterator[Verdict]:
    for aim, figure, subject, base, limit in (
        ("TCP at least 1.08 × the Linux bridge", "tcp", "hotswitch", "bridge", 1.08),
        ("TCP within 3 % of the bare redirect", "tcp", "hotswitch", "redirect", 0.97),
        ("packets on tcx at least 1.8 × the bridge", "packets", "hotswitch-tcx", "bridge", 1.8),
        ("packets on XDP at least 4 × the bridge", "packets", "hotswitch-xdp", "bridge", 4.0),
        (
            "packets on tcx within 10 % of the bare redirect",
            "packets", "hotswitch-tcx", "redirect", 0.9,
        ),
        (
            "packets to a peer within 10 % of the bare redirect to a peer",
            "packets", "hotswitch", "redirect-peer", 0.9,
        ),
        (
            "packets on XDP within 10 % of the bare redirect",
            "packets", "hotswitch-xdp", "redirect-xdp", 0.9,
        ),
    ):  # fmt: skip
        found = results.ratio(figure, subject, base)
        if found:
            yield Verdict(aim, f"{found.median:.2f} ×", found.median >= limit)
    found = results.ratio("p50", "hotswitch", "redirect")
    if found:
        aim = "latency at most 7/6 of the bare redirect's"
        yield Verdict(aim, f"{found.median:.2f} ×", found.median <= 7 / 6)


def _alone(results: Results) -> Iterator[Verdict]:
    one, most = (results.row(f"{count:,} entries, one mask") for count in (1, ENTRIES[-1]))
    if one and most:
        yield Verdict(
            "flat in the number of entries",
            f"{one:.0f} ns with 1, {most:.0f} ns with {ENTRIES[-1]:,}",
            most <= 1.25 * one,
        )
    few, many = (results.row(f"one port beside {count:,}") for count in COUNTS)
    if few and many:
        yield Verdict(
            "one port costs the same beside many others",
            f"{few:.1f} ms beside {COUNTS[0]:,}, {many:.1f} ms beside {COUNTS[1]:,}",
            many <= 1.25 * few,
        )
    times = [results.row(f"{count} masks, the last one hits") for count in MASKS]
    known = [each for each in times if each]
    if len(known) == len(MASKS):
        slope = (known[-1] - known[0]) / (MASKS[-1] - MASKS[0])
        yield Verdict("a small slope in masks", f"{slope:.1f} ns a mask", slope <= 24)
    limits: tuple[tuple[str, str, Callable[[float], str], Callable[[float], bool]], ...] = (
        (
            "50,000 entries a second, batched",
            f"put by {BATCHED}",
            lambda value: f"{value:,.0f}/s",
            lambda value: value >= 50_000,
        ),
        (
            "forwards 0.5 s after the daemon's start with 100 ports",
            "start: forwards",
            lambda value: f"{value:.2f} s",
            lambda value: value <= 0.5,
        ),
        (
            "a device forwards 10 ms after it appeared beside 4,000 ports, p99",
            f"p99 beside {COUNTS[1]:,}",
            lambda value: f"{value:.1f} ms",
            lambda value: value <= 10,
        ),
        (
            "a device forwards 5 ms after it appeared, p99",
            "appears: p99",
            lambda value: f"{value:.1f} ms",
            lambda value: value <= 5,
        ),
        (
            "no packet lost by renames",
            "renames: lost",
            lambda value: f"{value:.0f}",
            lambda value: value <= 0,
        ),
        (
            "no packet lost by flips of a VIF",
            "flips: lost",
            lambda value: f"{value:.0f}",
            lambda value: value <= 0,
        ),
    )
    for aim, key, show, holds in limits:
        value = results.row(key)
        if value is not None:
            yield Verdict(aim, show(value), holds(value))
