"""What a tutorial of Open vSwitch has its reader type, up to OpenFlow, and what then is reached.

The same commands and the same packets go through hotswitch and through the real Open vSwitch.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import combinations
from pathlib import Path

import pytest

from tests.clients import peers
from tests.clients.peers import Switch
from tests.support.daemon import REAL
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not peers.AVAILABLE, reason="needs root and Open vSwitch's programs"
)

_HOSTS = ("anna", "ben", "carla", "dora")
_HERE = ""
"""The switch's own namespace, where internal ports are."""


class Lab:
    """Four hosts with a device each at the switch, named as they are."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.do = switch.vsctl
        self._addresses: dict[str, str] = {}
        for number, name in enumerate(_HOSTS, 1):
            self._addresses[name] = f"10.0.0.{number}"
            switch.room.add_host(name, name, f"10.0.0.{number}/24")
        for bridge in ("br0", "br1"):
            self.do(f"add-br {bridge} -- set Bridge {bridge} datapath_type=netdev")

    def give_address(self, device: str, number: int) -> None:
        """Put an address on a device of the switch's namespace."""
        for words in (["address", "add", f"10.0.0.{number}/24", "dev"], ["link", "set", "up"]):
            self.switch.room.run("ip", *words, device)
        self._addresses[_HERE] = f"10.0.0.{number}"

    def _start_ping(self, source: str, target: str) -> subprocess.Popen[str]:
        flush = ("ip", "neigh", "flush", "all", "nud", "all")
        self.switch.room.run(*flush, host=source, check=False)
        ping = ("ping", "-c", "1", "-W", "0.4", self._addresses[target])
        return self.switch.room.start(*ping, host=source, stdout=subprocess.DEVNULL)

    def reach(self, *expected: str) -> None:
        """Just these pairs of hosts (`anna-ben`) reach each other."""
        names = sorted(self._addresses)

        def found() -> set[str]:
            pings = {f"{a}-{b}": self._start_ping(a, b) for a, b in combinations(names, 2)}
            return {pair for pair, running in pings.items() if running.wait(30) == 0}

        until(lambda: found() == set(expected), f"these reach each other: {expected}", 15)


def _ours(folder: Path) -> AbstractContextManager[Switch]:
    return peers.hotswitch(folder, REAL)


@pytest.fixture(params=[_ours, peers.open_vswitch], ids=["hotswitch", "open_vswitch"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    make: Callable[[Path], AbstractContextManager[Switch]] = request.param
    with make(tmp_path) as switch:
        yield Lab(switch)


def test_vlans_isolate_hosts(lab: Lab) -> None:
    for name, tag in zip(_HOSTS, (100, 100, 200, 200), strict=True):
        lab.do(f"add-port br0 {name} tag={tag}")
    lab.reach("anna-ben", "carla-dora")
    lab.do("set Port carla tag=100")
    lab.reach("anna-ben", "anna-carla", "ben-carla")
    lab.do("clear Port anna tag -- clear Port dora tag")
    lab.reach("anna-dora", "ben-carla")
    lab.do("del-port br0 ben -- set Port carla tag=0")
    lab.reach("anna-carla", "anna-dora", "carla-dora")
    lab.do("del-br br0")
    lab.reach()


def test_trunks_and_native_vlans(lab: Lab) -> None:
    """Two switches with a cable between them, on which frames have tags or not."""
    lab.switch.room.run("ip", "link", "add", "t0", "type", "veth", "peer", "t1")
    for cable in ("t0", "t1"):
        lab.switch.room.run("ip", "link", "set", cable, "up")
    lab.do("add-port br0 anna tag=100 -- add-port br0 ben tag=200 -- add-port br0 t0")
    lab.do("add-port br1 carla tag=100 -- add-port br1 dora tag=200 -- add-port br1 t1")
    lab.reach("anna-carla", "ben-dora")
    lab.do("set Port t0 trunks=200,300")
    lab.reach("ben-dora")
    lab.do("set Port t0 trunks=100 tag=200 vlan_mode=native-untagged")
    lab.reach("anna-carla")
    lab.do("set Port t1 tag=200 vlan_mode=access")
    lab.reach("ben-dora")
    lab.do(
        "set Port t0 vlan_mode=native-tagged -- set Port t1 vlan_mode=trunk -- clear Port t1 tag"
    )
    lab.reach("anna-carla", "ben-dora")


def test_patch_ports_join_bridges(lab: Lab) -> None:
    lab.do("add-port br0 anna tag=100 -- add-port br0 ben tag=200")
    lab.do("add-port br1 carla tag=100 -- add-port br1 dora tag=200")
    lab.reach()
    lab.do(
        "add-port br0 to1 -- set Interface to1 type=patch options:peer=to0 "
        "-- add-port br1 to0 -- set Interface to0 type=patch options:peer=to1"
    )
    lab.reach("anna-carla", "ben-dora")
    lab.do("set Port to1 trunks=100")
    lab.reach("anna-carla")
    lab.do("del-port to0")
    lab.reach()


def test_an_internal_port_has_an_address_in_a_vlan(lab: Lab) -> None:
    lab.do("add-port br0 anna tag=10 -- add-port br0 ben tag=20 -- add-port br0 carla")
    lab.do("add-port br0 vlan10 tag=10 -- set Interface vlan10 type=internal")
    lab.give_address("vlan10", 10)
    lab.reach("-anna")
    lab.do("set Port vlan10 tag=20")
    lab.reach("-ben")
    lab.do("del-port vlan10")
    lab.give_address("br0", 10)
    lab.reach("-carla")


def test_a_fake_bridge_is_a_vlan(lab: Lab) -> None:
    lab.do("add-br vlan7 br0 7 -- add-port vlan7 anna -- add-port vlan7 ben -- add-port br0 carla")
    lab.do("add-port br0 dora tag=7")
    lab.give_address("vlan7", 10)
    lab.reach("-anna", "-ben", "-dora", "anna-ben", "anna-dora", "ben-dora")
    lab.do("del-br vlan7")
    lab.do("add-port br0 anna")
    lab.reach("anna-carla")


def test_a_mirror_and_limits_leave_the_rest_alone(lab: Lab) -> None:
    lab.do("add-port br0 anna -- add-port br0 ben")
    lab.do(
        "-- set Bridge br0 mirrors=@m -- --id=@anna get Port anna -- --id=@m create Mirror name=m0 "
        "select-dst-port=@anna select-src-port=@anna output-vlan=99"
    )
    lab.do(
        "set Port ben qos=@q -- --id=@q create QoS type=linux-htb other-config:max-rate=1000000000 "
        "queues=0=@q0 -- --id=@q0 create Queue other-config:min-rate=100000000"
    )
    lab.do("set Interface anna ingress_policing_rate=100000 ingress_policing_burst=8000")
    lab.reach("anna-ben")
    assert lab.do("--columns=name,output_vlan --bare list Mirror").split() == ["m0", "99"]
    lab.do("clear Bridge br0 mirrors -- clear Port ben qos")
    lab.do("--all destroy QoS -- --all destroy Queue")
    lab.reach("anna-ben")
