"""What can't be a facade, and devices that several want: one line, and nothing else has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.facade_lab import FacadeLab, facade_lab
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[FacadeLab]:
    with facade_lab(room, tmp_path) as made:
        yield made


def bridges(lab: FacadeLab) -> set[str]:
    return {each["name"] for each in lab.daemon.ask("bridge list")}


def test_what_can_be_no_facade_is_refused(lab: FacadeLab) -> None:
    lab.ip("link add d0 type veth peer name d1")
    assert "d0 is no Linux bridge" in lab.daemon.refuse("bridge add hs0 facade d0")
    assert "is no link's name" in lab.daemon.refuse("bridge add hs0 facade a/b")
    assert "is too long" in lab.daemon.refuse("bridge add hs0 facade abcdefghijklmnop")
    assert bridges(lab) == set()

    lab.daemon.do("bridge add hs0 facade br0")
    error = lab.daemon.refuse("bridge add hs1 facade br0")
    assert "br0 is the facade of bridge hs0" in error
    assert "br0 is the facade of bridge hs0" in lab.daemon.refuse("bridge add br0")
    assert "br0 is the facade of bridge hs0" in lab.daemon.refuse("port add br0 bridge hs0")
    lab.daemon.do("bridge add hs1")
    assert "br0 is the facade of bridge hs0" in lab.daemon.refuse("bridge set hs1 facade br0")
    assert "hs1 is itself a bridge" in lab.daemon.refuse("bridge set hs0 facade hs1")
    assert "br0 is the facade of bridge hs0" in lab.daemon.refuse("port add br0 bridge hs1")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1", bridge="hs0")
    assert lab.reaches("anna", "ben")


def test_a_facade_whose_name_the_local_port_would_need_stays(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0")
    lab.has("tap0")
    assert lab.daemon.refuse("bridge set br0 facade none") == (
        "hotswitch: the facade of bridge br0 has the name that its local port would need "
        "(delete the bridge: hotswitch bridge del br0; "
        "or rename the device first: ip link set br0 name NEW)\n"
    )
    lab.has("tap0")
    lab.ip("link set br0 name plain")
    until(lambda: lab.daemon.ask("port show br0")["device"] == "plain", "the rename is seen")
    lab.daemon.do("bridge set br0 facade none")
    lab.has()
    assert lab.link("br0")["linkinfo"]["info_kind"] == "veth"


def test_in_the_database_too(lab: FacadeLab) -> None:
    lab.vsctl("add-br br0 -- set bridge br0 other_config:facade=br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    lab.vsctl("--no-wait add-br hs1 -- set bridge hs1 other_config:facade=br0")
    said = "br0 is itself a bridge"
    until(lambda: said in lab.vsctl("get bridge hs1 status"), "the second is refused")
    lab.vsctl("set bridge hs1 other_config:facade=a/b")
    until(lambda: "is no link's name" in lab.vsctl("get bridge hs1 status"), "it is said")
    lab.vsctl("remove bridge hs1 other_config facade")
    until(lambda: lab.vsctl("get bridge hs1 status") == "{}\n", "it is in force")
    lab.has("tap0", "tap1")
    assert lab.reaches("anna", "ben")
    lab.vsctl("del-br br0")
    assert bridges(lab) == {"hs1"}
    lab.is_free("br0", "tap0")
    assert lab.reaches("anna", "ben")


def test_a_port_of_another_bridge_is_not_taken(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs0 facade br0")
    lab.daemon.do("bridge add hs1")
    lab.daemon.do("port add tap0 bridge hs1")
    lab.enslave("tap0", "tap1")
    lab.has("tap1", bridge="hs0")
    until(lambda: "tap0 belongs to br0" in lab.error("tap0"), "its port has lost it")
    said = "tap0 in the facade br0 is not taken: it is port tap0 of bridge hs1"
    until(lambda: said in lab.vsctl("get bridge hs0 status"), "it is said")
    assert said in lab.daemon.log
    lab.daemon.do("port del tap0")
    lab.has("tap0", "tap1", bridge="hs0")
    assert lab.vsctl("get bridge hs0 status") == "{}\n"
    assert lab.reaches("anna", "ben")


def test_a_facade_that_is_a_port_elsewhere(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs1")
    lab.daemon.do("port add uplink bridge hs1 link name=br0")
    error = lab.daemon.refuse("bridge add hs0 facade br0")
    assert "br0 is already port uplink of bridge hs1" in error
    assert bridges(lab) == {"hs1"}
    assert lab.daemon.ask("port show uplink")["link"] == "br0"
