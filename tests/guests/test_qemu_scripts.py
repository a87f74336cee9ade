"""hotswitch-ifup and hotswitch-ifdown, called by QEMU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guests.bare import Bare, netdev
from tests.guests.programs import install
from tests.support.daemon import REFERENCE, Daemon
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("qemu-system-x86_64"), reason="needs root and QEMU"
)


class Host:
    """A switch with a bridge, and the scripts."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.room = daemon.room
        self.folder = folder
        self.up, self.down = install(folder, "hotswitch-ifup", "hotswitch-ifdown").values()

    def qemu(self, scripts: str, bridge: str = "") -> Bare:
        environment = {"HOTSWITCH_RUN_DIR": str(self.daemon.run_dir)}
        if bridge:
            environment["HOTSWITCH_BRIDGE"] = bridge
        return Bare(self.room, scripts, environment)

    def port(self, name: str) -> Any:
        """The port, or nothing."""
        return next((each for each in self.daemon.ask("port list") if each["name"] == name), None)

    def index(self, device: str) -> int:
        found = self.room.run("cat", f"/sys/class/net/{device}/ifindex", check=False)
        return int(found.stdout or 0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Room() as room, Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        # /sys shows the devices of the namespace that it was mounted in.
        room.run("mount", "-t", "sysfs", "none", "/sys")
        daemon.do("bridge add br0")
        yield Host(daemon, tmp_path)


@pytest.mark.parametrize(
    ("suffix", "variable", "expected"),
    [
        ("", "", ("br0", None, [], None)),
        ("", "br0.10", ("br0", 10, [], None)),
        (".br0:20:30", "br9", ("br0", None, [20, 30], None)),
        (".br0.10:20", "", ("br0", 10, [20], "native-untagged")),
    ],
)
def test_the_bridge_is_named(
    host: Host, suffix: str, variable: str, expected: tuple[object, ...]
) -> None:
    """By the program's name, else by the environment, else it is the only one."""
    up = host.folder / f"hotswitch-ifup{suffix}"
    if suffix:
        up.symlink_to(host.up)
    with host.qemu(netdev("tap7", up), variable) as qemu:
        assert not qemu.failure
        port = host.port("tap7")
        assert tuple(port[each] for each in ("bridge", "tag", "trunks", "mode")) == expected
        assert port["lifecycle"] == "ephemeral"
        assert port["ifindex"] > 0 and port["state"] == "forwarding"
        qemu.kill()
        until(lambda: host.port("tap7") is None, "the port goes with the tap")
    until(lambda: "tap7" not in kept(host.daemon.run_dir).bridges["br0"].ports, "nor is it kept")


def test_two_interfaces_in_two_bridges(host: Host) -> None:
    host.daemon.do("bridge add br1")
    for bridge in ("br0", "br1"):
        (host.folder / f"qemu-ifup.{bridge}").symlink_to(host.up)
    second = netdev("tap8", host.folder / "qemu-ifup.br1")
    first = netdev("tap7", host.folder / "qemu-ifup.br0")
    with host.qemu(first) as one, host.qemu(second) as other:
        assert not one.failure and not other.failure
        assert host.port("tap7")["bridge"] == "br0" and host.port("tap8")["bridge"] == "br1"


def test_no_guest_without_its_port(host: Host) -> None:
    """QEMU does not start, one line says why, and nothing has changed."""
    host.daemon.do("bridge add br1")
    host.room.run("ip", "tuntap", "add", "tap6", "mode", "tap")
    host.daemon.do("port add tap6 bridge br1")
    before = kept(host.daemon.run_dir)

    def refused(tap: str, bridge: str) -> str:
        with host.qemu(netdev(tap, host.up), bridge) as qemu:
            first, second = qemu.failure.splitlines()
        assert "network script" in second and first.startswith("hotswitch-ifup: ")
        return first

    assert "no bridge is named (set HOTSWITCH_BRIDGE: br0, br1)" in refused("tap7", "")
    assert "no bridge br9" in refused("tap7", "br9")
    assert "no VLAN 5000" in refused("tap7", "br0.5000")
    assert "'br 0' names no bridge" in refused("tap7", "br 0")
    assert "tap6 is a port of bridge br1" in refused("tap6", "br0")
    assert kept(host.daemon.run_dir) == before
    host.daemon.do("shutdown")
    assert "no daemon answers" in refused("tap7", "br0")


def test_what_a_person_has_configured_stays(host: Host) -> None:
    host.daemon.do("port add tap7 bridge br0 tag 10 --absent-ok lifecycle static")
    with host.qemu(netdev("tap7", host.up)) as qemu:
        assert not qemu.failure
        assert host.port("tap7")["state"] == "forwarding"
        qemu.kill()
    until(lambda: host.port("tap7")["ifindex"] == 0, "the tap is gone")
    assert host.port("tap7")["tag"] == 10


def test_a_script_and_a_rule_must_not_contradict_each_other(host: Host) -> None:
    done = host.daemon.hotswitch("bridge", "set", "br0", "adopt", "tap* tag=5")
    assert done.returncode == 0
    # Made before, so that it is a port already when the script asks.
    host.room.run("ip", "tuntap", "add", "tap7", "mode", "tap")
    until(lambda: host.port("tap7"), "it is adopted")
    with host.qemu(netdev("tap7", host.up), "br0.10") as qemu:
        expected = "hotswitch-ifup: port tap7 is there already, with tag 5 and not with tag 10"
        assert qemu.failure.startswith(expected)
    for place in ("br0", "br0.5"):
        with host.qemu(netdev("tap7", host.up), place) as qemu:
            assert not qemu.failure
    assert host.port("tap7")["tag"] == 5


def test_the_same_name_again_at_once(host: Host) -> None:
    """Each guest has its port, whatever the daemon knew when the script asked."""
    for _ in range(8):
        with host.qemu(netdev("tap7", host.up)) as qemu:
            assert not qemu.failure
            assert host.port("tap7")["ifindex"] == host.index("tap7")
            qemu.kill()
    until(lambda: host.port("tap7") is None, "the last one's port is gone")


def test_goodbye(host: Host) -> None:
    """A tap that outlives QEMU, and was renamed meanwhile, is no port any more."""
    host.room.run("ip", "tuntap", "add", "tap7", "mode", "tap")
    with host.qemu(netdev("tap7", host.up, host.down)) as qemu:
        assert not qemu.failure
        host.room.run("ip", "link", "set", "tap7", "name", "web0")
        until(lambda: host.port("tap7")["link"] == "web0", "the port follows")
        assert "hotswitch" not in qemu.quit()
    assert host.port("tap7") is None
    assert host.index("web0")


def test_a_port_that_is_not_to_go_stays(host: Host) -> None:
    host.room.run("ip", "tuntap", "add", "tap7", "mode", "tap")
    host.daemon.do("port add tap7 bridge br0 tag 8")
    with host.qemu(netdev("tap7", host.up, host.down)) as qemu:
        assert not qemu.failure
        assert "hotswitch" not in qemu.quit()
    assert host.port("tap7")["tag"] == 8


def test_a_late_goodbye_does_not_hit_the_next_guest(host: Host) -> None:
    here = host.folder
    late = here / "late-ifdown"
    late.write_text(
        f"#!/bin/sh\necho >{here}/begun\nwhile [ ! -e {here}/go ]; do sleep 0.02; done\n"
        f'{host.down} "$1" 2>{here}/said; echo $? >{here}/ended\n'
    )
    late.chmod(0o755)
    try:
        with host.qemu(netdev("tap7", host.up, late)) as qemu:
            qemu.tell_to_quit()
            until((here / "begun").exists, "the script has begun")
            qemu.kill()
        host.room.run("ip", "link", "del", "tap7")
        with host.qemu(netdev("tap7", host.up)) as qemu:
            assert not qemu.failure
            before = host.port("tap7")
            (here / "go").touch()
            until((here / "ended").exists, "the late script has ended")
            assert (here / "ended").read_text() == "0\n" and not (here / "said").read_text()
            after = host.port("tap7")
            assert after["incarnation"] == before["incarnation"] and after["ifindex"]
    finally:
        (here / "go").touch()


def test_only_qemu_says_goodbye(host: Host) -> None:
    host.room.run("ip", "tuntap", "add", "tap7", "mode", "tap")
    host.daemon.do("port add tap7 bridge br0")
    environment = f"HOTSWITCH_RUN_DIR={host.daemon.run_dir}"
    done = host.room.run("env", environment, str(host.down), "tap7", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("hotswitch-ifdown: leaves port tap7 alone")
    assert done.stderr.count("\n") == 1
    assert host.port("tap7")
    assert host.room.run(str(host.up), check=False).stderr.startswith("usage: hotswitch-ifup TAP")
