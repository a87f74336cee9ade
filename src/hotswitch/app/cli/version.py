"""hotswitch version."""

from __future__ import annotations

from typing import Any

import click

import hotswitch
from hotswitch.app.cli.context import call, shared_options, show
from hotswitch.app.control.client import NoDaemonError


@click.command(name="version")
@shared_options
def command() -> None:
    """Show the versions of this command and, if it runs, of the daemon.

    \b
    Example:
      hotswitch version --json
    """
    try:
        daemon = call("version")
    except NoDaemonError:
        daemon = None
    show({"command": hotswitch.__version__, "daemon": daemon}, _render)


def _render(result: dict[str, Any]) -> None:
    daemon = result["daemon"]
    click.echo(f"hotswitch {result['command']}")
    if daemon is None:
        click.echo("daemon: not running")
    else:
        click.echo(
            f"daemon: {daemon['hotswitch']}, process {daemon['pid']}, "
            f"Python {daemon['python']}, Linux {daemon['kernel']}"
        )
