"""hotswitch link."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import names, render
from hotswitch.app.cli.context import call, done, shared_options, show
from hotswitch.app.cli.numbers import WholeNumber


@click.group(name="link")
def command() -> None:
    """Show and rename network links, and convert their ids.

    Each link has an id, a small number that it keeps as long as it lives, whatever
    it is called; hardware also from boot to boot. Where LINK is asked for, it is a
    name, an alternative name, or an id. A link that is called like a number is meant
    before the one that has this id.

    \b
    Examples:
      hotswitch link list
      hotswitch link show eth0
      hotswitch link id eth0
      hotswitch link name 7
      hotswitch link rename tap0 web
    """


@command.command("list")
@shared_options
def listing() -> None:
    """List all links of the host.

    \b
    Examples:
      hotswitch link list
      hotswitch link list --json
    """
    show(call("link/list"), _table)


@command.command("show")
@click.argument("link", shell_complete=names.links, required=False)
@shared_options
def show_one(link: str | None) -> None:
    """Show all of LINK; without it, list the links.

    \b
    Examples:
      hotswitch link show eth0
      hotswitch link show 7 --json
    """
    if link is None:
        show(call("link/list"), _table)
    else:
        show(call("link/show", link=link), _details)


@command.command("id")
@click.argument("link", shell_complete=names.links)
@shared_options
def show_id(link: str) -> None:
    """Print the id of LINK, and nothing else.

    \b
    Example:
      hotswitch link id eth0
    """
    show(call("link/id", link=link), click.echo)


@command.command("name")
@click.argument("id", type=WholeNumber(min=1))
@shared_options
def show_name(id: int) -> None:
    """Print the name that the link with this ID has now, and nothing else.

    \b
    Example:
      hotswitch link name 7
    """
    show(call("link/name", id=id), click.echo)


@command.command()
@click.argument("link", shell_complete=names.links)
@click.argument("new")
@shared_options
def rename(link: str, new: str) -> None:
    """Rename LINK to NEW, with everything that refers to it.

    Ports, rules, facades and vNICs that name it name it anew. The old name stays
    as an alternative name. Forwarding goes on meanwhile. If it can't be, nothing changes.

    \b
    Examples:
      hotswitch link rename tap0 web
      hotswitch link rename 7 uplink
    """
    done(call("link/rename", link=link, name=new))


def _state(link: dict[str, Any]) -> str:
    if not link["up"]:
        return "down"
    return "up" if link["carrier"] else "no-carrier"


def _table(links: list[dict[str, Any]]) -> None:
    render.table(
        ("ID", "LINK", "KIND", "ADDRESS", "MTU", "STATE", "MASTER", "BRIDGE", "PORT"),
        (
            (
                each["id"],
                each["name"],
                each["kind"] or "-",
                each["address"] or "-",
                each["mtu"],
                _state(each),
                each["master"] or "-",
                each["bridge"] or "-",
                each["port"] or "-",
            )
            for each in links
        ),
        right="ID MTU",
    )


def _peer(link: dict[str, Any]) -> str:
    if link["peer_namespace"] is None:
        return str(link["peer"])
    return f"index {link['peer_ifindex']} in namespace {link['peer_namespace']}"


def _details(link: dict[str, Any]) -> None:
    details = link["details"].items()
    lines = {
        "id": link["id"],
        "link": link["name"],
        "also": ", ".join(link["alternative_names"]),
        "kind": " ".join((link["kind"], *(f"{name}={value}" for name, value in details))),
        "index": link["ifindex"],
        "incarnation": link["incarnation"],
        "address": link["address"],
        "permanent": link["permanent_address"],
        "driver": link["driver"],
        "bus": link["bus"],
        "mtu": link["mtu"],
        "state": _state(link),
        "operational": link["state"],
        "master": link["master"],
        "tied to": _peer(link),
        "bridge": link["bridge"],
        "port": link["port"],
        "vif": link["vif"],
        "metadata": ", ".join(f"{key}={value}" for key, value in link["metadata"].items()),
    }
    for key, value in lines.items():
        if value not in ("", None):
            click.echo(f"{key + ':':<13}{value}")
