"""Tables and quantities for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from hotswitch.app.cli.context import in_colour


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "") -> None:
    """Print aligned columns; `right` names the columns (by head, with spaces) that hold numbers."""
    body = [["-" if each is None else str(each) for each in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    numeric = {position for position, name in enumerate(head) if name in right.split()}
    click.echo(
        click.style(_line(head, widths, numeric), bold=True)
        if in_colour()
        else _line(head, widths, numeric)
    )
    for row in body:
        click.echo(_line(row, widths, numeric))


def vlans(trunks: Sequence[int]) -> str:
    """VLANs with ranges: 10,20-29."""
    runs: list[list[int]] = []
    for each in sorted(trunks):
        if runs and each == runs[-1][1] + 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def quantity(value: float) -> str:
    """A number in three digits: 1.23M."""
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 99.5 or not unit else f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}P"


def seconds(value: float | None) -> str:
    """A time for people: 0.3s, 12s, 3m20s, 5h."""
    if value is None:
        return "never"
    if value < 10:
        return f"{value:.1f}s"
    whole = int(value)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def _line(cells: Sequence[str], widths: Sequence[int], numeric: set[int]) -> str:
    return "  ".join(
        cell.rjust(width) if position in numeric else cell.ljust(width)
        for position, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()
