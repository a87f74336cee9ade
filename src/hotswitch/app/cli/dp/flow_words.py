"""Arguments of commands on flows: which datapath, which flow, which actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from hotswitch.app.cli.dp import session
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.syntax.flow import FlowText, read_actions, read_flow

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Words(NamedTuple):
    """A datapath's name, or None, and what is behind it."""

    datapath: str | None
    rest: tuple[str, ...]


def words_argument(*rest: str, optional: int = 0) -> Callable[[_Function], _Function]:
    """Give a command arguments: maybe a datapath's name, then these.

    optional: how many of these, from the end, may be missing.
    """

    def read(context: click.Context, _: click.Parameter, given: tuple[str, ...]) -> Any:
        if context.resilient_parsing:
            return given
        named = bool(given) and _is_datapath(given[0])
        found = Words(given[0] if named else None, given[named:])
        if len(found.rest) < len(rest) - optional:
            raise click.UsageError(f"{rest[len(found.rest)]} is missing")
        if len(found.rest) > len(rest):
            raise click.UsageError(f"{found.rest[len(rest)]!r} is too much")
        return found

    def complete(
        context: click.Context, parameter: click.Parameter, start: str
    ) -> list[CompletionItem]:
        if context.params.get("words"):
            return []
        return session.complete_datapaths(context, parameter, start)

    usage = [f"[{each}]" if n >= len(rest) - optional else each for n, each in enumerate(rest)]
    return click.argument(
        "words",
        nargs=-1,
        callback=read,
        shell_complete=complete,
        metavar=" ".join(["[DP]", *usage]),
    )


def _is_datapath(word: str) -> bool:
    """A flow has a parenthesis or is a UFID; no device is called so."""
    return "(" not in word and not word.startswith("ufid:")


class Meant(NamedTuple):
    """What the words stand for: the datapath's number, its ports by name, the flow, its actions."""

    datapath: int
    ports: dict[str, int]
    flow: FlowText
    actions: Attributes | None


async def meant(client: Client, words: Words) -> Meant:
    """What they mean on this server. Raises HotswitchError."""
    number = await session.datapath(client, words.datapath)
    ports = await session.ports(client, number)
    flow = read_flow(words.rest[0], ports)
    actions = read_actions(words.rest[1], ports) if len(words.rest) > 1 else flow.actions
    return Meant(number, ports, flow, actions)
