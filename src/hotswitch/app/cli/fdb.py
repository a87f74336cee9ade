"""hotswitch fdb."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import render
from hotswitch.app.cli.context import call, shared_options, show
from hotswitch.app.cli.words import BRIDGE, PORT, Word, vlan, words_argument

_VLAN = Word("vlan", "vlan", vlan)


@click.group(name="fdb")
def command() -> None:
    """Show and flush learned addresses.

    \b
    Examples:
      hotswitch fdb show
      hotswitch fdb show bridge br0
      hotswitch fdb flush port tap0
    """


@command.command("show")
@words_argument(BRIDGE)
@shared_options
def show_all(words: dict[str, Any]) -> None:
    """Show which address is at which port.

    AGE is how long it has been silent.

    \b
    Examples:
      hotswitch fdb show bridge br0
      hotswitch fdb show --json
    """
    show(call("fdb/show", **words), _table)


@command.command()
@words_argument(BRIDGE, PORT, _VLAN)
@shared_options
def flush(words: dict[str, Any]) -> None:
    """Forget learned addresses, all or some.

    Some are those of a bridge, of a port, in a VLAN.

    \b
    Examples:
      hotswitch fdb flush
      hotswitch fdb flush bridge br0 vlan 10
      hotswitch fdb flush port tap0
    """
    show(call("fdb/flush", **words), lambda count: click.echo(f"forgot {count} addresses"))


def _table(rows: list[dict[str, Any]]) -> None:
    render.table(
        ("BRIDGE", "VLAN", "ADDRESS", "PORT", "AGE"),
        (
            (
                each["bridge"],
                each["vlan"],
                each["mac"],
                each["port"],
                "static" if each["static"] else render.seconds(each["age"]),
            )
            for each in rows
        ),
        right="VLAN AGE",
    )
