"""libvirt's guests leave no port behind, also if nobody is left to say goodbye."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients import libvirt, peers
from tests.clients.domain import interface, xml
from tests.clients.libvirt import Libvirt
from tests.support.daemon import REFERENCE, Daemon
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not libvirt.AVAILABLE or not peers.AVAILABLE,
    reason="needs root, libvirt and ovs-vsctl",
)

_UUIDS = [f"5b8c6f0e-0000-4000-8000-00000000000{number}" for number in (1, 2)]
_MACS = [f"52:54:00:00:00:0{number}" for number in (1, 2)]


def _start(daemon: Libvirt, folder: Path, number: int) -> None:
    """Start a guest, which stays before its first instruction."""
    file = folder / f"guest{number}.xml"
    file.write_text(xml(f"guest{number}", _UUIDS[number], interface(_MACS[number])))
    daemon.virsh("create", "--paused", str(file))


def test_without_goodbye(tmp_path: Path) -> None:
    """libvirtd and its guest are killed; the next guest has the same tap name."""
    folders = [tmp_path / f"libvirt{number}" for number in (0, 1)]
    for folder in folders:
        folder.mkdir()
    run_dir = tmp_path / "run"
    with Room() as room, Daemon(room, run_dir, kind=REFERENCE) as switch:

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            line = ("ovs-vsctl", "--timeout=20", f"--db=unix:{run_dir / 'db.sock'}", *words)
            return room.run(*line, check=False)

        def succeeds(*words: str) -> bool:
            return run(*words).returncode == 0

        def vsctl(*words: str) -> str:
            done = run(*words)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        vsctl("add-br", "br0")
        vsctl("set", "Bridge", "br0", "other_config:default-lifecycle=ephemeral")
        with Libvirt(room, folders[0], run_dir) as daemon:
            _start(daemon, tmp_path, 0)
            assert (
                vsctl("get", "Interface", "vnet0", "external_ids:attached-mac") == f'"{_MACS[0]}"'
            )
            known = switch.ask("port show vnet0")["incarnation"]
            row = vsctl("get", "Port", "vnet0", "_uuid")
        # Here both have been killed.
        until(lambda: not vsctl("list-ports", "br0"), "no port is left over")
        assert "vnet0" not in kept(run_dir).bridges["br0"].ports
        with Libvirt(room, folders[1], run_dir) as daemon:
            _start(daemon, tmp_path, 1)
            late = f"port del vnet0 --incarnation {known}"
            assert f"the device of port vnet0 is not {known} any more" in switch.refuse(late)
            same = ("wait-until", "Interface", "vnet0", f'status:incarnation="{known}"')
            assert not succeeds("--timeout=1", *same, "--", "del-port", "vnet0")
            assert succeeds("remove", "Bridge", "br0", "ports", row)
            assert vsctl("list-ports", "br0") == "vnet0"
            assert (
                vsctl("get", "Interface", "vnet0", "external_ids:attached-mac") == f'"{_MACS[1]}"'
            )
            assert switch.ask("port show vnet0")["state"] == "forwarding"
            daemon.virsh("destroy", "guest1")
            assert not vsctl("list-ports", "br0")


def test_a_guest_in_a_facade(tmp_path: Path) -> None:
    """libvirt takes the facade for the Linux bridge that it is, and knows nothing of ports."""
    folder, run_dir = tmp_path / "libvirt", tmp_path / "run"
    folder.mkdir()
    with Room() as room, Daemon(room, run_dir) as switch:
        room.run("ip", "link", "add", "br0", "type", "bridge")
        room.run("ip", "link", "set", "br0", "up")
        switch.do("bridge add hs0 facade br0")
        guest = tmp_path / "guest.xml"
        guest.write_text(xml("guest1", _UUIDS[1], interface(_MACS[1], port="")))

        def ports() -> set[str]:
            return {port["name"] for port in switch.ask("port list")}

        with Libvirt(room, folder, run_dir) as daemon:
            daemon.virsh("create", "--paused", str(guest))
            until(lambda: ports() == {"hs0", "vnet0"}, "its tap is a port")
            until(lambda: _state(switch, "vnet0") == "forwarding", "it forwards")
            assert "vnet0" in room.run("brctl", "show", "br0").stdout
            daemon.virsh("destroy", "guest1")
            until(lambda: ports() == {"hs0"}, "the port is gone")
            daemon.virsh("create", "--paused", str(guest))
            until(lambda: len(ports()) == 2, "its next tap is a port")
        until(lambda: ports() == {"hs0"}, "nor is a port left when both have been killed")


def _state(switch: Daemon, port: str) -> str:
    return str(switch.ask(f"port show {port}")["state"])
