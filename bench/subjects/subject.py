"""What a subject is to those who measure it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bench.lab import Pair


@dataclass(frozen=True)
class Running:
    """A subject at work.

    entry: namespace and link that packets from the first host come in by, if a switch is between:
        it must take frames that the generator redirects there.
    processes: those that forward, by id; packets that only the kernel touches need none.
    """

    pair: Pair
    entry: tuple[str, str] | None = None
    processes: Sequence[int] = field(default_factory=tuple)


Thing = TypeVar("Thing", covariant=True)


@dataclass(frozen=True)
class Subject(Generic[Thing]):
    """start: brings it up, with namespaces of this name if it needs any; raises BenchError.

    why_not: a reason why it can't be measured here, or nothing.
    """

    name: str
    title: str
    start: Callable[[str], AbstractContextManager[Thing]]
    why_not: Callable[[], str] = lambda: ""


Start = Callable[[str], Iterator[Running]]
