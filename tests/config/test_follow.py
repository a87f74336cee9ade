"""Reading only the rows that have changed gives what reading all of them gives."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.config.read import Reader
from hotswitch.config.reading import Reading
from tests.config.lab import LabDatabase

BRIDGES = ("br0", "br1")
NAMES = ("p0", "p1", "p2", "p3", "br1")

Change = Callable[[LabDatabase], None]


def has(database: LabDatabase, table: str, name: str) -> bool:
    return any(row["name"] == name for row in database.tables()[table].values())


@st.composite
def additions(draw: st.DrawFn) -> Change:
    bridge, name = draw(st.sampled_from(BRIDGES)), draw(st.sampled_from(NAMES))
    number = draw(st.sampled_from((None, None, 1, 2, 255)))
    columns = {} if number is None else {"ofport_request": number}

    def change(database: LabDatabase) -> None:
        is_new = not has(database, "Bridge", bridge)
        wanted = bridge if is_new else name
        if has(database, "Port", wanted) or has(database, "Interface", wanted):
            return
        if is_new:
            database.add_bridge(bridge)
        else:
            database.add_port(bridge, name, **columns)

    return change


@st.composite
def removals(draw: st.DrawFn) -> Change:
    name = draw(st.sampled_from((*NAMES, "br0")))

    def change(database: LabDatabase) -> None:
        for uuid, row in database.tables()["Bridge"].items():
            ports = database.tables()["Port"]
            for port in row["ports"]:
                if ports[port]["name"] == name:
                    unlink(database, uuid, port)

    return change


def unlink(database: LabDatabase, bridge: str, port: str) -> None:
    database.transact_json(
        {
            "op": "mutate",
            "table": "Bridge",
            "where": [["_uuid", "==", ["uuid", bridge]]],
            "mutations": [["ports", "delete", ["uuid", port]]],
        }
    )


@st.composite
def moves(draw: st.DrawFn) -> Change:
    """Let a bridge have a port of another one too, or instead."""
    name, instead = draw(st.sampled_from(NAMES)), draw(st.booleans())

    def change(database: LabDatabase) -> None:
        tables = database.tables()
        for uuid, row in tables["Bridge"].items():
            for port in row["ports"]:
                if tables["Port"][port]["name"] != name:
                    continue
                others = [other for other in tables["Bridge"] if other != uuid]
                for other in others:
                    database.transact_json(
                        {
                            "op": "mutate",
                            "table": "Bridge",
                            "where": [["_uuid", "==", ["uuid", other]]],
                            "mutations": [["ports", "insert", ["uuid", port]]],
                        }
                    )
                if instead and others:
                    unlink(database, uuid, port)
                return

    return change


@st.composite
def settings_of_rows(draw: st.DrawFn) -> Change:
    table, columns = draw(
        st.sampled_from(
            (
                ("Port", {"tag": 10}),
                ("Port", {"lacp": "active"}),
                ("Interface", {"type": "internal"}),
                ("Interface", {"type": "gre"}),
                ("Interface", {"ofport_request": 2}),
                ("Interface", {"mtu_request": 1400}),
                ("Bridge", {"stp_enable": True}),
                ("Bridge", {"datapath_type": "odd"}),
                ("Bridge", {"other_config": ["map", [["hwaddr", "02:00:00:00:00:01"]]]}),
                ("Open_vSwitch", {"other_config": ["map", [["enable-statistics", "odd"]]]}),
            )
        )
    )
    name = "" if table == "Open_vSwitch" else draw(st.sampled_from((*BRIDGES, *NAMES)))
    return lambda database: database.set(table, name, **columns)


changes = st.one_of(additions(), additions(), removals(), moves(), settings_of_rows())


def content(reading: Reading) -> tuple[object, ...]:
    return (
        {
            name: (dict(each.ports), each.ageing_time, each.mac)
            for name, each in reading.desired.bridges.items()
        },
        sorted(map(str, reading.notes)),
        {key: each.error for key, each in reading.remarks.items()},
        (reading.next_cfg, reading.counts_host, dict(reading.ports)),
        (dict(reading.interfaces), {key: set(each) for key, each in reading.rows.items()}),
    )


@settings(max_examples=150)
@given(st.lists(st.lists(changes, min_size=1, max_size=3), min_size=1, max_size=8))
def test_following_is_reading(story: list[list[Change]]) -> None:
    database = LabDatabase()
    reader = Reader()
    reader.read(database.tables(), news=None)
    database.news()
    for happened in story:
        for each in happened:
            each(database)
        followed = reader.read(database.tables(), news=database.news())
        assert content(followed) == content(Reader().read(database.tables()))


def test_what_has_not_changed_is_not_read() -> None:
    database = LabDatabase()
    database.add_bridge("br0")
    for number in range(20):
        database.add_port("br0", f"p{number}")
    reader = Reader()
    before = reader.read(database.tables())
    database.news()
    database.add_port("br0", "new")
    after = reader.read(database.tables(), news=database.news())
    assert after.ports.differing(before.ports) == {
        uuid for uuid, row in database.tables()["Port"].items() if row["name"] == "new"
    }
    ports = after.desired.bridges["br0"].ports
    assert all(ports[f"p{n}"] is before.desired.bridges["br0"].ports[f"p{n}"] for n in range(20))
    assert after.says_the_same(before)
