"""A bridge's own address with real devices: whose it is, and that it lasts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import REAL, Daemon
from tests.support.room import Room
from tests.support.wait import until

_LOCAL = re.compile(r"[0-9a-f][26ae](:[0-9a-f]{2}){5}")
"""Locally administered, and one station's."""


def _add_device(daemon: Daemon, name: str, address: str) -> None:
    words = ("link", "add", name, "address", address, "type", "veth", "peer", f"far-{name}")
    daemon.room.run("ip", *words)


def _address(daemon: Daemon, device: str = "br0") -> str:
    (link,) = json.loads(daemon.room.run("ip", "-json", "link", "show", device).stdout)
    return str(link["address"])


def _kill(daemon: Daemon) -> None:
    assert daemon.process
    daemon.process.kill()
    daemon.process.wait()


def _shut_down(daemon: Daemon) -> None:
    daemon.do("shutdown --stop-forwarding")
    assert daemon.process and daemon.process.wait(20) == 0


def _vsctl(daemon: Daemon, line: str) -> str:
    database = f"--db=unix:{daemon.run_dir}/db.sock"
    return daemon.room.run("ovs-vsctl", database, "--timeout=20", *line.split()).stdout.strip()


def test_it_is_its_device_s_and_lasts(daemon: Daemon) -> None:
    _add_device(daemon, "u0", "00:16:3e:aa:bb:cc")
    _add_device(daemon, "u1", "00:16:3e:00:00:01")
    daemon.do("bridge add br0")
    own = _address(daemon)
    assert _LOCAL.fullmatch(own)
    daemon.do("port add u0 bridge br0")
    assert _address(daemon) == "00:16:3e:aa:bb:cc"
    assert json.loads(_vsctl(daemon, "get Interface br0 mac_in_use")) == "00:16:3e:aa:bb:cc"
    assert json.loads(_vsctl(daemon, "get Bridge br0 datapath_id")) == "000000163eaabbcc"
    for end in (_kill, _shut_down):
        end(daemon)
        daemon.start()
        assert _address(daemon) == "00:16:3e:aa:bb:cc"
    daemon.do("port add u1 bridge br0")
    assert _address(daemon) == "00:16:3e:00:00:01"
    daemon.room.run("ip", "link", "set", "br0", "address", "02:00:00:00:00:05")
    until(lambda: _address(daemon) == "00:16:3e:00:00:01", "it is set back")
    daemon.room.run("ip", "link", "del", "u1")
    until(lambda: _address(daemon) == "00:16:3e:aa:bb:cc", "the device has gone")
    daemon.do("port del u0")
    assert _address(daemon) == own
    last = "000000000000" + "".join(own.split(":"))
    until(
        lambda: json.loads(_vsctl(daemon, "get Bridge br0 datapath_id")) == last[-16:], "so is it"
    )


@pytest.mark.parametrize("end", [_kill, _shut_down])
def test_addresses_of_their_own_last(daemon: Daemon, end: object) -> None:
    daemon.do("bridge add br0")
    daemon.do("port add host0 bridge br0 type internal")
    before = _address(daemon), _address(daemon, "host0")
    assert all(map(_LOCAL.fullmatch, before)) and len({*before}) == 2
    assert callable(end)
    end(daemon)
    daemon.start()
    assert (_address(daemon), _address(daemon, "host0")) == before


def test_packets_are_forwarded_while_it_changes(room: Room, tmp_path: Path) -> None:
    for number, name in enumerate(("anna", "ben")):
        room.add_host(name, f"tap{number}", f"10.0.0.{number + 1}/24")
    with Daemon(room, tmp_path / "run", kind=REAL) as daemon:
        daemon.do("bridge add br0")
        for number in (0, 1):
            daemon.do(f"port add tap{number} bridge br0")
        _add_device(daemon, "u0", "00:16:3e:aa:bb:cc")
        room.run("ping", "-c", "1", "-W", "5", "10.0.0.2", host="anna")
        before = _address(daemon)
        words = ("ping", "-q", "-c", "200", "-i", "0.01", "10.0.0.2")
        pinging = room.start(*words, host="anna", stdout=subprocess.PIPE)
        for _ in range(2):
            daemon.do("port add u0 bridge br0")
            assert _address(daemon) == "00:16:3e:aa:bb:cc"
            daemon.do("port del u0")
            assert _address(daemon) == before
        assert ", 0% packet loss" in pinging.communicate(timeout=20)[0]
