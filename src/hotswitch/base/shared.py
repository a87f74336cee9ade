"""A mapping that never changes, but has cheap successors that share with it what is the same.

It is cut into a fixed number of pieces by the keys' hashes. A successor has new pieces only where
it differs, so that making one, and finding out what differs, cost what has changed and a look at
each piece; for the few ten thousand keys that are met here that is flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, compress
from operator import is_not
from typing import Any, Generic, TypeVar, overload

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Default = TypeVar("_Default")

_PIECES = 256
_LAST = _PIECES - 1
_EMPTY: dict[Any, Any] = {}
_ABSENT: Any = object()


class SharedMap(Mapping[_Key, _Value], Generic[_Key, _Value]):
    """Made of a mapping or of nothing; values are compared by identity first. In no order."""

    __slots__ = ("_count", "_pieces")

    def __init__(self, content: Mapping[_Key, _Value] | Iterable[tuple[_Key, _Value]] = ()) -> None:
        if isinstance(content, SharedMap):
            self._pieces: tuple[dict[_Key, _Value], ...] = content._pieces
            self._count: int = content._count
            return
        pieces: dict[int, dict[_Key, _Value]] = {}
        content = dict(content)
        for key, value in content.items():
            at = hash(key) & _LAST
            if at in pieces:
                pieces[at][key] = value
            else:
                pieces[at] = {key: value}
        self._pieces = tuple([pieces.get(at, _EMPTY) for at in range(_PIECES)])
        self._count = len(content)

    def __getitem__(self, key: _Key) -> _Value:
        return self._pieces[hash(key) & _LAST][key]

    @overload
    def get(self, key: _Key, /) -> _Value | None: ...
    @overload
    def get(self, key: _Key, /, default: _Value | _Default) -> _Value | _Default: ...
    def get(self, key: _Key, /, default: Any = None) -> Any:
        """As of any mapping; that of `Mapping` raises and catches an error for an absent key."""
        return self._pieces[hash(key) & _LAST].get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._pieces[hash(key) & _LAST]

    def __iter__(self) -> Iterator[_Key]:
        return chain.from_iterable(self._pieces)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SharedMap):
            return self._pieces == other._pieces
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SharedMap({dict(self)!r})"

    def having(
        self, puts: Mapping[_Key, _Value], deletes: Iterable[_Key] = ()
    ) -> SharedMap[_Key, _Value]:
        """The successor with these values, and without these keys; those need not be there."""
        changed: dict[int, dict[_Key, _Value]] = {}
        count = self._count
        for key in deletes:
            at = hash(key) & _LAST
            if key in changed.get(at, self._pieces[at]):
                if at not in changed:
                    changed[at] = dict(self._pieces[at])
                del changed[at][key]
                count -= 1
        for key, value in puts.items():
            at = hash(key) & _LAST
            piece = changed.get(at, self._pieces[at])
            if key not in piece:
                count += 1
            elif piece[key] is value:
                continue
            if at not in changed:
                piece = changed[at] = dict(piece)
            piece[key] = value
        if not changed:
            return self
        successor: SharedMap[_Key, _Value] = SharedMap.__new__(SharedMap)
        pieces = list(self._pieces)
        for at, piece in changed.items():
            pieces[at] = piece
        successor._pieces = tuple(pieces)
        successor._count = count
        return successor

    def differing(self, other: SharedMap[_Key, _Value]) -> set[_Key]:
        """The keys that have different values in the two, or are in one of them only."""
        found: set[_Key] = set()
        if self._pieces is other._pieces:
            return found
        pairs = zip(self._pieces, other._pieces, strict=True)
        for mine, theirs in compress(pairs, map(is_not, self._pieces, other._pieces)):
            if mine != theirs:
                for key, value in mine.items():
                    if key not in theirs or (
                        (there := theirs[key]) is not value and there != value
                    ):
                        found.add(key)
                found.update(theirs.keys() - mine.keys())
        return found
