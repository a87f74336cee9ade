"""A daemon below `ip netns exec`, with nobody above it whose mounts it may see."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

_PREPARE = (
    "mount -t tmpfs none /run && mkdir /run/netns && umount -a -t bpf && ip netns add switch && "
    "echo ready && exec sleep infinity"
)
_ALONE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_LESS = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
_IN_PARENT = "/proc/{}/task/{}/children"


class HiddenRoom(Room):
    """A room with processes of its own, whose process 1 has a privilege more than all others.

    There is no bpffs in it, and what runs in it runs below `ip netns exec`, without a parent.
    """

    def __init__(self) -> None:
        self._holder = process.start(
            [*_ALONE, "sh", "-c", _PREPARE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stdout.readline() == "ready\n"
        pid = self._holder.pid
        self._first = Path(_IN_PARENT.format(pid, pid)).read_text().split()[0]
        # Somebody whose mounts may be seen; whether there is anybody is tested with `pins` itself.
        self._other = process.start(self.outside(*_LESS, "sleep", "infinity"))

    def __exit__(self, *why: Any) -> None:
        process.stop(self._other)
        super().__exit__(*why)

    def outside(self, *command: str) -> list[str]:
        """The command line for what sees the room's own mounts."""
        return ["nsenter", f"--target={self._first}", "--mount", "--net", "--pid", *command]

    def command(self, *command: str, host: str = "") -> list[str]:
        return self.outside(*_LESS, "ip", "netns", "exec", host or "switch", *command)


def pings(room: Room) -> bool:
    words = ("ping", "-c", "3", "-i", "0.01", "-W", "1", "10.0.0.2")
    return room.run(*words, host="h1", check=False).returncode == 0


def test_forwarding_outlives_it_and_is_taken_over(tmp_path: Path) -> None:
    with HiddenRoom() as room, Daemon(room, tmp_path / "run") as daemon:
        for name in ("h1", "h2"):
            subprocess.run(room.outside("ip", "netns", "add", name), check=True)
        daemon.do("bridge add br0")
        for number in (1, 2):
            room.run("ip", "link", "add", f"p{number}", "type", "veth", "peer", f"e{number}")
            host = ("ip", "-n", f"h{number}")
            for line in (
                ("ip", "link", "set", f"e{number}", "netns", f"h{number}"),
                (*host, "address", "add", f"10.0.0.{number}/24", "dev", f"e{number}"),
                (*host, "link", "set", f"e{number}", "up"),
            ):
                room.run(*line)
            daemon.do(f"port add p{number} bridge br0")
        until(lambda: pings(room), "it forwards")
        pid = (daemon.run_dir / "hotswitchd.pid").read_text().strip()
        subprocess.run(room.outside("kill", "-KILL", pid), check=True)
        assert daemon.process
        daemon.process.wait()
        assert pings(room)
        daemon.start()
        assert [each["state"] for each in daemon.ask("port list")[1:]] == ["forwarding"] * 2
        assert pings(room)
        daemon.do("shutdown --stop-forwarding")
        assert not pings(room)
    assert "mounted one at /proc/self/fd/" in daemon.log and "takes over" in daemon.log
