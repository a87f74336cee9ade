"""Ports and the lives of their devices, on a machine in memory."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.kernel.links import OperationalState
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC, Lifecycle, Policy
from hotswitch.ports.members import Member
from hotswitch.ports.selector import read_selector
from hotswitch.switch.apply import carry_out
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.marks import former_mark
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState
from hotswitch.switch.steps import KeepName
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.follower import Follower
from tests.switch.wishes import bridge, desired

SECOND = 1_000_000_000
TAP0 = ("br0", "tap0")


class Lab(Follower):
    """A switch with one bridge."""

    def __init__(self) -> None:
        super().__init__("br0")

    def want(self, *ports: DesiredPort, **values: object) -> None:
        assert self.switch.set_desired(desired(bridge("br0", *ports, **values))) == []


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_an_ephemeral_port_goes_in_the_same_event(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL), DesiredPort("tap1"))
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {"tap1": 0}
    assert lab.switch.take_departed() == [TAP0]
    assert lab.switch.take_departed() == []


def test_the_bridge_says_what_the_port_does_not(lab: Lab) -> None:
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]
    lab.want(DesiredPort("tap0"), DesiredPort("tap1", lifecycle=STATIC), lifecycle=EPHEMERAL)
    for tap in taps:
        lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {"tap1": 0}


@pytest.mark.parametrize("name", ["tap0", "other"])
def test_a_name_or_an_index_that_is_used_again_is_not_the_port_s(lab: Lab, name: str) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    new = lab.links.replace(tap.index)
    lab.links.change(new.index, name=name)
    lab.follow()
    assert lab.ports == {}
    assert lab.switch.take_departed() == [TAP0]


def test_a_static_port_takes_the_new_device_of_its_name(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC))
    before = lab.world.datapaths["br0"].ports()[1]
    new = lab.links.replace(tap.index)
    lab.follow()
    after = lab.world.datapaths["br0"].ports()[1]
    assert (before.ifindex, before.incarnation) == (tap.index, tap.incarnation)
    assert (after.ifindex, after.incarnation) == (tap.index, new.incarnation)


def test_it_knows_whether_ports_lack_devices(lab: Lab) -> None:
    made = DesiredPort("t", kind=PortKind.TAP)
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC), made)
    for lacks in (False, True, False):
        lab.switch.statuses()
        assert lab.switch.lacks_devices is lacks
        if lacks:
            tap = lab.links.add("tap0")
        else:
            lab.links.delete(tap.index)
        lab.follow()


def test_grace_is_a_time(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=Lifecycle(Policy.GRACE, 5)))
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.switch.deadline == lab.clock.now() + 5 * SECOND
    assert lab.ports == {"tap0": 0}
    lab.clock.advance(4 * SECOND)
    tap = lab.links.add("tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index} and lab.switch.deadline is None
    lab.links.delete(tap.index)
    lab.follow()
    lab.clock.advance(5 * SECOND)
    lab.follow()
    assert lab.ports == {}


def test_a_name_that_another_port_s_device_takes_does_not_keep_a_port(lab: Lab) -> None:
    grace = Lifecycle(Policy.GRACE, 2)
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]
    lab.want(*(DesiredPort(tap.name, lifecycle=grace) for tap in taps))
    lab.links.delete(taps[0].index)
    lab.follow()
    lab.clock.advance(SECOND)
    lab.links.change(taps[1].index, name="tap0")
    lab.follow()
    assert lab.ports == {"tap0": 0, "tap1": taps[1].index}
    status = lab.switch.status()["br0"].ports["tap0"]
    assert status.state is PortState.ERROR
    assert status.error.startswith("tap0 is already port tap1 of bridge br0")
    assert lab.switch.deadline == lab.clock.now() + SECOND
    lab.clock.advance(SECOND)
    lab.follow()
    assert lab.ports == {"tap1": taps[1].index}
    assert lab.switch.take_departed() == [TAP0]
    lab.clock.advance(9 * SECOND)
    lab.follow()
    assert lab.ports == {"tap1": taps[1].index}


@pytest.mark.parametrize("lifecycle", [EPHEMERAL, Lifecycle(Policy.GRACE, 2)])
def test_a_device_and_its_name_go_at_once(lab: Lab, lifecycle: Lifecycle) -> None:
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]
    lab.want(*(DesiredPort(tap.name, lifecycle=lifecycle) for tap in taps))
    lab.links.delete(taps[0].index)
    lab.links.change(taps[1].index, name="tap0")
    lab.follow()
    assert ("tap0" in lab.ports) is (lifecycle is not EPHEMERAL)
    lab.clock.advance(2 * SECOND)
    lab.follow()
    assert lab.ports == {"tap1": taps[1].index}


def test_a_name_that_a_device_made_for_a_port_takes_does_not_keep_a_port(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    made = DesiredPort("t", kind=PortKind.TAP)
    lab.want(DesiredPort("tap0", lifecycle=Lifecycle(Policy.GRACE, 2)), made)
    lab.links.delete(tap.index)
    lab.links.change(lab.links.named("t").index, name="tap0")
    lab.follow()
    status = lab.switch.status()["br0"].ports["tap0"]
    assert (status.state, status.error) == (PortState.ERROR, "tap0 was made for port t")
    assert lab.switch.time_left("br0", "tap0") == 2
    lab.clock.advance(2 * SECOND)
    lab.follow()
    assert list(lab.ports) == ["t"]
    assert lab.switch.time_left("br0", "tap0") is None


def test_a_port_whose_first_device_is_another_port_s_yet_waits_for_it(lab: Lab) -> None:
    tap = lab.links.add("tap1")
    lab.want(DesiredPort("tap1", lifecycle=STATIC))
    lab.links.change(tap.index, name="tap0")
    lab.follow()
    ports = DesiredPort("tap1", lifecycle=STATIC), DesiredPort("tap0", lifecycle=EPHEMERAL)
    lab.want(*ports)
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {"tap0": 0, "tap1": 0}


def test_an_ephemeral_port_waits_for_its_first_device(lab: Lab) -> None:
    lab.want()
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    lab.follow()
    assert lab.ports == {"tap0": 0}
    tap = lab.links.add("tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {}


def test_at_the_start_ephemeral_ports_without_a_device_go(lab: Lab) -> None:
    lab.links.add("tap1")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL), DesiredPort("tap1", lifecycle=EPHEMERAL))
    assert lab.ports.keys() == {"tap1"}
    assert lab.switch.take_departed() == [TAP0]


def test_a_daemon_that_comes_later_knows_whose_device_it_was(lab: Lab) -> None:
    wanted = desired(bridge("br0", DesiredPort("tap0", lifecycle=EPHEMERAL), "tap1"))
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]
    lab.switch.set_desired(wanted)
    lab.links.replace(taps[0].index)
    lab.links.change(taps[1].index, name="web")
    later = Switch(lab.world, lab.clock)
    assert later.set_desired(wanted) == []
    assert lab.ports == {"tap1": taps[1].index}


def test_a_device_in_another_bridge_is_there(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    lab.links.change(tap.index, master=99)
    lab.follow()
    assert lab.ports == {"tap0": 0}
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {}


@pytest.mark.parametrize("is_restart", [False, True])
@pytest.mark.parametrize("lifecycle", [None, EPHEMERAL, STATIC, Lifecycle(Policy.GRACE, 5)])
def test_a_renamed_device_in_another_bridge_is_the_port_s(
    lab: Lab, lifecycle: Lifecycle | None, is_restart: bool
) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", tag=3, lifecycle=lifecycle))
    lab.links.change(tap.index, name="web")
    lab.follow()
    lab.links.change(tap.index, name="db", master=99)
    lab.follow()
    lab.links.change(tap.index, name="cache", alternative_names=())
    lab.clock.advance(9 * SECOND)
    if is_restart:
        lab.restart()
    lab.links.add("tap0")  # another one's, by the old name
    lab.follow()
    assert lab.ports == {"tap0": 0}
    status = lab.switch.status()["br0"].ports["tap0"]
    assert status.state is PortState.ERROR and status.error.startswith("cache belongs to link 99")
    assert not lab.links.links[tap.index].promiscuous
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    assert lab.switch.desired.bridges["br0"].ports["tap0"].tag == 3
    assert lab.links.links[tap.index].promiscuous


def test_nobody_else_gets_a_device_that_its_port_cannot_use(lab: Lab) -> None:
    tap = lab.links.add("tap0", bus="pci/1")
    other = DesiredPort("other", links=(Member("other", read_selector("bus=pci/1")),))
    lab.want(DesiredPort("tap0", lifecycle=STATIC))
    lab.links.change(tap.index, name="web", master=99)
    lab.follow()
    lab.want(DesiredPort("tap0", lifecycle=STATIC), other)
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {"tap0": tap.index, "other": 0}
    lab.links.change(tap.index, master=99)
    lab.follow()
    lab.want(other)  # with the port its claim goes
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {"other": tap.index}


def test_who_names_another_device_means_it(lab: Lab) -> None:
    tap, eth = lab.links.add("tap0"), lab.links.add("eth0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC))
    lab.links.change(tap.index, name="web", master=99)
    lab.follow()
    by_name = Member("tap0", read_selector("name=eth0"))
    lab.want(DesiredPort("tap0", lifecycle=STATIC, links=(by_name,)))
    assert lab.ports == {"tap0": eth.index}


def test_a_device_that_goes_while_it_cannot_be_used_has_gone(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    lab.links.change(tap.index, name="web", master=99)
    lab.follow()
    new = lab.links.replace(tap.index)
    lab.links.change(new.index, name="tap0")
    lab.follow()
    assert lab.ports == {}


def test_links_of_a_vif_come_back_to_it(lab: Lab) -> None:
    taps = [lab.links.add(name) for name in ("tap1.0", "vif1.0")]
    lab.want(replace(VIF, lifecycle=STATIC))
    for number, tap in enumerate(taps):
        lab.links.change(tap.index, name=f"web{number}", master=99, alternative_names=())
        lab.follow()
        lab.restart()
    assert lab.ports == {"guest1": 0}
    for tap in taps:
        lab.links.change(tap.index, master=0)
    lab.follow()
    ports = lab.world.datapaths["br0"].ports().values()
    (port,) = (each for each in ports if each.name == "guest1")
    assert {each.ifindex for each in port.links} == {tap.index for tap in taps}


def test_what_a_person_wants_again_meanwhile_is_another_port(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    lab.links.delete(tap.index)
    lab.follow()
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    assert lab.switch.take_departed() == []
    assert lab.ports == {"tap0": 0}


def test_a_rename_keeps_the_old_name_where_it_is_free(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0"))
    lab.links.change(tap.index, name="web")
    lab.follow()
    names = ("tap0", former_mark("test", "tap0"))
    assert lab.links.links[tap.index].alternative_names == names
    lab.links.change(tap.index, name="tap0", alternative_names=names[1:])
    lab.follow()
    assert lab.links.links[tap.index].alternative_names == ()
    assert lab.ports == {"tap0": tap.index}


def test_an_old_name_that_another_link_has_got_meanwhile_is_no_error(lab: Lab) -> None:
    taps = [lab.links.add(name) for name in ("tap0", "tap1")]
    step = KeepName("br0", "tap0", taps[0].index, "tap1", former_mark("test", "tap1"))
    carry_out(step, lab.world)
    assert [lab.links.links[tap.index] for tap in taps] == taps


@pytest.mark.parametrize("is_vif", [False, True])
def test_an_old_name_is_kept_when_others_have_given_it_up(lab: Lab, is_vif: bool) -> None:
    tap = lab.links.add("tap0")
    port = DesiredPort("tap0", links=(Member("tap0"),))
    if is_vif:
        port = DesiredPort("guest", links=(Member("tap0"), Member("vif0")), is_vif=True)
    lab.want(port)
    lab.links.change(tap.index, name="web")
    other = lab.links.add("tap0")
    lab.follow()
    assert lab.links.links[tap.index].alternative_names == ()
    lab.links.change(other.index, name="elsewhere")
    lab.follow()
    kept = ("tap0", former_mark("test", "tap0"))
    assert lab.links.links[tap.index].alternative_names == kept
    assert lab.ports[port.name] == tap.index


def test_a_port_that_does_not_follow_waits_for_its_name(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", links=(Member("tap0", follow_rename=False),)))
    lab.links.change(tap.index, name="web")
    lab.follow()
    assert lab.ports == {"tap0": 0}
    assert lab.links.links[tap.index].alternative_names == ()
    lab.links.change(tap.index, name="tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index}


def test_a_port_finds_its_device_by_where_it_is_plugged_in(lab: Lab) -> None:
    member = Member("uplink", read_selector("bus=pci/1"))
    lab.want(DesiredPort("uplink", links=(member,)))
    card = lab.links.add("eth7", bus="pci/1")
    lab.follow()
    assert lab.ports == {"uplink": card.index}
    assert lab.links.links[card.index].alternative_names == ()
    lab.want(DesiredPort("uplink", links=(Member("uplink", read_selector("driver=e1000")),)))
    assert lab.ports == {"uplink": card.index}  # it keeps what it has
    lab.links.delete(card.index)
    for name in ("eth0", "eth1"):
        lab.links.add(name, driver="e1000")
    lab.follow()
    status = lab.switch.status()["br0"].ports["uplink"]
    assert status.error == "driver=e1000 fits several devices: eth0, eth1"
    assert status.state is PortState.ERROR


VIF = DesiredPort(
    "guest1",
    tag=5,
    links=(Member("tap1.0", preference=1), Member("vif1.0", preference=2)),
    is_vif=True,
    lifecycle=EPHEMERAL,
)


def works(lab: Lab, index: int, up: bool = True) -> None:
    state = OperationalState.UP if up else OperationalState.DOWN
    lab.links.change(index, carrier=up, state=state)


def test_a_vif_flips_in_one_step_and_keeps_its_number(lab: Lab) -> None:
    tap = lab.links.add("tap1.0")
    works(lab, tap.index)
    lab.want(VIF)
    vif = lab.links.add("vif1.0")
    lab.follow()
    assert lab.ports == {"guest1": tap.index}
    assert lab.links.links[vif.index].up  # else it never comes up
    works(lab, vif.index)
    steps = [str(each) for each in plan(lab.switch.desired, observe(lab.world))]
    assert steps == [
        f"br0: bind port guest1 to link {vif.index}, link {tap.index} standing by, hook auto"
    ]
    lab.follow()
    assert lab.ports == {"guest1": vif.index}
    links = lab.switch.status()["br0"].ports["guest1"].links
    assert [(each.name, each.forwards) for each in links] == [("tap1.0", False), ("vif1.0", True)]
    lab.links.delete(vif.index)
    lab.follow()
    assert lab.ports == {"guest1": tap.index}
    assert lab.world.datapaths["br0"].ports()[1].name == "guest1"
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {}


events = st.lists(
    st.tuples(st.sampled_from(("tap1.0", "vif1.0")), st.sampled_from(("toggle", "works", "fails"))),
    max_size=12,
)


@given(events)
@settings(max_examples=60)
def test_a_vif_always_has_the_best_link(story: list[tuple[str, str]]) -> None:
    lab = Lab()
    lab.want(DesiredPort(VIF.name, links=VIF.links, is_vif=True))
    there: dict[str, int] = {}
    working: set[str] = set()
    for name, what in story:
        if what == "toggle" and name in there:
            lab.links.delete(there.pop(name))
            working.discard(name)
        elif what == "toggle":
            there[name] = lab.links.add(name).index
        elif name in there:
            works(lab, there[name], up=what == "works")
            (working.add if what == "works" else working.discard)(name)
        lab.follow()
        has = lab.ports["guest1"]
        if working:
            assert has == there[max(working)]
        else:
            assert has in there.values() or (has == 0 and not there)


def test_the_order_of_events_never_matters() -> None:
    outcomes = set()
    for order in itertools.permutations(("tap1.0", "vif1.0", "eth0")):
        lab = Lab()
        lab.want(VIF, DesiredPort("eth0"))
        assert lab.switch.take_departed() == [("br0", "guest1")]  # it is the start
        lab.want(VIF, DesiredPort("eth0"))
        for name in order:
            link = lab.links.add(name)
            lab.follow()
            works(lab, link.index)
            lab.follow()
        names = {each.index: each.name for each in lab.links.links.values()}
        outcomes.add(tuple(sorted((port, names[at]) for port, at in lab.ports.items())))
    assert outcomes == {(("eth0", "eth0"), ("guest1", "vif1.0"))}


def test_two_ports_never_have_one_link(lab: Lab) -> None:
    lab.links.add("eth0", bus="pci/1")
    by_place = Member("a", read_selector("bus=pci/1"))
    lab.want(DesiredPort("a", links=(by_place,)), DesiredPort("eth0"))
    assert lab.ports == {"a": 1, "eth0": 0}
    error = lab.switch.status()["br0"].ports["eth0"].error
    assert error.startswith("eth0 is already port a of bridge br0")


def test_nothing_wanted_leaves_no_names_behind(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0"))
    lab.links.change(tap.index, name="web")
    lab.follow()
    assert lab.switch.set_desired(Desired()) == []
    assert lab.links.links[tap.index].alternative_names == ()


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_device_that_has_been_elsewhere_is_found_without_its_names(
    lab: Lab, is_seen: bool
) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC), DesiredPort("tap1", lifecycle=STATIC))
    lab.links.leave(tap.index)
    lab.follow()
    assert lab.ports == {"tap0": 0, "tap1": 0}
    lab.links.come_back("tap0", "web")
    lab.follow() if is_seen else lab.restart()
    assert lab.ports == {"tap0": tap.index, "tap1": 0}
    assert lab.links.links[tap.index].up
    assert "tap0" in lab.links.links[tap.index].alternative_names


def test_a_device_that_comes_back_does_not_displace_one_of_the_name(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC))
    lab.links.leave(tap.index)
    lab.follow()
    other = lab.links.add("tap0")
    lab.links.come_back("tap0", "web")
    lab.follow()
    assert lab.ports == {"tap0": other.index}


def test_a_device_that_comes_back_is_not_found_by_who_waits_for_the_name(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC, links=(Member("tap0", follow_rename=False),)))
    lab.links.leave(tap.index)
    lab.follow()
    lab.links.come_back("tap0", "web")
    lab.follow()
    assert lab.ports == {"tap0": 0}
    lab.links.change(tap.index, name="tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
