"""A bridge's own address and datapath id: the same as those of the real Open vSwitch."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Switch
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    not peers.AVAILABLE or os.geteuid() != 0, reason="needs Open vSwitch and root"
)

DEVICES = {
    "u0": "00:16:3e:aa:bb:cc",
    "u1": "00:16:3e:00:00:01",
    "u2": "f4:ce:46:00:00:01",
    "local": "02:00:00:00:00:01",
    "reserved": "00:e0:2b:00:00:00",
}
LINES = {
    "add-port bm u2": "f4:ce:46:00:00:01",
    "add-port bm local": "f4:ce:46:00:00:01",
    "add-port bm reserved": "f4:ce:46:00:00:01",
    "add-port bm u0": "00:16:3e:aa:bb:cc",
    "add-port bm u1": "00:16:3e:00:00:01",
    "set Bridge bm other_config:hwaddr=02:00:00:00:00:09": "02:00:00:00:00:09",
    "clear Bridge bm other_config": "00:16:3e:00:00:01",
    "del-port bm u1": "00:16:3e:aa:bb:cc",
    "del-port bm u0": "f4:ce:46:00:00:01",
}
"""What is done, one after another, and the address that the bridge has then."""


def shown(switch: Switch) -> tuple[str, str]:
    """The address, and the datapath id."""
    columns = "get Interface bm mac_in_use -- get Bridge bm datapath_id"
    address, identifier = switch.vsctl(columns).replace('"', "").split()
    return address, identifier


def until_it_shows(switch: Switch, address: str, when: str) -> None:
    """Wait for an address that fits the pattern, and the datapath id that follows from it."""

    def is_so() -> bool:
        found, identifier = shown(switch)
        is_its = identifier == "0000" + found.replace(":", "")
        return is_its and re.fullmatch(address, found) is not None

    until(is_so, f"{when}: {address}")


def test_the_same_address_as_open_vswitch_s(tmp_path: Path) -> None:
    for name in ("ours", "real"):
        (tmp_path / name).mkdir()
    with (
        peers.hotswitch(tmp_path / "ours") as ours,
        peers.open_vswitch(tmp_path / "real") as real,
    ):
        for switch in (ours, real):
            for name, address in DEVICES.items():
                switch.room.run("ip", "tuntap", "add", name, "mode", "tap")
                switch.room.run("ip", "link", "set", name, "address", address)
            switch.vsctl("add-br bm -- set Bridge bm datapath_type=netdev")
        for line, address in LINES.items():
            for switch in (real, ours):
                switch.vsctl(line)
                until_it_shows(switch, address, f"after {line}")
        for switch in (real, ours):
            for port in ("u2", "local", "reserved"):
                switch.vsctl(f"del-port bm {port}")
            until_it_shows(switch, "[0-9a-f][26ae]:.*", "without a port that lends it one")
