"""hotswitch shutdown."""

from __future__ import annotations

import click

from hotswitch.app.cli.context import call, done, shared_options


@click.command(name="shutdown")
@click.option(
    "--stop-forwarding",
    is_flag=True,
    help="Remove programs, pinned objects and local links too.",
)
@shared_options
def command(stop_forwarding: bool) -> None:
    """Stop the daemon. The forwarding goes on without it.

    A daemon that is started again takes over what forwards. What is configured
    stays in the run directory in either case.

    \b
    Examples:
      hotswitch shutdown
      hotswitch shutdown --stop-forwarding
    """
    done(call("exit", stop_forwarding=stop_forwarding))
