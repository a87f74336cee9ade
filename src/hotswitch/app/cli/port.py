"""hotswitch port."""

from __future__ import annotations

import sys
from typing import Any

import click

from hotswitch.app.cli import names
from hotswitch.app.cli.context import call, done, shared_options, show
from hotswitch.app.cli.port_view import details, table
from hotswitch.app.cli.settings import OF_PORTS
from hotswitch.app.cli.words import BRIDGE, words_argument


@click.group(name="port")
def command() -> None:
    """Give links to bridges, change and list ports.

    \b
    Examples:
      hotswitch port add tap0 bridge br0
      hotswitch port add tap1 bridge br0 tag 10
      hotswitch port add tap2 bridge br0 trunks 10,20-29
      hotswitch port add tap3 bridge br0 tag 10 mode native-tagged
      hotswitch port set tap1 tag 20 storm-limit 1000
      hotswitch port list
      hotswitch port del tap1
    """


@command.command()
@click.argument("device", shell_complete=names.links)
@words_argument(BRIDGE, *OF_PORTS, required=("bridge",))
@click.option("--absent-ok", is_flag=True, help="The device need not exist yet.")
@shared_options
def add(device: str, words: dict[str, Any], absent_ok: bool) -> None:
    """Give DEVICE to a bridge as a port.

    DEVICE is a network link that is there or, by its type, is made.

    \b
    Keywords:
      bridge BRIDGE     the bridge
      tag VLAN          access port in this VLAN, 0-4095 (or a trunk's native VLAN)
      trunks VLANS      carries these VLANs with tags: 10,20-29 (a trunk without: all);
                        an access port, as `tag` alone makes it, has no use for them
      mode MODE         access: frames of one VLAN, without tags
                        trunk: frames of many VLANs, with tags
                        native-tagged, native-untagged: a trunk on which frames without
                        a tag are in VLAN `tag`; they leave with or without a tag
                        (with a tag: access, else trunk)
      hook HOOK         where the kernel hands packets over: tcx keeps large segments
                        whole, xdp is faster for many small packets (auto)
      storm-limit RATE  flooded packets a second that may come in; 0: any number (0)
      number N          the port's number, from 1; 0: any, as it has (the lowest free one)
      type TYPE         system: DEVICE is there, or comes (system)
                        internal: it is made, for this host to have an address on
                        tap: it is made, a TAP device for a program to open
                        patch: no device, but a cable to the patch port `peer`
      peer PORT         the patch port at the other end, which in turn names this one
      mac ADDRESS       of an internal or tap device that is made (any)
      mtu BYTES         of the device (as it is; internal: the smallest of the others)
      lifecycle POLICY  when DEVICE goes: static: the port stays and waits; ephemeral: it
                        goes too; grace=SECONDS: it goes after so long (the bridge's)
      link SELECTOR     how DEVICE is found: name=, alternative-name=, permanent-address=,
                        bus=, driver=, id= and a value (by the port's name)
      follow-rename on|off  keep a device that is renamed (on); off: it must be called so
      vif LINKS         several links are one port, the last usable one forwards: tap1,vif1
      metadata PAIRS    for others: iface-id=7,vm-id=web

    \b
    Examples:
      hotswitch port add tap0 bridge br0
      hotswitch port add tap1 bridge br0 tag 10 storm-limit 1000
      hotswitch port add eth1 bridge br0 trunks 10,20 hook xdp
      hotswitch port add tap9 bridge br0 --absent-ok
      hotswitch port add host0 bridge br0 type internal mac 02:00:00:00:00:01
      hotswitch port add vm1 bridge br0 type tap mtu 9000
      hotswitch port add tap5 bridge br0 lifecycle ephemeral metadata vm-id=web
      hotswitch port add uplink bridge br0 link bus=pci/0000:00:03.0
      hotswitch port add guest1 bridge br0 vif tap1.0,vif1.0 --absent-ok
      hotswitch port add up bridge br0 type patch peer down
      hotswitch port add down bridge br1 type patch peer up
    """
    done(call("port/add", name=device, absent_ok=absent_ok, **words))
    _note_idle_trunks(words)


@command.command("del")
@click.argument("port", shell_complete=names.ports)
@click.option("--incarnation", metavar="ID", help="Only if its device is that, or was the last.")
@shared_options
def delete(port: str, incarnation: str | None) -> None:
    """Take PORT from its bridge.

    Its device stays, unless it was made for it. A script that cleans up late gives
    the incarnation that `port show` told: if PORT has had another device since
    then, it is refused, and nothing changes.

    \b
    Examples:
      hotswitch port del tap0
      hotswitch port del tap0 --incarnation 00000000000a4c21
    """
    only_if = {} if incarnation is None else {"incarnation": incarnation}
    done(call("port/del", name=port, **only_if))


@command.command("set")
@click.argument("port", shell_complete=names.ports)
@words_argument(*OF_PORTS)
@shared_options
def change(port: str, words: dict[str, Any]) -> None:
    """Change PORT. Keywords as with add; `none` takes a setting back.

    What is given takes the place of what was: `metadata a=1` leaves no other.

    The port with the bridge's own name is the host's; it can be set too.

    \b
    Examples:
      hotswitch port set tap0 tag 20
      hotswitch port set tap0 tag none trunks 10,20
      hotswitch port set br0 tag 10
      hotswitch port set br0 mac 02:00:00:00:00:02 mtu 1400
      hotswitch port set tap0 lifecycle grace=30
    """
    if not words:
        raise click.UsageError("nothing to set: give tag, trunks, mode, hook, mtu, …")
    done(call("port/set", name=port, **words))
    _note_idle_trunks(words)


@command.command("list")
@words_argument(BRIDGE)
@shared_options
def listing(words: dict[str, Any]) -> None:
    """List the ports, of one bridge or of all.

    \b
    States:
      forwarding  the port works
      down        its link is down, or the other end is
      waiting     its device, or the other end of its cable, does not exist; in its
                  time of grace it says how much of that is left
      error       it can't work; `hotswitch port show` says why, also of the others

    \b
    Examples:
      hotswitch port list
      hotswitch port list bridge br0 --json
    """
    show(call("port/list", **words), table)


@command.command("show")
@click.argument("port", shell_complete=names.ports)
@shared_options
def show_one(port: str) -> None:
    """Show all of PORT.

    \b
    Example:
      hotswitch port show tap0
    """
    show(call("port/show", name=port), details)


def _note_idle_trunks(words: dict[str, Any]) -> None:
    """For people only: scripts that mean Open vSwitch's rule get no noise."""
    is_access = words.get("tag") is not None and words.get("mode") in (None, "access")
    if is_access and words.get("trunks") and sys.stderr.isatty():
        click.echo("note: an access port; its trunks wait for another mode", err=True)
