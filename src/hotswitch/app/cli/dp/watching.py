"""Following what happens to datapaths, and what no flow takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

from hotswitch.app.cli.context import nobody_reads, settings, shared_options
from hotswitch.app.cli.dp import packets, session
from hotswitch.app.cli.dp.flow_view import describe as describe_flow
from hotswitch.app.cli.dp.flow_view import now
from hotswitch.app.cli.dp.interfaces import describe as describe_port
from hotswitch.app.cli.numbers import WholeNumber
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import DATAPATH, PER_CPU
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import Message
from hotswitch.netlink.syntax.flow import show_flow
from hotswitch.netlink.syntax.form import Style

_PATIENCE = 2.0
"""Seconds of one wait; between two, a reader of the output that has left is noticed."""

_COUNT = click.option("-c", "--count", type=WholeNumber(1), metavar="N", help="End after so many.")
_DATAPATH = click.argument(
    "datapath", metavar="[DP]", required=False, shell_complete=session.complete_datapaths
)


@click.command()
@_DATAPATH
@click.option("-m", "--more", is_flag=True, help="Flows with what they do not look at.")
@_COUNT
@shared_options
def events(datapath: str | None, more: bool, count: int | None) -> None:
    """Follow what happens to DP, or to all datapaths, a line an event.

    Datapaths and ports come (new), change (set) and go (del); so do flows. The
    first line is `listening`: what happens from then on follows. If events were
    lost, a line says so: `lost`. Then look at everything anew. It goes on until
    Ctrl-C: while there is no daemon, it waits for one.

    \b
    Examples:
      hotswitch dp events
      hotswitch dp events dp0 --json
    """
    _follow(lambda client: _events(client, datapath, more, count))


async def _events(client: Client, name: str | None, more: bool, count: int | None) -> None:
    wanted = None if name is None else await session.datapath(client, name)
    await client.subscribe("ovs_datapath", "ovs_vport", "ovs_flow")
    names = _by_number(await session.datapaths(client))
    _print({"event": "listening"}, ["listening"])
    told = 0
    while count is None or told < count:
        message = await _next(client)
        if message is None:
            _print({"event": "lost"}, ["lost"])
            names = _by_number(await session.patiently(lambda: session.datapaths(client)))
            continue
        if message.family is DATAPATH and message.command != "del":
            names[message.datapath] = message.attributes["name"]
        if message.family is not PACKET and wanted in (None, message.datapath):
            _print(*_event(message, names.get(message.datapath, str(message.datapath)), more))
            told += 1


def _event(message: Message, datapath: str, more: bool) -> tuple[dict[str, Any], list[str]]:
    said, command = message.attributes, message.command
    if message.family is VPORT:
        port = describe_port(said)
        kind = f" ({port['type']})" * (port["type"] != "system")
        line = f"{datapath} port-{command} {port['port']}: {port['name']}{kind}"
        return {"event": f"port-{command}", "datapath": datapath, **port}, [line]
    if message.family is DATAPATH:
        line = f"{datapath} datapath-{command}"
        return {"event": f"datapath-{command}", "datapath": datapath}, [line]
    style = Style(more)
    line = f"{datapath} flow-{command} {show_flow(said, now(), style)}"
    found = describe_flow(said, style)
    return {"event": f"flow-{command}", "datapath": datapath, **found}, [line]


@click.command()
@_DATAPATH
@click.argument("ports", metavar="[PORT]...", nargs=-1, shell_complete=session.complete_ports)
@click.option("--take", is_flag=True, help="Also where another program gets them: it gets none.")
@click.option("-x", "--hex", "with_bytes", is_flag=True, help="Also the packets' bytes.")
@_COUNT
@shared_options
def monitor(
    datapath: str | None, ports: tuple[str, ...], take: bool, with_bytes: bool, count: int | None
) -> None:
    """Show the packets that no flow of the datapath DP takes, as they come.

    From the given ports, or from all whose packets go to nobody; afterwards it
    is as it was. And what `userspace(pid=N)` in flows sends here, where N is the
    number in the first line. A packet's line has where it came in, its length,
    a summary, its key, and the flow's user data. It goes on until Ctrl-C.

    \b
    Examples:
      hotswitch dp monitor dp0
      hotswitch dp monitor dp0 tap0 -x
      hotswitch dp monitor dp0 --count 10 --json
    """
    _follow(lambda client: _Monitor(client, datapath, ports, take, with_bytes, count).run())


class _Monitor:
    """Takes ports' upcalls, shows what comes, and gives them back."""

    def __init__(
        self,
        client: Client,
        name: str | None,
        wanted: tuple[str, ...],
        take: bool,
        with_bytes: bool,
        count: int | None,
    ) -> None:
        self._client = client
        self._name = name
        self._wanted = wanted
        self._take = take
        self._with_bytes = with_bytes
        self._count = count
        self._datapath = 0
        self._taken: dict[str, tuple[int, ...]] = {}
        self._own = 0
        self._style = Style()

    async def run(self) -> None:
        self._datapath = await session.datapath(self._client, self._name)
        about = await self._client.ask(DATAPATH, "get", datapath=self._datapath)
        name: str = about.attributes["name"]
        if about.attributes["user_features"] & PER_CPU:
            pids = sorted({each for each in about.attributes.get("per_cpu_pids", ()) if each})
            takers = f"to {', '.join(map(str, pids))}" if pids else "to nobody yet"
            raise session.DatapathError(
                f"the packets of {name} go by CPU, {takers}: a program has asked for that, "
                "as ovs-dpctl does",
                remedy=f"hotswitch dp set {name} per-cpu off vport-pids on",
            )
        await self._client.subscribe("ovs_vport")
        try:
            await self._begin()
            first = {
                "event": "listening",
                "datapath": name,
                "pid": self._client.port,
                "ports": list(self._taken),
            }
            _print(first, [f"listening as {self._client.port} to {', '.join(self._taken) or '-'}"])
            await self._show(name)
        finally:
            await self._give_back()

    async def _show(self, name: str) -> None:
        shown = 0
        while self._count is None or shown < self._count:
            message = await _next(self._client)
            if message is None:
                _print({"event": "lost"}, ["lost"])
                await session.patiently(self._begin)
            elif message.family is PACKET and message.datapath == self._datapath:
                packet = packets.describe(message, name, self._style)
                _print(packet, packets.lines(packet, self._with_bytes))
                shown += 1
            elif message.family is VPORT and message.datapath == self._datapath:
                await self._begin()

    async def _begin(self) -> None:
        """Take the upcalls of those ports that are there now. Raises HotswitchError."""
        listed = await self._client.dump(VPORT, datapath=self._datapath)
        found = {each.attributes["name"]: each.attributes for each in listed.messages}
        self._style = Style(ports={each["port"]: name for name, each in found.items()})
        last, self._own = self._own, self._client.port
        for name in self._wanted:
            if name not in found and name not in self._taken:
                raise session.DatapathError(f"there is no port {name}")
        for name, port in found.items():
            before = tuple(port.get("upcall_pid", ()))
            if before == (self._own,) or (self._wanted and name not in self._wanted):
                continue
            ours = before == (last,)  # from before the connection broke
            if name in self._taken and any(before) and not ours:
                del self._taken[name]  # somebody else wants it now
                continue
            if any(before) and not ours and not self._take:
                if self._wanted:
                    raise session.DatapathError(
                        f"the packets of {name} go to {before[0]}", remedy="--take takes them"
                    )
                continue
            self._taken.setdefault(name, before)
            await self._send_to(name, (self._own,))

    async def _give_back(self) -> None:
        """As it was, where it still is ours."""
        with contextlib.suppress(NetlinkError, OSError):
            listed = await self._client.dump(VPORT, datapath=self._datapath)
            for each in listed.messages:
                name, pids = each.attributes["name"], each.attributes.get("upcall_pid", ())
                if name in self._taken and tuple(pids) == (self._own,):
                    await self._send_to(name, self._taken[name] or (0,))

    async def _send_to(self, name: str, pids: tuple[int, ...]) -> None:
        asked = Attributes(name=name, upcall_pid=pids)
        await self._client.change(VPORT, "set", asked, datapath=self._datapath)


def _by_number(datapaths: dict[str, int]) -> dict[int, str]:
    return {number: name for name, number in datapaths.items()}


async def _next(client: Client) -> Message | None:
    """The next thing that happened; None: something was lost. Ends when nobody reads."""
    while True:
        try:
            return await asyncio.wait_for(client.event(), _PATIENCE)
        except TimeoutError:
            if nobody_reads():
                raise asyncio.CancelledError from None
        except NetlinkError:
            return None


def _follow(work: Callable[[Client], Awaitable[None]]) -> None:
    """Do it until it ends, or a signal does it."""

    async def until_told(client: Client) -> None:
        task = asyncio.ensure_future(work(client))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    session.run(until_told)


def _print(event: dict[str, Any], text: list[str]) -> None:
    if settings().json:
        print(json.dumps(event, ensure_ascii=False))
    else:
        print(*text, sep="\n")
    sys.stdout.flush()


COMMANDS = (events, monitor)
