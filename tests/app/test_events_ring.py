"""Numbers without gaps, a bounded memory, and readers that fall behind or come from earlier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.app.events.event import Happening, happening
from hotswitch.app.events.ring import Ring, first_number

FIRST = 1000


def _of(bridge: str) -> Happening:
    return happening("bridge-added", bridge=bridge)


def _ring(count: int, capacity: int = 8) -> Ring:
    ring = Ring(FIRST, capacity)
    ring.add([_of(f"br{each % 2}") for each in range(count)], 1.0)
    return ring


def _read(ring: Ring, place: int, bridge: str = "", limit: int = 100) -> tuple[list[object], int]:
    found = ring.since(place, 2.0, bridge, limit)
    rows = [
        (event.number, event.what.kind if event.what.kind == "lost" else event.what.bridge)
        for event in found.events
    ]
    return list(rows), found.next


def test_a_reader_gets_what_it_has_not_seen() -> None:
    ring = _ring(3)
    assert _read(ring, FIRST - 1) == ([(1000, "br0"), (1001, "br1"), (1002, "br0")], 1002)
    assert _read(ring, 1001) == ([(1002, "br0")], 1002)
    assert _read(ring, 1002) == ([], 1002)
    assert (ring.last, ring.oldest) == (1002, 999)


def test_a_reader_of_one_bridge_goes_on_behind_the_others_events() -> None:
    assert _read(_ring(4), 1000, "br0") == ([(1002, "br0")], 1003)
    assert _read(_ring(4), 1002, "br0") == ([], 1003)


def test_what_concerns_no_bridge_is_for_all() -> None:
    ring = Ring(FIRST)
    ring.add([happening("overflow", bridge="", what="links"), _of("br1")], 1.0)
    assert _read(ring, 999, "br0") == ([(1000, "")], 1001)


def test_who_falls_behind_is_told_once_how_many_are_lost_and_goes_on() -> None:
    ring = _ring(20)
    found = ring.since(1004, 2.0)
    assert [each.number for each in found.events] == list(range(1011, 1020))
    lost = found.events[0]
    assert lost.what == happening("lost", count=7, why="overrun") and lost.time == 2.0
    assert _read(ring, lost.number) == _read(ring, 1011)
    assert [kind for _, kind in _read(ring, lost.number)[0]] == ["br0", "br1"] * 4  # type: ignore[misc]


def test_a_number_of_another_life_is_answered_so() -> None:
    ring = _ring(2)
    for place in (0, FIRST - 2, 1002, 1 << 62):
        found = ring.since(place, 2.0)
        assert found.events[0].what == happening("lost", count=None, why="restart")
        assert [each.number for each in found.events] == [999, 1000, 1001]
    assert _read(ring, FIRST - 1)[0][0] == (1000, "br0")


def test_numbers_of_a_later_life_are_higher() -> None:
    assert first_number(1700000001.0) > first_number(1700000000.0) + 999_999
    assert first_number(4e9) < 1 << 53  # whole in floating point until 2096


@given(
    adds=st.lists(st.integers(0, 12), max_size=12),
    limit=st.integers(1, 20),
    bridge=st.sampled_from(["", "br0", "br1"]),
)
def test_a_reader_sees_each_event_once_or_is_told_of_it(
    adds: list[int], limit: int, bridge: str
) -> None:
    ring = Ring(FIRST, 8)
    place, seen, lost, given_ = FIRST - 1, [], 0, []
    for count in adds:
        names = [f"br{each % 3}" for each in range(count)]
        given_ += names
        ring.add(map(_of, names), 1.0)
        for _ in range(3):
            found = ring.since(place, 2.0, bridge, limit)
            assert len(found.events) <= limit and found.next >= place
            for event in found.events:
                if event.what.kind == "lost":
                    lost += event.what.fields["count"]
                else:
                    seen.append(event.number)
                    assert event.what.bridge == given_[event.number - FIRST]
            place = found.next
    while place != ring.last:
        found = ring.since(place, 2.0, bridge, limit)
        lost += sum(each.what.fields.get("count", 0) for each in found.events)
        seen += [each.number for each in found.events if each.what.kind != "lost"]
        place = found.next
    assert seen == sorted(set(seen))
    wanted = {FIRST + at for at, name in enumerate(given_) if bridge in ("", name)}
    assert set(seen) <= wanted and len(wanted - set(seen)) <= lost
