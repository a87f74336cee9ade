"""hotswitch version."""

from __future__ import annotations

import time
from typing import Any

import click

import hotswitch
from hotswitch.app.cli.context import call, shared_options, show
from hotswitch.app.cli.numbers import Number
from hotswitch.app.control.client import NoDaemonError

_PAUSE = 0.05
"""Seconds between looks for the daemon."""


@click.command(name="version")
@click.option(
    "--wait",
    "patience",
    type=Number(0, 86400),
    metavar="SECONDS",
    help="Wait so long until the daemon is ready; fail if it is not.",
)
@shared_options
def command(patience: float | None) -> None:
    """Show the versions of this command and, if it runs, of the daemon.

    A daemon answers when the switch is as it is configured, as far as it can be.

    \b
    Examples:
      hotswitch version --json
      hotswitchd & hotswitch version --wait 30 && hotswitch bridge add br0
    """
    try:
        daemon = call("version") if patience is None else _when_ready(patience)
    except NoDaemonError:
        if patience is not None:
            raise
        daemon = None
    show({"command": hotswitch.__version__, "daemon": daemon}, _render)


def _when_ready(patience: float) -> Any:
    """What the daemon answers as soon as there is one. Raises ControlError."""
    until = time.monotonic() + patience
    while True:
        try:
            return call("version")
        except NoDaemonError:
            if time.monotonic() >= until:
                raise
        time.sleep(_PAUSE)


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
