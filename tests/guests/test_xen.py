"""vif-hotswitch, called as xl calls it, with the real XenStore laid out as xl does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.guests.programs import install
from tests.guests.xenstored import AVAILABLE, XenStored
from tests.support.daemon import REAL, REFERENCE, Daemon
from tests.support.debian_package import NoPackageError
from tests.support.room import Room
from tests.support.wait import until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not AVAILABLE, reason="needs root, xenstore-utils, gcc and dpkg"
)

_UUID = "9f2a8c14-0000-4000-8000-000000000001"
_MAC = "00:16:3e:00:00:01"


class Host:
    """A switch with bridge xenbr0, XenStore, and devices in the place of a backend's."""

    def __init__(self, daemon: Daemon, store: XenStored, folder: Path) -> None:
        self.daemon = daemon
        self.room = daemon.room
        self.store = store
        (self.script,) = install(folder, "vif-hotswitch").values()

    def port(self, name: str) -> Any:
        """The port, or nothing."""
        return next((each for each in self.daemon.ask("port list") if each["name"] == name), None)

    def guest(self, domain: int, kind: str = "vif", **more: str) -> Guest:
        return Guest(self, domain, kind, more)


class Guest:
    """A domain with one interface, as libxl writes it. kind: vif, or vif_ioemu."""

    def __init__(self, host: Host, domain: int, kind: str, more: dict[str, str]) -> None:
        self._host = host
        self._domain = domain
        self._kind = kind
        self.vif = f"vif{domain}.0"
        self.tap = f"{self.vif}-emu"
        self.backend = f"/local/domain/0/backend/vif/{domain}/0"
        self.frontend = f"/local/domain/{domain}/device/vif/0"
        write = host.store.write
        write(f"/local/domain/{domain}", {"vm": f"/vm/{_UUID}", "domid": str(domain)})
        write(f"/vm/{_UUID}", {"name": "web", "uuid": _UUID})
        usual = {
            "frontend": self.frontend,
            "frontend-id": str(domain),
            "online": "1",
            "state": "1",
            "script": "/etc/xen/scripts/vif-hotswitch",
            "mac": _MAC,
            "bridge": "xenbr0",
            "handle": "0",
            "type": kind,
            "hotplug-status": "",
        }
        write(self.backend, {**usual, **more})
        write(self.frontend, {"handle": "0", "mac": _MAC, "mtu": "1500"})

    def make_vif(self) -> None:
        """What netback does: it has no carrier until the guest has connected."""
        room = self._host.room
        room.run("ip", "link", "add", self.vif, "type", "veth", "peer", f"guest{self._domain}")

    def make_tap(self) -> None:
        """What the emulator does; here it is a pair of which the guest has the other end."""
        room = self._host.room
        room.run("ip", "link", "add", self.tap, "type", "veth", "peer", f"emu{self._domain}")

    def call(self, command: str, kind: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Call the script as libxl__hotplug_nic does."""
        environment = {
            **self._host.store.environment,
            "HOTSWITCH_RUN_DIR": str(self._host.daemon.run_dir),
            "XENBUS_TYPE": "vif",
            "XENBUS_PATH": f"backend/vif/{self._domain}/0",
            "XENBUS_BASE_PATH": "backend",
            "netdev": "",
            "vif": self.vif,
            **({"INTERFACE": self.tap} if self._kind == "vif_ioemu" else {}),
            **more,
        }
        line = self._host.room.command(str(self._host.script), command, f"type_if={kind}")
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)

    def do(self, command: str, kind: str, **more: str) -> None:
        done = self.call(command, kind, **more)
        assert done.returncode == 0 and not done.stderr, done

    def refuse(self, command: str, kind: str, **more: str) -> str:
        """It must fail, in one line that XenStore has too."""
        done = self.call(command, kind, **more)
        assert done.returncode == 1
        said = done.stderr.removeprefix("vif-hotswitch: ")
        assert said == f"{self.read('hotplug-error')}\n"
        assert self.read("hotplug-status") == "error"
        return said

    def read(self, key: str) -> str:
        return self._host.store.read(f"{self.backend}/{key}")


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    kind = getattr(request, "param", REFERENCE)
    assert request.config.cache
    with ExitStack() as stack:
        room = stack.enter_context(Room())
        try:
            store = XenStored(room, tmp_path / "xen", request.config.cache.mkdir("guest"))
        except NoPackageError as error:
            pytest.skip(str(error))
        stack.enter_context(store)
        daemon = stack.enter_context(Daemon(room, tmp_path / "run", kind=kind))
        daemon.do("bridge add xenbr0")
        yield Host(daemon, store, tmp_path)


def test_a_paravirtual_guest(host: Host) -> None:
    guest = host.guest(1, bridge="xenbr0.10")
    guest.make_vif()
    guest.do("add", "vif")
    assert host.port("vif1.0") is None and not guest.read("hotplug-status")
    guest.do("online", "vif")
    assert guest.read("hotplug-status") == "connected"
    port = host.port("vif1.0")
    assert (port["bridge"], port["tag"], port["lifecycle"]) == ("xenbr0", 10, "ephemeral")
    assert port["metadata"] == {
        "attached-mac": _MAC,
        "vm-id": _UUID,
        "xen-vm-name": "web",
        "xen-vm-uuid": _UUID,
    }
    assert "UP" in host.room.run("ip", "-o", "link", "show", "vif1.0").stdout
    guest.do("offline", "vif")
    assert host.port("vif1.0") is None


def test_a_device_that_is_gone_before_it_is_said(host: Host) -> None:
    guest = host.guest(1)
    guest.make_vif()
    guest.do("online", "vif")
    host.room.run("ip", "link", "del", "vif1.0")
    until(lambda: host.port("vif1.0") is None, "the port goes with its device")
    guest.do("offline", "vif")


def test_a_static_port_goes_when_its_guest_is_gone(host: Host) -> None:
    guest = host.guest(1)
    guest.make_vif()
    guest.do("online", "vif")
    host.daemon.do("port set vif1.0 lifecycle static")
    host.room.run("ip", "link", "del", "vif1.0")
    until(lambda: not host.port("vif1.0")["ifindex"], "the device has gone")
    guest.do("offline", "vif")
    assert host.port("vif1.0") is None


def test_a_late_offline_does_not_hit_the_next_guest(host: Host) -> None:
    """Here both have the vifname web0; the first one's domain is gone, but its cleanup is late."""
    first, second = (host.guest(domain, vifname="web0") for domain in (1, 2))
    first.make_vif()
    first.do("online", "vif")
    host.room.run("ip", "link", "del", "web0")
    second.make_vif()
    second.do("online", "vif")
    before = host.port("web0")
    first.do("offline", "vif")
    after = host.port("web0")
    assert before["incarnation"] == after["incarnation"] and after["ifindex"]
    second.do("offline", "vif")
    assert host.port("web0") is None


@pytest.mark.parametrize("host", [REAL], indirect=True)
@pytest.mark.parametrize(("vifname", "emulated_first"), [("", False), ("web0", True)])
def test_both_devices_are_one_port(host: Host, vifname: str, emulated_first: bool) -> None:
    """The tap forwards until the guest's drivers have connected to the vif."""
    room, daemon = host.room, host.daemon
    room.add_host("anna", "anna0", "10.0.0.1/24")
    daemon.do("port add anna0 bridge xenbr0")
    guest = host.guest(3, "vif_ioemu", **({"vifname": vifname} if vifname else {}))
    guest.make_vif()
    guest.make_tap()
    calls = [("online", "vif"), ("add", "tap")]
    for command, kind in reversed(calls) if emulated_first else calls:
        guest.do(command, kind)
    name = vifname or "vif3.0"

    def active() -> str:
        return str(host.port(name)["link"])

    for device in ("guest3", "emu3"):  # the two ends in the guest
        room.run("ip", "netns", "add", device)
        room.run("ip", "link", "set", device, "netns", device)
    reaches = _reaching(room)
    room.run("ip", "link", "set", "emu3", "up", host="emu3")
    until(lambda: active() == f"{name}-emu", "the tap forwards")
    assert len(host.port(name)["links"]) == 2
    assert {each["name"] for each in daemon.ask("port list")} >= {"anna0", name}
    until(lambda: reaches("emu3"), "anna is reached by the tap")
    room.run("ip", "link", "set", "guest3", "up", host="guest3")
    until(lambda: active() == name, "the vif forwards")
    until(lambda: reaches("guest3"), "anna is reached by the vif")
    guest.do("offline", "vif")
    guest.do("remove", "tap")
    assert host.port(name) is None


def _reaching(room: Room) -> Callable[[str], bool]:
    """Tells whether anna is reached by the device of that name, in the namespace of that name."""

    def reaches(device: str) -> bool:
        address = ("address", "replace", "10.0.0.3/24", "dev", device)
        room.run("ip", *address, host=device)
        ping = ("ping", "-c", "1", "-W", "1", "10.0.0.1")
        return room.run(*ping, host=device, check=False).returncode == 0

    return reaches


def test_names_of_older_tools(host: Host) -> None:
    """tap4.0 beside vif4.0, and no XENBUS_PATH for the tap."""
    guest = host.guest(4, "vif_ioemu")
    guest.tap = "tap4.0"
    guest.make_vif()
    guest.make_tap()
    guest.do("online", "vif")
    guest.do("add", "tap", XENBUS_PATH="", vif="")
    port = host.port("vif4.0")
    assert {each["device"] for each in port["links"]} == {"tap4.0", "vif4.0"}
    host.room.run("ip", "link", "del", "tap4.0")
    host.room.run("ip", "link", "del", "vif4.0")
    until(lambda: host.port("vif4.0") is None, "the port goes with the last of its devices")


def test_the_mtu(host: Host) -> None:
    """The one that is asked for, or else the bridge's; the guest is told in its own folder."""
    guest = host.guest(1, mtu="9000")
    guest.make_vif()
    guest.do("online", "vif")
    assert host.port("vif1.0")["mtu"] == 9000
    assert host.store.read(f"{guest.frontend}/mtu") == "9000"
    host.daemon.do("port set xenbr0 mtu 1400")
    other = host.guest(2)
    other.make_vif()
    other.do("online", "vif")
    assert host.port("vif2.0")["mtu"] == 1400
    assert host.store.read(f"{other.frontend}/mtu") == "1400"


def test_errors_are_told_to_xl(host: Host) -> None:
    def refused(expected: str, **more: str) -> None:
        assert expected in host.guest(1, **more).refuse("online", "vif")

    refused("there is no device 'vif1.0'")
    host.guest(1).make_vif()
    refused("no bridge br9", bridge="br9")
    refused("no VLAN 4099", bridge="xenbr0.4099")
    refused("vlan=10p is not understood", vlan="10p")
    refused("mtu=large is no number", vlan="", mtu="large")
    host.room.run("ip", "link", "add", "web0", "type", "veth", "peer", "web1")
    refused("can't rename vif1.0 to web0", vlan="", mtu="", vifname="web0")
    assert [each["name"] for each in host.daemon.ask("port list")] == ["xenbr0"]
    host.daemon.do("shutdown")
    refused("no daemon answers", mtu="", vifname="")


def test_calls_that_are_none_of_xl(host: Host) -> None:
    guest = host.guest(1)
    for command, kind, more, expected in (
        ("start", "vif", {}, "unknown command 'start'"),
        ("online", "vbd", {}, "unknown type of interface 'vbd'"),
        ("online", "vif", {"vif": ""}, "vif is not set"),
        ("add", "tap", {}, "INTERFACE is not set"),
        ("online", "vif", {"XENBUS_PATH": ""}, "XENBUS_PATH is not set"),
    ):
        done = guest.call(command, kind, **more)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"vif-hotswitch: {expected}")
    done = guest.call("--help", "vif")
    assert done.returncode == 0 and done.stdout.startswith("usage: vif-hotswitch online|offline ")
    done = guest.call("online", "vif", XENSTORED_PATH="/nowhere")
    assert done.returncode == 1 and "can't read" in done.stderr
