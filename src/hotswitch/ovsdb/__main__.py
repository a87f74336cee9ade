"""The database server by itself: `python -m hotswitch.ovsdb FILE --remote punix:/run/db.sock`.

A file that does not exist is created, with the Open_vSwitch schema.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import hotswitch
from hotswitch.base.clock import MonotonicClock
from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb import coverage, server_commands, vlog
from hotswitch.ovsdb.coverage import Coverage
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.opening import open_or_create
from hotswitch.ovsdb.remotes import Options
from hotswitch.ovsdb.server import Server
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.ovsdb.unixctl_server import ControlServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or `exit`; return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_serve(options))
    except HotswitchError as error:
        print(f"hotswitch.ovsdb: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hotswitch.ovsdb", description="Serve OVSDB databases.")
    parser.add_argument("file", nargs="+", type=Path, help="database file")
    parser.add_argument("--remote", action="append", default=[], help="connection method")
    parser.add_argument("--unixctl", type=Path, help="path of the control socket")
    parser.add_argument("--run-dir", type=Path, default=Path("/run/hotswitch"))
    for name in ("private-key", "certificate", "ca-cert"):
        parser.add_argument(f"--{name}", default="", help="PEM file, or db:DATABASE,TABLE,COLUMN")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    databases = Databases(MonotonicClock())
    try:
        for path in options.file:
            databases.add(open_or_create(path, "Open_vSwitch"))
        tls = Tls(options.private_key, options.certificate, options.ca_cert)
        server = Server(databases, run_directory=options.run_dir, tls=tls)
        await server.start({name: Options() for name in options.remote})
        events = Coverage(lambda: databases.counts)
        sampling = asyncio.create_task(events.run())
        control = _control(options.unixctl, server, events, stop) if options.unixctl else None
        try:
            if control is not None:
                await control.start()
            print("ready", flush=True)
            await stop.wait()
        finally:
            sampling.cancel()
            if control is not None:
                await control.close()
            await server.close()
    finally:
        for storage in databases.storages():
            storage.close()


def _control(path: Path, server: Server, events: Coverage, stop: asyncio.Event) -> ControlServer:
    commands = Commands(f"hotswitch {hotswitch.__version__}")
    server_commands.register(commands, server)
    vlog.register(commands)
    coverage.register(commands, events, [lambda: server_commands.usage(server)])

    def leave(_: Sequence[str]) -> str:
        stop.set()
        return ""

    commands.add("exit", "", 0, 0, leave)
    return ControlServer(path, commands)


if __name__ == "__main__":
    sys.exit(main())
