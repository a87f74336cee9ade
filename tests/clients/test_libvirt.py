"""libvirt's daemon plugs its domains into bridges as it does with Open vSwitch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients import libvirt, peers
from tests.clients.domain import Guest, interface, xml
from tests.clients.libvirt import Libvirt
from tests.clients.peers import Switch
from tests.support.daemon import REAL
from tests.support.debian_kernel import NETWORK_MODULES, NoKernelError, debian_kernel
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not libvirt.AVAILABLE or not peers.AVAILABLE,
    reason="needs root, libvirt and ovs-vsctl",
)

_UUID = "5b8c6f0e-0000-4000-8000-000000000001"
_INTERFACE_ID = "5b8c6f0e-0000-4000-8000-0000000000aa"
_FIRST, _SECOND = "52:54:00:00:00:01", "52:54:00:00:00:02"
_WITH_ID = (
    "<virtualport type='openvswitch'>"
    f"<parameters interfaceid='{_INTERFACE_ID}' PROFILE/></virtualport>"
)
_ALONE = _WITH_ID.replace("PROFILE", "")
_TAG_47 = "<vlan><tag id='47'/></vlan>"
_LIMITS = (
    "<bandwidth><inbound average='1000' peak='5000' burst='1024'/>"
    "<outbound average='128' burst='256'/></bandwidth>"
)


class Bench:
    """A switch, libvirt beside it, and a place for files."""

    def __init__(self, switch: Switch, daemon: Libvirt, folder: Path) -> None:
        self.switch = switch
        self.daemon = daemon
        self._folder = folder

    def file(self, text: str) -> str:
        path = self._folder / "domain.xml"
        path.write_text(text)
        return str(path)

    @property
    def ports(self) -> list[str]:
        return self.switch.vsctl("list-ports br0").split()

    def port(self, name: str, columns: str) -> list[str]:
        return self.switch.vsctl(f"get Port {name} {columns}").splitlines()

    def interface(self, name: str, columns: str) -> list[str]:
        return self.switch.vsctl(f"get Interface {name} {columns}").splitlines()


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind = getattr(request, "param", peers.REFERENCE)
    (tmp_path / "libvirt").mkdir()
    with (
        peers.hotswitch(tmp_path, kind) as switch,
        Libvirt(switch.room, tmp_path / "libvirt", switch.socket.parent) as daemon,
    ):
        switch.vsctl("add-br br0")
        yield Bench(switch, daemon, tmp_path)


@pytest.mark.parametrize("bench", [REAL], indirect=True)
def test_the_life_of_a_guest(bench: Bench, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """It boots, is pinged, changes its VLAN, gets and loses an interface, and powers itself off."""
    assert request.config.cache
    try:
        kernel = debian_kernel(request.config.cache.mkdir("guest"), NETWORK_MODULES)
    except NoKernelError as error:
        pytest.skip(str(error))
    switch, daemon = bench.switch, bench.daemon
    switch.room.add_host("anna", "h0", "10.0.0.1/24")
    switch.room.add_host("ben", "h1", "10.0.0.2/24")
    switch.vsctl("add-port br0 h0 -- add-port br0 h1 tag=47")

    def reaches(host: str) -> bool:
        ping = ("ping", "-c", "1", "-W", "1", "10.0.0.9")
        return switch.room.run(*ping, host=host, check=False).returncode == 0

    with closing(Guest(tmp_path, kernel, "10.0.0.9/24")) as guest:
        first = interface(_FIRST, port=_ALONE)
        daemon.virsh("create", bench.file(xml("g", _UUID, first, guest.boot, guest.devices)))
        assert bench.ports == ["h0", "h1", "vnet0"]
        assert bench.interface("vnet0", "external_ids error") == [
            f'{{attached-mac="{_FIRST}", iface-id="{_INTERFACE_ID}", iface-status=active, '
            f'vm-id="{_UUID}"}}',
            "[]",
        ]
        guest.wait()
        until(lambda: reaches("anna"), "the guest answers in its VLAN")
        assert not reaches("ben")
        changed = first.replace("<model", f"{_TAG_47}<model")
        daemon.virsh("update-device", "g", bench.file(changed), "--live")
        assert bench.port("vnet0", "tag") == ["47"]
        until(lambda: reaches("ben"), "the guest answers in its new VLAN")
        assert not reaches("anna")
        second = interface(_SECOND)
        daemon.virsh("attach-device", "g", bench.file(second), "--live")
        assert "vnet1" in bench.ports
        daemon.virsh("detach-device", "g", bench.file(second), "--live")
        until(lambda: "vnet1" not in bench.ports, "the detached interface is no port", 20)
        guest.power_off()
        until(lambda: bench.ports == ["h0", "h1"], "the port of a guest that is off is gone", 20)
    assert daemon.virsh("list", "--all", "--name") == ""
    assert switch.room.run("ip", "link", "show", "vnet0", check=False).returncode


def test_vlans(bench: Bench) -> None:
    """What is in `vlan` and `virtualport` is in the rows, at the start and after an update."""
    kinds = [
        _TAG_47,
        "<vlan trunk='yes'><tag id='42'/><tag id='47'/></vlan>",
        "<vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='untagged'/></vlan>",
        "<vlan><tag id='42'/><tag id='47' nativeMode='tagged'/></vlan>",
        "",
    ]
    expected = [
        ["47", "[]", "[]"],
        ["[]", "[42, 47]", "[]"],
        ["47", "[42, 47]", "native-untagged"],
        ["47", "[42, 47]", "native-tagged"],
        ["[]", "[]", "[]"],
    ]
    with_profile = _WITH_ID.replace("PROFILE", "profileid='gold'")
    bodies = [
        interface(f"52:54:00:00:00:1{number}", more=kind, port=with_profile)
        for number, kind in enumerate(kinds)
    ]
    domain = xml("g", _UUID, "".join(bodies))
    bench.daemon.virsh("create", "--paused", bench.file(domain))
    names = [f"vnet{number}" for number in range(len(kinds))]
    assert bench.ports == names
    assert [bench.port(name, "tag trunks vlan_mode") for name in names] == expected
    assert [bench.port(name, "status") for name in names] == [["{}"]] * len(names)
    assert bench.interface("vnet0", "external_ids:port-profile error") == ["gold", "[]"]
    for change, columns in (
        (kinds[1], expected[1]),
        (kinds[3], expected[3]),
        (kinds[4], expected[4]),
        (kinds[2], expected[2]),
    ):
        update = bodies[0].replace(_TAG_47, change)
        bench.daemon.virsh("update-device", "g", bench.file(update), "--live")
        assert bench.port("vnet0", "tag trunks vlan_mode") == columns
    bench.daemon.virsh("destroy", "g")
    assert bench.ports == []


def test_limits_are_kept_and_said_to_have_no_effect(bench: Bench) -> None:
    body = interface(_FIRST, more=_LIMITS)
    bench.daemon.virsh("create", "--paused", bench.file(xml("g", _UUID, body)))
    vsctl = bench.switch.vsctl

    def rows(table: str) -> list[str]:
        find = f"--bare --columns=_uuid find {table} external-ids:vm-id={_UUID}"
        return vsctl(find).split()

    assert len(rows("qos")) == len(rows("queue")) == 1
    assert vsctl("get QoS vnet0 type other_config").splitlines()[0] == "linux-htb"
    assert bench.port("vnet0", "qos") == rows("qos")
    assert bench.port("vnet0", "status:not_acted_on") == ["qos"]
    assert bench.interface("vnet0", "ingress_policing_rate ingress_policing_burst") == [
        "1024",
        "2048",
    ]
    assert bench.interface("vnet0", "status:not_acted_on error") == [
        '"ingress_policing_rate; ingress_policing_burst"',
        "[]",
    ]
    tune = ("domiftune", "g", "vnet0", "--live")
    bench.daemon.virsh(*tune, "--outbound", "1000,2000,3000", "--inbound", "2000,3000,4000")
    assert bench.interface("vnet0", "ingress_policing_rate") == ["8000"]
    assert len(rows("qos")) == len(rows("queue")) == 1
    bench.daemon.virsh(*tune, "--outbound", "0", "--inbound", "0")
    assert bench.interface("vnet0", "ingress_policing_rate status:driver_name") == ["0", "tun"]
    assert bench.port("vnet0", "qos status") == ["[]", "{}"]
    assert rows("qos") == rows("queue") == []
    bench.daemon.virsh("destroy", "g")
    assert bench.ports == []


def test_a_domain_on_a_bridge_that_is_not_there_does_not_start(bench: Bench) -> None:
    bodies = interface(_FIRST) + interface(_SECOND, bridge="br9")
    done = bench.daemon.try_virsh("create", bench.file(xml("g", _UUID, bodies)))
    assert done.returncode and "'br9': No such device" in done.stderr
    assert bench.ports == []
    assert bench.daemon.virsh("list", "--all", "--name") == ""


def test_a_facade_is_a_linux_bridge_to_libvirt(bench: Bench) -> None:
    room = bench.switch.room
    room.run("ip", "link", "add", "lan", "up", "type", "bridge")
    bench.switch.vsctl("set bridge br0 other_config:facade=lan")
    body = interface(_FIRST, bridge="lan", port="") + interface(_SECOND, bridge="lan", port="")
    bench.daemon.virsh("create", "--paused", bench.file(xml("g", _UUID, body)))
    until(lambda: bench.ports == ["vnet0", "vnet1"], "its taps are ports")
    assert bench.port("vnet0", "other_config:master") == ["lan"]
    bench.daemon.virsh("destroy", "g")
    until(lambda: bench.ports == [], "they have gone with the guest")
    assert bench.daemon.virsh("list", "--all", "--name") == ""
