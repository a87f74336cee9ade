"""What has happened between two moments of a switch, on a machine in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.app.events.addresses import Place
from hotswitch.app.events.addresses import differences as address_differences
from hotswitch.app.events.differences import differences
from hotswitch.app.events.event import Happening
from hotswitch.app.events.kinds import ADDRESSES_AT_ONCE
from hotswitch.app.events.moment import Moment, devices, port_attributes
from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.kernel.links import Link, OperationalState
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC
from hotswitch.ports.members import Member
from hotswitch.switch.desired import Desired, DesiredPort
from hotswitch.switch.status import PortState
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

REGISTRY = Registry(BUILT_IN)
VM = DesiredPort(
    "vm", links=(Member("tap1.0", preference=1), Member("vif1.0", preference=2)), is_vif=True
)
_WORKS: dict[str, object] = {"up": True, "carrier": True, "state": OperationalState.UP}


class Lab:
    """A switch with what a reader has been told of it."""

    def __init__(self) -> None:
        self.world = FakeWorld(REGISTRY)
        self.links = self.world.kernel
        self.switch = Switch(self.world, ManualClock())
        self.moment = Moment()

    def add(self, name: str, **values: object) -> Link:
        return self.links.add(name, **(_WORKS | values))

    def want(self, *ports: DesiredPort, **values: object) -> list[Happening]:
        return self.want_all(desired(bridge("br0", *ports, **values)))

    def want_all(self, wanted: Desired) -> list[Happening]:
        self.switch.set_desired(wanted)
        return self.look()

    def follow(self) -> list[Happening]:
        self.switch.links_changed()
        return self.look()

    def look(self) -> list[Happening]:
        before, self.moment = self.moment, Moment(self.switch.desired, self.switch.statuses())
        return list(differences(before, self.moment))


@pytest.fixture
def lab() -> Lab:
    return Lab()


def words(found: list[Happening], *left_out: str) -> list[tuple[Any, ...]]:
    """Kind and values of those that are of no local port; incarnations differ from run to run."""
    return [
        (each.kind, *(value for name, value in each.fields.items() if name != "incarnation"))
        for each in found
        if each.fields.get("port") != "br0" and each.kind not in left_out
    ]


def test_ports_and_bridges_come_and_go(lab: Lab) -> None:
    tap = lab.add("tap0")
    first = lab.want(DesiredPort("tap0", number=7), DesiredPort("tap1"))
    assert first[0].kind == "bridge-added" and first[1].fields["port"] == "br0"
    assert words(first) == [
        ("bridge-added", "br0"),
        ("port-added", "br0", "tap0", "system", 7, "forwarding", "tap0"),
        ("port-added", "br0", "tap1", "system", 1, "waiting", ""),
    ]
    assert lab.follow() == []
    assert words(lab.want(DesiredPort("tap0", number=7))) == [("port-removed", "br0", "tap1")]
    lab.links.delete(tap.index)
    gone = words(lab.want_all(Desired()))
    assert gone == [("port-removed", "br0", "tap0"), ("bridge-removed", "br0")]


def test_a_device_is_renamed_goes_and_is_back(lab: Lab) -> None:
    tap = lab.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=STATIC))
    lab.links.change(tap.index, name="eth7")
    assert words(lab.follow()) == [("port-renamed", "br0", "tap0", "tap0", "eth7")]
    lab.links.delete(tap.index)
    [down, gone] = lab.follow()
    assert words([down, gone]) == [
        ("link-down", "br0", "tap0", "eth7"),
        ("device-gone", "br0", "tap0", "eth7"),
    ]
    assert gone.fields["incarnation"] == f"{tap.incarnation:016x}"
    lab.add("tap0")
    assert words(lab.follow()) == [
        ("device-back", "br0", "tap0", "tap0"),
        ("link-up", "br0", "tap0", "tap0"),
    ]


def test_another_device_of_the_same_name_and_index_is_told(lab: Lab) -> None:
    tap = lab.add("tap0", mtu=1500)
    lab.want(DesiredPort("tap0"))
    lab.links.replace(tap.index, mtu=9000, **_WORKS)
    found = [each for each in lab.follow() if each.fields["port"] == "tap0"]
    assert [each.kind for each in found] == [
        "link-down",
        "device-gone",
        "device-back",
        "link-up",
    ]
    assert found[1].fields["incarnation"] != found[2].fields["incarnation"]


def test_an_ephemeral_port_is_only_removed(lab: Lab) -> None:
    tap = lab.add("tap0")
    lab.want(DesiredPort("tap0", lifecycle=EPHEMERAL))
    lab.links.delete(tap.index)
    assert words(lab.follow()) == [("port-removed", "br0", "tap0")]


def test_a_link_goes_down_and_up(lab: Lab) -> None:
    tap = lab.add("tap0")
    lab.want(DesiredPort("tap0"))
    lab.links.change(tap.index, carrier=False)
    assert words(lab.follow()) == [("link-down", "br0", "tap0", "tap0")]
    lab.links.change(tap.index, carrier=True)
    assert words(lab.follow()) == [("link-up", "br0", "tap0", "tap0")]


def test_a_bridge_that_gets_a_facade_is_no_vif(lab: Lab) -> None:
    lab.want()
    lab.links.add("lan", kind="bridge", up=True, carrier=True)
    found = lab.want(facade="lan")
    kinds = [each.kind for each in found if each.fields.get("port") == "br0"]
    assert {"device-gone", "device-back"} <= set(kinds) and "vif-flipped" not in kinds


def test_a_vif_flips_and_that_is_no_interruption(lab: Lab) -> None:
    lab.add("tap1.0")
    lab.want(VM)
    vif = lab.add("vif1.0")
    assert words(lab.follow()) == [
        ("device-back", "br0", "vm", "vif1.0"),
        ("vif-flipped", "br0", "vm", "tap1.0", "vif1.0"),
    ]
    lab.links.delete(vif.index)
    assert words(lab.follow()) == [
        ("device-gone", "br0", "vm", "vif1.0"),
        ("vif-flipped", "br0", "vm", "vif1.0", "tap1.0"),
    ]


def test_renames_of_a_vif_s_links_are_nothing_else(lab: Lab) -> None:
    vif, tap = lab.add("vif1.0"), lab.add("tap1.0")  # not in the order of its members
    lab.want(VM)
    for index, old, new in ((tap.index, "tap1.0", "a"), (vif.index, "vif1.0", "b")):
        lab.links.change(index, name=new)
        assert words(lab.follow()) == [("port-renamed", "br0", "vm", old, new)]
    # They exchange the names by which they would be looked for, in one moment.
    lab.links.change(tap.index, name="vif1.0")
    lab.links.change(vif.index, name="tap1.0")
    assert sorted(words(lab.follow())) == [
        ("port-renamed", "br0", "vm", "a", "vif1.0"),
        ("port-renamed", "br0", "vm", "b", "tap1.0"),
    ]
    lab.links.delete(tap.index)
    assert words(lab.follow()) == [("device-gone", "br0", "vm", "vif1.0")]


def test_a_vif_s_only_link_is_renamed(lab: Lab) -> None:
    vif = lab.add("vif1.0")
    lab.want(VM)
    lab.links.change(vif.index, name="b")
    assert words(lab.follow()) == [("port-renamed", "br0", "vm", "vif1.0", "b")]


def test_what_is_set_is_told_with_old_and_new(lab: Lab) -> None:
    tap = lab.add("tap0", mtu=1500)
    lab.want(DesiredPort("tap0"))
    found = lab.want(
        DesiredPort("tap0", tag=10, storm_limit=5, metadata=(("vm-id", "a"),)), ageing_time=60
    )
    assert words(found) == [
        ("attribute-changed", "br0", "", "ageing_time", 300, 60),
        ("attribute-changed", "br0", "tap0", "metadata", {}, {"vm-id": "a"}),
        ("attribute-changed", "br0", "tap0", "tag", None, 10),
        ("attribute-changed", "br0", "tap0", "storm_limit", 0, 5),
        ("attribute-changed", "br0", "tap0", "links", {"tap0": {}}, {"tap0": {"vm-id": "a"}}),
    ]
    lab.links.change(tap.index, mtu=9000)
    mtu = ("attribute-changed", "br0", "tap0", "mtu", 1500, 9000)
    assert words(lab.follow()) == [mtu]


@pytest.mark.parametrize("count", [10, 2000])
def test_the_work_is_what_has_changed(
    lab: Lab, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taps = [lab.add(f"tap{each}") for each in range(count)]
    lab.want(*(DesiredPort(each.name) for each in taps))
    looked: list[object] = []

    def watched(port: Any) -> Any:
        looked.append(port)
        return devices(port)

    monkeypatch.setattr("hotswitch.app.events.differences.devices", watched)
    lab.links.change(taps[3].index, carrier=False)
    assert len(lab.follow()) == 1 and len(looked) == 2


# A reader that listens from the beginning knows at each moment how the switch is.

PORTS = ("tap0", "tap1", "vm")
LINKS = ("tap0", "tap1", "tap1.0", "vif1.0", "other")


def operations() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    port = st.sampled_from(PORTS)
    name = st.sampled_from(LINKS)
    return st.lists(
        st.one_of(
            st.tuples(st.just("add"), name),
            st.tuples(st.just("delete"), name),
            st.tuples(st.just("replace"), name),
            st.tuples(st.just("rename"), name, name),
            st.tuples(st.just("carrier"), name, st.booleans()),
            st.tuples(st.just("port"), port, st.sampled_from([None, 10, 20])),
            st.tuples(st.just("ephemeral"), port),
            st.tuples(st.just("unwant"), port),
            st.tuples(st.just("look")),
        ),
        max_size=25,
    )


def carry_out(lab: Lab, what: str, name: str = "", value: Any = None) -> Iterator[Happening]:
    there = {each.name: each.index for each in lab.links.links.values()}
    ports = dict(lab.switch.desired.bridges["br0"].ports)
    wanted = ports.get(name) or (VM if name == "vm" else DesiredPort(name))
    match what:
        case "add" if name not in there:
            lab.add(name)
        case "delete" if name in there:
            lab.links.delete(there[name])
        case "replace" if name in there:
            lab.links.replace(there[name], **_WORKS)
        case "rename" if name in there and value not in there:
            lab.links.change(there[name], name=value)
        case "carrier" if name in there:
            lab.links.change(there[name], carrier=value)
        case "port":
            ports[name] = replace(wanted, tag=value)
        case "ephemeral":
            ports[name] = replace(wanted, lifecycle=EPHEMERAL)
        case "unwant":
            ports.pop(name, None)
        case "look":
            yield from lab.follow()
    if what in ("port", "ephemeral", "unwant"):
        yield from lab.want(*(each for key, each in ports.items() if key != "br0"))


class Reader:
    """What events have told. What a new port is like a reader asks when it hears of it."""

    def __init__(self) -> None:
        self.ports: dict[str, dict[str, Any]] = {}

    def hear(self, event: Happening, lab: Lab) -> None:
        fields = event.fields
        port = str(fields.get("port"))
        match event.kind:
            case "port-added":
                self.ports[port] = picture(lab.moment, port)
                assert self.ports[port]["forwards"] == (fields["state"] == "forwarding")
            case "port-removed":
                del self.ports[port]
            case "device-gone":
                del self.ports[port]["devices"][fields["incarnation"]]
            case "device-back":
                self.ports[port]["devices"][fields["incarnation"]] = fields["device"]
            case "port-renamed":
                names = self.ports[port]["devices"]
                [life] = [key for key, name in names.items() if name == fields["old"]]
                names[life] = fields["new"]
            case "link-up" | "link-down":
                assert self.ports[port]["forwards"] == (event.kind == "link-down")
                self.ports[port]["forwards"] = event.kind == "link-up"
            case "attribute-changed" if port:
                known = self.ports[port]["attributes"]
                if fields["attribute"] in known:
                    assert known[fields["attribute"]] == fields["old"]
                    known[fields["attribute"]] = fields["new"]


def picture(moment: Moment, name: str) -> dict[str, Any]:
    status = moment.bridges["br0"].ports[name]
    wanted = moment.wanted("br0", name)
    return {
        "devices": {f"{each.incarnation:016x}": each.name for each in devices(status).values()},
        "forwards": status.state is PortState.FORWARDING,
        "attributes": port_attributes("br0", status, wanted, same_device=False),
    }


@settings(max_examples=150)
@given(operations())
def test_a_reader_knows_how_the_switch_is(done: list[tuple[Any, ...]]) -> None:
    lab, reader = Lab(), Reader()
    for event in lab.want():
        reader.hear(event, lab)
    for each in [*done, ("look",)]:
        for event in carry_out(lab, *each):
            reader.hear(event, lab)
    assert reader.ports == {
        name: picture(lab.moment, name) for name in lab.moment.bridges["br0"].ports
    }


# Addresses.

A, B = 0x020000000001, 0x020000000002


def _table(**places: str) -> Mapping[tuple[int, int], Place]:
    macs = {"a": A, "b": B}
    return {(10, macs[name]): Place(port) for name, port in places.items()}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"a": "p"}, [("address-learned", "br0", "p", 10, "02:00:00:00:00:01")]),
        ({"a": "p"}, {"a": "q"}, [("address-moved", "br0", "q", 10, "02:00:00:00:00:01", "p")]),
        (
            {"a": "p", "b": "q"},
            {"b": "q"},
            [("address-forgotten", "br0", "p", 10, "02:00:00:00:00:01")],
        ),
        ({"a": "p"}, {"a": "p"}, []),
    ],
)
def test_addresses(before: dict[str, str], now: dict[str, str], told: list[object]) -> None:
    assert words(address_differences("br0", _table(**before), _table(**now))) == told


def test_what_a_person_says_of_an_address_is_no_event() -> None:
    static = {(0, A): Place("p", static=True)}
    assert address_differences("br0", {}, static) == []
    assert address_differences("br0", static, {}) == []


def test_too_many_addresses_at_once_are_an_overflow() -> None:
    def table(count: int) -> dict[tuple[int, int], Place]:
        return {(0, mac): Place("p") for mac in range(count)}

    assert len(address_differences("br0", {}, table(ADDRESSES_AT_ONCE))) == ADDRESSES_AT_ONCE
    found = address_differences("br0", {}, table(ADDRESSES_AT_ONCE + 1))
    assert words(found) == [("overflow", "br0", "addresses")]
