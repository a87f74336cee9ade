"""hotswitch dp: datapaths of the Netlink server, a file a kind of command."""

from __future__ import annotations

import click

from hotswitch.app.cli.dp import datapaths, features, flows, interfaces, watching


@click.group(name="dp")
def command() -> None:
    """Make datapaths, give them ports and flows, and see what they miss.

    A datapath does what its flows say, and nothing of itself: it is for programs
    that want to forward by their own rules. Bridges are another matter, see
    `hotswitch bridge`. Flows are written as Open vSwitch's ovs-dpctl writes
    them; docs/netlink.md lists all that can be matched and done. Where DP is
    left out, it is the only datapath that there is.

    \b
    Examples:
      hotswitch dp add dp0
      hotswitch dp add-if dp0 tap0
      hotswitch dp add-flow dp0 "in_port(tap0),eth(),eth_type(0x0806)" tap1
      hotswitch dp dump-flows dp0
      hotswitch dp monitor dp0
    """


for each in (
    *datapaths.COMMANDS,
    *features.COMMANDS,
    *interfaces.COMMANDS,
    *flows.COMMANDS,
    *watching.COMMANDS,
):
    command.add_command(each)
