"""How Open vSwitch's tools find a daemon: by its pid file, and a socket that is called after both.

`ovs-appctl -t NAME` reads NAME.pid in its run directory, which must be locked (fcntl(2), F_SETLK)
by the process that it names, and calls NAME.PID.ctl there (lib/daemon-unix.c, lib/unixctl.c). Here
all of those are links to the one control socket.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path

OWN = "hotswitchd"
SWITCH = "ovs-vswitchd"
"""What `ovs-appctl` calls if nothing else is said."""
DATABASE = "ovsdb-server"

_log = logging.getLogger(__name__)


class PidFiles:
    """Those of this process, from `write` to `remove`.

    control: the control socket; the files lie beside it. group: who may use them too, or None.
    """

    def __init__(self, control: Path, group: int | None) -> None:
        self._control = control
        self._group = group
        self._held: dict[Path, int] = {}

    def write(self, names: Iterable[str]) -> None:
        """Be found by these names, but for those that other processes have.

        What can't be is logged; nothing depends on it here.
        """
        for name in names:
            try:
                self._write(name)
            except OSError as error:
                is_taken = isinstance(error, BlockingIOError)
                why = "another process has it" if is_taken else error.strerror
                _log.warning(
                    "ovs-appctl -t %s does not find this daemon: %s: %s",
                    name,
                    self._pid_file(name),
                    why,
                )

    def remove(self) -> None:
        """Be found no more."""
        for path, descriptor in self._held.items():
            self._forget(path.stem)
            path.unlink(missing_ok=True)
            os.close(descriptor)
        self._held.clear()

    def _pid_file(self, name: str) -> Path:
        return self._control.with_name(f"{name}.pid")

    def _write(self, name: str) -> None:
        path = self._pid_file(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            if self._group is not None:
                os.fchown(descriptor, -1, self._group)
                os.fchmod(descriptor, 0o664)
            self._forget(name)
            self._control.with_name(f"{name}.{os.getpid()}.ctl").symlink_to(self._control.name)
        except BaseException:
            os.close(descriptor)
            raise
        self._held[path] = descriptor

    def _forget(self, name: str) -> None:
        """Remove the links to the control socket, also those of daemons that were killed."""
        for each in self._control.parent.glob(f"{name}.*.ctl"):
            if each.is_symlink() and each.readlink() == Path(self._control.name):
                each.unlink(missing_ok=True)
