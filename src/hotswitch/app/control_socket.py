"""The control socket: what it understands, and by what it is found."""

from __future__ import annotations

import hotswitch
from hotswitch.app import appctl, pid_files
from hotswitch.app.control import method
from hotswitch.app.control.method import Method
from hotswitch.app.database import ConfigDatabase
from hotswitch.app.database_place import Config
from hotswitch.app.service import Service
from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb import coverage, vlog
from hotswitch.ovsdb.coverage import Coverage
from hotswitch.ovsdb.remotes import RemoteError
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.ovsdb.unixctl_server import ControlServer


class ListenError(HotswitchError):
    """The control socket can't be made."""


def commands_of(
    service: Service, database: Config, methods: tuple[Method, ...]
) -> tuple[Commands, Coverage]:
    """What it understands, and the events that are counted."""
    commands = Commands(f"hotswitch {hotswitch.__version__}")
    vlog.register(commands)
    events, usage = [lambda: appctl.events(service)], [lambda: appctl.usage(service)]
    if isinstance(database, ConfigDatabase):
        counts, holds = database.commands(commands)
        events.append(counts)
        usage.append(holds)
    counted = Coverage(*events)
    coverage.register(commands, counted, usage)
    appctl.register(commands, service)
    method.register(commands, methods)
    return commands, counted


def names_of(database: Config) -> tuple[str, ...]:
    """By what Open vSwitch's tools find this daemon."""
    names = pid_files.OWN, pid_files.SWITCH
    return (*names, pid_files.DATABASE) if isinstance(database, ConfigDatabase) else names


async def listen(server: ControlServer) -> None:
    """Make the socket. Raises ListenError."""
    try:
        await server.start()
    except RemoteError as error:
        raise ListenError(
            f"can't make the control socket: {error.message}",
            remedy="give a --run-dir with a shorter path" if "too long" in error.message else "",
        ) from error
