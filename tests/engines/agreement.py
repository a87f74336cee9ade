"""Do two engines do the same?"""

from __future__ import annotations

from tests.engines.harness import PORTS, Observed


def assert_same(expected: Observed, found: Observed) -> None:
    """Fail, showing what differs, most telling first."""
    for port in PORTS:
        wanted = [frame.hex(" ") for frame in expected.outputs[port]]
        assert [frame.hex(" ") for frame in found.outputs[port]] == wanted, f"port {port}"
    assert found.copies == expected.copies
    assert found.entries == expected.entries
    assert found.ports == expected.ports
    # A program recognises only the headers that its pipeline needs.
    malformed = found.counters.get("malformed", 0)
    assert malformed <= expected.counters.get("malformed", 0)
    assert {**found.counters, "malformed": 0} == {**expected.counters, "malformed": 0}
    assert found.addresses == expected.addresses
