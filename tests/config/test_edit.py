"""What is edited is read again the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.app.service import with_port
from hotswitch.config.edit import EditError, edit
from hotswitch.config.read import Reader
from hotswitch.model.port import Hook
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from tests.config.lab import LabDatabase

MADE = {PortKind.INTERNAL, PortKind.TAP}


@st.composite
def ports(draw: st.DrawFn, name: str) -> DesiredPort:
    kind = draw(st.sampled_from(PortKind))
    return DesiredPort(
        name,
        tag=draw(st.none() | st.integers(0, 4095)),
        trunks=tuple(sorted(draw(st.sets(st.integers(0, 4095), max_size=3)))),
        mode=draw(st.none() | st.sampled_from(VlanMode)),
        hook=draw(st.sampled_from(Hook)),
        storm_limit=draw(st.integers(0, 1000)),
        number=0,
        kind=kind,
        peer=draw(st.sampled_from(["x", "y"])) if kind is PortKind.PATCH else "",
        mac=draw(st.sampled_from([0, 2])) if kind in MADE else 0,
        mtu=draw(st.sampled_from([0, 1400])) if kind is not PortKind.PATCH else 0,
    )


@st.composite
def bridges(draw: st.DrawFn, name: str) -> DesiredBridge:
    names = draw(st.sets(st.sampled_from([f"{name}p{n}" for n in range(3)])))
    made = {each: draw(ports(each)) for each in sorted(names)}
    numbers = iter(draw(st.permutations(range(1, 9))))
    made = {
        each: replace(port, number=draw(st.sampled_from([0, next(numbers)])))
        for each, port in made.items()
    }
    made[name] = replace(
        draw(ports(name)), kind=PortKind.INTERNAL, peer="", mac=draw(st.sampled_from([0, 2, 4]))
    )
    return DesiredBridge(
        name,
        made,
        ageing_time=draw(st.sampled_from([0, 1, 300, 1000])),
        address_limit=draw(st.sampled_from([1, 8192])),
        forward_reserved=draw(st.booleans()),
    )


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    names = draw(st.sets(st.sampled_from(["br0", "br1", "br2"])))
    return Desired({name: draw(bridges(name)) for name in sorted(names)})


@settings(max_examples=50)
@given(st.lists(wishes(), min_size=1, max_size=3))
def test_what_is_edited_is_read_again(wanted: list[Desired]) -> None:
    database = LabDatabase()
    reader = Reader()
    for after in wanted:
        before = reader.read(database.tables())
        operations = edit(database.tables(), before, after)
        assert bool(operations) == (before.desired != after)
        if operations:
            database.transact_json(*operations)
        reading = reader.read(database.tables())
        assert reading.desired == after
        assert reading.notes == ()
        assert reading.next_cfg == before.next_cfg + bool(operations)


def test_what_others_have_written_stays() -> None:
    database = LabDatabase()
    database.add_bridge("br0")
    database.add_port("br0", "v0", external_ids=["map", [["iface-id", "x"]]])
    database.set("Bridge", "br0", other_config=["map", [["hwaddr", "02:00:00:00:00:01"]]])
    reading = Reader().read(database.tables())
    bridge = reading.desired.bridges["br0"]
    port = replace(bridge.ports["v0"], tag=5, storm_limit=7)
    after = replace(bridge, ageing_time=9, ports={**bridge.ports, "v0": port})
    database.transact_json(*edit(database.tables(), reading, Desired({"br0": after})))
    assert database.row("Interface", "v0")["external_ids"] == {"iface-id": "x"}
    settings = database.row("Bridge", "br0")["other_config"]
    assert settings == {"hwaddr": "02:00:00:00:00:01", "mac-aging-time": "9"}


def test_a_local_port_that_gets_a_row_keeps_the_bridge_s_address() -> None:
    database = LabDatabase()
    database.add_bridge("br0")
    database.delete_port("br0", "br0")
    database.set("Bridge", "br0", other_config=["map", [["hwaddr", "02:00:00:00:00:01"]]])
    reading = Reader().read(database.tables())
    bridge = reading.desired.bridges["br0"]
    assert bridge.local.mac == 0x020000000001 and not bridge.ports
    after = with_port(bridge, replace(bridge.local, tag=5))
    database.transact_json(*edit(database.tables(), reading, Desired({"br0": after})))
    found = Reader().read(database.tables()).desired.bridges["br0"]
    assert found == with_port(bridge, replace(bridge.local, tag=5, kind=PortKind.INTERNAL))
    assert database.row("Bridge", "br0")["other_config"] == {"hwaddr": "02:00:00:00:00:01"}


def test_what_others_have_deleted_meanwhile_can_not_be_changed() -> None:
    database = LabDatabase()
    database.add_bridge("br0")
    database.add_port("br0", "v0")
    reading = Reader().read(database.tables())
    bridge = reading.desired.bridges["br0"]
    port = replace(bridge.ports["v0"], tag=5)
    after = Desired({"br0": replace(bridge, ports={**bridge.ports, "v0": port})})
    database.delete_port("br0", "v0")
    with pytest.raises(EditError, match="port v0 has been deleted meanwhile"):
        edit(database.tables(), reading, after)
    clear = {"op": "update", "table": "Open_vSwitch", "where": [], "row": {"bridges": ["set", []]}}
    database.transact_json(clear)
    with pytest.raises(EditError, match="bridge br0 has been deleted meanwhile"):
        edit(database.tables(), reading, after)


def test_a_new_bridge_has_its_local_port() -> None:
    database = LabDatabase()
    after = Desired({"br0": DesiredBridge("br0")})
    database.transact_json(*edit(database.tables(), Reader().read(database.tables()), after))
    local = DesiredPort("br0", kind=PortKind.INTERNAL)
    reading = Reader().read(database.tables())
    assert reading.desired == Desired({"br0": DesiredBridge("br0", {"br0": local})})
