"""hotswitch manual: the help of all commands as a manual page, see man(7)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator

import click

import hotswitch

PAGES = {"hotswitch": 1, "hotswitchd": 8}
"""The programs that have one, and the manual's section that it belongs to."""


@click.command(name="manual")
@click.argument("program", type=click.Choice(list(PAGES)), default="hotswitch")
def command(program: str) -> None:
    """Print the manual page of hotswitch, or of hotswitchd.

    It holds the help of all commands.

    \b
    Examples:
      hotswitch manual | man -l -
      hotswitch manual > /usr/local/share/man/man1/hotswitch.1
      hotswitch manual hotswitchd > /usr/local/share/man/man8/hotswitchd.8
    """
    click.echo("\n".join(page(program)))


def page(program: str) -> Iterator[str]:
    """The lines of a program's page."""
    context = click.Context(_command(program), info_name=program)
    heading = program.upper()
    yield f'.TH {heading} {PAGES[program]} "" "hotswitch {hotswitch.__version__}"'
    yield from (".SH NAME", f"{program} \\- {_text(_summary(context))}")
    yield from (".SH SYNOPSIS", f".B {_text(_usage(context))}")
    yield from (".SH DESCRIPTION", *_description(context))
    yield from (".SH OPTIONS", *_options(context))
    below = list(_below(context))
    if below:
        yield from (".SH COMMANDS", "Most take \\-\\-json and \\-\\-run\\-dir, too.")
    common = {each.name for each in context.command.get_params(context) if each.name}
    for each in below:
        yield from (".SS", _text(_usage(each)), *_description(each), *_options(each, common))
    others = (f".BR {name} ({section})" for name, section in PAGES.items() if name != program)
    yield from (".SH SEE ALSO", *others)


def _command(program: str) -> click.Command:
    if program == "hotswitchd":
        from hotswitch.app.daemon import command as daemon

        return daemon
    return click.get_current_context().find_root().command


def _below(context: click.Context) -> Iterator[click.Context]:
    """The commands of a group, with those of groups among them."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        if found := group.get_command(context, name):
            each = click.Context(found, context, info_name=name)
            yield each
            yield from _below(each)


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return " ".join((context.command_path, *pieces))


def _summary(context: click.Context) -> str:
    first = (context.command.help or "").partition("\n\n")[0]
    return " ".join(first.split()).rstrip(".")


def _description(context: click.Context) -> Iterator[str]:
    r"""Paragraphs; those behind a line \b as they are."""
    for paragraph in inspect.cleandoc(context.command.help or "").split("\n\n"):
        body = paragraph.removeprefix("\b\n")
        lines = map(_text, body.split("\n"))
        yield ".PP"
        yield from lines if body is paragraph else (".nf", *lines, ".fi")


def _options(context: click.Context, known: Collection[str] = ()) -> Iterator[str]:
    for each in context.command.get_params(context):
        is_known = each.name in known or not isinstance(each, click.Option)
        if not is_known and (record := each.get_help_record(context)):
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def _text(line: str) -> str:
    """A line of which nothing is a request or an escape."""
    plain = line.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", plain)
