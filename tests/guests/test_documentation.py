"""The commands of docs/guests.md do what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.guests.programs import install
from tests.support import process
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("qemu-system-x86_64") or not shutil.which("ovs-vsctl"),
    reason="needs root, QEMU and ovs-vsctl",
)

_PAGE = (Path(__file__).parents[2] / "docs" / "guests.md").read_text()
_ADOPTION, _SCRIPT, _NAMES, _LIFECYCLE = re.findall(
    r"^```sh\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL
)
_DONE = "done as the page says"
_TOGETHER = ("unshare", "--pid", "--fork", "--kill-child", "sh", "-euc")
"""What the shell leaves running ends with it."""


class Reader:
    """Somebody who types what the page says."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self._daemon = daemon
        self._folder = folder
        programs = folder / "bin"
        programs.mkdir()
        install(programs, "hotswitch", "hotswitch-ifup", "hotswitch-ifdown")
        self._environment = {
            "PATH": f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOTSWITCH_RUN_DIR": str(daemon.run_dir),
            "SCRIPTS": str(folder),
            "OPTIONS": "-M q35 -m 16 -S -nodefaults -display none -daemonize",
        }
        self._shell: subprocess.Popen[str] | None = None

    def type(self, block: str) -> str:
        """Type the block into a shell, which must succeed; what it printed."""
        printed = self._folder / "printed"
        with printed.open("w") as file:
            self._shell = self._daemon.room.start(
                *_TOGETHER,
                f"{block}\necho {_DONE}\nsleep infinity",
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        until(lambda: self._has_ended(printed), "all has been typed", 30)
        return printed.read_text().removesuffix(f"{_DONE}\n")

    def _has_ended(self, printed: Path) -> bool:
        assert self._shell and self._shell.poll() is None, printed.read_text()
        return _DONE in printed.read_text()

    def close(self) -> None:
        """End all that was started."""
        if self._shell:
            process.stop(self._shell)

    @property
    def ports(self) -> dict[str, Any]:
        rows = self._daemon.ask("port list")
        return {each["name"]: each for each in rows if each["type"] == "system"}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with Room() as room, Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        with closing(Reader(daemon, tmp_path)) as reader:
            yield reader
        until(lambda: not reader.ports, "no port is left over")


def test_adoption(reader: Reader) -> None:
    assert "tap7" in reader.type(_ADOPTION)
    until(lambda: reader.ports["tap7"]["state"] == "forwarding", "it forwards")


def test_a_script(reader: Reader) -> None:
    assert "tap7" in reader.type(_SCRIPT)
    port = reader.ports["tap7"]
    assert (port["state"], port["bridge"], port["tag"]) == ("forwarding", "br0", 10)


def test_names_of_scripts(reader: Reader) -> None:
    reader.type(_NAMES)
    places = {name: (port["bridge"], port["tag"]) for name, port in reader.ports.items()}
    assert places == {"tap7": ("br0", None), "tap8": ("br1", 10)}


def test_the_lifecycle_of_a_bridge(reader: Reader) -> None:
    assert reader.type(_LIFECYCLE) == "ephemeral\n"
