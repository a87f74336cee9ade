"""Bridges that take devices as they appear, on a machine in memory."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.kernel.links import Link, OperationalState
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import read_rules
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC
from hotswitch.ports.members import Member
from hotswitch.switch.check import SwitchError
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode
from hotswitch.switch.switch import Switch
from tests.switch.test_lives import Lab
from tests.switch.wishes import bridge, desired


def adopting(name: str, rules: str, *ports: DesiredPort | str, **values: object) -> DesiredBridge:
    return bridge(name, *ports, adopt=read_rules(rules), **values)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def begin(lab: Lab, *bridges: DesiredBridge) -> None:
    assert lab.switch.set_desired(desired(*bridges)) == []


def test_a_device_that_fits_is_a_port_in_the_same_event(lab: Lab) -> None:
    text = "tap*.* tag=5 trunks=7,6 mode=native-tagged hook=tcx mtu=1400 storm-limit=9"
    begin(lab, adopting("br0", f"{text} external-ids:vm-id=7"))
    tap = lab.links.add("tap1.0")
    lab.links.add("eth0")
    lab.follow()
    assert lab.ports == {"tap1.0": tap.index}
    assert lab.switch.desired.bridges["br0"].ports["tap1.0"] == DesiredPort(
        "tap1.0",
        5,
        (6, 7),
        VlanMode.NATIVE_TAGGED,
        Hook.TCX,
        9,
        mtu=1400,
        lifecycle=EPHEMERAL,
        links=(Member("tap1.0", metadata=(("vm-id", "7"),)),),
    )
    assert lab.links.links[tap.index].mtu == 1400
    assert lab.switch.take_adopted() == [("br0", "tap1.0")]
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {}
    assert lab.switch.take_departed() == [("br0", "tap1.0")]


def test_devices_that_are_there_already_are_taken(lab: Lab) -> None:
    lab.links.add("tap0")
    begin(lab, adopting("br0", "tap*"))
    assert lab.ports.keys() == {"tap0"}
    lab.links.add("vnet0")
    begin(lab, adopting("br0", "tap*; vnet*", "tap0"))
    assert lab.ports.keys() == {"tap0", "vnet0"}


def test_the_lifecycle_is_the_rule_s_or_the_bridge_s_or_ephemeral(lab: Lab) -> None:
    begin(lab, adopting("br0", "a*; b* lifecycle=ephemeral", lifecycle=STATIC))
    for name in ("a", "b"):
        lab.links.add(name)
    lab.follow()
    ports = lab.switch.status()["br0"].ports
    assert (ports["a"].lifecycle, ports["b"].lifecycle) == (STATIC, EPHEMERAL)


def test_what_is_not_to_be_taken(lab: Lab) -> None:
    master = lab.links.add("virbr0", kind="bridge")
    begin(lab, adopting("br0", "*,kind=dummy; *,kind=veth", "mine"), bridge("br1"))
    lab.links.add("enslaved", master=master.index)
    lab.links.add("tunnel", device_type=65534)
    lab.links.add("other", alternative_names=("hotswitch-0123456789ab-internal-x",))
    lab.links.add("mine")
    lab.follow()
    assert lab.ports.keys() == {"mine"}
    assert lab.links.links[master.index] == master
    lab.links.change(lab.links.named("enslaved").index, master=0)
    lab.follow()
    assert lab.ports.keys() == {"mine", "enslaved"}


def test_a_device_in_a_linux_bridge_is_taken_if_that_is_asked_for(lab: Lab) -> None:
    begin(lab, adopting("br0", "*,master=facade tag=3"))
    facade = lab.links.add("facade", kind="bridge")
    tap = lab.links.add("tap0", master=facade.index)
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {}
    lab.links.change(tap.index, master=facade.index)
    lab.follow()


@pytest.mark.parametrize("rule", ["tap*", "tap* tag=3 external-ids:vm-id=7"])
def test_who_puts_a_device_into_a_bridge_takes_it_back(lab: Lab, rule: str) -> None:
    begin(lab, adopting("br0", rule))
    tap = lab.links.add("tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    lab.switch.take_adopted()
    lab.links.change(tap.index, master=99)
    lab.follow()
    assert lab.ports == {} and lab.switch.take_departed() == [("br0", "tap0")]
    lab.links.change(tap.index, master=0)
    lab.follow()
    assert lab.ports == {"tap0": tap.index}


def test_a_device_goes_from_rule_to_rule_as_it_moves_into_a_bridge_and_out(lab: Lab) -> None:
    master = lab.links.add("pb", kind="bridge")
    begin(lab, adopting("br0", "*,master=pb tag=4; tap* tag=5"))
    tap = lab.links.add("tap0")
    lab.follow()
    for inside, tag in ((True, 4), (False, 5), (True, 4)):
        lab.links.change(tap.index, master=master.index if inside else 0)
        lab.follow()
        assert lab.switch.desired.bridges["br0"].ports["tap0"].tag == tag
        assert lab.ports == {"tap0": tap.index}
        moved = lab.links.named("tap0")
        assert (moved.alternative_names, moved.promiscuous) == ((), not inside)


@pytest.mark.parametrize(
    "port", [DesiredPort("tap0", tag=4, lifecycle=EPHEMERAL), DesiredPort("tap0", lifecycle=STATIC)]
)
def test_what_a_person_has_said_of_a_device_stays(lab: Lab, port: DesiredPort) -> None:
    begin(lab, adopting("br0", "tap*"))
    tap = lab.links.add("tap0")
    lab.follow()
    begin(lab, adopting("br0", "tap*", port))
    lab.links.change(tap.index, master=99)
    lab.follow()
    assert lab.ports == {"tap0": 0}


def test_a_device_that_a_facade_gets_leaves_the_bridge_that_adopted_it(lab: Lab) -> None:
    facade = lab.links.add("lan", kind="bridge")
    begin(lab, adopting("br0", "tap*"), bridge("hs0", facade="lan"))
    tap = lab.links.add("tap0")
    lab.follow()
    assert lab.ports == {"tap0": tap.index}
    lab.links.change(tap.index, master=facade.index)
    lab.follow()
    assert lab.ports == {}
    assert lab.switch.desired.bridges["hs0"].ports["tap0"].master == "lan"


def test_what_a_person_lets_go_is_not_taken_again_in_this_life(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    rules = adopting("br0", "tap*")
    begin(lab, rules)
    assert lab.ports == {"tap0": tap.index}
    begin(lab, rules)
    lab.follow()
    assert lab.ports == {}
    assert Switch(lab.world, lab.clock).set_desired(desired(rules)) == []
    assert lab.ports == {}
    begin(lab, adopting("br0", "tap*", "tap0"))
    assert lab.ports == {"tap0": tap.index}
    begin(lab, rules)
    assert lab.ports == {}
    new = lab.links.replace(tap.index)
    lab.follow()
    assert lab.ports == {"tap0": new.index}


def test_a_bridge_that_is_made_anew_takes_all_again(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    begin(lab, adopting("br0", "tap*"))
    assert lab.switch.set_desired(Desired()) == []
    begin(lab, adopting("br0", "tap*"))
    assert lab.ports == {"tap0": tap.index}


def test_a_daemon_that_died_before_it_was_kept_adopts_again(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    wanted = desired(adopting("br0", "tap*"))
    assert lab.switch.set_desired(wanted) == []
    ports = lab.world.datapaths["br0"].ports()
    number = next(number for number, each in ports.items() if each.ifindex == tap.index)
    later = Switch(lab.world, lab.clock)
    assert later.set_desired(wanted) == []
    assert later.take_adopted() == [("br0", "tap0")]
    assert lab.world.datapaths["br0"].ports()[number].ifindex == tap.index


def test_a_name_that_is_used_again_is_a_new_port(lab: Lab) -> None:
    tap = lab.links.add("tap0")
    begin(lab, adopting("br0", "tap* tag=5"))
    assert lab.switch.take_adopted() == [("br0", "tap0")]
    new = lab.links.replace(tap.index)
    lab.follow()
    assert lab.ports == {"tap0": new.index}
    assert lab.switch.take_adopted() == [("br0", "tap0")]


def test_a_device_that_goes_before_its_port_is_bound_takes_the_port_along(lab: Lab) -> None:
    begin(lab, adopting("br0", "tap*"))
    tap = lab.links.add("tap0")
    lab.world.engines["br0"].unfit = {tap.index}
    assert lab.switch.links_changed() != []
    assert lab.ports == {"tap0": 0}
    lab.links.delete(tap.index)
    lab.follow()
    assert lab.ports == {}
    assert lab.switch.take_departed() == [("br0", "tap0")]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("tap* colour=red", "'colour' is no setting"),
        ("tap* tag=x", "tag=x can't be"),
        ("tap* tag=4096", "4096 is out of range"),
        ("tap* mode=odd", "mode=odd can't be"),
        ("tap* mtu=1", "MTU 1 is out of range"),
        ("tap* lifecycle=x", "is no lifecycle"),
    ],
)
def test_rules_that_make_no_possible_port_are_refused(lab: Lab, rules: str, why: str) -> None:
    with pytest.raises(SwitchError, match=why):
        lab.switch.set_desired(desired(adopting("br0", rules)))


def test_rules_that_fit_the_same_device_are_refused(lab: Lab) -> None:
    begin(lab, adopting("br0", "tap*"))
    with pytest.raises(SwitchError, match="tap1 would fit rules of bridge br0"):
        lab.switch.set_desired(desired(adopting("br0", "tap*"), adopting("br1", "*1")))
    begin(lab, adopting("br0", "tap*,kind=tun"), adopting("br1", "*1,kind=veth"))


GROUP = "tap{d}.{i}+vif{d}.{i} tag=5 external-ids:network=n1"


def works(lab: Lab, link: Link) -> None:
    lab.links.change(link.index, carrier=True, state=OperationalState.UP)


@pytest.mark.parametrize("order", list(itertools.permutations(("tap1.0", "vif1.0", "tap2.0"))))
def test_devices_that_belong_together_are_one_port(lab: Lab, order: tuple[str, ...]) -> None:
    begin(lab, adopting("br0", GROUP))
    for name in order:
        works(lab, lab.links.add(name))
        lab.follow()
    links = {each.name: each.index for each in lab.links.links.values()}
    assert lab.ports == {"tap1.0": links["vif1.0"], "tap2.0": links["tap2.0"]}
    assert lab.switch.take_adopted() == [("br0", "tap1.0"), ("br0", "tap2.0")]
    status = lab.switch.status()["br0"].ports["tap1.0"]
    assert [(each.name, each.forwards) for each in status.links] == [
        ("tap1.0", False),
        ("vif1.0", True),
    ]
    assert all(each.metadata == (("network", "n1"),) for each in status.links)
    lab.links.delete(links["vif1.0"])
    lab.follow()
    assert lab.ports["tap1.0"] == links["tap1.0"]
    lab.links.delete(links["tap1.0"])
    lab.follow()
    assert lab.ports.keys() == {"tap2.0"}


def test_devices_with_one_address_are_one_port(lab: Lab) -> None:
    begin(lab, adopting("br0", "tap*+vif*,kind=dummy vif=address"))
    vif = lab.links.add("vif-odd", address=0x020000000001)
    lab.links.add("tap-other", address=0x020000000002)
    tap = lab.links.add("tap9", address=0x020000000001)
    lab.links.add("tap8")
    for each in (vif, tap):
        works(lab, each)
    lab.follow()
    assert lab.ports.keys() == {"vif020000000001", "vif020000000002"}
    assert lab.ports["vif020000000001"] == vif.index


devices = st.lists(
    st.sampled_from(("tap1.0", "vif1.0", "tap2.0", "eth0", "lxc1", "other")), unique=True
)


@given(devices, st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_order_of_events_never_decides(
    names: list[str], shuffler: random.Random, at_once: int
) -> None:
    outcomes = set()
    for _ in range(3):
        lab = Lab()
        begin(lab, adopting("br0", GROUP), adopting("br1", "other,driver=x; eth*; lxc* tag=7"))
        shuffler.shuffle(names)
        for place, name in enumerate(names, 1):
            works(lab, lab.links.add(name, driver="x" if name == "other" else ""))
            if place % at_once == 0:
                lab.follow()
        lab.follow()
        links = {each.index: each.name for each in lab.links.links.values()}
        outcomes.add(
            frozenset(
                (bridge, port.name, links[port.ifindex], len(port.standby))
                for bridge, datapath in lab.world.datapaths.items()
                for port in datapath.ports().values()
                if port.name != bridge
            )
        )
    assert len(outcomes) == 1
