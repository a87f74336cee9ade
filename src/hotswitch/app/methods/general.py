"""show, version, exit."""

from __future__ import annotations

import os
import platform
from typing import Any

import msgspec

import hotswitch
from hotswitch.app.control.method import Method, Nothing
from hotswitch.app.service import Service


class Exit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """stop_forwarding: remove programs, pins and local links too; the desired state stays."""

    stop_forwarding: bool = False


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def version(_: Nothing) -> dict[str, Any]:
        return {
            "hotswitch": hotswitch.__version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "pid": os.getpid(),
        }

    def show(_: Nothing) -> dict[str, Any]:
        where = service.whereabouts
        status = service.switch.status()
        return {
            "database": {"name": where.database, "problem": where.problem},
            "bridges": [
                {
                    "name": name,
                    "error": each.error,
                    "ports": sorted(each.ports),
                    "faulty": sorted(
                        port.name
                        for port in each.ports.values()
                        if port.error or port.shortfall or not port.is_in_force
                    ),
                }
                for name, each in sorted(status.items())
            ],
        }

    async def leave(asked: Exit) -> None:
        await service.stop(asked.stop_forwarding)

    return (
        Method("show", show),
        Method("version", version),
        Method("exit", leave, Exit),
    )
