"""The rows that tell programs by which link a port's frames leave."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.kernel.link_state import LinkState
from hotswitch.kernel.maps import Map


@dataclass(frozen=True, slots=True)
class Fallback:
    """The link that frames leave by while the port's does not work, which its state says."""

    state: LinkState
    ifindex: int
    flags: int


class LinkRows:
    """By port number, in memory that the map shares."""

    def __init__(self, map_: Map) -> None:
        self._memory: mmap.mmap = map_.mmap()

    def __len__(self) -> int:
        return len(self._memory) // memory.LINK_ROW_SIZE

    def use(self, old: Map, new: Map) -> None:
        """Go on in a larger map."""
        size = min(old.max_entries, new.max_entries) * memory.LINK_ROW_SIZE
        before, self._memory = self._memory, new.mmap()
        self._memory[:size] = before[:size]

    def write(
        self, number: int, ifindex: int, flags: int, fallback: Fallback | None = None
    ) -> None:
        """Let the port's frames leave by this link, from one frame to the next.

        A program takes the row's word at once, and the rest only while it stays the same.
        """
        at = number * memory.LINK_ROW_SIZE
        rest = slice(at + memory.LINK.size, at + memory.LINK_ROW_SIZE)
        word = slice(at, at + memory.LINK.size)
        if fallback is None:
            self._memory[word] = memory.LINK.pack(ifindex, flags)
            return
        state = fallback.state
        wanted = memory.FALLBACK.pack(
            state.state, state.operational, state.index, fallback.ifindex, fallback.flags
        )
        if self._memory[rest] != wanted:
            self._memory[word] = memory.LINK.pack(ifindex, flags)
            self._memory[rest] = wanted
        self._memory[word] = memory.LINK.pack(ifindex, flags | memory.LINK_FALLBACK)
