"""`hotswitchd`: the options, and what goes wrong before it runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import NoReturn

import click

import hotswitch
from hotswitch.app import log, paths
from hotswitch.base.errors import HotswitchError

PROGRAM = "hotswitchd"


@click.command(name=PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=paths.DEFAULT,
    envvar=paths.VARIABLE,
    show_default=True,
    show_envvar=True,
    metavar="DIRECTORY",
    help="Where the database and the sockets are; made if missing.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "kernel"]),
    default="auto",
    show_default=True,
    help="What forwards. auto takes the fastest that works here.",
)
@click.option(
    "--netns",
    metavar="NAME",
    help="Work in this network namespace: a name as of `ip netns`, or a path.",
)
@click.option(
    "--db",
    "database",
    metavar="FILE|REMOTE",
    help="Keep what is wanted in this OVSDB file, made if missing, and serve it on db.sock in the "
    "run directory; or follow an ovsdb-server at unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT. "
    "[default: conf.db in the run directory]",
)
@click.option(
    "--cleanup",
    is_flag=True,
    help="End the forwarding that an earlier daemon left, remove what it made, and exit.",
)
@click.option("--log-level", type=click.Choice(log.LEVELS), default="info", show_default=True)
@click.option("--log-format", type=click.Choice(log.FORMATS), default="text", show_default=True)
@click.version_option(hotswitch.__version__, prog_name=PROGRAM)
def command(
    run_dir: Path,
    engine: str,
    netns: str | None,
    database: str | None,
    cleanup: bool,
    log_level: str,
    log_format: str,
) -> None:
    """Run the virtual switch, in the foreground.

    It makes what the configuration database describes, follows devices as
    they come and go, and answers `hotswitch`. The forwarding itself is a
    program in the kernel, which goes on when the daemon stops, is upgraded, or
    is killed; a daemon that starts takes it over. SIGTERM and SIGINT stop the
    daemon only; `hotswitch shutdown --stop-forwarding` ends the forwarding.

    It tells a service manager when it is ready (sd_notify, Type=notify).

    \b
    Examples:
      hotswitchd
      hotswitchd --run-dir /run/hotswitch/lab --netns lab --log-format json
      hotswitchd --run-dir /run/hotswitch/lab --netns lab --cleanup

    \b
    Exit codes:
      0  stopped as asked      1  it failed      2  it was not understood
    """
    log.set_up(log_level, log_format)
    from hotswitch.app.engines import ENGINES
    from hotswitch.app.life import Life

    life = Life(run_dir, netns, ENGINES[engine], database)
    if cleanup:
        life.clean_up()
    else:
        asyncio.run(life.run())


def main() -> NoReturn:
    """Run the daemon and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run with these arguments; the exit code."""
    try:
        command.main(arguments, PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        _complain(f"{error.format_message().rstrip('.')} (see: {PROGRAM} --help)")
        return 2
    except HotswitchError as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130  # before there was anything to stop
    return 0


def _complain(message: str) -> None:
    click.echo(f"{PROGRAM}: " + " ".join(message.split()), err=True)


if __name__ == "__main__":
    main()
