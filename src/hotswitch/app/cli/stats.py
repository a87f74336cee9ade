"""hotswitch stats."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import render
from hotswitch.app.cli.context import call, shared_options, show
from hotswitch.app.cli.words import BRIDGE, words_argument

_COLUMNS = ("rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_dropped")


@click.command(name="stats")
@words_argument(BRIDGE, first=("show",))
@shared_options
def command(words: dict[str, Any]) -> None:
    """Show what ports and bridges have counted.

    Bytes are those of frames with their tags, without checksum.

    \b
    Of a bridge:
      missed       no entry of a table matched
      expired      time to live ran out
      limited      over a limit of packets a second (storm-limit)
      malformed    headers that are cut off or contradict themselves
      not_learned  the address table was full
      learned      addresses that were new
      moved        addresses that came to another port
      errors       too many tags
      lost         copies to user space that found no room

    \b
    Examples:
      hotswitch stats
      hotswitch stats bridge br0 --json
    """
    words.pop("first", None)  # `show` says nothing more; it is here as other nouns have it
    show(call("stats/show", **words), _render)


def _render(result: dict[str, Any]) -> None:
    heads = tuple(column.upper().replace("_", "-") for column in _COLUMNS)
    for bridge in result["bridges"]:
        counters = ", ".join(f"{name} {count}" for name, count in bridge["counters"].items())
        click.echo(f"{bridge['name']}: {counters}")
        render.table(
            ("PORT", *heads),
            (
                (port["name"], *(port["statistics"][column] for column in _COLUMNS))
                for port in bridge["ports"]
            ),
            right=" ".join(heads),
        )
