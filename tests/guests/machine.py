"""A machine under QEMU with Debian's kernel and a shell of busybox on its serial line."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qemu.qmp.legacy import QEMUMonitorProtocol

from tests.older_kernel.machine import make_initial
from tests.support import process
from tests.support.debian_kernel import Kernel
from tests.support.room import Room
from tests.support.wait import until

_READY = b"the guest is ready"
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
while read module; do insmod /modules/$module; done </modules/order
stty -echo
echo {_READY.decode()}
while read -r line; do eval "$line" 2>&1; echo "ended with $?"; done
"""
_ENDED = re.compile(rb"ended with (\d+)\r?\n")
_APPEND = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"


class Machine:
    """Use it as a context manager. netdev: QEMU's -netdev, with the id n0, for its one interface.

    environment: QEMU's, and so its scripts'.
    """

    def __init__(
        self, room: Room, folder: Path, kernel: Kernel, netdev: str, **environment: str
    ) -> None:
        folder.mkdir()
        self._room = room
        self._folder = folder
        self._kernel = kernel
        self._netdev = netdev
        self._environment = environment
        # These listen and QEMU connects: so nothing has to wait until it listens.
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "tty"))
        self._listener.listen()
        self._listener.settimeout(30)
        self._console = socket.socket(socket.AF_UNIX)
        self._said = b""
        self.qmp = QEMUMonitorProtocol(str(folder / "qmp"), server=True)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Machine:
        initial = self._folder / "initial"
        make_initial(initial, self._kernel, {"init": _INIT})
        sockets = [f"path={self._folder}/{each}" for each in ("tty", "qmp")]
        with (self._folder / "qemu.log").open("w") as log:
            self._process = self._room.start(
                *("qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-cpu", "max"),
                *("-m", "128", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
                *("-kernel", str(self._kernel.image), "-initrd", str(initial), "-append", _APPEND),
                *("-chardev", f"socket,id=tty,{sockets[0]}", "-serial", "chardev:tty"),
                *("-chardev", f"socket,id=qmp,{sockets[1]}", "-mon", "chardev=qmp,mode=control"),
                *("-netdev", self._netdev, "-device", "virtio-net-pci,netdev=n0,id=nic0,romfile="),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            self._console, _ = self._listener.accept()
            self._console.setblocking(False)
            self.qmp.accept(30)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.qmp.close()
        self._console.close()
        self._listener.close()

    @property
    def log(self) -> str:
        """What QEMU and its scripts have complained of."""
        return (self._folder / "qemu.log").read_text()

    def kill(self) -> None:
        """End QEMU with SIGKILL."""
        if self._process:
            process.stop(self._process)

    def wait(self) -> None:
        """Return when the guest has booted."""
        until(lambda: _READY in self._hear(), "the guest has booted", 90)

    def run(self, command: str, seconds: float = 20) -> tuple[int, str]:
        """Run a shell's command in the guest: how it ended and what it said."""
        self._said = b""
        self._console.setblocking(True)
        self._console.sendall(f"{command}\n".encode())
        self._console.setblocking(False)
        ended = until(lambda: _ENDED.search(self._hear()), f"{command} has ended", seconds)
        return int(ended[1]), self._said[: ended.start()].decode()

    def do(self, command: str) -> str:
        """Run a command that must succeed; what it said."""
        status, said = self.run(command)
        assert status == 0, (command, said)
        return said

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """Ask QEMU by QMP."""
        return self.qmp.cmd(command, **arguments)

    def unplug(self, device: str) -> None:
        """Take a device out, and return when the guest has let it go."""
        self.ask("device_del", {"id": device})
        until(lambda: self._is_told("DEVICE_DELETED", device), "the guest lets it go", 30)

    def _is_told(self, event: str, device: str) -> bool:
        events = self.qmp.get_events()
        return any(
            each["event"] == event and each["data"].get("device") == device for each in events
        )

    def _runs(self) -> bool:
        assert self._process and self._process.poll() is None, self.log
        return True

    def _hear(self) -> bytes:
        self._runs()
        with contextlib.suppress(BlockingIOError):
            self._said += self._console.recv(1 << 16)
        return self._said
