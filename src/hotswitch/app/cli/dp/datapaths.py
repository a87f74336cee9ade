"""Making, deleting and showing datapaths."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import done, shared_options, show
from hotswitch.app.cli.dp import features, session
from hotswitch.app.cli.dp.interfaces import describe, render
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.families.datapath import DATAPATH, VPORT_PIDS
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import Message


@click.command()
@click.argument("datapath", metavar="DP")
@shared_options
def add(datapath: str) -> None:
    """Make the datapath DP, and a device of that name: its local port, number 0.

    \b
    Example:
      hotswitch dp add dp0
    """
    asked = Attributes(name=datapath, upcall_pid=0, user_features=VPORT_PIDS)
    done(session.run(lambda client: _changed(client, "new", asked)))


@click.command("del")
@click.argument("datapath", metavar="DP", shell_complete=session.complete_datapaths)
@shared_options
def delete(datapath: str) -> None:
    """Delete the datapath DP with its ports and flows. Devices that it made go too.

    \b
    Example:
      hotswitch dp del dp0
    """
    done(session.run(lambda client: _changed(client, "del", Attributes(name=datapath))))


async def _changed(client: Client, command: str, attributes: Attributes) -> None:
    await client.change(DATAPATH, command, attributes)


@click.command("list")
@shared_options
def listing() -> None:
    """List the names of all datapaths.

    \b
    Examples:
      hotswitch dp list
      hotswitch dp list --json
    """
    found = session.run(session.datapaths)
    show(
        [{"name": name, "number": number} for name, number in found.items()],
        lambda _: click.echo("".join(f"{name}\n" for name in found), nl=False),
    )


@click.command("show")
@click.argument(
    "datapath", metavar="[DP]", required=False, shell_complete=session.complete_datapaths
)
@click.option("-s", "--statistics", is_flag=True, help="With what the ports have counted.")
@shared_options
def show_all(datapath: str | None, statistics: bool) -> None:
    """Show DP, or all datapaths, with their ports.

    \b
      hit      packets that a flow took
      missed   packets that none took
      lost     packets that found nobody to go to, or no room there

    \b
    Examples:
      hotswitch dp show
      hotswitch dp show dp0 -s
      hotswitch dp show --json
    """
    show(
        session.run(lambda client: _describe(client, datapath)),
        lambda found: _render(found, statistics),
    )


async def _describe(client: Client, name: str | None) -> list[dict[str, Any]]:
    if name is None:
        messages = (await client.dump(DATAPATH)).messages
    else:
        messages = (await client.ask(DATAPATH, "get", Attributes(name=name)),)
    return [await _one(client, each) for each in messages]


async def _one(client: Client, message: Message) -> dict[str, Any]:
    said = message.attributes
    counted, masks = said["statistics"], said["megaflow_statistics"]
    ports = await client.dump(VPORT, datapath=message.datapath)
    return {
        "name": said["name"],
        "number": message.datapath,
        "hit": counted.hit,
        "missed": counted.missed,
        "lost": counted.lost,
        "flows": counted.flows,
        "masks": masks.masks,
        **features.describe(said),
        "ports": [describe(each.attributes) for each in ports.messages],
    }


def _render(datapaths: list[dict[str, Any]], statistics: bool) -> None:
    for each in datapaths:
        click.echo(f"{each['name']}:")
        click.echo(f"  lookups: hit:{each['hit']} missed:{each['missed']} lost:{each['lost']}")
        click.echo(f"  flows: {each['flows']}")
        click.echo(f"  masks: {each['masks']}")
        features.render(each)
        for port in each["ports"]:
            render(port, statistics)


COMMANDS = (add, delete, listing, show_all)
