"""Flows of datapaths."""

from __future__ import annotations

import errno

import click

from hotswitch.app.cli.context import done, shared_options, show
from hotswitch.app.cli.dp import session
from hotswitch.app.cli.dp.flow_view import counted, counted_text, describe, now
from hotswitch.app.cli.dp.flow_words import Words, meant, words_argument
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.client import Client
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.message import Message
from hotswitch.netlink.syntax.flow import FlowText, show_flow
from hotswitch.netlink.syntax.form import Style


@click.command("add-flow")
@words_argument("FLOW", "ACTIONS", optional=1)
@shared_options
def add(words: Words) -> None:
    """Add FLOW to the datapath DP: packets that match it are for ACTIONS.

    What FLOW does not name is not looked at; `eth_type(0x0800)` alone is not
    enough to look into headers behind it, they have to be named too. A line of
    `dump-flows -m` has both in it.

    \b
    Examples:
      hotswitch dp add-flow dp0 "in_port(1),eth(),eth_type(0x0806),arp()" 2
      hotswitch dp add-flow dp0 "in_port(tap0),eth(),eth_type(0x0800),
        ipv4(dst=10.0.0.0/255.0.0.0,proto=6,frag=no),tcp(dst=80)" "push_vlan(vid=10,pcp=0),tap1"
      hotswitch dp add-flow dp0 "in_port(3),eth(dst=02:00:00:00:00:01)" drop
    """

    async def work(client: Client) -> None:
        number, _, flow, actions = await meant(client, words)
        asked = _named(flow) + Attributes(mask=flow.mask, actions=actions or NONE)
        await client.change(FLOW, "new", asked, datapath=number)

    done(session.run(work))


@click.command("mod-flow")
@words_argument("FLOW", "ACTIONS", optional=1)
@click.option("--clear", is_flag=True, help="Begin to count anew.")
@click.option("--may-create", is_flag=True, help="Add it if it is not there.")
@click.option("-s", "--statistics", is_flag=True, help="Print what it has counted until now.")
@shared_options
def change(words: Words, clear: bool, may_create: bool, statistics: bool) -> None:
    """Give FLOW of the datapath DP other ACTIONS; without them they stay.

    \b
    Examples:
      hotswitch dp mod-flow dp0 "in_port(1),eth(),eth_type(0x0806),arp()" 3
      hotswitch dp mod-flow dp0 "in_port(1),eth(),eth_type(0x0806),arp()" --clear -s
    """

    async def work(client: Client) -> Message | None:
        number, _, flow, actions = await meant(client, words)
        ufid = NONE if flow.ufid is None else Attributes(ufid=flow.ufid)
        asked = ufid + Attributes(key=flow.key)  # the kernel wants one, whatever it is
        if actions is not None:
            asked += Attributes(actions=actions)
        before = None
        if statistics:
            before = await client.ask(FLOW, "get", _named(flow), datapath=number)
        if may_create:
            asked = asked + Attributes(mask=flow.mask)
            # NLM_F_CREATE would refuse a flow that is there (net/openvswitch/datapath.c).
            await client.change(FLOW, "new", asked, datapath=number, flags=0)
        else:
            asked += Attributes(clear=True) if clear else NONE
            await client.change(FLOW, "set", asked, datapath=number)
        return before

    before = session.run(work)
    if before is None:
        done()
    else:
        show(counted(before.attributes), lambda _: click.echo(counted_text(before.attributes)))


@click.command("get-flow")
@words_argument("UFID")
@click.option("-m", "--more", is_flag=True, help="Also what is not looked at.")
@click.option("--names/--no-names", default=None, help="Ports by name.  [default: with -m]")
@shared_options
def get(words: Words, more: bool, names: bool | None) -> None:
    """Show one flow of the datapath DP, by its UFID.

    \b
    Example:
      hotswitch dp get-flow dp0 ufid:00000000-0000-0000-0000-000000000001
    """

    async def work(client: Client) -> tuple[Attributes, Style]:
        number, ports, flow, _ = await meant(client, words)
        found = await client.ask(FLOW, "get", _named(flow), datapath=number)
        return found.attributes, _style(ports, more, names)

    flow, style = session.run(work)
    show(describe(flow, style), lambda _: click.echo(show_flow(flow, now(), style)))


@click.command("del-flow")
@words_argument("FLOW")
@shared_options
def delete(words: Words) -> None:
    """Delete FLOW from the datapath DP, and print its final statistics.

    Each packet that it handled is in them. FLOW is as it was added, whatever
    its masks, or as `dump-flows -m` shows it, or its UFID.

    \b
    Examples:
      hotswitch dp del-flow dp0 "in_port(1),eth(),eth_type(0x0806),arp()"
      hotswitch dp del-flow dp0 ufid:00000000-0000-0000-0000-000000000001
    """

    async def work(client: Client) -> Attributes:
        number, _, flow, _ = await meant(client, words)
        try:
            gone = await client.change(FLOW, "del", _named(flow), datapath=number)
        except NetlinkError as error:
            if error.errno == errno.ENOENT and flow.ufid is None:
                error.remedy = "name it as it was added, as dump-flows -m shows it, or by its UFID"
            raise
        return gone.attributes if gone else NONE

    gone = session.run(work)
    show(counted(gone), lambda _: click.echo(counted_text(gone)))


@click.command("del-flows")
@words_argument()
@shared_options
def delete_all(words: Words) -> None:
    """Delete all flows of the datapath DP.

    \b
    Example:
      hotswitch dp del-flows dp0
    """

    async def work(client: Client) -> None:
        number = await session.datapath(client, words.datapath)
        await client.change(FLOW, "del", datapath=number)

    done(session.run(work))


@click.command("dump-flows")
@words_argument()
@click.option("-m", "--more", is_flag=True, help="Also what is not looked at, and UFIDs.")
@click.option("--names/--no-names", default=None, help="Ports by name.  [default: with -m]")
@shared_options
def dump(words: Words, more: bool, names: bool | None) -> None:
    """List the flows of the datapath DP, in the order in which they were added.

    A line has what a packet must be like, what was counted, and what is done.

    \b
    Examples:
      hotswitch dp dump-flows dp0
      hotswitch dp dump-flows -m dp0
      hotswitch dp dump-flows dp0 --json
    """

    async def work(client: Client) -> tuple[list[Attributes], Style]:
        number = await session.datapath(client, words.datapath)
        ports = await session.ports(client, number)
        found = await client.dump(FLOW, datapath=number)
        return [each.attributes for each in found.messages], _style(ports, more, names)

    found, style = session.run(work)
    moment = now()
    show(
        [describe(flow, style) for flow in found],
        lambda _: _print([show_flow(flow, moment, style) for flow in found]),
    )


def _print(lines: list[str]) -> None:
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


def _named(flow: FlowText) -> Attributes:
    """How a request names a flow."""
    ufid = Attributes() if flow.ufid is None else Attributes(ufid=flow.ufid)
    return ufid + Attributes(key=flow.key) if len(flow.key) or not len(ufid) else ufid


def _style(ports: dict[str, int], more: bool, names: bool | None) -> Style:
    named = more if names is None else names
    return Style(more, {number: name for name, number in ports.items()} if named else {})


COMMANDS = (add, change, get, delete, delete_all, dump)
