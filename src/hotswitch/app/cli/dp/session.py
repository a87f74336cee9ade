"""A conversation with the Netlink server, for one command."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from hotswitch.app import paths
from hotswitch.app.cli import names
from hotswitch.app.cli.context import nobody_reads, settings
from hotswitch.app.control.client import ControlError, NoDaemonError
from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import VPORT

T = TypeVar("T")

_PAUSE = 0.2
"""Seconds between two attempts."""


class DatapathError(HotswitchError):
    """What is asked for can't be asked of a datapath, or it is not clear of which one."""


def run(work: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a client that is connected. Raises HotswitchError."""

    async def connected() -> T:
        async with _client() as client:
            return await work(client)

    return asyncio.run(connected())


@contextlib.asynccontextmanager
async def _client() -> AsyncIterator[Client]:
    directory = paths.RunDirectory(settings().run_dir)
    path = directory.netlink
    client = Client(path)
    try:
        await client.__aenter__()
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoDaemonError(
            f"no daemon is running in {directory.path}",
            remedy=f"start it: hotswitchd --run-dir {directory.path}",
        ) from None
    except OSError as error:
        raise ControlError(
            f"can't connect to {path}: {error.strerror or error}",
            remedy="run it as root" if isinstance(error, PermissionError) else "",
        ) from None
    try:
        yield client
    except OSError as error:
        # Of the output: that is the caller's.
        if isinstance(error, BrokenPipeError):
            raise
        raise ControlError(f"no answer from the daemon: {error.strerror or error}") from None
    finally:
        await client.__aexit__(None, None, None)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do something that asks the daemon: the next one, however long that takes to come. Ends when
    nobody reads."""
    while True:
        try:
            return await work()
        except OSError:
            if nobody_reads():
                raise asyncio.CancelledError from None
        await asyncio.sleep(_PAUSE)


async def datapaths(client: Client) -> dict[str, int]:
    """The numbers of all datapaths by name, in the order of their numbers."""
    listed = await client.dump(DATAPATH)
    return {each.attributes["name"]: each.datapath for each in listed.messages}


async def datapath(client: Client, name: str | None) -> int:
    """The number of a datapath; None: the only one. Raises HotswitchError."""
    if name is not None:
        return (await client.ask(DATAPATH, "get", Attributes(name=name))).datapath
    found = await datapaths(client)
    if not found:
        raise DatapathError("there is no datapath", remedy="make one: hotswitch dp add NAME")
    if len(found) > 1:
        raise DatapathError(f"there are several datapaths, name one: {', '.join(found)}")
    return next(iter(found.values()))


async def ports(client: Client, number: int) -> dict[str, int]:
    """The numbers of a datapath's ports by name."""
    listed = await client.dump(VPORT, datapath=number)
    return {each.attributes["name"]: each.attributes["port"] for each in listed.messages}


def complete_datapaths(
    context: click.Context, _: click.Parameter, start: str
) -> list[CompletionItem]:
    """For an argument that is a datapath's name."""
    return names.items(_known(context, datapaths), start)


def complete_ports(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For an argument that is the name of a port of the datapath before it."""

    async def known(client: Client) -> dict[str, int]:
        return await ports(client, await datapath(client, context.params.get("datapath")))

    return names.items(_known(context, known), start)


def complete_links(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """For an argument that is the name of a link of the host."""
    return names.items(names.names(context, "link"), start)


def _known(
    context: click.Context, ask: Callable[[Client], Awaitable[dict[str, int]]]
) -> tuple[str, ...]:
    """Names, none if the daemon can't be asked."""
    with context.scope(cleanup=False):
        try:
            return tuple(run(ask))
        except HotswitchError:
            return ()
