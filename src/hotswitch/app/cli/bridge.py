"""hotswitch bridge."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import names, render
from hotswitch.app.cli.context import call, done, shared_options, show
from hotswitch.app.cli.settings import OF_BRIDGES
from hotswitch.app.cli.words import words_argument


@click.group(name="bridge")
def command() -> None:
    """Make, change and list bridges.

    A bridge learns which port an address is at, keeps VLANs apart, and has a
    link of its own name, so that the host can have an address on it.

    \b
    Examples:
      hotswitch bridge add br0
      hotswitch bridge add br1 ageing 60 address-limit 100000
      hotswitch bridge set br0 ageing 600
      hotswitch bridge list
      hotswitch bridge del br0
    """


@command.command()
@click.argument("name")
@words_argument(*OF_BRIDGES)
@shared_options
def add(name: str, words: dict[str, Any]) -> None:
    """Make the bridge NAME.

    \b
    Keywords:
      ageing SECONDS       forget an address that is silent for so long; 0: never (300)
      address-limit COUNT  learn at most so many addresses (8192)
      reserved on|off      pass frames to reserved addresses on, 01:80:c2:00:00:0X (off)
      lifecycle POLICY     of its ports that have none of their own, as with port add
      adopt RULES          take devices as they appear: "PATTERN SETTING …; PATTERN …"
                           PATTERN: * and ? in names, or tap{x}.{y}+vif{x}.{y} for VIFs,
                           with ,kind= ,driver= ,master=; settings: tag= trunks= mode=
                           mtu= hook= storm-limit= lifecycle= external-ids:KEY=
                           vif=address (those of one MAC address are a VIF)
      facade DEVICE        a Linux bridge that is the local port, and whose slaves are ports

    \b
    Examples:
      hotswitch bridge add br0 facade br0
      hotswitch bridge add br0
      hotswitch bridge add br1 ageing 60 address-limit 100000
    """
    done(call("bridge/add", name=name, **words))


@command.command("del")
@click.argument("name", shell_complete=names.bridges)
@shared_options
def delete(name: str) -> None:
    """Delete the bridge NAME with its ports; their devices stay.

    \b
    Example:
      hotswitch bridge del br0
    """
    done(call("bridge/del", name=name))


@command.command("set")
@click.argument("name", shell_complete=names.bridges)
@words_argument(*OF_BRIDGES)
@shared_options
def change(name: str, words: dict[str, Any]) -> None:
    """Change the bridge NAME.

    Keywords as with add; `none` takes a setting back. When the address table
    shrinks, the addresses seen last stay.

    \b
    Example:
      hotswitch bridge set br0 ageing 600
      hotswitch bridge set br0 lifecycle ephemeral
      hotswitch bridge set br0 adopt 'tap*.* tag=5; kind=veth,lxc* trunks=10,20'
      hotswitch bridge set br0 adopt none
      hotswitch bridge set hs0 facade br0
    """
    if not words:
        raise click.UsageError("nothing to set: give ageing, lifecycle, adopt, …")
    done(call("bridge/set", name=name, **words))


@command.command("show")
@click.argument("name", shell_complete=names.bridges)
@shared_options
def show_one(name: str) -> None:
    """Show all of the bridge NAME, with its rules.

    \b
    Example:
      hotswitch bridge show br0
    """
    show(call("bridge/show", name=name), _details)


@command.command("list")
@shared_options
def listing() -> None:
    """List the bridges.

    \b
    Examples:
      hotswitch bridge list
      hotswitch bridge list --json
    """
    show(call("bridge/list"), _table)


def _details(bridge: dict[str, Any]) -> None:
    lines = (
        ("bridge", bridge["name"]),
        ("error", bridge["error"]),
        *(("remark", each) for each in bridge["remarks"]),
        *(("not acted on", each) for each in bridge["not_acted_on"]),
        ("ports", ", ".join(bridge["ports"])),
        ("ageing", f"{bridge['ageing_time']} s"),
        ("address-limit", f"{bridge['address_limit']} addresses"),
        ("reserved", "on" if bridge["forward_reserved"] else "off"),
        ("lifecycle", bridge["lifecycle"]),
        *(("adopts", each) for each in filter(None, bridge["adopt"].split("; "))),
        ("facade", bridge["facade"]),
    )
    for key, value in lines:
        if value:
            click.echo(f"{key + ':':<14} {value}")


def _table(bridges: list[dict[str, Any]]) -> None:
    render.table(
        ("BRIDGE", "PORTS", "AGEING", "ADDRESS-LIMIT", "RESERVED", "LIFECYCLE", "FACADE", "ERROR"),
        (
            (
                each["name"],
                ",".join(each["ports"]) or "-",
                f"{each['ageing_time']}s",
                each["address_limit"],
                "on" if each["forward_reserved"] else "off",
                each["lifecycle"] or "-",
                each["facade"] or "-",
                "; ".join(
                    (
                        *filter(None, (each["error"],)),
                        *each["remarks"],
                        *(f"not acted on: {said}" for said in each["not_acted_on"]),
                    )
                ),
            )
            for each in bridges
        ),
        right="AGEING ADDRESS-LIMIT",
    )
