"""Ports of datapaths."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import done, shared_options
from hotswitch.app.cli.dp import session
from hotswitch.app.cli.words import Word, number, one_of, or_none, words_argument
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.families.vport import (
    INTERNAL,
    MAXIMUM_PORT,
    NETDEV,
    TYPES,
    VPORT,
    VXLAN,
)

_TYPES = ("system", "internal", *(TYPES[each] for each in TYPES if each > INTERNAL))
_NUMBERS = {name: number for number, name in TYPES.items()} | {"system": NETDEV}


def _pids(value: str) -> tuple[int, ...]:
    return tuple(number(0, 0xFFFFFFFF)(each) for each in value.split(","))


_TYPE = Word("type", "type", one_of(*_TYPES), _TYPES)
_NUMBER = Word("number", "port", number(1, MAXIMUM_PORT))
_UPCALL = Word("upcall", "upcall_pid", or_none(_pids, (0,)))
_UDP = Word("dst-port", "destination_port", number(1, 0xFFFF))

_DATAPATH = click.argument("datapath", metavar="DP", shell_complete=session.complete_datapaths)


@click.command("add-if")
@_DATAPATH
@click.argument("link", shell_complete=session.complete_links)
@words_argument(_TYPE, _NUMBER, _UPCALL, _UDP)
@shared_options
def add(datapath: str, link: str, words: dict[str, Any]) -> None:
    """Give LINK to the datapath DP as a port.

    \b
      type      system: a device that is there (that is meant without it);
                internal: a device that is made, for the host's own packets;
                vxlan: a tunnel (gre and geneve are refused)
      number    the port's number; without it the lowest one that is free
      upcall    the port ids that get packets which no flow takes, with commas
                between; without it nobody does
      dst-port  of a tunnel: its UDP port

    \b
    Examples:
      hotswitch dp add-if dp0 tap0
      hotswitch dp add-if dp0 int0 type internal number 7
    """
    kind = _NUMBERS[words.pop("type", "system")]
    asked = Attributes(name=link, type=kind, upcall_pid=words.pop("upcall_pid", (0,)))
    if "destination_port" in words:
        options = Attributes(destination_port=words.pop("destination_port"))
        asked += Attributes(options=options)
    elif kind == VXLAN:
        raise session.DatapathError(
            f"{link}: a vxlan port needs its UDP port", remedy="add: dst-port 4789"
        )
    done(session.run(lambda client: _change(client, datapath, "new", asked + Attributes(**words))))


@click.command("del-if")
@_DATAPATH
@click.argument("port", shell_complete=session.complete_ports)
@shared_options
def delete(datapath: str, port: str) -> None:
    """Take PORT, a name or a number, from the datapath DP.

    \b
    Example:
      hotswitch dp del-if dp0 tap0
    """
    done(session.run(lambda client: _change(client, datapath, "del", _named(port))))


@click.command("set-if")
@_DATAPATH
@click.argument("port", shell_complete=session.complete_ports)
@words_argument(_UPCALL, required=("upcall",))
@shared_options
def change(datapath: str, port: str, words: dict[str, Any]) -> None:
    """Say who gets the packets of PORT, a name or a number, that no flow takes.

    With several port ids they are spread by the flows' hashes; none: nobody.

    \b
    Examples:
      hotswitch dp set-if dp0 tap0 upcall 4711,4712
      hotswitch dp set-if dp0 tap0 upcall none
    """
    asked = _named(port) + Attributes(**words)
    done(session.run(lambda client: _change(client, datapath, "set", asked)))


def _named(port: str) -> Attributes:
    is_number = port.isascii() and port.isdigit()
    return Attributes(port=int(port)) if is_number else Attributes(name=port)


async def _change(client: Client, name: str, command: str, attributes: Attributes) -> None:
    found = await session.datapath(client, name)
    await client.change(VPORT, command, attributes, datapath=found)


def describe(said: Attributes) -> dict[str, Any]:
    """What a message says of a port, for JSON."""
    kind = said.get("type", NETDEV)
    return {
        "port": said["port"],
        "name": said["name"],
        "type": "system" if kind == NETDEV else TYPES.get(kind, str(kind)),
        "ifindex": said.get("ifindex"),
        "upcall": [pid for pid in said.get("upcall_pid", ()) if pid],
        "statistics": said["statistics"]._asdict() if "statistics" in said else {},
    }


def render(port: dict[str, Any], statistics: bool) -> None:
    """Print a port."""
    kind = f" ({port['type']})" * (port["type"] != "system")
    click.echo(f"  port {port['port']}: {port['name']}{kind}")
    if not statistics:
        return
    if port["upcall"]:
        click.echo(f"    upcall {','.join(map(str, port['upcall']))}")
    for way in ("rx", "tx"):
        counted = " ".join(
            f"{what}:{port['statistics'][f'{way}_{what}']}"
            for what in ("packets", "bytes", "errors", "dropped")
        )
        click.echo(f"    {way.upper()} {counted}")


COMMANDS = (add, delete, change)
