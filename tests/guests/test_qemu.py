"""QEMU's guests become ports, and leave none behind."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guests.machine import Machine
from tests.guests.programs import install
from tests.support.daemon import Daemon
from tests.support.debian_kernel import Kernel
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("qemu-system-x86_64"), reason="needs root and QEMU"
)

_MIB = 1 << 20


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Room() as room, Daemon(room, tmp_path / "run") as daemon:
        daemon.do("bridge add br0")
        room.add_host("anna", "anna0", "10.0.0.1/24")
        daemon.do("port add anna0 bridge br0")
        yield daemon


def _ports(daemon: Daemon) -> dict[str, Any]:
    return {each["name"]: each for each in daemon.ask("port list") if each["type"] == "system"}


def _serve(room: Room, folder: Path) -> str:
    """Have anna serve a file of 1 MiB; its digest."""
    folder.mkdir()
    content = random.Random(4).randbytes(_MIB)
    (folder / "file").write_bytes(content)
    words = ("-m", "http.server", "--bind", "10.0.0.1", "--directory", str(folder), "8000")
    with (folder.parent / "http.log").open("w") as log:
        room.start(sys.executable, *words, host="anna", stdout=log, stderr=log)
    return hashlib.md5(content).hexdigest()


def _joins(guest: Machine) -> None:
    """It gets its address and reaches anna."""
    guest.do("ip link set eth0 up && ip address add 10.0.0.9/24 dev eth0")
    until(lambda: guest.run("ping -c 1 -W 1 10.0.0.1")[0] == 0, "the guest reaches anna", 20)


@pytest.mark.parametrize("way", ["scripts", "adoption"])
def test_the_life_of_a_guest(daemon: Daemon, tmp_path: Path, kernel: Kernel, way: str) -> None:
    """It pulls a file, has its interface unplugged and plugged again, and is killed."""
    digest = _serve(daemon.room, tmp_path / "served")
    scripts = install(tmp_path, "hotswitch-ifup", "hotswitch-ifdown")
    up, down = (str(each) for each in scripts.values()) if way == "scripts" else ("no", "no")
    if way == "adoption":
        daemon.do("bridge set br0 adopt tap*")
    with Machine(
        daemon.room,
        tmp_path / "guest",
        kernel,
        f"tap,id=n0,ifname=tap7,script={up},downscript={down}",
        HOTSWITCH_BRIDGE="br0",
        HOTSWITCH_RUN_DIR=str(daemon.run_dir),
    ) as guest:
        until(lambda: _forwards(daemon, "tap7"), "the tap is a port")
        assert _ports(daemon)["tap7"]["lifecycle"] == "ephemeral"
        first = _ports(daemon)["tap7"]["incarnation"]
        guest.wait()
        _joins(guest)
        assert digest in guest.do("wget -q -O - http://10.0.0.1:8000/file | md5sum")
        guest.unplug("nic0")
        assert _forwards(daemon, "tap7")
        guest.ask("netdev_del", {"id": "n0"})
        until(lambda: set(_ports(daemon)) == {"anna0"}, "the port is gone")
        backend = {"type": "tap", "id": "n1", "ifname": "tap7", "script": up, "downscript": down}
        guest.ask("netdev_add", backend)
        card = {"driver": "virtio-net-pci", "netdev": "n1", "id": "nic1", "romfile": ""}
        guest.ask("device_add", card)
        until(lambda: guest.run("ip link show eth0")[0] == 0, "the guest sees it again")
        _joins(guest)
        assert _ports(daemon)["tap7"]["incarnation"] != first
        guest.kill()
        until(lambda: set(_ports(daemon)) == {"anna0"}, "no port is left over")
        assert not guest.log
    until(lambda: "tap7" not in kept(daemon.run_dir).bridges["br0"].ports, "nor is it kept")


def _forwards(daemon: Daemon, name: str) -> bool:
    return name in _ports(daemon) and _ports(daemon)[name]["state"] == "forwarding"
