"""hotswitch program."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli.context import call, in_colour, shared_options, show
from hotswitch.app.cli.words import BRIDGE, words_argument

_STAGES = ("asm", "ir")


@click.group(name="program")
def command() -> None:
    """Show the programs that forward.

    \b
    Examples:
      hotswitch program show
      hotswitch program show asm
    """


@command.command("show")
@words_argument(BRIDGE, first=_STAGES)
@shared_options
def show_all(words: dict[str, Any]) -> None:
    """Show the programs, each in a few numbers or as text.

    The numbers are its size, how long it took to make, and how its tables are
    looked up.
    With asm or ir the program itself: asm is the BPF assembly beside what it
    was made from, ir is the compiler's intermediate form.

    \b
    Examples:
      hotswitch program show
      hotswitch program show asm bridge br0
    """
    stage = words.pop("first", "")
    result = call("program/show", stage=stage, **words)
    show(result, lambda shown: _render(shown, stage))


def _render(bridges: list[dict[str, Any]], stage: str) -> None:
    for bridge in bridges:
        title = f"{bridge['bridge']}: engine {bridge['engine']}"
        click.echo(click.style(title, bold=True) if in_colour() else title)
        for program in bridge["programs"]:
            for key, value in program.items():
                if key == stage:
                    click.echo(value)
                elif key == "tables":
                    _tables(value)
                else:
                    click.echo(f"  {key.replace('_', ' ') + ':':<24}{value}")


def _tables(tables: list[dict[str, Any]]) -> None:
    for table in tables:
        head = f"table {table['table']}:"
        for strategy in table["strategies"]:
            click.echo(f"  {head:<24}{strategy}")
            head = ""
