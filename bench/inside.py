"""Measures everything; it runs as the first process of a world of its own (`world`)."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import hotswitch
from bench import lab
from bench.alone import beside, entries, hotplug, misses, netlink, program, start, swap
from bench.catalogue import BASES, FIGURES, MEASURES, SUBJECTS
from bench.options import Options
from bench.others import undisturbed
from bench.report import show_alone, show_compared, show_verdicts
from bench.results import Results, document
from hotswitch.base.errors import HotswitchError

ALONE = {
    "program": ("Nanoseconds a packet of the program alone", program.measure),
    "entries": ("Entries installed a second", entries.measure),
    "swap": ("From a change of shape to the new program", swap.measure),
    "start": ("The daemon with 100 ports", start.measure),
    "beside": ("One port beside many", beside.measure),
    "netlink": ("The Netlink server by itself", netlink.measure),
    "misses": ("Packets that no flow matches", misses.measure),
    "hotplug": ("Devices that come, go and change", hotplug.measure),
}


def main() -> int:
    """The exit code: 1 if something that was asked for could not be measured."""
    options = Options.decode(sys.argv[1])
    began = time.time()
    results = Results()
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        _take_precedence()
        lab.prepare()
        with _progress(options) as progress:
            _compare(options, results, progress)
            show_compared(results, console)
            for name in options.alone:
                title, measure = ALONE[name]
                results.alone[title] = measure(progress.note)
                progress.step()
                show_alone(title, results.alone[title], console)
    except HotswitchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    show_verdicts(results, console)
    if options.report >= 0:
        about = _about(options, began)
        with os.fdopen(options.report, "w") as file:
            json.dump(document(results, FIGURES, BASES, about), file, indent=2, ensure_ascii=False)
            file.write("\n")
    broken = [row for rows in results.alone.values() for row in rows if isinstance(row.value, str)]
    return 1 if results.failures or broken else 0


def _take_precedence() -> None:
    """Priorities count only within a session, unless it has one too (sched(7), autogroup)."""
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("-20")


def _compare(options: Options, results: Results, progress: _Shown) -> None:
    """All subjects side by side: each round measures each of them, in another order."""
    with ExitStack() as cleanup:
        running: dict[str, Any] = {}
        for name in options.subjects:
            progress.note(f"start {SUBJECTS[name].title}")
            try:
                running[name] = cleanup.enter_context(SUBJECTS[name].start(name))
            except HotswitchError as error:
                results.failures.append(f"{SUBJECTS[name].title}: {error}")
        for number in range(options.rounds):
            for measure in options.measures:
                names = [name for name in running if name in MEASURES[measure].subjects]
                measured = {
                    name: _measure(measure, name, running, options, results, progress)
                    for name in _rotated(names, number)
                }
                for figure in MEASURES[measure].figures:
                    for name in names:
                        # A figure that a measured subject does not give is one it can't have.
                        if not measured[name] or figure.name in measured[name]:
                            results.add(figure.name, name, measured[name].get(figure.name))


def _measure(
    measure: str,
    name: str,
    running: dict[str, Any],
    options: Options,
    results: Results,
    progress: _Shown,
) -> dict[str, float]:
    progress.note(f"{measure}: {SUBJECTS[name].title}")
    try:
        values, others = undisturbed(
            lambda: MEASURES[measure].run(running[name], options.seconds), options.again
        )
        results.others.append(others)
        return dict(values)
    except (HotswitchError, OSError) as error:
        results.failures.append(f"{SUBJECTS[name].title}, {measure}: {error}")
        return {}
    finally:
        progress.step()


def _rotated(names: list[str], by: int) -> list[str]:
    """Another one first in each round: what comes first may have it better, or worse."""
    start = by % len(names) if names else 0
    return names[start:] + names[:start]


def _about(options: Options, began: float) -> dict[str, object]:
    return {
        "version": hotswitch.__version__,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "took_seconds": round(time.time() - began, 1),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


class _Shown:
    """What is going on, on a terminal; elsewhere nothing."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def note(self, what: str) -> None:
        """What is measured now."""
        self._progress.update(self._task, description=what)
        self._progress.refresh()

    def step(self) -> None:
        """One more is done."""
        self._progress.advance(self._task)
        self._progress.refresh()


@contextmanager
def _progress(options: Options) -> Iterator[_Shown]:
    # Drawn only when something changes: a thread that draws would be measured too.
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<50}"), BarColumn(), TimeRemainingColumn())
    pairs = sum(
        name in MEASURES[measure].subjects
        for measure in options.measures
        for name in options.subjects
    )
    total = pairs * options.rounds + len(options.alone)
    with Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield _Shown(progress, total)


if __name__ == "__main__":
    sys.exit(main())
