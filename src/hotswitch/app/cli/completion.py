"""hotswitch completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes commands in a SHELL: bash, zsh or fish.

    \b
    Examples:
      eval "$(hotswitch completion bash)"
      hotswitch completion fish > ~/.config/fish/completions/hotswitch.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "hotswitch", "_HOTSWITCH_COMPLETE").source())
