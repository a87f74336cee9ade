"""`hotswitchd`: the options, and what goes wrong before it runs."""

from __future__ import annotations

import asyncio
import gc
import grp
import sys
from pathlib import Path
from typing import NoReturn

import click

import hotswitch
from hotswitch.app import log, paths
from hotswitch.base.errors import HotswitchError

PROGRAM = "hotswitchd"


def _given(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty", param=parameter)
    return value


def _group_number(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return int(value) if value.isascii() and value.isdigit() else grp.getgrnam(value).gr_gid
    except KeyError:
        raise click.BadParameter(f"there is no group {value!r}", param=parameter) from None


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
    callback=_given,
    help="Work in this network namespace: a name as of `ip netns`, or a path.",
)
@click.option(
    "--db",
    "database",
    metavar="FILE|REMOTE",
    callback=_given,
    help="Keep what is wanted in this OVSDB file, made if missing, and serve it on db.sock in the "
    "run directory; or follow an ovsdb-server at unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT "
    "(all of a cluster's, separated by commas). "
    "[default: conf.db in the run directory]",
)
@click.option("--private-key", metavar="FILE", callback=_given, help="For ssl: and pssl:, in PEM.")
@click.option("--certificate", metavar="FILE", callback=_given, help="For that key, in PEM.")
@click.option(
    "--ca-cert",
    metavar="FILE",
    callback=_given,
    help="Who signs peers' certificates; none to trust anybody.",
)
@click.option(
    "--bootstrap-ca-cert",
    metavar="FILE",
    callback=_given,
    help="The same; if there is no such file, what the first server that is called shows is "
    "trusted and kept there.",
)
@click.option(
    "--ssl-protocols", metavar="LIST", default="", help="Of TLSv1.2,TLSv1.3.  [default: both]"
)
@click.option("--ssl-ciphers", metavar="LIST", default="", help="In OpenSSL's words.")
@click.option(
    "--group",
    metavar="NAME|NUMBER",
    callback=_group_number,
    help="Whose members may use the sockets in the run directory as well.",
)
@click.option(
    "--files/--no-files",
    "tree",
    default=True,
    help="Show the switch as a tree of files, sys in the run directory.  [default: files]",
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
    private_key: str | None,
    certificate: str | None,
    ca_cert: str | None,
    bootstrap_ca_cert: str | None,
    ssl_protocols: str,
    ssl_ciphers: str,
    group: int | None,
    tree: bool,
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
    from hotswitch.ovsdb.tls import Tls

    authority = bootstrap_ca_cert or ca_cert or ""
    tls = None
    if private_key and certificate:
        bootstraps = bool(bootstrap_ca_cert)
        tls = Tls(private_key, certificate, authority, bootstraps, ssl_protocols, ssl_ciphers)
    elif private_key or certificate or authority:
        raise click.UsageError("TLS needs both --private-key and --certificate")
    elif ssl_protocols or ssl_ciphers:
        raise click.UsageError(
            "--ssl-protocols and --ssl-ciphers go with --private-key and --certificate"
        )
    life = Life(run_dir, netns, ENGINES[engine], database, tls=tls, group=group, tree=tree)
    if cleanup:
        life.clean_up()
    else:
        _collect_in_small_pieces()
        asyncio.run(life.run())


def _collect_in_small_pieces() -> None:
    """Look for cycles among few objects at a time, as everything waits for that meanwhile.

    2,000 new ones take less than 1 ms, 10,000 some 3; all, tens of thousands for each thousand
    ports, 0.2 s, so that is done seldom. What was imported stays as long as the process anyway.
    """
    gc.freeze()
    gc.set_threshold(2_000, 5, 200)


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
