"""Sets and maps as sorted tuples: union, difference, and what changed between two.

The data of a bridge with thousands of ports differ by one member most of the time, so
these look for what differs and share the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.values import Atom, Datum

#: Below this size plain loops win.
_SMALL = 16


def distinct(atoms: list[Atom]) -> Datum:
    """Return the sorted set of `atoms`; raise `OvsdbError` if two are equal."""
    if len(atoms) > 1:
        if len(set(atoms)) != len(atoms):
            raise OvsdbError("ovsdb error", "set contains duplicate")
        atoms.sort()
    return tuple(atoms)


def distinct_keys(pairs: list[tuple[Atom, Atom]]) -> Datum:
    """Return the sorted map of `pairs`; raise `OvsdbError` if two keys are equal."""
    if len(pairs) > 1:
        if len({key for key, _ in pairs}) != len(pairs):
            raise OvsdbError("ovsdb error", "map contains duplicate key")
        pairs.sort()
    return tuple(pairs)


def union(datum: Datum, more: Datum, *, is_map: bool) -> Datum:
    """Return `datum` with the members of `more`; of a key in both, keep `datum`'s value."""
    if not more:
        return datum
    if len(more) == 1:
        member = more[0]
        place = bisect_left(datum, (member[0],) if is_map else member)
        if place < len(datum):
            there = datum[place]
            if there == member or (is_map and there[0] == member[0]):
                return datum
        return _latest.inserted(datum, place, member)
    if is_map:
        return tuple(sorted((dict(more) | dict(datum)).items()))
    missing = set(more).difference(datum)
    if not missing:
        return datum
    return _latest.made(datum, tuple(sorted([*datum, *missing])), [], list(missing))


def subtract(datum: Datum, less: Iterable[object]) -> Datum:
    """Return `datum` without those of its members that are in `less`."""
    removed = set(less).intersection(datum)
    if not removed:
        return datum
    left = tuple([member for member in datum if member not in removed])
    return _latest.made(datum, left, list(removed), [])


def subtract_keys(datum: Datum, keys: Iterable[Atom]) -> Datum:
    """Return a map without the pairs whose keys are in `keys`."""
    removed = set(keys)
    return tuple(pair for pair in datum if pair[0] not in removed)


def removed_added(old: Datum, new: Datum) -> tuple[Sequence[Atom], Sequence[Atom]]:
    """Return the members (atoms, or pairs of a map) that only `old` has, and only `new`."""
    if not old or not new:
        return old, new
    if len(old) <= _SMALL and len(new) <= _SMALL:
        return [m for m in old if m not in new], [m for m in new if m not in old]
    return _latest.removed_added(old, new)


class _Latest:
    """Remembers the latest two large data, and what differs: whoever made one of the other knows,
    and a commit asks for its references, its log record and its monitors.

    And it has the new one's members as a list: a bridge with thousands of ports mostly gets one
    more, and then one more.
    """

    def __init__(self) -> None:
        self._known: tuple[Datum, Datum, tuple[list[Atom], list[Atom]]] = ((), (), ([], []))
        self._members: list[Atom] | None = None

    def removed_added(self, old: Datum, new: Datum) -> tuple[list[Atom], list[Atom]]:
        known_old, known_new, result = self._known
        if known_old is not old or known_new is not new:
            result = _compare(*_differing(old, new))
            self._known, self._members = (old, new, result), None
        return result

    def made(self, old: Datum, new: Datum, removed: list[Atom], added: list[Atom]) -> Datum:
        """Return `new`, which was made of `old`."""
        if len(old) > _SMALL or len(new) > _SMALL:
            self._known, self._members = (old, new, (removed, added)), None
        return new

    def inserted(self, datum: Datum, place: int, member: Atom) -> Datum:
        """Return `datum` with one member more."""
        if len(datum) < _SMALL:
            return (*datum[:place], member, *datum[place:])
        members = self._members
        if members is None or self._known[1] is not datum:
            members = list(datum)
        members.insert(place, member)
        new = tuple(members)
        self._known, self._members = (datum, new, ([], [member])), members
        return new


_latest = _Latest()


def _compare(old: Datum, new: Datum) -> tuple[list[Atom], list[Atom]]:
    old_members, new_members = set(old), set(new)
    return (
        [m for m in old if m not in new_members],
        [m for m in new if m not in old_members],
    )


def difference(old: Datum, new: Datum, *, is_map: bool) -> Datum:
    """Return what turns `old` into `new`, as `update2` and the log write it.

    Of a set, the members that only one of them has. Of a map, the pairs whose key only one
    has, and the new pairs of the keys whose value changed.
    """
    removed, added = removed_added(old, new)
    if is_map and added:
        changed = {key for key, _ in added}
        removed = [pair for pair in removed if pair[0] not in changed]
    return tuple(sorted([*removed, *added]))


def apply_difference(old: Datum, delta: Datum, *, is_map: bool) -> Datum:
    """Return the new datum, of which `delta` is the difference from `old`."""
    if len(delta) == 1 and not is_map:
        member = delta[0]
        place = bisect_left(old, member)
        if place < len(old) and old[place] == member:
            return _latest.made(old, old[:place] + old[place + 1 :], [member], [])
        return _latest.inserted(old, place, member)
    if not is_map:
        return tuple(sorted(set(old).symmetric_difference(delta)))
    result = dict(old)
    for key, value in delta:
        if key in result and result[key] == value:
            del result[key]
        else:
            result[key] = value
    return tuple(sorted(result.items()))


def _differing(old: Datum, new: Datum) -> tuple[Datum, Datum]:
    """Cut off the members that both begin and both end with."""
    shorter = min(len(old), len(new))
    start = _common(shorter, lambda low, high: old[low:high] == new[low:high])
    end = _common(
        shorter - start,
        lambda low, high: (
            old[len(old) - high : len(old) - low] == new[len(new) - high : len(new) - low]
        ),
    )
    return old[start : len(old) - end], new[start : len(new) - end]


def _common(length: int, equal: Callable[[int, int], bool]) -> int:
    """Return how many of the first `length` members are equal, by bisection.

    The comparisons run over the tuples in C; each looks at what no other has looked at.
    """
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        if equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
