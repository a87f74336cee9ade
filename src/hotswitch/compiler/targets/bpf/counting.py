"""Counting: at once on an skb; on XDP only when the packet's fate is certain.

XDP handles a packet to its end or leaves it, untouched and uncounted, to the program at tcx.
"""

from __future__ import annotations

from typing import Protocol

from hotswitch.compiler.passes.uses import FLAGS
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I32, Code, Value
from hotswitch.compiler.targets.bpf.hook import Context
from hotswitch.compiler.targets.bpf.layout import Total
from hotswitch.compiler.targets.bpf.state import State

RX_PACKETS, RX_BYTES, RX_DROPPED, TX_PACKETS, TX_BYTES, TX_DROPPED = range(0, 48, 8)


class Counting(Protocol):
    """When what is counted."""

    def received(self) -> None:
        """The packet has come in."""

    def not_received(self) -> None:
        """It has not, after all: it will come again."""

    def entry(self, slot: Value, otherwise: Value) -> None:
        """The entry in this slot handles the packet."""

    def total(self, name: str) -> None:
        """One of the datapath's counters (`layout.Total`)."""

    def certain(self) -> None:
        """The packet's fate is certain: count what was put off."""

    def finish(self) -> None:
        """The packet ends here."""


def counting(context: Context, code: Code, state: State, counters: Value) -> Counting:
    """The way of counting that fits the hook. counters: the ingress port's."""
    return Deferred(code, state, counters) if context.whole_data else AtOnce(code, state, counters)


def note_flags(state: State, slot: Value) -> None:
    """Add the packet's TCP flags to those in an entry's slot; all CPUs share them."""
    code, b = state.code, state.code.b
    if not state.flow.registry.has(FLAGS):
        return
    place = code.at(slot, memory.SLOT_FLAGS)
    flags = b.trunc(state.field(FLAGS), I32)
    before = b.load(place, typ=I32, align=4)
    more = b.and_(flags, b.not_(before))
    new = b.icmp_unsigned("!=", more, code.number(0, I32))
    code.when(new, lambda: b.atomic_rmw("or", place, flags, "monotonic"), "flags")


class AtOnce:
    """Counts as things happen."""

    def __init__(self, code: Code, state: State, counters: Value) -> None:
        self.code = code
        self.state = state
        self.counters = counters

    def received(self) -> None:
        self.code.increment(self.counters, RX_PACKETS)
        self.code.increment(self.counters, RX_BYTES, self.state.cell(cells.FRAME_LENGTH))

    def not_received(self) -> None:
        self.code.increment(self.counters, RX_PACKETS, -1)
        length = self.state.cell(cells.FRAME_LENGTH)
        self.code.increment(self.counters, RX_BYTES, self.code.b.neg(length))

    def entry(self, slot: Value, otherwise: Value) -> None:
        code = self.code
        counter = code.element(memory.COUNTERS, slot, otherwise)
        code.increment(counter, 0)
        code.increment(counter, 8, self.state.cell(cells.FRAME_LENGTH))
        code.store(counter, 16, self.state.cell(cells.NOW))

    def total(self, name: str) -> None:
        code = self.code
        key = code.reserve_once("index", 8)
        code.store(key, 0, code.number(0), I32)
        totals = code.lookup(memory.TOTALS, key)
        there = code.b.icmp_unsigned("!=", totals, type(code.number(0))(totals.type, None))
        offset = 8 * Total._fields.index(name)
        code.when(there, lambda: code.increment(totals, offset))

    def certain(self) -> None:
        pass

    def finish(self) -> None:
        code = self.code
        nowhere = code.b.icmp_unsigned("==", self.state.cell(cells.ACTED), code.number(0))
        code.when(nowhere, lambda: code.increment(self.counters, RX_DROPPED))


class Deferred(AtOnce):
    """Notes entries, and counts when the packet's fate is certain."""

    def received(self) -> None:
        self.state.set_cell(cells.PATH_LENGTH, 0)
        self.state.set_cell(cells.MALFORMED, 0)

    def not_received(self) -> None:
        pass

    def entry(self, slot: Value, otherwise: Value) -> None:
        code, b = self.code, self.code.b
        length = self.state.cell(cells.PATH_LENGTH)
        code.jump_if(b.icmp_unsigned(">=", length, code.number(cells.PATH_LIMIT)), otherwise)
        place = code.at(self.state.memory, b.shl(length, code.number(2)))
        code.store(place, cells.PATH, slot, I32)
        self.state.set_cell(cells.PATH_LENGTH, b.add(length, code.number(1)))

    def total(self, name: str) -> None:
        if name == "malformed":
            self.state.set_cell(cells.MALFORMED, 1)
        else:
            super().total(name)

    def certain(self) -> None:
        """Count the packet for its port and its entries."""
        code, b = self.code, self.code.b
        super().received()
        malformed = code.is_set(self.state.cell(cells.MALFORMED))
        code.when(malformed, lambda: AtOnce.total(self, "malformed"))
        head, body, end = (code.block(name) for name in ("count", "count_one", "counted"))
        before = b.block
        code.go(head)
        code.enter(head)
        index = b.phi(code.number(0).type)
        index.add_incoming(code.number(0), before)
        more = b.icmp_unsigned("<", index, self.state.cell(cells.PATH_LENGTH))
        bounded = b.icmp_unsigned("<", index, code.number(cells.PATH_LIMIT))
        b.cbranch(b.and_(more, bounded), body, end)
        code.enter(body)
        place = code.at(self.state.memory, b.shl(index, code.number(2)))
        super().entry(code.load(place, cells.PATH, I32), end)
        index.add_incoming(b.add(index, code.number(1)), b.block)
        code.go(head)
        code.enter(end)

    def finish(self) -> None:
        self.certain()
        super().finish()
