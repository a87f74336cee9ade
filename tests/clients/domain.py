"""Domains for libvirt: their XML, and a guest that is up in seconds."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.older_kernel.machine import make_initial
from tests.support.debian_kernel import Kernel
from tests.support.wait import until

_UP = "the guest is up"

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
while read module; do insmod /modules/$module; done </modules/order
ip link set eth0 up
ip address add ADDRESS dev eth0
echo UP
read word
poweroff -f
"""


def interface(
    mac: str, bridge: str = "br0", more: str = "", port: str = "<virtualport type='openvswitch'/>"
) -> str:
    """An interface that is a port of a bridge. more: what else is in its element."""
    return (
        f"<interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/>{port}{more}"
        "<model type='virtio'/><rom enabled='no'/></interface>"
    )


def xml(name: str, uuid: str, interfaces: str, boot: str = "", devices: str = "") -> str:
    """A small machine without KVM. boot: what is in `os` beside the type."""
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid>"
        "<memory unit='MiB'>128</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os><features><acpi/></features>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{interfaces}{devices}"
        "<memballoon model='none'/></devices></domain>"
    )


class Guest:
    """A guest with an address on eth0 that powers itself off when told to."""

    def __init__(self, folder: Path, kernel: Kernel, address: str) -> None:
        initial = folder / "initial"
        init = _INIT.replace("ADDRESS", address).replace("UP", _UP)
        make_initial(initial, kernel, {"init": init})
        self._console = folder / "console"
        self._socket = socket.socket(socket.AF_UNIX)
        self._said = b""
        self.boot = (
            f"<kernel>{kernel.image}</kernel><initrd>{initial}</initrd><cmdline>console=ttyS0 "
            "quiet panic=-1 mitigations=off no_timer_check</cmdline>"
        )
        self.devices = f"<serial type='unix'><source mode='bind' path='{self._console}'/></serial>"

    def wait(self) -> None:
        """Return when it is up."""
        self._socket.connect(str(self._console))
        self._socket.setblocking(False)
        until(self._is_up, "the guest is up", 60)

    def _is_up(self) -> bool:
        try:
            self._said += self._socket.recv(1 << 16)
        except BlockingIOError:
            return False
        return _UP.encode() in self._said

    def power_off(self) -> None:
        """Have it end itself."""
        self._socket.sendall(b"\n")

    def close(self) -> None:
        self._socket.close()
