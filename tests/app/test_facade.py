"""A real Linux bridge, real tools and real packets: what is enslaved to the facade is a port."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.app.facade_lab import ADDRESSES, SWITCH, FacadeLab, facade_lab
from tests.support.room import Room
from tests.support.wait import until


@pytest.fixture
def lab(room: Room, tmp_path: Path) -> Iterator[FacadeLab]:
    with facade_lab(room, tmp_path) as made:
        yield made


def everybody_reaches_everybody(lab: FacadeLab, *hosts: str) -> None:
    for source in hosts:
        for target in hosts:
            if source != target:
                # The kernel takes a moment to tell a bridge that its first slave has a carrier.
                until(partial(lab.reaches, source, target), f"{source} reaches {target}")


def test_what_tools_enslave_becomes_a_port_and_leaves_when_released(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.brctl("addif br0 tap0")
    lab.ip("link set tap1 master br0")
    lab.has("tap0", "tap1")
    lab.forget()
    everybody_reaches_everybody(lab, "anna", "ben", SWITCH)
    assert lab.learned() == []
    shown = lab.brctl("show br0")
    assert "tap0" in shown and "tap1" in shown
    until(
        lambda: (
            {each["ifname"]: each["state"] for each in lab.bridge("link")}
            == {"tap0": "forwarding", "tap1": "forwarding"}
        ),
        "the kernel's ports forward",
    )
    assert lab.vsctl("get Interface br0 ofport error").split() == ["65534", "[]"]
    assert lab.daemon.ask("port show br0")["link"] == "br0"

    lab.brctl("delif br0 tap0")
    lab.has("tap1")
    assert not lab.reaches("ben", "anna")
    assert lab.link("tap0")["promiscuity"] == 0
    lab.is_free("tap0")
    lab.ip("link set tap1 nomaster")
    lab.has()
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    assert lab.reaches("anna", "ben")
    lab.room.run("ip", "netns", "del", "ben")
    lab.has("tap0")


def test_tcp_flows(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    lab.forget()
    for source, target in (("anna", "ben"), ("anna", SWITCH), (SWITCH, "ben")):
        assert copied(lab, source, target) == 4 << 20
    assert lab.learned() == []


def copied(lab: FacadeLab, source: str, target: str) -> int:
    """Bytes that came over one TCP connection."""
    code = (
        "import socket; s = socket.create_server(('', 5000)); print(1, flush=True);"
        "c = s.accept()[0]; n = 0\n"
        "while d := c.recv(1 << 16): n += len(d)\n"
        "print(n)"
    )
    server = lab.room.start("python3", "-c", code, host=target, stdout=subprocess.PIPE)
    assert server.stdout and server.stdout.readline() == "1\n"
    send = (
        f"import socket; s = socket.create_connection(('{ADDRESSES[target]}', 5000), 5);"
        "s.sendall(bytes(4 << 20))"
    )
    lab.room.run("python3", "-c", send, host=source)
    said, _ = server.communicate(timeout=10)
    return int(said)


def test_the_bridges_may_have_different_names_and_other_ports(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs0 facade br0")
    lab.daemon.do("port add eth9 bridge hs0")
    lab.enslave("tap0")
    lab.has("tap0", "eth9", bridge="hs0")
    everybody_reaches_everybody(lab, "anna", "carl", SWITCH)
    assert lab.daemon.ask("port show hs0")["link"] == "br0"
    assert lab.room.run("ip", "link", "show", "hs0", host=SWITCH, check=False).returncode
    # One that is a port already may be enslaved, and released: it stays.
    lab.enslave("eth9")
    assert lab.reaches("anna", "carl")
    lab.ip("link set eth9 nomaster")
    assert lab.reaches("anna", "carl")
    lab.has("tap0", "eth9", bridge="hs0")
    lab.daemon.do("bridge set hs0 facade none")
    lab.has("eth9", bridge="hs0")
    assert lab.link("hs0")["linkinfo"]["info_kind"] == "veth"
    lab.is_free("br0", "tap0")
    assert lab.reaches("anna", SWITCH)


def test_settings_last_as_long_as_the_port(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    lab.vsctl("set port tap0 tag=10")
    assert not lab.reaches("anna", "ben")
    lab.ip("link set tap0 name web")
    until(lambda: lab.daemon.ask("port show tap0")["link"] == "web", "the rename is seen")
    lab.vsctl("set port tap1 tag=10")
    assert lab.reaches("anna", "ben")
    lab.kill()
    lab.daemon.start()
    lab.has("tap0", "tap1")
    assert lab.vsctl("get port tap0 tag") == "10\n"
    lab.ip("link set web nomaster")
    lab.has("tap1")
    lab.enslave("web")
    lab.has("web", "tap1")
    assert lab.vsctl("get port web tag") == "[]\n"
    # Deleting the row does not release the device: it is a port again at once.
    lab.vsctl("del-port br0 tap1")
    lab.has("web", "tap1")
    assert lab.reaches("anna", "ben")
    assert "ip link set tap1 nomaster" in lab.daemon.refuse("port del tap1")


def test_without_the_daemon_it_goes_on(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    assert lab.reaches("anna", SWITCH)
    lab.forget()
    numbers = {each["name"]: each["number"] for each in lab.daemon.ask("port list")}
    lab.kill()
    everybody_reaches_everybody(lab, "anna", "ben", SWITCH)
    assert lab.learned() == []
    lab.ip("link set tap1 nomaster")
    lab.enslave("eth9")
    lab.daemon.start()
    lab.has("tap0", "eth9")
    everybody_reaches_everybody(lab, "anna", "carl", SWITCH)
    after = {each["name"]: each["number"] for each in lab.daemon.ask("port list")}
    assert (after["br0"], after["tap0"]) == (numbers["br0"], numbers["tap0"])


def test_without_the_switch_it_is_a_plain_bridge(lab: FacadeLab) -> None:
    before = {each: flags(lab, each) for each in ("br0", "tap0", "tap1")}
    lab.enslave("tap0", "tap1")
    plain = {each: flags(lab, each) for each in ("br0", "tap0", "tap1")}
    lab.daemon.do("bridge add br0 facade br0")
    lab.has("tap0", "tap1")
    lab.forget()
    assert lab.reaches("anna", "ben") and not lab.learned()
    assert all(lab.is_hooked(each) for each in before)
    lab.daemon.do("bridge del br0")
    lab.is_free(*before)
    everybody_reaches_everybody(lab, "anna", "ben", SWITCH)
    assert lab.learned()
    assert {each: flags(lab, each) for each in before} == plain
    lab.ip("link set tap0 nomaster")
    lab.ip("link set tap1 nomaster")
    assert {each: flags(lab, each) for each in before} == before


def flags(lab: FacadeLab, device: str) -> object:
    link = lab.link(device)
    set_by_people = {"UP", "PROMISC", "ALLMULTI"}.intersection(link["flags"])
    return set_by_people, link["promiscuity"], link["mtu"], link.get("altnames"), link["address"]


def test_other_linux_bridges_are_never_touched(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs0 facade br0")
    lab.add_bridge("br9")
    lab.enslave("tap0", "tap1", master="br9")
    assert lab.reaches("anna", "ben")
    assert lab.ports("hs0") == {}
    lab.is_free("br9", "tap0")
    assert lab.learned("br9")
    # From one to the other.
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1", bridge="hs0")
    assert lab.reaches("anna", "ben")
    lab.enslave("tap1", master="br9")
    lab.has("tap0", bridge="hs0")
    lab.is_free("tap1")


def test_the_facade_may_come_later_and_come_again(lab: FacadeLab) -> None:
    lab.ip("link del br0")
    lab.daemon.do("bridge add hs0 facade br0")
    assert lab.state("hs0") == "waiting"
    assert lab.error("hs0") == "there is no Linux bridge br0 yet"
    assert "no Linux bridge br0" in lab.vsctl("get Interface hs0 error")
    for _ in range(2):
        lab.add_bridge("br0")
        lab.enslave("tap0", "tap1")
        lab.has("tap0", "tap1", bridge="hs0")
        until(lambda: lab.state("hs0") == "forwarding", "the facade is there")
        assert lab.reaches("anna", "ben")
        assert lab.vsctl("get Interface hs0 error") == "[]\n"
        lab.ip("link del br0")
        lab.has(bridge="hs0")
        assert lab.state("hs0") == "waiting"


def test_a_renamed_facade_stays_it(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs0 facade br0")
    lab.enslave("tap0")
    lab.has("tap0", bridge="hs0")
    lab.ip("link set br0 name lan")
    until(lambda: lab.daemon.ask("port show hs0")["link"] == "lan", "the rename is seen")
    lab.enslave("tap1", master="lan")
    lab.has("tap0", "tap1", bridge="hs0")
    everybody_reaches_everybody(lab, "anna", "ben", SWITCH)
    lab.kill()
    lab.daemon.start()
    lab.has("tap0", "tap1", bridge="hs0")
    lab.daemon.do("bridge del hs0")
    assert "altnames" not in lab.link("lan")


def test_a_facade_that_hotswitch_renames_stays_it_by_its_new_name(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add hs0 facade br0")
    lab.daemon.hotswitch("bridge", "set", "hs0", "adopt", "tap*,master=br0 tag=7")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1", bridge="hs0")
    lab.daemon.do("link rename br0 net0")
    (bridge,) = lab.daemon.ask("bridge list")
    assert (bridge["facade"], bridge["adopt"]) == ("net0", "tap*,master=net0 tag=7")
    assert "master=net0" in lab.vsctl("get port tap0 other_config")
    lab.has("tap0", "tap1", bridge="hs0")
    told = lab.daemon.do("events --no-follow")
    assert "port-adopted" in told and not re.search(" (port-removed|device-gone|link-down) ", told)
    assert lab.reaches("anna", "ben")
    lab.kill()
    lab.ip("link property del dev net0 altname br0")
    lab.daemon.start()
    lab.has("tap0", "tap1", bridge="hs0")
    assert lab.daemon.ask("port show hs0")["device"] == "net0"
    assert lab.reaches("anna", "ben")


def test_a_bridge_with_a_mind_of_its_own_is_no_facade(lab: FacadeLab) -> None:
    setting, said = "stp_state 1", "br0 runs the spanning tree protocol"
    lab.ip(f"link set br0 type bridge {setting}")
    lab.enslave("tap0", "tap1")
    error = lab.daemon.refuse("bridge add br0 facade br0")
    assert said in error and f"ip link set br0 type bridge {setting[:-1]}0" in error
    assert lab.daemon.ask("bridge list") == []
    lab.is_free("br0", "tap0")
    lab.ip(f"link set br0 type bridge {setting[:-1]}0")
    lab.daemon.do("bridge add br0 facade br0")
    lab.has("tap0", "tap1")
    until(lambda: lab.reaches("anna", "ben"), "it forwards")


def test_guests_stay_apart_when_the_facade_gets_a_mind_of_its_own(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1", "eth9")
    lab.has("tap0", "tap1", "eth9")
    lab.vsctl("set port tap0 tag=10 -- set port tap1 tag=20 -- set port eth9 tag=10")
    lab.ip("link set tap0 name web")
    until(lambda: lab.daemon.ask("port show tap0")["link"] == "web", "the rename is seen")
    lab.ip("link set br0 type bridge stp_state 1 forward_delay 200")
    said = "so that VLANs stay apart"
    until(lambda: said in lab.vsctl("get bridge br0 status"), "it is said")
    assert said in lab.daemon.log
    assert said in lab.daemon.ask("bridge list")[0]["remarks"][0]
    lab.kill()
    lab.ip("link set tap1 name db")
    lab.daemon.start()
    lab.has("tap0", "tap1", "eth9")
    assert not lab.reaches("anna", "ben")
    assert lab.reaches("anna", "carl")
    assert lab.vsctl("get port tap1 tag") == "20\n"
    # Only a person who ends the facade lets the Linux bridge have them.
    lab.ip("link set br0 type bridge stp_state 0")
    until(lambda: lab.vsctl("get bridge br0 status") == "{}\n", "it is settled")
    lab.daemon.do("bridge del br0")
    until(lambda: lab.reaches("anna", "ben"), "it is a plain bridge")


def test_slaves_keep_their_settings_where_the_facade_was_refused_at_the_start(
    lab: FacadeLab,
) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    lab.vsctl("set port tap0 tag=10 -- set port tap1 tag=20")
    lab.daemon.do("shutdown --stop-forwarding")
    assert lab.daemon.process
    lab.daemon.process.wait()
    lab.ip("link set br0 type bridge stp_state 1")
    lab.daemon.start()
    said = "br0 runs the spanning tree protocol"
    until(lambda: said in lab.error("tap0"), "the facade is refused")
    assert "ip link set tap1 nomaster" in lab.daemon.refuse("port del tap1")
    lab.ip("link set tap0 name web")
    lab.kill()
    lab.daemon.start()
    lab.ip("link set br0 type bridge stp_state 0")
    lab.has("tap0", "tap1")
    assert lab.daemon.ask("port show tap0")["link"] == "web"
    assert lab.vsctl("get port tap0 tag") == "10\n"
    assert not lab.reaches("anna", "ben")


def test_a_static_slave_keeps_its_settings_while_it_is_released(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    lab.enslave("tap0", "tap1")
    lab.has("tap0", "tap1")
    lab.daemon.do("port set tap0 tag 10 lifecycle static")
    lab.ip("link set tap0 name web")
    until(lambda: lab.daemon.ask("port show tap0")["link"] == "web", "the rename is seen")
    lab.ip("link set web nomaster")
    until(lambda: lab.error("tap0") == "web is not in br0", "it is released")
    lab.kill()
    lab.daemon.start()
    lab.enslave("web")
    lab.has("tap0", "tap1")
    assert lab.daemon.ask("port show tap0")["tag"] == 10


def test_what_is_down_is_a_port_and_stays_down(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    for device in ("br0", "tap0"):
        lab.ip(f"link set {device} down")
    lab.brctl("addif br0 tap0")
    until(lambda: lab.ports("br0") == {"tap0": "down"}, "tap0 is a port")
    assert lab.state("br0") == "down"
    assert "UP" not in lab.link("tap0")["flags"] and "UP" not in lab.link("br0")["flags"]
    for device in ("br0", "tap0"):
        lab.ip(f"link set {device} up")
    lab.has("tap0")
    until(lambda: lab.reaches("anna", SWITCH), "it forwards")


def test_killed_at_any_moment(lab: FacadeLab) -> None:
    lab.daemon.do("bridge add br0 facade br0")
    chance = random.Random(7)
    slaves: set[str] = set()
    for _ in range(4):
        for _ in range(chance.randint(1, 3)):
            device = chance.choice(("tap0", "tap1", "eth9"))
            lab.ip(f"link set {device} {'nomaster' if device in slaves else 'master br0'}")
            slaves ^= {device}
        time.sleep(chance.random() / 20)  # not to wait for something: any moment will do
        lab.kill()
        if chance.random() < 0.5:
            device = chance.choice(("tap0", "tap1", "eth9"))
            lab.ip(f"link set {device} {'nomaster' if device in slaves else 'master br0'}")
            slaves ^= {device}
        lab.daemon.start()
        lab.has(*slaves)
    lab.enslave("tap0", "tap1", "eth9")
    lab.has("tap0", "tap1", "eth9")
    everybody_reaches_everybody(lab, "anna", "carl", SWITCH)
