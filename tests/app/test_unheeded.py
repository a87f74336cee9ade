"""What the database says and the switch does not do, as commands show and change it."""

from __future__ import annotations

import json
import re

import pytest

from tests.app.test_database import Configured, ovs
from tests.support.wait import until

__all__ = ["ovs"]


@pytest.fixture
def odd(ovs: Configured) -> Configured:
    """With rows of all sorts that can't be had."""
    ovs.vsctl("--no-wait add-br br1 -- add-port br1 lo -- add-bond br1 bond0 e1 e2")
    ovs.vsctl("--no-wait add-port br1 vx0 -- set Interface vx0 type=vxlan options:remote_ip=::1")
    ovs.vsctl("add-br br2")
    done = ovs.try_vsctl("add-br a/b")
    assert "is no link's name" in done.stderr
    return ovs


WHY = {
    "lo": "the loopback device lo cannot be a port",
    "bond0": "bonds are not supported yet",
    "vx0": "interfaces of type 'vxlan' are not supported",
    "a/b": "bridge name 'a/b' is no link's name",
}


def test_they_are_listed_in_error(odd: Configured) -> None:
    listed = {each["name"]: each for each in odd.ask("port list")}
    assert list(listed) == ["a/b", "br1", "bond0", "lo", "vx0", "br2"]
    for name, why in WHY.items():
        assert listed[name]["state"] == "error"
        assert why in listed[name]["error"]
        assert odd.ask(f"port show {name}") == listed[name]
        assert f"because:     {listed[name]['error']}\n" in odd.do(f"port show {name}")
    assert [each["name"] for each in odd.ask("port list bridge a/b")] == ["a/b"]
    bridges = {each["name"]: each for each in odd.ask("bridge list")}
    assert list(bridges) == ["a/b", "br1", "br2"]
    assert bridges["br1"]["ports"] == ["bond0", "lo", "vx0"]
    assert WHY["a/b"] in bridges["a/b"]["error"]
    assert odd.ask("bridge show a/b") == bridges["a/b"]
    shown = {each["name"]: each for each in odd.ask("show")["bridges"]}
    assert shown["br1"]["ports"] == ["bond0", "br1", "lo", "vx0"]
    assert set(WHY) - {"a/b"} <= set(shown["br1"]["faulty"])
    assert WHY["a/b"] in shown["a/b"]["error"]
    for words in ("port list", "bridge list", "show"):
        assert "vx0" in odd.do(words) and "a/b" in odd.do(words)


def test_they_are_deleted(odd: Configured) -> None:
    assert "is the local port of its bridge" in odd.refuse("port del a/b")
    assert "it has no device" in odd.refuse("port del vx0 --incarnation 0000000000000001")
    for name in ("vx0", "bond0", "lo"):
        number = int(odd.get(".", "next_cfg", "Open_vSwitch"))
        odd.do(f"port del {name}")
        assert int(odd.get(".", "next_cfg", "Open_vSwitch")) == number + 1
        assert f"there is no port {name}" in odd.refuse(f"port show {name}")
    odd.do("bridge del a/b")
    assert "there is no bridge a/b" in odd.refuse("bridge show a/b")
    assert odd.vsctl("list-br").split() == ["br1", "br2"]
    assert odd.vsctl("list-ports br1") == ""
    assert (
        odd.vsctl("--columns=name list Interface").split()
        == odd.vsctl("--columns=name find Interface type=internal").split()
    )
    until(
        lambda: odd.get(".", "cur_cfg", "Open_vSwitch") == odd.get(".", "next_cfg", "Open_vSwitch"),
        "that is in force",
    )


def test_their_names_are_taken_and_nothing_of_them_can_be_set(odd: Configured) -> None:
    before = odd.vsctl("show")
    for name, why in WHY.items():
        if name != "a/b":
            assert f"{name} is already port {name} of bridge br1" in odd.refuse(
                f"port add {name} bridge br2"
            )
        said = odd.refuse(f"port set {name} tag 5")
        assert f"port {name} is refused: " in said and why in said
    assert "e1 is already port bond0 of bridge br1" in odd.refuse(
        "port add p bridge br2 vif e1,e3 --absent-ok"
    )
    assert "bond0 is already port bond0 of bridge br1" in odd.refuse("bridge add bond0")
    assert "there is already a bridge a/b" in odd.refuse("bridge add a/b")
    assert "bridge a/b is refused: bridge name" in odd.refuse("bridge set a/b ageing 5")
    assert "bridge a/b is refused: bridge name" in odd.refuse("port add x bridge a/b --absent-ok")
    assert odd.vsctl("show") == before


def test_a_local_port_whose_row_is_refused_says_so(ovs: Configured) -> None:
    ovs.vsctl("add-br br0")
    ovs.try_vsctl("set Port br0 vlan_mode=dot1q-tunnel")
    assert "dot1q-tunnel is not supported" in ovs.ask("port show br0")["reason"]
    assert [each["name"] for each in ovs.ask("port list")] == ["br0"]
    assert ovs.ask("show")["bridges"][0]["faulty"] == ["br0"]
    assert "port br0 is refused: vlan_mode" in ovs.refuse("port set br0 tag 5")
    ovs.vsctl("clear Port br0 vlan_mode")
    ovs.do("port set br0 tag 5")
    assert ovs.ask("show")["bridges"][0]["faulty"] == []


def test_what_comes_right_is_a_port(odd: Configured) -> None:
    odd.vsctl("set Interface vx0 type=internal -- clear Interface vx0 options")
    shown = odd.ask("port show vx0")
    assert (shown["type"], shown["error"], shown["number"]) == ("internal", "", 1)
    odd.do("port set vx0 tag 5")
    assert odd.vsctl("get Port vx0 tag") == "5"


def test_files_and_events_know_them(odd: Configured) -> None:
    tree = odd.run_dir / "sys" / "bridges"

    def read(path: str) -> str:
        return odd.room.run("cat", str(tree / path)).stdout

    def names(path: str = ".") -> list[str]:
        return odd.room.run("ls", str(tree / path)).stdout.split()

    assert names() == ["a%2Fb", "br1", "br2"]
    assert names("a%2Fb") == ["error", "ports"] and names("br1/ports/vx0") == ["error", "state"]
    assert set(names("br1/ports")) == {"br1", "lo", "bond0", "vx0"}
    assert WHY["a/b"] in read("a%2Fb/error") and WHY["vx0"] in read("br1/ports/vx0/error")
    assert read("br1/ports/vx0/state") == "error\n"

    def told() -> list[dict[str, str]]:
        lines = odd.do("events --no-follow --json").splitlines()
        return [each for each in map(json.loads, lines) if "refus" in each["event"]]

    begun = {(each["bridge"], each["port"]): each["why"] for each in told()}
    assert set(begun) == {("br1", each) for each in WHY if each != "a/b"} | {
        ("a/b", ""),
        ("a/b", "a/b"),
    }
    assert WHY["vx0"] in begun["br1", "vx0"] and len(told()) == len(begun)
    odd.vsctl("set Interface vx0 type=internal")
    until(lambda: len(told()) == len(begun) + 1, "it is taken")
    odd.do("port del bond0")
    until(lambda: len(told()) == len(begun) + 2, "it is gone")
    over = [(each["event"], each["port"]) for each in told()[len(begun) :]]
    assert over == [("refusal-over", "vx0"), ("refusal-over", "bond0")]
    assert names("br1/ports/vx0")[0] != "error" and "bond0" not in names("br1/ports")


def test_what_is_not_acted_on_is_told(ovs: Configured) -> None:
    ovs.vsctl("add-br br0 -- add-br br1")
    ovs.vsctl(
        "set Bridge br0 stp_enable=true other_config:adopt=;;; -- set Port br0 protected=true"
    )
    ovs.vsctl("set Interface br0 ingress_policing_rate=1 other_config:odd=1")
    ovs.vsctl("set Open_vSwitch . other_config:vlan-limit=2")
    ovs.vsctl("set-manager tcp:127.0.0.1:1")
    assert ovs.ask("bridge show br1")["not_acted_on"] == []
    assert ovs.ask("port show br1")["not_acted_on"] == []
    (of_bridge,) = ovs.ask("bridge show br0")["not_acted_on"]
    assert of_bridge.startswith("Bridge br0: stp_enable; other_config:adopt (';;;' holds no rule")
    for command in ("bridge show br0", "show"):
        shown = re.sub("  +", " ", ovs.do(command))
        assert f"not acted on: {of_bridge}\n" in shown
    of_port = ["Port br0: protected", "Interface br0: ingress_policing_rate; other_config:odd"]
    assert ovs.ask("port show br0")["not_acted_on"] == of_port
    assert "".join(f"not acted on: {each}\n" for each in of_port) in ovs.do("port show br0")
    remarks = [
        "not acted on: Open_vSwitch: other_config:vlan-limit",
        "Manager tcp:127.0.0.1:1: Connection refused",
    ]
    until(lambda: ovs.ask("show")["remarks"] == remarks, "the manager can't be had")
    assert "".join(f"    {each}\n" for each in remarks) in ovs.do("show")


def test_what_is_not_acted_on_is_taken_back_by_who_names_it(ovs: Configured) -> None:
    ovs.vsctl("add-br br0 -- add-br br1 -- set Bridge br0 other_config:adopt=tap*")
    ovs.vsctl("set Bridge br1 other_config:adopt=tap9* other_config:default-lifecycle=odd")
    ovs.vsctl("set Port br1 other_config:lifecycle=odd -- set Interface br1 other_config:hook=odd")
    assert "adopt" in ovs.ask("bridge show br1")["not_acted_on"][0]
    ovs.do("bridge set br1 adopt none")
    assert ovs.get("br1", "other_config", "Bridge") == "{default-lifecycle=odd}"
    ovs.do("bridge set br1 lifecycle none ageing 60")
    assert ovs.get("br1", "other_config", "Bridge") == '{mac-aging-time="60"}'
    ovs.do("port set br1 lifecycle none")
    ovs.do("port set br1 hook none tag 5")
    assert ovs.get("br1", "other_config", "Port") == "{}"
    assert ovs.get("br1", "other_config") == "{}"
    assert ovs.ask("port show br1")["not_acted_on"] == []


@pytest.mark.parametrize("words", ["port list br0", "port add tap0 br0 tag 5"])
def test_who_leaves_out_the_word_bridge_is_told(ovs: Configured, words: str) -> None:
    done = ovs.hotswitch(*words.split())
    assert done.returncode == 2
    assert "'br0' is none of: bridge" in done.stderr
    assert "; is `bridge br0` meant?" in done.stderr
    done = ovs.hotswitch("port", "list", "bridges", "br0")
    assert "meant" not in done.stderr
