"""Whatever is set is acted on, or it is said that it is not: every key, on every kind of port."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hotswitch.config import columns
from hotswitch.config.read import Reader
from hotswitch.config.reading import Reading
from tests.config.tables import TestTables

VALUES = {
    "mac-table-size": "100",
    "mac-aging-time": "60",
    "mac-aging": "false",
    "forward-bpdu": "true",
    "hwaddr": "02:00:00:00:00:01",
    "datapath-id": "0x7",
    "adopt": "tap*",
    "facade": "virbr0",
    "default-lifecycle": "static",
    "storm-limit": "1000",
    "lifecycle": "grace=9",
    "transient": "true",
    "master": "virbr1",
    "vif": "true",
    "hook": "xdp",
    "link": "alternative-name=uplink",
    "netns": "blue",
    "device-name": "front",
    "follow-rename": "false",
    "vif-preference": "7",
}
COLUMNS: dict[str, object] = {
    "mac": "02:00:00:00:00:02",
    "mtu_request": 1400,
    "ofport_request": 9,
    "type": "tap",
    "options": {"remote_ip": "192.0.2.1"},
}


def system(tables: TestTables) -> str:
    tables.port("br0", "p0")
    return "p0"


def internal(tables: TestTables) -> str:
    tables.port("br0", "p0", type="internal")
    return "p0"


def tap(tables: TestTables) -> str:
    tables.port("br0", "p0", type="tap")
    return "p0"


def patch(tables: TestTables) -> str:
    tables.port("br0", "p0", type="patch", options={"peer": "p1"})
    return "p0"


def vif(tables: TestTables) -> str:
    tables.port("br0", "p0")
    tables.put("Interface", "interface p1", name="p1", other_config={"hook": "tcx"})
    tables.put(
        "Port", "port p0", interfaces=("interface p0", "interface p1"), other_config={"vif": "true"}
    )
    return "p0"


def local(tables: TestTables) -> str:
    return "br0"


def local_of_facade(tables: TestTables) -> str:
    tables.put("Bridge", "bridge br0", other_config={"facade": "virbr0"})
    return "br0"


def without_local(tables: TestTables) -> str:
    tables.put("Bridge", "bridge br0", ports=())
    return "br0"


def prepared(make: Callable[[TestTables], str]) -> tuple[TestTables, str]:
    tables = TestTables()
    tables.bridge("br0")
    return tables, make(tables)


def read(tables: TestTables) -> Reading:
    return Reader().read(tables)


def is_heeded(before: Reading, after: Reading, key: str) -> bool:
    """Whether something else is wanted, or a new note names the key."""
    identifiers = [{r: each.identifier for r, each in of.bridges.items()} for of in (before, after)]
    said = {str(note) for note in after.notes} - {str(note) for note in before.notes}
    return (
        after.desired != before.desired
        or identifiers[0] != identifiers[1]
        or any(key in each for each in said)
    )


PORTS = (system, internal, tap, patch, vif, local, local_of_facade)
BRIDGES = (system, local_of_facade, without_local)


@pytest.mark.parametrize("key", columns.OTHER_CONFIG["Bridge"])
@pytest.mark.parametrize("make", BRIDGES)
def test_keys_of_a_bridge(make: Callable[[TestTables], str], key: str) -> None:
    tables, _ = prepared(make)
    before = read(tables)
    there = tables["Bridge"]["bridge br0"]["other_config"]
    given = {key: "virbr2" if key in there else VALUES[key]}
    tables.put("Bridge", "bridge br0", other_config=there | given)
    assert is_heeded(before, read(tables), key)


@pytest.mark.parametrize(
    ("table", "key"),
    [(table, key) for table in ("Port", "Interface") for key in columns.OTHER_CONFIG[table]],
)
@pytest.mark.parametrize("make", PORTS)
def test_keys_of_a_port(make: Callable[[TestTables], str], table: str, key: str) -> None:
    tables, name = prepared(make)
    before = read(tables)
    row = f"{table.lower()} {name}"
    there = tables[table][row]["other_config"]
    given = {key: "false" if key in there else VALUES[key]}
    tables.put(table, row, other_config=there | given)
    assert is_heeded(before, read(tables), key)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("make", PORTS)
def test_columns_of_an_interface(make: Callable[[TestTables], str], column: str) -> None:
    tables, name = prepared(make)
    if column == "type" and make is tap:
        return
    before = read(tables)
    tables.put("Interface", f"interface {name}", **{column: COLUMNS[column]})
    assert is_heeded(before, read(tables), column)


def test_a_link_of_a_vif_says_that_another_one_s_hook_is_taken() -> None:
    tables, _ = prepared(vif)
    tables.put("Interface", "interface p0", other_config={"hook": "xdp"})
    assert [str(note) for note in read(tables).notes] == [
        "Interface p1: other_config:hook (another link of the VIF asks for xdp) "
        "is kept but not acted on"
    ]
