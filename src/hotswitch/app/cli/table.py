"""hotswitch table."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from hotswitch.app.cli import render
from hotswitch.app.cli.context import call, in_colour, shared_options, show
from hotswitch.app.cli.words import BRIDGE, words_argument


@click.group(name="table")
def command() -> None:
    """Show the entries that packets go through.

    \b
    Examples:
      hotswitch table show
      hotswitch table show bridge br0
    """


@command.command("show")
@words_argument(BRIDGE)
@shared_options
def show_all(words: dict[str, Any]) -> None:
    """Show the tables' entries.

    Of each: its priority, what it matches, what it does, what it has counted.
    A packet begins in table 0. The entry of the highest priority that matches
    wins; a packet that none matches is dropped.

    \b
    Examples:
      hotswitch table show bridge br0
      hotswitch table show --json
    """
    show(call("table/show", **words), _entries)


def _entries(rows: list[dict[str, Any]]) -> None:
    for (bridge, table), entries in groupby(rows, lambda row: (row["bridge"], row["table"])):
        group = list(entries)
        name = group[0]["name"]
        title = f"{bridge}, table {table}" + (f" ({name})" if name else "")
        click.echo(click.style(title, bold=True) if in_colour() else title)
        for each in group:
            counted = f"{render.quantity(each['packets'])} packets"
            idle = "" if each["idle"] is None else f", {render.seconds(each['idle'])} ago"
            click.echo(f"  {each['priority']:>5}  {each['match']}  ->  {each['actions']}")
            click.echo(f"         {counted}, {render.quantity(each['bytes'])} bytes{idle}")
