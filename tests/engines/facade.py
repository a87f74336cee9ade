"""A Linux bridge that is a facade: its slaves are ports, and its own device is the host's port."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns
from hotswitch.kernel.links import OperationalState, get_link
from hotswitch.model.port import Hook, Side
from tests.engines.fixture import read_entry
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.support.wait import until

REGISTRY = standard_registry()
HOST = 3
LEARNING = (
    "0 1 any learn:vlan.vid,lookup:vlan.vid->reg1,goto:1",
    "1 5 reg1=0 outputs:1+2+3",
    *(f"1 5 reg1={number} output:{number}" for number in (1, 2, 3)),
)
MACS = {1: "02:00:00:00:00:01", 2: "02:00:00:00:00:02", HOST: "02:00:00:00:00:03"}
_numbers = itertools.count()


def run(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


class Facade:
    """The bridge br0 in this thread's namespace; guests 1 and 2 with eth0 in theirs."""

    def __init__(self, cleanup: ExitStack, hook: Hook) -> None:
        self.name = f"facade{os.getpid()}x{next(_numbers)}"
        self.guests = {number: f"{self.name}g{number}" for number in (1, 2)}
        for each in (self.name, *self.guests.values()):
            netns.create(each)
            cleanup.callback(netns.delete, each)
        cleanup.enter_context(netns.inside(self.name))
        for each in (1, 2, HOST):
            with netns.inside(self.namespace(each)):
                # The kernel's own frames would be in the way.
                for which in ("default", "all"):
                    Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
        run(f"ip link add br0 address {MACS[HOST]} type bridge mcast_snooping 0")
        for number, guest in self.guests.items():
            run(f"ip link add v{number} type veth peer name eth0 netns {guest}")
            run(f"ip link set v{number} master br0")
        self.live()
        cleanup.callback(lambda: self.datapath.destroy())
        self.put(*LEARNING)
        for name in ("v1", "v2"):
            self.datapath.add_port(name, ifindex=socket.if_nametoindex(name), hook=hook)
        self.bridge = socket.if_nametoindex("br0")
        self.datapath.add_port("br0", number=HOST, ifindex=self.bridge, side=Side.HOST)
        for name in ("v1", "v2"):
            run(f"ip link set {name} up")
        for number, guest in self.guests.items():
            self._addresses(f"ip -n {guest}", "eth0", number)
        self._addresses("ip", "br0", HOST)
        for name in ("v1", "v2", "br0"):
            until(lambda name=name: _is_up(name), f"{name} is up")  # type: ignore[misc]

    def live(self) -> None:
        """Take over what there is."""
        engine = kernel_engine(self.name, REGISTRY, self.name, 1024)
        self.datapath = EntryDatapath(self.name, REGISTRY, engine)

    def _addresses(self, ip: str, device: str, number: int) -> None:
        run(f"{ip} link set {device} address {MACS[number]} up")
        run(f"{ip} address add 10.0.0.{number}/24 dev {device}")

    def put(self, *texts: str) -> None:
        self.datapath.change([PutEntry(read_entry(REGISTRY, text)) for text in texts])

    def namespace(self, number: int) -> str:
        return self.name if number == HOST else self.guests[number]

    def add_vlan(self, vlan: int) -> None:
        """A device for a VLAN on top of each, with an address in 10.0.VLAN.0/24."""
        for number in (*self.guests, HOST):
            with netns.inside(self.namespace(number)):
                device = "br0" if number == HOST else "eth0"
                run(f"ip link add {device}.{vlan} link {device} type vlan id {vlan}")
                run(f"ip address add 10.0.{vlan}.{number}/24 dev {device}.{vlan}")
                run(f"ip link set {device}.{vlan} up")

    def ping(self, source: int, target: int, net: int = 0) -> None:
        """Three times, without loss or duplicates (ping says DUP!)."""
        command = f"ip netns exec {self.namespace(source)} ping -c 3 -i 0.05 -W 3"
        said = run(f"{command} 10.0.{net}.{target}")
        assert "3 packets transmitted, 3 received, 0% packet loss" in said
        assert "DUP" not in said

    def is_promoted(self) -> bool:
        """A tcx link takes what the host sends."""
        return takes_by_tcx(self.bridge, egress=True)

    def check_bridge(self) -> None:
        """The bridge has neither seen a frame nor sent one."""
        rows = json.loads(run("bridge -j fdb show br br0"))
        assert rows
        assert all(row.get("state") == "permanent" for row in rows), rows
        (link,) = json.loads(run("ip -j -s link show br0"))
        assert link["stats64"]["rx"]["packets"] == link["stats64"]["tx"]["packets"] == 0


def _is_up(name: str) -> bool:
    link = get_link(name)
    return link is not None and link.state is OperationalState.UP
