"""The outermost command: the nouns, and what all of them share."""

from __future__ import annotations

import difflib
import importlib

import click

import hotswitch
from hotswitch.app.cli.context import shared_options

NOUNS = {
    "show": "Show the database and the bridges at a glance.",
    "bridge": "Make, change and list bridges.",
    "port": "Give links to bridges, change and list ports.",
    "link": "Show and rename network links, and convert their ids.",
    "vnic": "Make network interfaces over bridges and links.",
    "fdb": "Show, add and flush addresses.",
    "dp": "Make datapaths for programs, with flows, and see what they miss.",
    "table": "Show the entries that packets go through.",
    "stats": "Show what ports and bridges have counted.",
    "events": "Follow what happens to bridges, ports and addresses.",
    "top": "Watch the rates of all ports.",
    "trace": "Walk a packet through the live pipeline.",
    "program": "Show the programs that forward.",
    "shutdown": "Stop the daemon.",
    "version": "Show the versions of command and daemon.",
    "completion": "Print a script that completes commands in a shell.",
    "manual": "Print the manual page, with the help of all commands.",
}


class Nouns(click.Group):
    """Loads a noun's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        module = importlib.import_module(f"hotswitch.app.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        near = difflib.get_close_matches(name, NOUNS, n=1)
        if near and name not in NOUNS and not ctx.resilient_parsing:
            raise click.UsageError(f"no command {name!r}; did you mean {near[0]}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Without this the help would load every noun.
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


@click.group(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hotswitch.__version__, prog_name="hotswitch")
@shared_options
def root() -> None:
    """Steer a running hotswitch, a virtual switch.

    The words are in iproute2's order: a noun, a verb, a name, then pairs of
    a keyword and a value. Changes last: the daemon keeps them in its run
    directory and has them in force before the command returns.

    \b
    Examples:
      hotswitch bridge add br0
      hotswitch port add tap0 bridge br0 tag 10
      hotswitch port add tap1 bridge br0 trunks 10,20
      hotswitch fdb show
      hotswitch trace in tap0 ipv4.dst=10.0.0.1,icmp
      hotswitch --json port list

    \b
    Environment:
      HOTSWITCH_RUN_DIR   the daemon's run directory (/run/hotswitch)
      NO_COLOR            no colours, whatever the terminal

    \b
    Exit codes:
      0  it is done      1  it failed      2  it was not understood
    """
