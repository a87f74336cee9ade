"""libvirt's own daemon in a room, and virsh to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support import process
from tests.support.room import Room
from tests.support.wait import until

AVAILABLE = all(map(shutil.which, ("libvirtd", "virsh", "qemu-system-x86_64")))

_QEMU_CONF = """
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
_LIBVIRTD_CONF = """
unix_sock_dir = "/run/libvirt"
auth_unix_rw = "none"
"""
_USER = "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n"
_GROUP = "libvirt-qemu:x:64055:\n"
_STATE = ("/var/lib", "/var/log", "/var/cache")
_TOGETHER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c")
"""Domains end with the daemon, however it ends; the shell buries the dead."""
_HIDDEN = ("/dev/kvm", "/usr/bin/qemu-system-i386")
"""libvirtd would look for seconds what each of these can do."""


class Libvirt:
    """libvirtd with the files of its own that it needs; use it as a context manager.

    switch: where the switch's db.sock is, which libvirt reaches with its own ovs-vsctl.
    """

    def __init__(self, room: Room, folder: Path, switch: Path) -> None:
        self.room = room
        self.folder = folder
        self._log = folder / "libvirtd.log"
        self._environment = {**os.environ, "OVS_RUNDIR": str(switch), "HOME": str(folder)}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Libvirt:
        self._own_files()
        with self._log.open("w") as log:
            self._process = self.room.start(
                *_TOGETHER,
                "libvirtd; exit",
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        until(lambda: not self.try_virsh("version").returncode, "libvirtd answers", 30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            process.stop(self._process)

    @property
    def log(self) -> str:
        """What the daemon has complained of."""
        return self._log.read_text()

    def _own_files(self) -> None:
        settings = self.folder / "etc-libvirt"
        settings.mkdir()
        (settings / "qemu.conf").write_text(_QEMU_CONF)
        (settings / "libvirtd.conf").write_text(_LIBVIRTD_CONF)
        self.room.run("mount", "--bind", str(settings), "/etc/libvirt")
        for name, line in (("passwd", _USER), ("group", _GROUP)):
            own = self.folder / name
            own.write_text(Path("/etc", name).read_text() + line)
            self.room.run("mount", "--bind", str(own), f"/etc/{name}")
        for path in _STATE:
            self.room.run("mount", "-t", "tmpfs", "none", path)
            self.room.run("mkdir", f"{path}/libvirt")
        nothing = self.folder / "nothing"
        nothing.touch()
        for path in _HIDDEN:
            if Path(path).exists():
                self.room.run("mount", "--bind", str(nothing), path)
                # Read-only: even root can't write it then, which is what libvirt looks at.
                self.room.run("mount", "-o", "remount,bind,ro", path)

    def try_virsh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run virsh, however it ends."""
        connect = "qemu+unix:///system?socket=/run/libvirt/libvirt-sock"
        return self.room.run("virsh", "--connect", connect, *words, check=False)

    def virsh(self, *words: str) -> str:
        """Run virsh, which must succeed; what it printed."""
        done = self.try_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.log)
        return done.stdout.strip()
