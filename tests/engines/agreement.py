"""Do two engines do the same?"""

from __future__ import annotations

from tests.engines.harness import WIRES, Observed


def assert_same(expected: Observed, found: Observed) -> None:
    """Fail, showing what differs, most telling first."""
    for wire in WIRES:
        wanted = [frame.hex(" ") for frame in expected.outputs[wire]]
        assert [frame.hex(" ") for frame in found.outputs[wire]] == wanted, f"wire {wire}"
    assert found.copies == expected.copies
    assert found.entries == expected.entries
    assert found.ports == expected.ports
    # A program recognises only the headers that its pipeline needs.
    malformed = found.counters.get("malformed", 0)
    assert malformed <= expected.counters.get("malformed", 0)
    assert {**found.counters, "malformed": 0} == {**expected.counters, "malformed": 0}
    assert found.addresses == expected.addresses
