"""Facades on a machine in memory: which devices are some, and what becomes of their slaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.kernel.links import Link
from hotswitch.model.port import Side
from hotswitch.ports.adoption import read_rules
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredPort
from hotswitch.switch.status import PortState, PortStatus
from hotswitch.switch.switch import Switch
from tests.switch.follower import Follower
from tests.switch.wishes import bridge, desired


class Lab(Follower):
    """A switch whose bridge hs0 has the facade br0."""

    def __init__(self) -> None:
        super().__init__("hs0")

    def want(self, *ports: DesiredPort | str, **values: object) -> None:
        values = {"facade": "br0", **values}
        assert self.switch.set_desired(desired(bridge("hs0", *ports, **values))) == []

    def add_bridge(self, name: str = "br0", /, **values: object) -> Link:
        return self.links.add(name, **{"kind": "bridge", **values})

    @property
    def local(self) -> PortStatus:
        return self.switch.status()["hs0"].ports["hs0"]

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.switch.status()["hs0"].remarks


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_the_local_port_is_the_facade_as_it_is(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want()
    local = lab.world.datapaths["hs0"].ports()[255]
    assert (local.ifindex, local.side) == (facade.index, Side.HOST)
    assert lab.local.state is PortState.DOWN and lab.local.device == facade
    assert lab.links.links == {facade.index: facade}  # nothing made, nothing set


def test_slaves_come_and_go_and_are_not_touched(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want("eth0")
    tap = lab.links.add("tap0", master=facade.index, up=False)
    lab.follow()
    assert lab.ports == {"eth0": 0, "tap0": tap.index}
    assert lab.links.links[tap.index] == tap
    port = lab.switch.desired.bridges["hs0"].ports["tap0"]
    assert (port.master, port.lifecycle) == ("br0", EPHEMERAL)
    assert lab.switch.take_adopted() == [("hs0", "tap0")]
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {"eth0": 0}
    assert lab.switch.take_departed() == [("hs0", "tap0")]
    assert lab.links.links[tap.index].alternative_names == ()


def test_a_port_of_the_bridge_may_be_a_slave(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want("eth0")
    eth = lab.links.add("eth0")
    lab.follow()
    for master in (facade.index, 0):
        lab.links.change(eth.index, master=master)
        lab.follow()
        assert lab.ports == {"eth0": eth.index}
    assert lab.switch.take_adopted() == lab.switch.take_departed() == []


def test_a_rule_for_the_facade_gives_settings(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want(adopt=read_rules("tap*,master=br0 tag=5 lifecycle=static"))
    lab.links.add("tap0", master=facade.index)
    lab.links.add("veth0", master=facade.index)
    lab.follow()
    ports = lab.switch.desired.bridges["hs0"].ports
    assert (ports["tap0"].tag, ports["tap0"].lifecycle) == (5, STATIC)
    assert (ports["veth0"].tag, ports["veth0"].lifecycle) == (None, EPHEMERAL)
    lab.links.change(lab.links.named("tap0").index, master=0)
    lab.follow()
    assert lab.ports["tap0"] == 0  # it waits to be a slave again


@pytest.mark.parametrize("is_restart", [False, True])
def test_a_deleted_slave_is_a_port_again(lab: Lab, is_restart: bool) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    if is_restart:
        lab.switch = Switch(lab.world, lab.clock)
    lab.want()
    assert lab.ports == {"tap0": tap.index}
    assert lab.links.links[tap.index].alternative_names == ()


def test_the_facade_comes_goes_and_comes_again(lab: Lab) -> None:
    lab.want()
    assert lab.local.state is PortState.WAITING
    assert lab.local.error == "there is no Linux bridge br0 yet"
    for _ in range(2):
        facade = lab.add_bridge()
        tap = lab.links.add("tap0", master=facade.index)
        lab.follow()
        assert lab.ports == {"tap0": tap.index} and lab.local.ifindex == facade.index
        lab.links.delete(facade.index)
        lab.links.change(tap.index, master=0)
        lab.follow()
        assert lab.ports == {} and lab.local.ifindex == 0
        lab.links.delete(tap.index)


def test_a_new_bridge_of_the_name_is_the_facade_when_the_old_one_has_gone(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    new = lab.links.replace(facade.index, kind="bridge")
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {}
    assert lab.world.datapaths["hs0"].ports()[255].incarnation == new.incarnation


def test_it_stays_the_facade_through_a_rename(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    lab.links.change(facade.index, name="lan")
    lab.follow()
    lab.restart()
    assert lab.ports == {"tap0": tap.index} and lab.local.ifindex == facade.index
    assert lab.switch.set_desired(Desired()) == []
    assert lab.links.links[facade.index].alternative_names == ()


def test_another_device_becomes_the_facade_when_a_person_says_so(lab: Lab) -> None:
    facade, other = lab.add_bridge(), lab.add_bridge("br1")
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    tap1 = lab.links.add("tap1", master=other.index)
    lab.follow()
    wanted = lab.switch.desired.bridges["hs0"].ports["tap0"]
    lab.want(wanted, facade="br1")
    assert lab.ports == {"tap1": tap1.index} and lab.local.ifindex == other.index
    lab.want(facade="")
    assert lab.ports == {}
    assert lab.local.device and lab.local.device.name == "hs0"
    assert lab.links.links[facade.index] == facade and lab.links.links[tap.index] == tap


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"kind": "dummy"}, "br0 is no Linux bridge"),
        ({"master": 99}, "br0 belongs to link 99 (remove it there first: "),
        ({"details": (("stp_state", 1),)}, "br0 runs the spanning tree protocol (turn that off: "),
        ({"details": (("vlan_filtering", 1),)}, "br0 filters VLANs itself (turn that off: "),
    ],
)
def test_what_is_no_facade_has_its_slaves_for_itself(
    lab: Lab, values: dict[str, object], error: str
) -> None:
    facade = lab.add_bridge(**values)
    tap = lab.links.add("tap0", master=facade.index)
    lab.want()
    assert lab.ports == {}
    assert lab.local.state is PortState.ERROR and lab.local.error.startswith(error)
    lab.links.change(facade.index, kind="bridge", master=0, details=())
    lab.follow()
    assert lab.ports == {"tap0": tap.index} and lab.remarks == ()


@pytest.mark.parametrize("is_restart", [False, True])
@pytest.mark.parametrize("values", [{"details": (("stp_state", 1),)}, {"master": 99}])
def test_a_facade_in_force_goes_on_and_that_is_said(
    lab: Lab, values: dict[str, object], is_restart: bool
) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    lab.want(DesiredPort("tap0", tag=7, master="br0", lifecycle=EPHEMERAL))
    lab.links.change(facade.index, name="lan", alternative_names=(), **values)
    lab.links.change(tap.index, name="web")
    if is_restart:
        lab.restart()
    lab.follow()
    new = lab.links.add("tap1", master=facade.index)
    lab.follow()
    assert lab.ports == {"tap0": tap.index, "tap1": new.index}
    assert lab.local.ifindex == facade.index and lab.local.error == ""
    (said,) = lab.remarks
    assert said.startswith("the facade lan ") and said.endswith("so that VLANs stay apart")
    lab.links.change(facade.index, kind="bridge", master=0, details=())
    lab.follow()
    assert lab.remarks == ()
    assert lab.switch.desired.bridges["hs0"].ports["tap0"].tag == 7


@pytest.mark.parametrize("is_restart", [False, True])
def test_slaves_of_what_can_be_no_facade_keep_their_settings(lab: Lab, is_restart: bool) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    lab.want(DesiredPort("tap0", tag=7, master="br0", lifecycle=EPHEMERAL))
    lab.world.datapaths.clear()  # the forwarding is ended, or the machine restarted
    lab.links.change(facade.index, details=(("stp_state", 1),))
    lab.restart()
    assert lab.ports == {"tap0": 0}
    assert lab.local.error.startswith("br0 runs the spanning tree protocol")
    lab.links.change(tap.index, name="web")
    lab.links.change(facade.index, name="lan", alternative_names=())
    if is_restart:
        lab.restart()
    lab.follow()
    lab.links.change(facade.index, details=())
    lab.follow()
    assert lab.ports == {"tap0": tap.index} and lab.local.ifindex == facade.index
    assert lab.switch.desired.bridges["hs0"].ports["tap0"].tag == 7
    assert lab.switch.take_departed() == []


@pytest.mark.parametrize("is_restart", [False, True])
def test_a_slave_that_is_released_and_comes_back_keeps_its_settings(
    lab: Lab, is_restart: bool
) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    lab.want(DesiredPort("tap0", tag=7, master="br0", lifecycle=STATIC))
    lab.links.change(tap.index, name="web", master=0)
    lab.follow()
    lab.follow()
    if is_restart:
        lab.restart()
    lab.links.change(tap.index, alternative_names=())
    lab.follow()
    assert lab.ports == {"tap0": 0}
    lab.links.change(tap.index, master=facade.index)
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    assert lab.switch.desired.bridges["hs0"].ports["tap0"].tag == 7
    lab.links.change(tap.index, master=0)
    lab.follow()
    other = lab.add_bridge("br1")
    both = [*lab.switch.desired.bridges.values(), bridge("hs1", facade="br1")]
    assert lab.switch.set_desired(desired(*both)) == []
    lab.links.change(tap.index, master=other.index)
    lab.follow()
    said = "web in the facade br1 is not taken: it is port tap0 of bridge hs0"
    assert lab.switch.status()["hs1"].remarks == (said,)


def test_what_is_another_s_is_not_taken_and_that_is_said(lab: Lab) -> None:
    facade = lab.add_bridge()
    tap = lab.links.add("tap0", master=facade.index)
    both = desired(bridge("hs0", facade="br0"), bridge("hs1", "tap0"))
    assert lab.switch.set_desired(both) == []
    assert lab.ports == {}
    said = "tap0 in the facade br0 is not taken: it is port tap0 of bridge hs1"
    for _ in range(2):
        assert [*lab.remarks] == [said]
        lab.follow()
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.remarks == ()
    lab.links.change(tap.index, master=facade.index)
    assert lab.switch.set_desired(desired(bridge("hs0", facade="br0"), bridge("hs1"))) == []
    assert lab.ports == {"tap0": tap.index} and lab.remarks == ()


def test_a_name_that_no_port_can_have_is_not_taken(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.links.add("a\x01b", master=facade.index)
    lab.want()
    lab.follow()
    assert lab.ports == {}
    assert len(lab.remarks) == 1 and "is no link's name" in lab.remarks[0]


def test_a_slave_that_was_let_go_while_nobody_looked_is_gone(lab: Lab) -> None:
    facade = lab.add_bridge()
    lab.want()
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    lab.links.change(tap.index, master=0)
    lab.world.datapaths.clear()  # a reboot
    lab.restart()
    assert lab.ports == {}


def facades() -> Iterator[tuple[Desired, str]]:
    yield (
        desired(bridge("hs0", facade="br0"), bridge("hs1", facade="br0")),
        "br0 is the facade of bridge hs0",
    )
    yield (
        desired(bridge("hs0", facade="hs1"), bridge("hs1")),
        "hs1 is the facade of bridge hs0",
    )
    yield desired(bridge("hs0", "br0", facade="br0")), "br0 is a port of bridge hs0"
    yield desired(bridge("hs0", facade="br0"), bridge("hs1", "br0")), "br0 is a port of bridge hs1"
    yield desired(bridge("hs0", facade="a b")), "is no link's name"
    yield desired(bridge("hs0", facade="lo")), "loopback"


@pytest.mark.parametrize(("wanted", "why"), list(facades()))
def test_what_cannot_be(wanted: Desired, why: str) -> None:
    with pytest.raises(SwitchError, match=why):
        check(wanted)


def test_the_same_names_can_be() -> None:
    check(desired(bridge("br0", "br0", facade="br0"), bridge("br1", facade="br1")))


steps = st.tuples(
    st.sampled_from(("tap0", "tap1", "br0", "br1")),
    st.sampled_from(("toggle", "br0", "br1", "none", "rename", "stp", "restart")),
)


@given(st.lists(steps, max_size=14))
@settings(max_examples=60, deadline=None)
def test_ports_are_always_the_slaves(story: list[tuple[str, str]]) -> None:
    lab = Lab()
    lab.want()
    there = {"br0": lab.add_bridge().index, "tap0": lab.links.add("tap0").index}
    lab.follow()
    for name, what in story:
        if what == "toggle" and name in there:
            index = there.pop(name)
            lab.links.delete(index)
            for each in there.values():
                if lab.links.links[each].master == index:
                    lab.links.change(each, master=0)
        elif what == "toggle":
            kind = "bridge" if name.startswith("br") else "dummy"
            there[name] = lab.links.add(f"{name}{'' if kind == 'bridge' else len(story)}").index
            lab.links.change(there[name], kind=kind)
        elif what in ("br0", "br1") and name in there and not name.startswith("br"):
            if what in there:
                lab.links.change(there[name], master=there[what])
        elif what == "none" and name in there:
            lab.links.change(there[name], master=0)
        elif what == "stp" and "br0" in there:
            details = () if lab.links.links[there["br0"]].details else (("stp_state", 1),)
            lab.links.change(there["br0"], details=details)
        elif what == "restart":
            lab.restart()
        lab.follow()
        slaves = {
            each for each in there.values() if lab.links.links[each].master == there.get("br0", -1)
        }
        assert set(lab.ports.values()) == slaves
        assert lab.local.ifindex == there.get("br0", 0)
