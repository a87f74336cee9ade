"""One mask: a hash lookup of the masked words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.keys import KeyLayout
from hotswitch.compiler.shape import Subtable
from hotswitch.compiler.strategies.strategy import SearchCode
from hotswitch.model.match import Match


@dataclass(frozen=True)
class Exact:
    """A hash map for each length of key, shared by all tables."""

    flow: Flow
    subtable: Subtable
    name = "exact"

    @property
    def subtables(self) -> tuple[Subtable, ...]:
        return (self.subtable,)

    @cached_property
    def layout(self) -> KeyLayout:
        return KeyLayout(self.flow, self.subtable.number, self.subtable.masks)

    @cached_property
    def map_name(self) -> str:
        return f"hash_{8 * self.layout.words}"

    def key(self, subtable: Subtable, match: Match) -> bytes:
        return self.layout.key(match)

    def match(self, key: bytes) -> tuple[Subtable, Match] | None:
        if int.from_bytes(key[:2], "little") != self.subtable.number:
            return None
        return self.subtable, self.layout.match(key)

    def emit(self, code: SearchCode) -> Any:
        words = {0: code.number(self.subtable.number)}
        for move in self.layout.moves:
            moved = code.shift(code.mask(code.word(move.source), move.mask), move.shift)
            known = words.get(move.target)
            words[move.target] = moved if known is None else code.either(known, moved)
        for index, value in words.items():
            code.store(8 * index, value, 8)
        return code.find(self.map_name)
