"""The command `hotswitch`: one file a noun, loaded only when it is used.

Exit codes: 0 it is done; 1 it failed; 2 it was not understood. Errors are one line on standard
error: `hotswitch: MESSAGE (REMEDY)`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from hotswitch.app.cli.root import root
from hotswitch.base.errors import HotswitchError
from hotswitch.base.shorten import shorten

PROGRAM = "hotswitch"

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run with these arguments; the exit code."""

    def complain(message: str) -> None:
        _complain(shorten(message, arguments))

    try:
        _check_text(arguments)
        root.main(arguments, PROGRAM, standalone_mode=False)
        if sys.stdout:  # it may be closed
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help
        return 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else PROGRAM
        complain(f"{error.format_message().rstrip('.')} (see: {command} --help)")
        return 2
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        complain(error.format_message())
        return 1
    except HotswitchError as error:
        complain(str(error))
        return 1
    except OSError as error:
        # Of the output: others are declared. Don't let the interpreter's last flush complain too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # then the reader has enough
            complain(f"can't write: {error.strerror}")
        return 1
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    return 0


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text: a request is JSON, which has no room for them."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"{argument!r} is not UTF-8") from None


def _complain(message: str) -> None:
    line = " ".join(message.split())
    # What was typed is repeated in many messages, and must not steer the terminal.
    safe = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
    click.echo(f"{PROGRAM}: {safe}", err=True)
