"""Rows of ports: whatever a port may be, it is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hotswitch.datapath.check_ports import check_port
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.engines.kernel import port_records
from hotswitch.datapath.engines.kernel.port_records import PortRecords
from hotswitch.datapath.limits import STANDARD
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.model.port import Hook, LinkLife, Port, Side

_incarnations = some.integers(0, (1 << 64) - 1)
_lives = some.builds(LinkLife, some.integers(1, (1 << 31) - 1), _incarnations)
_ports = some.builds(
    Port,
    some.integers(1, 0xFEFF),
    some.text(min_size=1, max_size=15),
    some.integers(0, (1 << 31) - 1),
    some.sampled_from(Hook),
    _incarnations,
    some.lists(_lives, max_size=STANDARD.standby).map(tuple),
    some.sampled_from(Side),
    some.lists(_lives, max_size=STANDARD.standby).map(tuple),
)


def _is_allowed(port: Port) -> bool:
    try:
        check_port(port)
    except DatapathError:
        return False
    return True


@pytest.fixture(scope="module")
def records() -> PortRecords:
    map_ = Map.create(
        MapType.HASH, key_size=4, value_size=port_records.SIZE, max_entries=0x10000, flags=1
    )
    return PortRecords(map_)


@given(some.dictionaries(some.integers(1, 5), _ports.filter(_is_allowed)))
def test_what_is_noted_is_read_back(records: PortRecords, ports: dict[int, Port]) -> None:
    records.put(list(ports.values()))
    records.put(list(ports.values())[:1])
    last = {port.number: port for port in [*ports.values(), *list(ports.values())[:1]]}
    assert {port.number: port for port in records.all()} == last
    records.delete(list(last)[:1])
    records.delete(list(last))
    assert records.all() == ()
