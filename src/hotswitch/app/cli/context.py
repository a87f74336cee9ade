"""What all commands share: where the daemon is, and how to print."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hotswitch.app import paths

if TYPE_CHECKING:
    from hotswitch.app.control.client import ControlClient

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(slots=True)
class Settings:
    """Filled in by the options of whichever command carries them."""

    run_dir: Path = paths.DEFAULT
    json: bool = False


def settings() -> Settings:
    """Those of the running command."""
    return click.get_current_context().find_object(Settings) or Settings()


def shared_options(function: _Function) -> _Function:
    """Give a command --run-dir and --json, which may stand behind each word."""
    function = click.option(
        "--run-dir",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        envvar=paths.VARIABLE,
        callback=_set_run_dir,
        expose_value=False,
        help=f"The daemon's run directory.  [env: {paths.VARIABLE}; default: {paths.DEFAULT}]",
    )(function)
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_set_json,
        expose_value=False,
        help="Print JSON.",
    )(function)


def connect() -> ControlClient:
    """Connect to the daemon. Raises ControlError."""
    from hotswitch.app.control.client import ControlClient

    return ControlClient(paths.RunDirectory(settings().run_dir).control)


def call(method: str, **parameters: Any) -> Any:
    """Ask the daemon once. Raises ControlError."""
    with connect() as client:
        return client.call(method, **parameters)


def show(result: Any, render: Callable[[Any], None]) -> None:
    """Print a result: as JSON if that was asked for, else as `render` does.

    Names in it may be anybody's, and must not steer the terminal.
    """
    if settings().json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        render(_printable(result))


def _printable(value: Any) -> Any:
    """The same with what can't be printed as Python writes it; lines stay lines."""
    if isinstance(value, str):
        return "".join(
            each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in value
        )
    if isinstance(value, dict):
        return {_printable(key): _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value


def done(result: Any = None) -> None:
    """After a change: nothing is said, or in JSON that nothing went wrong."""
    show(result, lambda _: None)


def in_colour() -> bool:
    """Whether standard output is a terminal that wants colours."""
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def nobody_reads() -> bool:
    """Whether the output is a pipe whose reader has left."""
    import select

    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(what & select.POLLERR for _, what in poll.poll(0))


def _shared(context: click.Context) -> Settings:
    found = context.find_object(Settings)
    if found is None:
        context.find_root().obj = found = Settings()
    return found


def _set_run_dir(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None and _is_meant(context, "run_dir"):
        _shared(context).run_dir = value


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _shared(context).json = True


def _is_meant(context: click.Context, name: str) -> bool:
    """Not so if the value comes from the environment and an outer command has an option."""
    from click.core import ParameterSource

    from_environment = context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    return context.parent is None or not from_environment
