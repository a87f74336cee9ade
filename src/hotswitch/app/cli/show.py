"""hotswitch show."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import call, shared_options, show


@click.command(name="show")
@shared_options
def command() -> None:
    """Show the switch at a glance: its database and its bridges.

    \b
    Example:
      hotswitch show
    """
    show(call("show"), _render)


def _render(result: dict[str, Any]) -> None:
    database = result["database"]
    click.echo(f"database {database['name']}")
    if database["problem"]:
        click.echo(f"    not followed, forwarding goes on: {database['problem']}")
    for remark in result["remarks"]:
        click.echo(f"    {remark}")
    for bridge in result["bridges"]:
        count = len(bridge["ports"])
        click.echo(f"bridge {bridge['name']}, {count} port{'' if count == 1 else 's'}")
        if bridge["error"]:
            click.echo(f"    {bridge['error']}")
        for each in bridge["not_acted_on"]:
            click.echo(f"    not acted on: {each}")
        if bridge["faulty"]:
            click.echo(f"    see `hotswitch port show`: {', '.join(bridge['faulty'])}")
