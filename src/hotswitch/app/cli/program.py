"""hotswitch program."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import call, in_colour, shared_options, show
from hotswitch.app.cli.words import Word, text, words_argument

_STAGES = ("asm", "ir", "llvm")


@click.group(name="program")
def command() -> None:
    """Show the programs that forward.

    \b
    Examples:
      hotswitch program show
      hotswitch program show asm
    """


@command.command("show")
@click.argument("stage", required=False, type=click.Choice([*_STAGES, "bridge"]))
@words_argument(Word("bridge", "bridge", text))
@shared_options
@click.pass_context
def show_all(context: click.Context, stage: str | None, words: dict[str, Any]) -> None:
    """Show each program's size, how long it took to make, and how its tables are looked up.

    With a STAGE the program itself: asm is the BPF assembly, ir is what the
    compiler works on, llvm is what it gives to LLVM.

    \b
    Examples:
      hotswitch program show
      hotswitch program show asm bridge br0
    """
    result = call("program/show", stage=stage or "", **words)
    show(result, lambda shown: _render(shown, stage))


def _render(bridges: list[dict[str, Any]], stage: str | None) -> None:
    for bridge in bridges:
        title = f"{bridge['bridge']}: engine {bridge['engine']}"
        click.echo(click.style(title, bold=True) if in_colour() else title)
        for program in bridge["programs"]:
            for key, value in program.items():
                if key == stage:
                    click.echo(value)
                else:
                    click.echo(f"  {key.replace('_', ' ') + ':':<20}{value}")
