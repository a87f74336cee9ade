"""The real daemon takes real devices as they appear."""

from __future__ import annotations

from tests.app.test_lives import BEN, add_host, lab, link, port_names, reaches, vsctl
from tests.support.daemon import Daemon
from tests.support.wait import until

__all__ = ["lab"]


def test_devices_are_ports_as_soon_as_they_appear(lab: Daemon) -> None:
    set_rules(lab, "tap* tag=10 external-ids:vm-id=7")
    until(lambda: port_names(lab) == {"tap0", "tap1"}, "both are ports")
    assert reaches(lab, BEN)
    until(lambda: vsctl(lab, "list-ports br0").split() == ["tap0", "tap1"], "their rows are there")
    assert vsctl(lab, "get Interface tap1 external_ids:vm-id").strip() in ("7", '"7"')
    vsctl(lab, "set port tap1 tag=20")
    assert not reaches(lab, BEN)
    vsctl(lab, "set port tap1 tag=10")
    assert reaches(lab, BEN)

    lab.room.run("ip", "netns", "del", "ben")
    until(lambda: port_names(lab) == {"tap0"}, "the port has gone with its device")
    add_host(lab.room, "ben", "tap1", BEN)
    until(lambda: port_names(lab) == {"tap0", "tap1"}, "the new device is a port")
    until(lambda: reaches(lab, BEN), "it forwards")


def test_what_a_person_deletes_is_not_taken_again_until_its_device_is_another(lab: Daemon) -> None:
    set_rules(lab, "tap1")
    until(lambda: vsctl(lab, "list-ports br0") == "tap1\n", "it is a port with rows")
    vsctl(lab, "del-port tap1")
    link(lab, "set", "tap1", "mtu", "1400")
    link(lab, "add", "other", "type", "veth", "peer", "another")
    lab.do("port add other bridge br0")
    assert port_names(lab) == {"other"}
    assert lab.process
    lab.process.kill()
    lab.process.wait()
    lab.start()
    assert port_names(lab) == {"other"}
    lab.room.run("ip", "netns", "del", "ben")
    add_host(lab.room, "ben", "tap1", BEN)
    until(lambda: port_names(lab) == {"tap1", "other"}, "the new device is a port")


def test_a_vif_flips(lab: Daemon) -> None:
    lab.do("port add tap0 bridge br0")
    set_rules(lab, "tap{d}.{i}+vif{d}.{i}")
    link(lab, "set", "tap1", "name", "tap7.0")
    until(lambda: "tap7.0" in port_names(lab), "it is a port")
    assert reaches(lab, BEN)
    number = lab.ask("port show tap7.0")["number"]
    link(lab, *["add", "vif7.0", "type", "veth", "peer", "eth1", "netns", "ben"])
    until(lambda: len(lab.ask("port show tap7.0")["links"]) == 2, "the vif has joined")
    forwards = {each["name"]: each["forwards"] for each in lab.ask("port show tap7.0")["links"]}
    assert forwards == {"tap7.0": True, "vif7.0": False}
    mac = lab.room.run("cat", "/sys/class/net/eth0/address", host="ben").stdout.strip()
    for words in (
        "addr flush dev eth0",
        f"link set eth1 address {mac} up",
        f"addr add {BEN}/24 dev eth1",
    ):
        lab.room.run("ip", *words.split(), host="ben")
    until(lambda: lab.ask("port show tap7.0")["link"] == "vif7.0", "it has flipped")
    assert reaches(lab, BEN)
    assert lab.ask("port show tap7.0")["number"] == number
    assert {row["port"] for row in lab.ask("fdb show")} == {"tap0", "tap7.0"}
    link(lab, "del", "vif7.0")
    until(lambda: lab.ask("port show tap7.0")["link"] == "tap7.0", "it has flipped back")


def test_bad_rules_are_refused(lab: Daemon) -> None:
    for rules, why in (
        ("tap* tag=many", "tag=many can't be"),
        ("a/b", "no pattern of names"),
        ("tap{a}+vif{b}", "which devices belong together"),
    ):
        done = lab.hotswitch("bridge", "set", "br0", "adopt", rules)
        assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1
    set_rules(lab, "x*")
    lab.do("bridge add br1")
    done = lab.hotswitch("bridge", "set", "br1", "adopt", "*1")
    assert "a device called x1 would fit rules of bridge br0, too" in done.stderr
    shown = {each["name"]: each["adopt"] for each in lab.ask("bridge list")}
    assert shown == {"br0": "x*", "br1": ""}
    database = f"--db=unix:{lab.run_dir}/db.sock"
    lab.room.run("ovs-vsctl", database, "set", "bridge", "br1", "other_config:adopt=*1")
    *_, line = lab.do("bridge list").splitlines()
    assert line.startswith("br1 ") and line.endswith(
        " not acted on: Bridge br1: other_config:adopt "
        "(a device called x1 would fit rules of bridge br0, too)"
    )


def set_rules(lab: Daemon, rules: str) -> None:
    done = lab.hotswitch("bridge", "set", "br0", "adopt", rules)
    assert done.returncode == 0, done.stderr
