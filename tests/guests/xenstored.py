"""Debian's real xenstored in a room, without Xen: the hypervisor's libraries are stood in for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import debian_package, process
from tests.support.room import Room
from tests.support.wait import until

AVAILABLE = all(map(shutil.which, ("xenstore-read", "gcc", "dpkg-deb")))

_PACKAGE = "xen-utils-4.17"
_PROGRAM = "usr/lib/xen-4.17/bin/xenstored"
_SOURCE = Path(__file__).with_name("xen_stand_in.c")
_LIBRARIES = ("libxenctrl.so.4.17", "libxenevtchn.so.1", "libxengnttab.so.1")
_VERSIONS = """
VERS_1.0 { xenevtchn_*; xengnttab_*; };
VERS_1.2 { xenevtchn_fdopen; };
VERS_4.17.0 { xc_*; };
"""


class XenStored:
    """Use it as a context manager. cache: a folder that is kept, for the program.

    Raises NoPackageError if there is none to be had.
    """

    def __init__(self, room: Room, folder: Path, cache: Path) -> None:
        self._room = room
        self._folder = folder
        self._program = _fetch(cache)
        folder.mkdir()
        self.environment = {
            **os.environ,
            "XENSTORED_RUNDIR": str(folder),
            "XENSTORED_PATH": str(folder / "socket"),
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> XenStored:
        libraries = self._folder / "libraries"
        _build(libraries)
        self._process = self._room.start(
            *(str(self._program), "--no-fork", "--pid-file", str(self._folder / "pid")),
            env={**self.environment, "LD_LIBRARY_PATH": str(libraries)},
        )
        until(lambda: not self._tool("exists", "/").returncode, "xenstored answers")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            process.stop(self._process)

    def write(self, folder: str, values: Mapping[str, str]) -> None:
        """Write the keys of a folder."""
        words = [word for key, value in values.items() for word in (f"{folder}/{key}", value)]
        done = self._tool("write", *words)
        assert done.returncode == 0, done.stderr

    def read(self, path: str) -> str:
        """The value; empty if there is none."""
        return self._tool("read", path).stdout.rstrip("\n")

    def _tool(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = self._room.command(f"xenstore-{name}", *words)
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30
        )


def _fetch(cache: Path) -> Path:
    def is_complete(folder: Path) -> bool:
        return (folder / _PROGRAM).exists()

    return debian_package.fetch(_PACKAGE, [f"./{_PROGRAM}"], cache, is_complete) / _PROGRAM


def _build(folder: Path) -> None:
    """One library under all the names."""
    folder.mkdir()
    versions = folder / "versions"
    versions.write_text(_VERSIONS)
    library = folder / _LIBRARIES[0]
    script = f"-Wl,--version-script={versions}"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), script]
    subprocess.run(command, check=True, timeout=60)
    for name in _LIBRARIES[1:]:
        (folder / name).symlink_to(library.name)
