"""Copies with which a program can't do what is asked: user space gets them and does it."""

from __future__ import annotations

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.actions import Hash, PushMpls, PushVlan
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from hotswitch.netlink.server.packet_family import MOST_CARRIED_OUT
from tests.netlink.asked import frame, key, mask, new_datapath, new_vport
from tests.netlink.outside import World
from tests.netlink.test_flows import structure

PORTS = ("p1", "p2", "p3", "p4")
TWO_BONDS = Attributes(
    (
        ("hash", Hash.value(0, 0)), ("recirc", 1),
        ("hash", Hash.value(0, 0)), ("recirc", 2),
        ("output", 2),
    )
)  # fmt: skip


class Lab:
    """A datapath with four ports."""

    def __init__(self, registry: Registry) -> None:
        self.world = World(registry)
        for name in PORTS:
            self.world.outside.add_device(name)
        self.client = self.world.client()
        self.number = self.client.ask(DATAPATH, "new", new_datapath()).datapath
        for name in PORTS:
            self.client.ask(VPORT, "new", new_vport(name), datapath=self.number)

    def flow(self, actions: Attributes, recirculated: int = 0, in_port: int = 1) -> None:
        where, seen = key(in_port, 5), mask()
        where, seen = (
            each + Attributes(recirc_id=value)
            for each, value in ((where, recirculated), (seen, 0xFFFFFFFF))
        )
        asked = Attributes(key=where, mask=seen, actions=actions)
        self.client.ask(FLOW, "new", asked, datapath=self.number, flags=CREATE | ECHO)

    def pass_on(self, data: bytes, times: int = 1) -> list[tuple[str, bytes]]:
        """What leaves, by the program and by user space, with the names of ports."""
        self.world.outside.sent.clear()
        sent = []
        for _ in range(times):
            done = self.world.outside.engines["dp1"].process(1, data)
            sent += [(f"p{port}", out) for port, out in done.outputs]
        self.world.server.upcalls(self.world.server.datapaths[self.number])
        names = {each.index: each.name for each in self.world.outside.devices.values()}
        return sent + [(names[index], out) for index, out in self.world.outside.sent]


@pytest.fixture
def lab(registry: Registry) -> Lab:
    return Lab(registry)


def test_a_flood_to_two_bonds(lab: Lab) -> None:
    lab.flow(TWO_BONDS)
    lab.flow(Attributes(output=3), recirculated=1)
    lab.flow(Attributes(push_vlan=PushVlan.value(0x8100, 0x1007), output=4), recirculated=2)
    data = frame(5)
    tagged = data[:12] + b"\x81\0\0\7" + data[12:]
    assert sorted(lab.pass_on(data)) == [("p2", data), ("p3", data), ("p4", tagged)]


def test_what_it_leads_to_is_what_there_is_now(lab: Lab) -> None:
    lab.flow(TWO_BONDS)
    lab.flow(Attributes(output=3), recirculated=1)
    assert ("p3", frame(5)) in lab.pass_on(frame(5))
    gone = key(1, 5) + Attributes(recirc_id=1)
    lab.client.ask(FLOW, "del", Attributes(key=gone), datapath=lab.number)
    assert lab.pass_on(frame(5)) == [("p2", frame(5))]
    lab.flow(Attributes(output=4), recirculated=1)
    assert ("p4", frame(5)) in lab.pass_on(frame(5))


def test_after_a_restart_too(lab: Lab) -> None:
    lab.flow(TWO_BONDS)
    lab.flow(Attributes(output=3), recirculated=1)
    lab.world.restart()
    assert ("p3", frame(5)) in lab.pass_on(frame(5))


def test_two_mirrors_with_snap_lengths(lab: Lab) -> None:
    tag = PushVlan.value(0x8100, 0x1007)
    lab.flow(
        Attributes(
            (("trunc", 20), ("output", 2), ("push_vlan", tag), ("trunc", 30), ("output", 3),
             ("output", 4))
        )
    )  # fmt: skip
    data = frame(5)
    tagged = data[:12] + b"\x81\0\0\7" + data[12:]
    assert sorted(lab.pass_on(data)) == [("p2", data[:20]), ("p3", tagged[:30]), ("p4", tagged)]


def test_labels_on_two_copies(lab: Lab) -> None:
    ip = bytes.fromhex("45000014000000004011000001010101020202020000000000000000")
    data = frame(5)[:12] + b"\x08\0" + ip
    label = [PushMpls.value(number << 12 | 0x140, 0x8847) for number in (1, 2)]
    copies = [Attributes(push_mpls=each, output=port) for port, each in enumerate(label, 2)]
    where = key(1, 5) + Attributes(ethertype=0x800)
    where += Attributes(ipv4=structure("ipv4"))
    seen = mask() + Attributes(ethertype=0xFFFF, ipv4=structure("ipv4"))
    actions = Attributes((("clone", copies[0]), ("clone", copies[1]), ("output", 4)))
    asked = Attributes(key=where, mask=seen, actions=actions)
    lab.client.ask(FLOW, "new", asked, datapath=lab.number, flags=CREATE | ECHO)
    labelled = [data[:12] + b"\x88\x47" + bytes((0, 0, n << 4 | 1, 0x40)) + ip for n in (1, 2)]
    assert sorted(lab.pass_on(data)) == [
        ("p2", labelled[0]), ("p3", labelled[1]), ("p4", data)
    ]  # fmt: skip


def test_a_loop_ends(lab: Lab) -> None:
    lab.flow(TWO_BONDS)
    again = Attributes((("recirc", 1), ("recirc", 1), ("output", 3)))
    lab.flow(again, recirculated=1)
    sent = lab.pass_on(frame(5))
    assert ("p2", frame(5)) in sent and ("p3", frame(5)) in sent
    assert len(sent) < 100


def test_a_flood_of_them_is_bounded_and_counted(lab: Lab) -> None:
    lab.flow(TWO_BONDS)
    lab.flow(Attributes(output=3), recirculated=1)
    sent = lab.pass_on(frame(5), MOST_CARRIED_OUT + 9)
    assert sent.count(("p3", frame(5))) == MOST_CARRIED_OUT
    told = lab.client.ask(DATAPATH, "get", datapath=lab.number).attributes["statistics"]
    assert told.lost >= 9


def test_execute(lab: Lab) -> None:
    """A packet with such actions, as ovs-vswitchd sends the first of a flow back."""
    lab.flow(Attributes(output=3), recirculated=1)
    lab.flow(Attributes(output=4), recirculated=2)
    asked = Attributes(packet=frame(5), key=key(1, 5), actions=TWO_BONDS)
    lab.client.request(PACKET, "execute", asked, datapath=lab.number)
    sent = {name for index, _ in lab.world.outside.sent for name in PORTS
            if lab.world.outside.devices[name].index == index}  # fmt: skip
    assert sent == {"p2", "p3", "p4"}
