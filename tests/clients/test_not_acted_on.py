"""What is set but has no effect is said where who has set it looks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotswitch.config import columns
from tests.clients import peers
from tests.clients.peers import Switch

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="no ovs-vsctl here")

_NETFLOW = """--id=@n create NetFlow targets='"127.0.0.1:5566"'"""
_SFLOW = """--id=@n create sFlow targets='"127.0.0.1:6343"'"""
_IPFIX = """--id=@n create IPFIX targets='"127.0.0.1:4739"'"""

#: By row, column and key: how it is set.
BRIDGE = {
    "mirrors": "--id=@n create Mirror name=m0 select_all=true -- set Bridge br0 mirrors=@n",
    "netflow": f"{_NETFLOW} -- set Bridge br0 netflow=@n",
    "sflow": f"{_SFLOW} -- set Bridge br0 sflow=@n",
    "ipfix": f"{_IPFIX} -- set Bridge br0 ipfix=@n",
    "controller": "set-controller br0 tcp:127.0.0.1:6653",
    "fail_mode": "set-fail-mode br0 secure",
    "protocols": "set Bridge br0 protocols=OpenFlow13",
    "flow_tables": "--id=@n create Flow_Table flow_limit=9 -- set Bridge br0 flow_tables:0=@n",
    "auto_attach": "add-aa-mapping br0 500 5",
    "stp_enable": "set Bridge br0 stp_enable=true",
    "rstp_enable": "set Bridge br0 rstp_enable=true",
    "mcast_snooping_enable": "set Bridge br0 mcast_snooping_enable=true",
    "flood_vlans": "set Bridge br0 flood_vlans=5",
    "other_config:stp-priority": "set Bridge br0 other_config:stp-priority=0x8000",
    "other_config:dp-desc": "set Bridge br0 other_config:dp-desc=web",
    "Flow_Sample_Collector_Set 7": f"{_IPFIX} -- --id=@b get Bridge br0 "
    "-- create Flow_Sample_Collector_Set id=7 bridge=@b ipfix=@n",
}
PORT = {
    "qos": "--id=@n create QoS type=linux-htb queues:0=@q -- --id=@q create Queue dscp=1 "
    "-- set Port e0 qos=@n",
    "protected": "set Port e0 protected=true",
    "cvlans": "set Port e0 cvlans=5",
    "mac": """set Port e0 mac='"02:00:00:00:00:01"'""",
    "lacp": "set Port e0 lacp=active",
    "bond_mode": "set Port e0 bond_mode=balance-slb",
    "bond_updelay": "set Port e0 bond_updelay=5",
    "bond_downdelay": "set Port e0 bond_downdelay=5",
    "bond_fake_iface": "set Port e0 bond_fake_iface=true",
    "other_config:priority-tags": "set Port e0 other_config:priority-tags=always",
}
INTERFACE = {
    "ingress_policing_rate": "set Interface e0 ingress_policing_rate=1000",
    "ingress_policing_burst": "set Interface e0 ingress_policing_burst=1000",
    "ingress_policing_kpkts_rate": "set Interface e0 ingress_policing_kpkts_rate=10",
    "ingress_policing_kpkts_burst": "set Interface e0 ingress_policing_kpkts_burst=10",
    "bfd": "set Interface e0 bfd:enable=true",
    "cfm_mpid": "set Interface e0 cfm_mpid=1",
    "lldp": "set Interface e0 lldp:enable=true",
    "options:n_rxq": "set Interface e0 options:n_rxq=2",
    "other_config:emc-enable": "set Interface e0 other_config:emc-enable=false",
}
CASES = [
    (f"{table} {name}", said, command)
    for table, name, cases in (
        ("Bridge", "br0", BRIDGE),
        ("Port", "e0", PORT),
        ("Interface", "e0", INTERFACE),
    )
    for said, command in cases.items()
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with peers.hotswitch(tmp_path_factory.mktemp("switch")) as switch:
        switch.add_taps("e0", "e1", "e2")
        yield switch


@pytest.fixture
def switch(running: Switch) -> Iterator[Switch]:
    running.vsctl("add-br br0 -- add-port br0 e0")
    yield running
    running.vsctl(
        "-- --all destroy Flow_Sample_Collector_Set -- clear Port e0 qos -- --all destroy QoS "
        "-- --all destroy Queue"
    )
    running.vsctl("del-br br0")


@pytest.mark.parametrize(("row", "said", "command"), CASES, ids=[case[1] for case in CASES])
def test_it_is_said_when_the_command_returns(
    switch: Switch, row: str, said: str, command: str
) -> None:
    assert switch.vsctl(f"--if-exists get {row} status:not_acted_on") == ""
    switch.vsctl(command)
    assert switch.vsctl(f"get {row} status:not_acted_on").strip('"') == said
    assert switch.vsctl("get Interface e0 ofport error") == "1\n[]"


def test_no_column_is_forgotten() -> None:
    for table, cases in (("Bridge", BRIDGE), ("Port", PORT), ("Interface", INTERFACE)):
        assert columns.NOT_ACTED_ON[table].keys() <= cases.keys()


def test_it_is_no_longer_said_when_it_is_gone(switch: Switch) -> None:
    switch.vsctl("set Bridge br0 stp_enable=true flood_vlans=5 -- set Port e0 protected=true")
    assert switch.vsctl("get Bridge br0 status:not_acted_on") == '"stp_enable; flood_vlans"'
    switch.vsctl("set Bridge br0 stp_enable=false -- clear Bridge br0 flood_vlans")
    assert switch.vsctl("get Bridge br0 status") == "{}"
    switch.vsctl("set Port e0 protected=false")
    assert switch.vsctl("get Port e0 status") == "{}"


def test_a_controller_is_said_not_to_be_called(switch: Switch) -> None:
    switch.vsctl("set-controller br0 tcp:127.0.0.1:6653")
    said = switch.vsctl("get Controller br0 is_connected status:state status:last_error")
    assert said.splitlines()[:2] == ["false", "VOID"]
    assert "OpenFlow" in said.splitlines()[2]
    assert "is_connected" not in switch.vsctl("show")


def test_a_manager_says_what_it_does_not_follow(switch: Switch) -> None:
    switch.vsctl("set-manager ptcp:6650:127.0.0.1")
    switch.vsctl("set Manager . connection_mode=in-band other_config:dscp=40")
    said = switch.vsctl("get Manager . status:state status:not_acted_on")
    assert said == 'LISTENING\n"connection_mode; other_config:dscp"'
    switch.vsctl("set Manager . connection_mode=out-of-band -- clear Manager . other_config")
    assert "not_acted_on" not in switch.vsctl("get Manager . status")
    switch.vsctl("del-manager")


def test_a_bond_is_kept_and_refused(switch: Switch) -> None:
    said = switch.try_vsctl("add-bond br0 bond0 e1 e2 bond_mode=balance-tcp lacp=active")
    why = "port bond0 has 2 interfaces; bonds are not supported yet"
    assert said.status == 0
    for name in ("e1", "e2"):
        assert f"Error detected while setting up '{name}': {why}" in said.errors
        assert switch.vsctl(f"get Interface {name} ofport error") == f'-1\n"{why}"'
    assert switch.vsctl("get Port bond0 status:error") == f'"{why}"'
    assert switch.vsctl("get Port bond0 bond_mode lacp") == "balance-tcp\nactive"
    assert switch.vsctl("get Interface e0 ofport error") == "1\n[]"
    switch.vsctl("del-bond-iface bond0 e2")
    assert switch.vsctl("get Interface e1 error") == "[]"


def test_kinds_of_interface_that_there_are_not(switch: Switch) -> None:
    said = switch.try_vsctl(
        "add-port br0 gre0 -- set Interface gre0 type=gre options:remote_ip=::1"
    )
    assert "interfaces of type 'gre' are not supported" in said.errors
    assert switch.vsctl("get Interface gre0 ofport") == "-1"


def test_what_is_said_of_the_host(switch: Switch) -> None:
    assert switch.vsctl("get Open_vSwitch . statistics") == "{}"
    switch.vsctl("set Open_vSwitch . other_config:enable-statistics=true")
    switch.vsctl("wait-until Open_vSwitch . statistics:cpu>0")
    for key in ("load_average", "memory", "process_hotswitchd"):
        assert switch.vsctl(f"get Open_vSwitch . statistics:{key}")
    switch.vsctl("remove Open_vSwitch . other_config enable-statistics")
    assert switch.vsctl("get Open_vSwitch . statistics") == "{}"
