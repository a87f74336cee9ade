"""QEMU's own qemu-bridge-helper, asked as QEMU asks it: its tap is a port, and no longer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.facade_lab import SWITCH, FacadeLab, facade_lab
from tests.support import process
from tests.support.room import Room
from tests.support.wait import until

HELPER = Path("/usr/lib/qemu/qemu-bridge-helper")
MAC = "52:54:00:00:00:07"
_EMULATOR = """
import array, os, socket, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
helper = [sys.argv[1], "--use-vnet", "--br=br0", f"--fd={theirs.fileno()}"]
subprocess.run(helper, pass_fds=[theirs.fileno()], check=True)
_, told, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
tap = array.array("i", told[0][2])[0]
print("ready", flush=True)
mac = bytes.fromhex(sys.argv[2].replace(":", ""))
no_offload = bytes(10)
while True:
    frame = os.read(tap, 65536)[10:]
    # Who has 10.0.0.7? This one.
    if frame[12:14] == b"\\x08\\x06" and frame[38:42] == bytes([10, 0, 0, 7]):
        answer = frame[14:20] + b"\\x00\\x02" + mac + frame[38:42] + frame[22:32]
        os.write(tap, no_offload + frame[6:12] + mac + frame[12:14] + answer)
"""
_OWN_ETC = """
mkdir {folder}
mount -t tmpfs none {folder}
mkdir {folder}/top {folder}/work
mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/top,workdir={folder}/work /etc
mkdir -p /etc/qemu
echo allow br0 >/etc/qemu/bridge.conf
"""


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[FacadeLab]:
    if not HELPER.exists():
        pytest.skip("needs qemu-bridge-helper")
    with facade_lab(room, tmp_path) as made:
        yield made


def test_what_the_helper_makes_is_a_port_as_long_as_it_is_open(
    lab: FacadeLab, tmp_path: Path
) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0")
    lab.has("tap0")
    before = {each["ifname"] for each in lab.bridge("link")}
    program = tmp_path / "emulator.py"
    program.write_text(_EMULATOR)
    mount = _OWN_ETC.format(folder=tmp_path / "etc")
    emulator = lab.room.start(
        *("unshare", "--mount", "sh", "-ec"),
        f"{mount} exec {sys.executable} {program} {HELPER} {MAC}",
        host=SWITCH,
        stdout=subprocess.PIPE,
    )
    try:
        assert emulator.stdout and emulator.stdout.readline() == "ready\n"
        (tap,) = {each["ifname"] for each in lab.bridge("link")} - before
        lab.has("tap0", tap)
        # Nobody answers a ping, but the address is asked for and told.
        lab.room.run("ping", "-c", "1", "-W", "1", "10.0.0.7", host="anna", check=False)
        neighbours = lab.room.run("ip", "neigh", "show", "10.0.0.7", host="anna").stdout
        assert MAC in neighbours
    finally:
        process.stop(emulator)
    lab.has("tap0")
    assert lab.reaches("anna", SWITCH)
    until(lambda: tap not in lab.brctl("show br0"), "the tap has gone")
