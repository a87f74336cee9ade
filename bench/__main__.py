"""`python -m bench`: the options, and what must be there."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from bench.catalogue import MEASURES, SUBJECTS
from bench.inside import ALONE
from bench.options import Options
from bench.world import run_inside

_NEEDED = {"unshare": "util-linux", "ip": "iproute2", "iperf3": "iperf3", "ethtool": "ethtool"}
_NAMES = (*SUBJECTS, *MEASURES, *ALONE)


def _choose(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    names = tuple(name for each in given for name in each.split(",") if name)
    for name in names:
        if name not in _NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_NAMES)}")
    return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    default=2.0,
    show_default=True,
    help="How long each measurement of traffic lasts (iperf3: whole seconds).",
)
@click.option(
    "--again",
    type=click.IntRange(0, 100),
    default=3,
    show_default=True,
    help="How often a measurement is made again that other programs disturbed.",
)
@click.option(
    "--only",
    multiple=True,
    callback=_choose,
    metavar="NAME,…",
    help="Only these subjects, measures and parts; see below.",
)
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write all values there too.",
)
def command(
    rounds: int, seconds: float, again: int, only: tuple[str, ...], report: Path | None
) -> None:
    """Measure hotswitch side by side with others, and by itself. Needs root.

    Everything happens in namespaces of its own, of which nothing is left behind. All subjects are
    up at once, and each round measures each of them. Shown are medians, quartiles, and the
    medians of each round's ratios.

    \b
    Subjects:  direct, redirect, redirect-peer, redirect-xdp, bridge, openvswitch,
               hotswitch, hotswitch-tcx, hotswitch-xdp
    Measures:  tcp      one stream, and its CPU time
               latency  TCP request and response
               packets  64-byte UDP packets a second, CPU time of each
    \b
    Database servers as subjects:
               ovsdb-server, hotswitch-ovsdb
    Measures of them:
               transactions  a second, durable or not
               ports         10,000 of them: inserted, monitored, in memory
               monitors      100 of them are told of 1,000 ports
    \b
    Bridges that are commanded as subjects:
               ip-link, vsctl-openvswitch, vsctl-hotswitch
    Measure of them:
               commands  ports added and deleted, beside 10 and beside 1,000
    \b
    Datapaths of programs as subjects:
               dpctl-openvswitch, netlink-hotswitch, netlink-together
    Measure of them:
               flows    installed, listed, deleted
    \b
    Parts that stand alone:
               program  the program's nanoseconds a packet
               entries  entries installed a second
               swap     from a change of shape to the new program
               start    the daemon with 100 ports: its start, its memory
               netlink  its server with 100,000 flows
               misses   delivered to a program, and back
               beside   one port added beside 10 and beside 4,000
               hotplug  devices that come, go and change under load

    --only with subjects alone means all measures, with measures alone all
    subjects; parts are left out unless they are named.

    \b
    Examples:
      make bench
      python -m bench --only bridge,hotswitch,packets --rounds 9
      python -m bench --only program,start --json figures.json
    """
    subjects, measures, alone = _chosen(only)
    _check(subjects, asked=bool(only))
    if not only:
        subjects = tuple(name for name in subjects if not SUBJECTS[name].why_not())
    options = Options(subjects, measures, alone, rounds, seconds, again)
    if report is None:
        sys.exit(run_inside("bench.inside", [options.encode()], []))
    sys.exit(_with_report(options, report))


def _chosen(only: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Subjects, measures and parts in the catalogue's order."""
    if not only:
        return tuple(SUBJECTS), tuple(MEASURES), tuple(ALONE)
    subjects = tuple(name for name in SUBJECTS if name in only)
    measures = tuple(name for name in MEASURES if name in only)
    alone = tuple(name for name in ALONE if name in only)
    if not measures:
        fitting = (
            name for name, each in MEASURES.items() if not each.subjects.keys().isdisjoint(subjects)
        )
        return subjects, tuple(fitting), alone
    if not subjects:
        able = {name for measure in measures for name in MEASURES[measure].subjects}
        return tuple(name for name in SUBJECTS if name in able), measures, alone
    return subjects, measures, alone


def _check(subjects: tuple[str, ...], asked: bool) -> None:
    """Say what is missing, before anything begins. Raises ClickException."""
    if os.geteuid():
        raise click.ClickException(
            "it makes network namespaces and loads programs into the kernel (run it as root: "
            "sudo make bench)"
        )
    missing = [package for program, package in _NEEDED.items() if not shutil.which(program)]
    if missing:
        raise click.ClickException(f"missing (apt-get install {' '.join(missing)})")
    for name in subjects:
        reason = SUBJECTS[name].why_not()
        if reason and asked:
            raise click.ClickException(f"{name}: {reason}")
        if reason:
            click.echo(f"bench: without {name}: {reason}", err=True)


def _with_report(options: Options, report: Path) -> int:
    """The file appears whole, or not at all."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=report.absolute().parent, prefix=".bench-")
    except OSError as error:
        raise click.ClickException(f"can't write {report}: {error.strerror}") from None
    try:
        given = replace(options, report=descriptor)
        result = run_inside("bench.inside", [given.encode()], [descriptor])
        if os.fstat(descriptor).st_size:
            os.fchmod(descriptor, 0o644)
            Path(temporary).replace(report)
        return result
    finally:
        os.close(descriptor)
        Path(temporary).unlink(missing_ok=True)


def main() -> int:
    """The exit code."""
    try:
        command.main(prog_name="bench", standalone_mode=False)
    except click.ClickException as error:
        usage = isinstance(error, click.UsageError)
        hint = " (see: python -m bench --help)" if usage else ""
        print(f"bench: {error.format_message().rstrip('.')}{hint}", file=sys.stderr)
        return 2 if usage else 1
    except click.Abort:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
