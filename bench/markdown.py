"""Put the figures of a report (`--json`) into docs/performance.md: python -m bench.markdown FILE…

The page has places for them, between `<!-- figures: NAME -->` and `<!-- end -->`. Several reports
are taken together; of two that hold the same, the later one counts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench.aims import Verdict, of_commands, of_databases, of_netlink, of_switches
from bench.catalogue import BASES, COMMANDERS, DATABASES, DATAPATHS, FIGURES, SWITCHES
from bench.report import number
from bench.results import Results, Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
Reports: TypeAlias = Sequence[Mapping[str, Any]]
_PLACE = re.compile(r"(<!-- figures: ([a-z0-9 _-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """The page with all places filled for which there is something."""
    results = _results(reports)

    def place(found: re.Match[str]) -> str:
        lines = _SECTIONS.get(found[2], _figure)(found[2], results, reports)
        return found[1] + "\n".join(lines) + "\n" + found[3] if lines else found[0]

    return _PLACE.sub(place, page)


def _results(reports: Sequence[Mapping[str, Any]]) -> Results:
    results = Results()
    for report in reports:
        for name, figure in report["compared"].items():
            results.values[name] = {
                subject: each["values"] for subject, each in figure["subjects"].items()
            }
        for title, rows in report["alone"].items():
            results.alone[title] = [Row(**row) for row in rows]
    return results


def _figure(name: str, results: Results, _: Reports) -> list[str]:
    by_subject = results.values.get(name)
    if not by_subject:
        return []
    figure = FIGURES[name]
    bases = [base for base in BASES if results.summary(name, base)]
    rows = []
    for subject in by_subject:
        summary = results.summary(name, subject)
        if summary is None:
            rows.append([subject, "failed", "", *([""] * len(bases))])
            continue
        ratios = [results.ratio(name, subject, base) for base in bases]
        rows.append(
            [
                subject,
                f"{summary.median:.{figure.digits}f}",
                f"{summary.lower:.{figure.digits}f}–{summary.upper:.{figure.digits}f}",
                *(f"{each.median:.2f}" if each else "" for each in ratios),
            ]
        )
    heads = ["subject", f"median, {figure.unit}", "quartiles", *(f"× {base}" for base in bases)]
    return _table(heads, rows)


def _part(title: str) -> Callable[[str, Results, Reports], list[str]]:
    def lines(_: str, results: Results, __: Reports) -> list[str]:
        rows = [[row.what, *_shown(row)] for row in results.alone.get(title, [])]
        return _table(["", "", ""], rows) if rows else []

    return lines


def _shown(row: Row) -> tuple[str, str]:
    """Its number and unit, or why there is none."""
    if isinstance(row.value, str):
        return "", row.value
    return number(row.value), row.unit


def _aims(
    verdicts: Callable[[Results], Sequence[Verdict]],
) -> Callable[[str, Results, Reports], list[str]]:
    def lines(_: str, results: Results, __: Reports) -> list[str]:
        found = [
            [each.aim, each.found, "yes" if each.met else "**no**"] for each in verdicts(results)
        ]
        return _table(["aim", "found", "met"], found) if found else []

    return lines


def _about(subjects: Container[str]) -> Callable[[str, Results, Reports], list[str]]:
    """Of the last report that has measured any of these."""

    def lines(_: str, __: Results, reports: Reports) -> list[str]:
        for report in reversed(reports):
            measured = (
                each for figure in report["compared"].values() for each in figure["subjects"]
            )
            if any(each in subjects for each in measured):
                return _circumstances(
                    {**report["about"], "cpus_used_by_others": report["cpus_used_by_others"]}
                )
        return []

    return lines


def _circumstances(about: Mapping[str, Any]) -> list[str]:
    kernel = ".".join(about["kernel"].split(".")[:2])
    lines = [
        f"Measured {about['began'][:10]} on Linux {kernel} ({about['machine']}, "
        f"{about['cpus']} CPUs): {about['rounds']} rounds of {about['seconds']:g} s."
    ]
    others = about.get("cpus_used_by_others")
    if others:
        lines.append(f"Other programs used {others['median']:.1f} CPUs meanwhile.")
    return lines


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (heads, rule, *rows)]


_SECTIONS = {
    "about": _about(SWITCHES),
    "aims": _aims(of_switches),
    "database about": _about(DATABASES),
    "database aims": _aims(of_databases),
    "program": _part("Nanoseconds a packet of the program alone"),
    "entries": _part("Entries installed a second"),
    "swap": _part("From a change of shape to the new program"),
    "start": _part("The daemon with 100 ports"),
    "beside": _part("One port beside many"),
    "netlink": _part("The Netlink server by itself"),
    "misses": _part("Packets that no flow matches"),
    "flows about": _about(DATAPATHS),
    "flows aims": _aims(of_netlink),
    "hotplug": _part("Devices that come, go and change"),
    "commands about": _about(COMMANDERS),
    "commands aims": _aims(of_commands),
}


def main() -> int:
    """The exit code."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        reports = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
        PAGE.write_text(fill(PAGE.read_text(), reports))
    except (OSError, ValueError) as error:
        print(f"bench.markdown: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
