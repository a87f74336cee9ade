"""Whatever the schema's columns hold: nothing is raised, and what is written fits the schema."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.base.clock import ManualClock
from hotswitch.config.devices import Device
from hotswitch.config.operations import Update
from hotswitch.config.other_columns import Identity
from hotswitch.config.read import Reader
from hotswitch.config.resets import Resets
from hotswitch.config.unheeded import unheeded
from hotswitch.config.write import Picture, Writer, statistics_updates
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.ovsdb.atoms import IntegerType, UuidType
from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.types import Type
from hotswitch.switch.check import check
from hotswitch.switch.statuses import differing
from hotswitch.switch.switch import Switch
from tests.config.tables import COLUMNS, SCHEMA, TestTables
from tests.switch.fakes import FakeWorld

REGISTRY = Registry(BUILT_IN)
TABLES = ("Bridge", "Port", "Interface", "Controller", "Mirror")
ROWS = {
    table: [f"00000000-0000-0000-0000-0000000000{kind}{n}" for n in range(3)]
    for kind, table in enumerate(TABLES)
}
NAMES = ["br0", "br1", "v0", "v1", "v2", "lo", "", "a/b", "much too long for a link", "é"]
WORDS = st.sampled_from(
    [
        *("", "true", "false", "0", "1", "5", "-1", "1e9", "x", "system", "patch", "internal"),
        *("tap", "netdev", "vxlan", "access", "trunk", "dot1q-tunnel", "xdp"),
        *("00:00:00:00:00:01", *NAMES),
    ]
)
KEYS = st.sampled_from(
    [
        *("mac-table-size", "mac-aging-time", "mac-aging", "forward-bpdu", "hwaddr"),
        *("datapath-id", "hook", "storm-limit", "peer", "stats-update-interval", "odd"),
    ]
)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 1, 5, 255, 4095, 4096, 65279, 65535])
)


def atoms(base: Any, *, key: bool = False) -> st.SearchStrategy[Any]:
    if isinstance(base, UuidType):
        return st.sampled_from([*ROWS.get(base.table or "", []), "missing"])
    if isinstance(base, IntegerType):
        return NUMBERS
    if base.name == "boolean":
        return st.booleans()
    if base.name == "real":
        return st.floats(allow_nan=False)
    return KEYS if key else st.one_of(WORDS, st.text(max_size=5))


def values(column_type: Type) -> st.SearchStrategy[Any]:
    """Constraints of value are not kept to: another schema may have others."""
    if column_type.value is not None:
        return st.dictionaries(
            atoms(column_type.key, key=True), atoms(column_type.value), max_size=4
        )
    one = atoms(column_type.key)
    if column_type.is_scalar:
        return one
    if column_type.maximum == 1:
        return st.none() | one
    return st.lists(one, max_size=4, unique=True).map(lambda found: tuple(sorted(found)))


def columns_of(table: TableSchema) -> list[Column]:
    return [each for each in table.columns if each.name not in COLUMNS]


def structure(table: str, uuid: str) -> st.SearchStrategy[dict[str, Any]]:
    """Names and what holds rows together: mostly such that there are some bridges and ports."""
    found: dict[str, st.SearchStrategy[Any]] = {}
    if table in ("Bridge", "Port", "Interface"):
        usual = f"{table[0].lower()}{uuid[-1]}"
        found["name"] = st.sampled_from([usual] * 12 + NAMES)
    for column, target in (("bridges", "Bridge"), ("ports", "Port"), ("interfaces", "Interface")):
        if column in SCHEMA.tables[table].by_name:
            some = st.lists(st.sampled_from([*ROWS[target], "missing"]), max_size=4, unique=True)
            same = ROWS[target][int(uuid[-1]) if uuid[-1].isdigit() else 0]
            found[column] = st.just((same,)) | some.map(lambda each: tuple(sorted(each)))
    return st.fixed_dictionaries(found)


@st.composite
def contents(draw: st.DrawFn) -> TestTables:
    tables = TestTables()
    for name in ("Open_vSwitch", *TABLES):
        schema = SCHEMA.tables[name]
        for uuid in ["root"] if name == "Open_vSwitch" else ROWS[name]:
            chosen = draw(st.lists(st.sampled_from(columns_of(schema)), max_size=4))
            found = {each.name: draw(values(each.type)) for each in chosen}
            found |= draw(structure(name, uuid))
            tables.put(name, uuid, **found)
    return tables


def fits(update: Update) -> None:
    schema = SCHEMA.tables[update.table]
    for name, value in update.to_json()["row"].items():
        column = schema.by_name[name]
        column.type.check(column.type.read(value))


@settings(max_examples=30)
@given(contents(), st.dictionaries(st.sampled_from(NAMES), st.integers(-2, 70000)))
def test_nothing_is_raised(tables: TestTables, hints: dict[str, int]) -> None:
    reader = Reader()
    reading = reader.read(tables, hints)
    check(reading.desired)
    assert reader.read(tables, hints) == reading
    assert Reader().read(tables, hints) == reading
    world = FakeWorld(REGISTRY)
    world.kernel.add("v0", carrier=True)
    switch = Switch(world, ManualClock())
    switch.set_desired(reading.desired)
    status = switch.status()
    resets = Resets()
    resets.note(differing({}, status))
    picture = Picture(status, lambda link: Device("x"), resets.counts)
    writer = Writer(Identity("hotswitch 1", "8.3.1", "debian", "12"))
    counted = {name: switch.statistics(name) for name in status if not status[name].error}
    updates = writer.updates(tables, reading, picture, reading.next_cfg)
    updates += statistics_updates(tables, reading, picture, counted, {})
    for update in updates:
        fits(update)
        tables.put(update.table, update.row, **update.columns)
    # Once all of it is written there is nothing left, and what is wanted has not changed.
    again = Reader().read(tables, hints)
    assert writer.updates(tables, again, picture, again.next_cfg) == []
    assert again.desired == reading.desired or _numbers_moved(tables)


def _numbers_moved(tables: TestTables) -> bool:
    """Whether two interfaces ask for one number: then who has it now keeps it."""
    asked = [row["ofport_request"] for row in tables["Interface"].values()]
    return any(a == b is not None for a, b in itertools.combinations(asked, 2))


@settings(max_examples=30)
@given(contents())
def test_a_refused_interface_has_no_port_and_says_why(tables: TestTables) -> None:
    reading = Reader().read(tables)
    refused = {each.row for each in reading.notes if each.refused}
    for uuid, place in reading.interfaces.items():
        bridge = reading.desired.bridges.get(place.bridge)
        if bridge is None or place.name not in bridge.ports:
            users = [key for key, row in tables["Port"].items() if uuid in row["interfaces"]]
            assert uuid in refused or refused & set(users)


@settings(max_examples=60)
@given(contents())
def test_each_row_is_in_force_or_refused(tables: TestTables) -> None:
    reading = Reader().read(tables)
    refused = unheeded(tables, reading).refused
    assert len({each.row for each in refused}) == len(refused)
    in_use = [
        each for each in tables["Open_vSwitch"]["root"]["bridges"] if each in tables["Bridge"]
    ]
    ports = {port for each in in_use for port in tables["Bridge"][each]["ports"]} & {
        *tables["Port"]
    }
    out = {each.row for each in refused}
    assert out <= {*in_use, *ports}
    assert all(each.reason for each in refused)
    assert len(reading.desired.bridges) == len({*in_use} - out)
    in_force = sum(len(each.ports) for each in reading.desired.bridges.values())
    assert in_force == len(ports - out)
