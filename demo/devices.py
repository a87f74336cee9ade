"""Devices that come, go, are renamed and take over from each other: the ports are never stale."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from demo import lab, traffic
from demo.telling import do, expect, link, note, say, show

_PATIENCE = 10.0


def tell() -> None:
    """All of it; the bridge br0 is there, with anna and ben in VLAN 10."""
    say("A device comes and goes, and its port with it: the bridge adopts what is called vm*")
    do("bridge set br0 adopt", "vm* tag=10")
    lab.add_host("dora", "vm7", "10.0.0.4/24")
    expect(_reaches("10.0.0.4"), "anna pings dora, whose port nobody has added", "she answers")
    incarnation = _port("vm7")["incarnation"]
    lab.run("ip", "netns", "del", "dora")
    _until(lambda: "vm7" not in _ports())
    note("dora is gone, and so is her port")

    say("Its name is used again, and a late clean-up for the old one comes")
    lab.add_host("emil", "vm7", "10.0.0.5/24")
    expect(_reaches("10.0.0.5"), "anna pings emil", "he answers")
    refused = lab.hotswitch_refuses("port", "del", "vm7", "--incarnation", incarnation)
    note(f"$ hotswitch port del vm7 --incarnation {incarnation}")
    note(refused)
    expect(_reaches("10.0.0.5"), "anna pings emil", "he still answers")

    say("ben's device is renamed under traffic")
    with traffic.between("anna", "ben", "10.0.0.2", 2.0) as flow:
        for number, (old, new) in enumerate(pairwise(("tap1", "web", "db", "cache")), 1):
            flow.wait_for(number / 4)
            link(f"set {old} name {new}")
    _until(lambda: _port("tap1")["link"] == "cache")
    note("the port is still called tap1; its device is called cache, and tap1 as well")

    say("A guest's two devices are one port: em7 until its drivers have loaded, then pv7")
    do("bridge set br0 adopt", "em{guest}+pv{guest} tag=10")
    _add_guest()
    with traffic.between("anna", "guest", "10.0.0.6", 2.0) as flow:
        flow.wait_for(0.5)
        lab.run("ip", "-n", "guest", "link", "set", "eth1", "up")
        note("the guest's drivers have loaded: pv7 comes up")
    _until(lambda: _port("em7")["link"] == "pv7")
    show("port show em7")

    say("A Linux bridge as a facade: what knows only Linux bridges works on hotswitch")
    lab.add_host("gina", "eth7", "10.0.9.1/24")
    lab.add_host("hans", "eth8", "10.0.9.2/24")
    for words in ("add lan type bridge", "set lan up"):
        link(words)
    do("bridge add br9 facade lan")
    for device in ("eth7", "eth8"):
        note(f"$ brctl addif lan {device}")
        lab.at(lab.SWITCH, "brctl", "addif", "lan", device)
    _until(lambda: {"eth7", "eth8"} <= _ports().keys())
    expect(_ping("gina", "10.0.9.2"), "gina pings hans", "he answers")
    show("port list bridge br9")


def _add_guest() -> None:
    """One address at two links, as a guest's emulated and paravirtual device have it."""
    lab.add_host("guest", "em7", "10.0.0.6/24")
    lab.add_link("guest", "pv7", "eth1")
    lab.run("ip", "-n", "guest", "link", "set", "eth1", "down")
    mac = json.loads(lab.run("ip", "-n", "guest", "-json", "link", "show", "eth0").stdout)
    lab.run("ip", "-n", "guest", "link", "set", "eth1", "address", mac[0]["address"])
    _until(lambda: "em7" in _ports())
    expect(_reaches("10.0.0.6"), "anna pings the guest, at em7", "it answers")


def _ports() -> dict[str, Any]:
    return {port["name"]: port for port in json.loads(lab.hotswitch("--json", "port", "list"))}


def _port(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _ports()[name]
    return found


def _reaches(address: str) -> bool:
    # Who came anew has another Ethernet address.
    lab.at("anna", "ip", "neigh", "flush", "all")
    return _ping("anna", address)


def _ping(host: str, address: str) -> bool:
    command = ["ping", "-c", "3", "-i", "0.2", "-W", "1", "-w", "3", address]
    return lab.at(host, *command, check=False).returncode == 0


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not look():
        if time.monotonic() > deadline:
            raise RuntimeError("the ports are not as they should be")
        time.sleep(0.02)
