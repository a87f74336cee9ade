"""QEMU without a guest in it: all that it does with a tap, in no time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support import process
from tests.support.room import Room

_GREETING = '{"QMP"'


class Bare:
    """Use it as a context manager; entered, QEMU has opened its netdev, or ended."""

    def __init__(self, room: Room, netdev: str, environment: dict[str, str]) -> None:
        self._room = room
        self._netdev = netdev
        self._environment = environment
        self.process: subprocess.Popen[str] | None = None
        self.failure = ""

    def __enter__(self) -> Bare:
        self.process = self._room.start(
            *("qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none"),
            *("-netdev", f"tap,id=n0,{self._netdev}", "-qmp", "stdio"),
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout and self.process.stderr
        if not self.process.stdout.readline().startswith(_GREETING):
            self.failure = self.process.stderr.read()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self.process:
            process.stop(self.process)

    def quit(self) -> str:
        """Have it end itself; what it complained of."""
        assert self.process and self.process.stdin
        self.tell_to_quit()
        _, complaints = self.process.communicate(timeout=30)
        return complaints

    def tell_to_quit(self) -> None:
        """Have it end itself, some time."""
        assert self.process and self.process.stdin
        self.process.stdin.write('{"execute":"qmp_capabilities"}{"execute":"quit"}')
        self.process.stdin.flush()


def netdev(tap: str, up: Path | str, down: Path | str = "no") -> str:
    """A tap with scripts."""
    return f"ifname={tap},script={up},downscript={down}"
