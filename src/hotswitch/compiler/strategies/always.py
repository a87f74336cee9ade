"""The subtable without a mask: an entry for every packet, in an array by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotswitch.compiler.shape import Subtable
from hotswitch.compiler.strategies.strategy import SearchCode
from hotswitch.model.match import ANY, Match


@dataclass(frozen=True)
class Always:
    """One array element; nothing to hash."""

    table: int
    subtable: Subtable
    name = "always"
    map_name = "defaults"

    @property
    def subtables(self) -> tuple[Subtable, ...]:
        return (self.subtable,)

    def key(self, subtable: Subtable, match: Match) -> bytes:
        return self.table.to_bytes(4, "little")

    def match(self, key: bytes) -> tuple[Subtable, Match] | None:
        return (self.subtable, ANY) if key == self.key(self.subtable, ANY) else None

    def emit(self, code: SearchCode) -> Any:
        return code.default(self.table)
