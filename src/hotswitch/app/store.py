"""Where the desired state lasts: behind two methods, so that a database can take a file's place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from hotswitch.app import document
from hotswitch.base.errors import HotswitchError
from hotswitch.switch.desired import Desired


class StoreError(HotswitchError):
    """The desired state can't be read or can't be kept."""


class Store(Protocol):
    """Keeps the desired state."""

    def load(self) -> Desired:
        """Return what was saved last; nothing saved yet is an empty switch. Raises StoreError."""

    def save(self, desired: Desired) -> None:
        """Keep it: on return it survives a power cut; on StoreError the last one still stands."""


class JsonStore:
    """One JSON file (`document`). A file that can't be read is left as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Desired:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Desired()
        except OSError as error:
            raise StoreError(f"can't read {self._path}: {error.strerror}") from error
        try:
            return document.decode(data)
        except document.DocumentError as error:
            raise StoreError(
                f"{self._path}: {error}", remedy="correct the file or move it away"
            ) from error

    def save(self, desired: Desired) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            with temporary.open("wb") as file:
                file.write(document.encode(desired))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            _synchronise(self._path.parent)
        except OSError as error:
            raise StoreError(f"can't write {self._path}: {error.strerror}") from error


def _synchronise(directory: Path) -> None:
    """Make a rename in the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
