"""Names for completion, as the daemon knows them; none if it can't be asked."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from hotswitch.app.cli.context import call
from hotswitch.base.errors import HotswitchError


def names(context: click.Context, noun: str) -> tuple[str, ...]:
    """The names of all there are of a noun, bridge or port."""
    with context.scope(cleanup=False):
        try:
            return tuple(each["name"] for each in call(f"{noun}/list"))
        except HotswitchError:
            return ()


def bridges(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For an argument that is a bridge's name."""
    return items(names(context, "bridge"), start)


def ports(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For an argument that is a port's name."""
    return items(names(context, "port"), start)


def links(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For an argument that is a link's name."""
    return items(names(context, "link"), start)


def namespaces(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    """For an option that is a network namespace's name."""
    directory = Path("/run/netns")
    there = sorted(each.name for each in directory.iterdir()) if directory.is_dir() else []
    return items(tuple(there), start)


def several_links(context: click.Context, start: str) -> tuple[str, ...]:
    """What can follow of links with commas between them."""
    before, comma, _ = start.rpartition(",")
    there = before.split(",")
    return tuple(f"{before}{comma}{each}" for each in names(context, "link") if each not in there)


def linux_bridges(context: click.Context, _: str) -> tuple[str, ...]:
    """The Linux bridges of the host."""
    with context.scope(cleanup=False):
        try:
            return tuple(each["name"] for each in call("link/list") if each["kind"] == "bridge")
        except HotswitchError:
            return ()


def selectors(context: click.Context, start: str) -> tuple[str, ...]:
    """The ways to find a device; for one by name, the links' names."""
    from hotswitch.ports.selector import By

    way, equals, _ = start.partition("=")
    if equals and way == By.NAME.value:
        return tuple(f"{way}={each}" for each in names(context, "link"))
    return tuple(f"{each.value}=" for each in By)


def items(offered: tuple[str, ...], start: str) -> list[CompletionItem]:
    """Those that begin so."""
    return [CompletionItem(each) for each in offered if each.startswith(start)]
