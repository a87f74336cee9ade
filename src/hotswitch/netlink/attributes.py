"""Attributes as a value: named, in wire order, frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Name: TypeAlias = str | int
"""An attribute's name; its number where the table has no name for it, or where it is an index."""


class Attributes:
    """Names and values, in the order in which they are in the message.

    Built from pairs, or from keywords: `Attributes(name="dp0", upcall_pid=0)`. A name that
    occurs more than once (actions) is met by iterating; `[...]`, `get` and `in` see the last.
    Values are numbers (int), text (str), bytes, True (a flag), tuples (arrays), structures (named
    tuples) and Attributes.
    """

    __slots__ = ("_index", "pairs")

    pairs: tuple[tuple[Name, Any], ...]

    def __init__(self, pairs: Iterable[tuple[Name, Any]] = (), /, **named: Any) -> None:
        self.pairs = (*pairs, *named.items())
        self._index: Mapping[Name, Any] = dict(self.pairs)

    def __getitem__(self, name: Name) -> Any:
        return self._index[name]

    def get(self, name: Name, default: Any = None) -> Any:
        """The value, or `default` if there is no such attribute."""
        return self._index.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __iter__(self) -> Iterator[tuple[Name, Any]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def repeats(self) -> bool:
        """Whether a name occurs more than once."""
        return len(self._index) != len(self.pairs)

    @property
    def names(self) -> tuple[Name, ...]:
        """The names, in order."""
        return tuple(name for name, _ in self.pairs)

    def __add__(self, other: Attributes) -> Attributes:
        return Attributes(self.pairs + other.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attributes) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Attributes({', '.join(f'{name}={value!r}' for name, value in self.pairs)})"


NONE = Attributes()
"""No attributes."""
