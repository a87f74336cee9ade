"""hotswitch vnic."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from hotswitch.app.cli import names, render
from hotswitch.app.cli.context import call, done, shared_options, show

_TYPES = ("veth", "tap", "macvlan")


def _vnics(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    return names.items(names.names(context, "vnic"), start)


def _bases(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    there = dict.fromkeys((*names.names(context, "bridge"), *names.names(context, "link")))
    return names.items(tuple(there), start)


def _given(context: click.Context, option: click.Parameter, value: str) -> str:
    """An empty value is a variable that a script forgot to set, and not the default."""
    is_default = context.get_parameter_source(str(option.name)) is ParameterSource.DEFAULT
    if not value and not is_default:
        raise click.BadParameter("it is empty")
    return value


@click.group(name="vnic")
def command() -> None:
    """Make network interfaces over bridges and links.

    Over a bridge, a vNIC is a port of it. Where VNIC is asked for, it is a name or
    the link's id.

    \b
    Examples:
      hotswitch vnic add
      hotswitch vnic add --over br0 --netns web
      hotswitch vnic add --over eth0 --mac 02:00:00:00:00:01
      hotswitch vnic list
      hotswitch vnic rename vnic0 web0
      hotswitch vnic del vnic0
    """


@command.command()
@click.option(
    "--over",
    metavar="BRIDGE|LINK",
    default="",
    callback=_given,
    shell_complete=_bases,
    help="[default: the bridge]",
)
@click.option("--type", "kind", type=click.Choice(_TYPES), help="[default: what fits]")
@click.option(
    "--netns",
    metavar="NAME",
    default="",
    callback=_given,
    shell_complete=names.namespaces,
    help="Where it is to be: a name, or a path.",
)
@click.option(
    "--mac", metavar="ADDRESS", default="", callback=_given, help="[default: any, and it stays]"
)
@click.option(
    "--name",
    metavar="NAME",
    default="",
    callback=_given,
    help="[default: vnic0, or the next free one]",
)
@shared_options
def add(over: str, kind: str | None, netns: str, mac: str, name: str) -> None:
    """Make a vNIC, print its name, and nothing else.

    \b
    veth     over a bridge: a device for this host or for the namespace
    tap      over a bridge: a TAP device for a program, such as QEMU, to open
    macvlan  over a link: a device that shares the link, with its own address

    It stays until it is deleted; in a namespace, as long as that. It is down
    until you set it up.

    \b
    Examples:
      hotswitch vnic add
      nic=$(hotswitch vnic add --over br0 --netns web)
      hotswitch vnic add --over br0 --type tap --name vm1
      hotswitch vnic add --over eth0 --netns web --mac 02:00:00:00:00:01
    """
    made = call("vnic/add", over=over, type=kind or "", netns=netns, mac=mac, name=name)
    show(made, click.echo)


@command.command("del")
@click.argument("vnic", shell_complete=_vnics)
@shared_options
def delete(vnic: str) -> None:
    """Delete VNIC, by name or link id.

    What hotswitch has not made is never deleted, whatever it is called.

    \b
    Examples:
      hotswitch vnic del vnic0
      hotswitch vnic del 12
    """
    done(call("vnic/del", vnic=vnic))


@command.command("list")
@shared_options
def listing() -> None:
    """List the vNICs: all devices that hotswitch makes, but for the bridges' own.

    \b
    Examples:
      hotswitch vnic list
      hotswitch vnic list --json
    """
    show(call("vnic/list"), _table)


@command.command()
@click.argument("vnic", shell_complete=_vnics)
@click.argument("new")
@shared_options
def rename(vnic: str, new: str) -> None:
    """Rename the device of VNIC to NEW, also for when it is made again.

    \b
    Example:
      hotswitch vnic rename vnic0 web0
    """
    done(call("vnic/rename", vnic=vnic, name=new))


def _table(vnics: list[dict[str, Any]]) -> None:
    render.table(
        ("ID", "VNIC", "TYPE", "OVER", "PORT", "NAMESPACE", "ADDRESS", "MTU", "STATE", "ERROR"),
        (
            (
                each["id"],
                each["name"],
                each["type"],
                each["over"],
                each["port"] or "-",
                each["netns"] or "-",
                each["mac"] or "-",
                each["mtu"] or "-",
                each["state"],
                each["error"],
            )
            for each in vnics
        ),
        right="ID MTU",
    )
