"""The rows of ports that have gone with their devices, in a file, until they are gone themselves.

One row's UUID a line. It outlives `kill -9`; after a power cut there is no port left that a row
could be told from, so nothing waits for the disk.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from pathlib import Path

from hotswitch.config.rows import Uuid

_log = logging.getLogger(__name__)


class KeptDepartures:
    """Those in the file `path`, which is there while there are any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: frozenset[Uuid] = frozenset()
        self._complaint = ""

    def load(self) -> Set[Uuid]:
        """What an earlier daemon has kept. What can't be read is logged, and is nothing."""
        try:
            self._kept = frozenset(self._path.read_text("ascii").split())
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            _log.error("%s can't be read: %s", self._path, error)
        return self._kept

    def keep(self, rows: Set[Uuid]) -> None:
        """Keep these from now on. That it can't be done is logged once."""
        if rows == self._kept:
            return
        try:
            if rows:
                self._write("\n".join(sorted(rows)) + "\n")
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            complaint = f"can't write {self._path}: {error.strerror}"
            if complaint != self._complaint:
                _log.error("%s: after a kill, new devices may get ports of gone ones", complaint)
            self._complaint = complaint
            return
        self._kept = frozenset(rows)
        self._complaint = ""

    def _write(self, text: str) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.write_text(text, "ascii")
        temporary.replace(self._path)
