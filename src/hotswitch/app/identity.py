"""What hotswitch says of itself and of its host."""

from __future__ import annotations

import platform

import hotswitch
from hotswitch.config.other_columns import Identity


def own_identity(schema_version: str) -> Identity:
    """For a database with a schema of this version."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    return Identity(
        f"hotswitch {hotswitch.__version__}",
        schema_version,
        system.get("ID", ""),
        system.get("VERSION_ID", ""),
    )
