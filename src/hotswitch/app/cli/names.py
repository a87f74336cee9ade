"""Names for completion, as the daemon knows them; none if it can't be asked."""

from __future__ import annotations

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


def items(offered: tuple[str, ...], start: str) -> list[CompletionItem]:
    """Those that begin so."""
    return [CompletionItem(each) for each in offered if each.startswith(start)]
