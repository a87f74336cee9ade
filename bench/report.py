"""Results for people, as tables on a terminal or in a file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.aims import verdicts
from bench.catalogue import BASES, FIGURES
from bench.results import Figure, Results, Row
from bench.summary import summarise


def show_compared(results: Results, console: Console) -> None:
    """The tables of what was measured side by side."""
    for name in results.values:
        console.print(_compared(results, FIGURES[name]))


def show_alone(title: str, rows: Sequence[Row], console: Console) -> None:
    """The table of a part that stands alone."""
    console.print(_alone(title, rows))


def show_verdicts(results: Results, console: Console) -> None:
    """Which aims are met, and what failed."""
    for verdict in verdicts(results):
        met = "met" if verdict.met else "NOT met"
        console.print(f"{met}: {verdict.aim}: {verdict.found}", markup=False)
    if results.others:
        others = summarise(results.others)
        console.print(
            f"Other programs used {others.median:.2f} CPUs meanwhile, {others.highest:.2f} at most."
        )
    for failure in results.failures:
        console.print(f"failed: {failure}", markup=False)


def _compared(results: Results, figure: Figure) -> Table:
    by_subject = results.values[figure.name]
    bases = [base for base in BASES if results.summary(figure.name, base)]
    table = Table(title=f"{figure.title}, {figure.unit}", title_justify="left")
    table.add_column("subject", no_wrap=True)
    for heading in ("median", "quartiles", *(f"× {base}" for base in bases)):
        table.add_column(heading, justify="right", no_wrap=True)
    for subject in by_subject:
        summary = results.summary(figure.name, subject)
        if summary is None:
            table.add_row(subject, "failed")
            continue
        ratios = (results.ratio(figure.name, subject, base) for base in bases)
        table.add_row(
            subject,
            f"{summary.median:.{figure.digits}f}",
            f"{summary.lower:.{figure.digits}f}–{summary.upper:.{figure.digits}f}",
            *("" if each is None else f"{each.median:.2f}" for each in ratios),
        )
    return table


def _alone(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for row in rows:
        if isinstance(row.value, str):
            table.add_row(row.what, "failed", row.value)
        else:
            table.add_row(row.what, number(row.value), row.unit)
    return table


def number(value: float) -> str:
    """As many digits as say something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"
