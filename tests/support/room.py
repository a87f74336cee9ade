"""A room: a world of its own for a test, which is gone when its one process is.

It has its own network and mount namespaces, an empty /run and its own bpffs. Network namespaces,
devices and pins in it vanish with its last process, and those die with the test, however it ends.
"""

from __future__ import annotations

import subprocess
from typing import Any

from tests.support import process

_PREPARE = (
    "mount -t tmpfs none /run && mkdir /run/netns && mount -t bpf none /sys/fs/bpf "
    "&& ip link set lo up && echo ready && exec sleep infinity"
)


class Room:
    """Use it as a context manager."""

    def __init__(self) -> None:
        self._holder = process.start(
            ["unshare", "--mount", "--net", "sh", "-c", _PREPARE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stderr
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"no room: {self._holder.stderr.read()}")

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        process.stop(self._holder)

    @property
    def pid(self) -> int:
        """The process whose network namespace is the room's."""
        return self._holder.pid

    def command(self, *command: str, host: str = "") -> list[str]:
        """The command that runs `command` in the room, in its network namespace `host`."""
        enter = ["nsenter", f"--target={self._holder.pid}", "--mount", "--net"]
        if host:
            return [*enter, "ip", "netns", "exec", host, *command]
        return [*enter, *command]

    def start(self, *command: str, host: str = "", **options: Any) -> subprocess.Popen[str]:
        """Start a command in the room."""
        return process.start(self.command(*command, host=host), **options)

    def run(
        self, *command: str, host: str = "", check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the room and wait for it."""
        done = subprocess.run(
            self.command(*command, host=host),
            text=True,
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stderr}")
        return done

    def add_host(self, name: str, device: str, address: str, vlan: int = 0) -> None:
        """A network namespace with one link, eth0, whose other end is `device` in the room.

        With `vlan` the address is on a VLAN device on top.
        """
        self.run("ip", "netns", "add", name)
        self.run("ip", "link", "add", device, "type", "veth", "peer", "eth0", "netns", name)
        self.run("ip", "link", "set", device, "up")
        commands = [["link", "set", "lo", "up"], ["link", "set", "eth0", "up"]]
        top = "eth0"
        if vlan:
            top = f"eth0.{vlan}"
            commands.append(
                ["link", "add", "link", "eth0", "name", top, "type", "vlan", "id", str(vlan)]
            )
            commands.append(["link", "set", top, "up"])
        commands.append(["address", "add", address, "dev", top])
        for words in commands:
            self.run("ip", *words, host=name)
