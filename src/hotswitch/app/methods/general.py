"""show, version, exit."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import msgspec

import hotswitch
from hotswitch.app.control.method import Method, Nothing
from hotswitch.app.service import Service
from hotswitch.switch.status import BridgeStatus


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
        unheeded = service.unheeded
        bridges = dict(service.switch.status())
        for refused in unheeded.refused:
            if not refused.port:
                bridges[refused.name] = BridgeStatus(refused.name, {}, refused.reason)
        return {
            "database": {"name": where.database, "problem": where.problem},
            "remarks": [each for each in (where.unwritten, *unheeded.of_daemon) if each],
            "bridges": [
                _glance(
                    each,
                    {refused.port for refused in unheeded.ports(name)},
                    unheeded.not_acted_on.get((name, ""), ()),
                )
                for name, each in sorted(bridges.items())
            ],
        }

    async def leave(asked: Exit) -> None:
        await service.stop(asked.stop_forwarding)

    return (
        Method("show", show),
        Method("version", version),
        Method("exit", leave, Exit),
    )


def _glance(bridge: BridgeStatus, refused: set[str], not_acted_on: Sequence[str]) -> dict[str, Any]:
    """A bridge, its ports, those with which something is wrong, and its settings without effect."""
    faulty = {
        port.name
        for port in bridge.ports.values()
        if port.error or port.shortfall or not port.is_in_force
    }
    return {
        "name": bridge.name,
        "error": bridge.error,
        "ports": sorted({*bridge.ports, *refused}),
        "faulty": sorted(faulty | refused),
        "not_acted_on": list(not_acted_on),
    }
