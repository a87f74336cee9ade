"""hotswitch trace."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from hotswitch.app.cli import names
from hotswitch.app.cli.context import call, in_colour, shared_options, show
from hotswitch.app.cli.words import BRIDGE, Word, offered, text

_COLOURS = {0: "bright_blue", 1: "green", 3: "yellow"}


_WORDS = (BRIDGE, Word("in", "in_port", text, names="port"), Word("hex", "frame", text))


def _complete(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    pairs: list[str] = []
    keywords = {word.name for word in _WORDS}
    for each in context.params.get("words") or ():
        if each in keywords or len(pairs) % 2:
            pairs.append(each)  # the others are fields
    return names.items(offered(context, _WORDS, pairs), start)


@click.command(name="trace")
@click.argument(
    "words",
    nargs=-1,
    metavar="[bridge BRIDGE] in PORT (FIELD=VALUE... | hex BYTES)",
    shell_complete=_complete,
)
@shared_options
def command(words: tuple[str, ...]) -> None:
    """Walk a packet through the live pipeline.

    Shows which headers are found where, which table is entered, which entry
    wins, what its actions change, and what leaves by which port. Nothing is
    sent, counted or learned.

    A packet is given by fields, as `hotswitch table show` writes them; headers
    that must be between them are added. `python -m hotswitch.headers` lists
    all fields. Or by its bytes, from the destination address on, in hexadecimal.

    \b
    Examples:
      hotswitch trace in tap0 ethernet.dst=ff:ff:ff:ff:ff:ff arp
      hotswitch trace bridge br0 in tap0 ipv4.src=10.0.0.1 ipv4.dst=10.0.0.2 udp.dst=53
      hotswitch trace in tap2 vlan.vid=10 icmp
      hotswitch trace in tap0 hex ffffffffffff0200000000010800
    """
    show(call("trace", **_parameters(words)), _render)


def _parameters(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    fields: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key = next((each.key for each in _WORDS if each.name == word), None)
        if key is None:
            fields.append(word.strip(","))
        elif not rest:
            raise click.UsageError(f"{word} needs a value")
        elif key in found:
            raise click.UsageError(f"{word} is given twice")
        elif key == "frame":
            found[key], rest = " ".join(rest), []
        else:
            found[key] = rest.pop(0)
    if "in_port" not in found:
        raise click.UsageError("in PORT is missing")
    if fields and "frame" in found:
        raise click.UsageError("give fields or hex, not both")
    if "frame" not in found:
        found["fields"] = ",".join(fields) or "any"
        _check(found["fields"])
    return found


def _check(fields: str) -> None:
    """Raises click.UsageError for a field that there is not, or a value that it can't have."""
    from hotswitch.headers.field_text import TextError
    from hotswitch.headers.registry import HeaderError  # long to load
    from hotswitch.headers.standard import standard_registry
    from hotswitch.model.text import read_match

    registry = standard_registry()
    try:
        read_match(registry, fields)
    except (HeaderError, TextError) as error:
        raise click.UsageError(str(error)) from None


def _render(result: dict[str, Any]) -> None:
    colour = in_colour()
    click.echo(f"a frame of {len(result['frame']) // 2} bytes comes in by {result['in_port']}")
    for step in result["steps"]:
        line = "  " * step["depth"] + step["text"]
        tone = _COLOURS.get(step["depth"])
        click.echo(click.style(line, fg=tone) if colour and tone else line)
    for output in result["outputs"]:
        click.echo(f"sent by {output['port']}: {output['frame']}")
    if result["host"] is not None:
        click.echo(f"passed to the host: {result['host']}")
    if not result["outputs"] and not result["copies"] and result["host"] is None:
        click.echo("dropped")
