"""XenStore, by way of its own tools."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Protocol

from hotswitch.guests.errors import GuestError

_SECONDS = 30
_ABSENT = "couldn't read path"
"""What xenstore-read says of a key that is not there (tools/xs-clients/xenstore_client.c)."""


class Store(Protocol):
    """Keys are paths, relative to this domain unless they begin with a slash."""

    def read(self, path: str) -> str:
        """The value; empty if there is none. Raises GuestError."""

    def write(self, values: Mapping[str, str]) -> None:
        """Write these, in this order. Raises GuestError."""


class XenStore:
    """`xenstore-read` and `xenstore-write` from PATH."""

    def read(self, path: str) -> str:
        """The value; empty if there is none. Raises GuestError."""
        done = _run("xenstore-read", path)
        if done.returncode and _ABSENT not in done.stderr:
            raise GuestError(f"can't read {path} in XenStore: {done.stderr.strip()}")
        return "" if done.returncode else done.stdout.rstrip("\n")

    def write(self, values: Mapping[str, str]) -> None:
        """Write these, in this order. Raises GuestError."""
        words = [word for pair in values.items() for word in pair]
        done = _run("xenstore-write", *words)
        if done.returncode:
            raise GuestError(f"can't write to XenStore: {done.stderr.strip()}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise GuestError(
            f"there is no {command[0]}", remedy="it is in Debian's package xenstore-utils"
        ) from None
    except subprocess.TimeoutExpired:
        raise GuestError(f"{command[0]} has not ended after {_SECONDS} s") from None
