"""hotswitch fdb."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import render
from hotswitch.app.cli.context import call, done, shared_options, show
from hotswitch.app.cli.words import BRIDGE, PORT, Word, mac, vlan, words_argument

_VLAN = Word("vlan", "vlan", vlan)


@click.group(name="fdb")
def command() -> None:
    """Show, add and flush addresses.

    \b
    Examples:
      hotswitch fdb show
      hotswitch fdb show bridge br0
      hotswitch fdb add 02:00:00:00:00:01 port tap0 vlan 10
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
@click.argument("address")
@words_argument(PORT, _VLAN, required=("port",))
@shared_options
def add(address: str, words: dict[str, Any]) -> None:
    """Say that ADDRESS is at a port.

    Such an address is static: it does not age, and does not move to where it is seen.
    It is there as long as the bridge forwards, and not in the database.

    \b
    Keywords:
      port PORT  the port
      vlan VLAN  the VLAN, which the port must carry (0)

    \b
    Examples:
      hotswitch fdb add 02:00:00:00:00:01 port tap0
      hotswitch fdb add 02:00:00:00:00:01 port tap0 vlan 10
    """
    done(call("fdb/add", mac=_address(address), **words))


@command.command("del")
@click.argument("address")
@words_argument(BRIDGE, _VLAN)
@shared_options
def delete(address: str, words: dict[str, Any]) -> None:
    """Forget a static ADDRESS.

    \b
    Keywords:
      bridge BRIDGE  the bridge (whichever has it)
      vlan VLAN      the VLAN (0)

    \b
    Examples:
      hotswitch fdb del 02:00:00:00:00:01
      hotswitch fdb del 02:00:00:00:00:01 bridge br0 vlan 10
    """
    done(call("fdb/del", mac=_address(address), **words))


def _address(text: str) -> str:
    try:
        return mac(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r}: {error}") from None


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
