"""Tables as code: build keys, look them up, keep the best, stop early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotswitch.compiler.flow import Word
from hotswitch.compiler.ir import TableCode
from hotswitch.compiler.passes.search import first_mask, highest, lowest
from hotswitch.compiler.strategies.strategy import PRIORITY_SHIFT, RANK_SHIFT, Search
from hotswitch.compiler.targets.bpf.code import I32, Code, Value
from hotswitch.compiler.targets.bpf.layout import DEFAULTS
from hotswitch.compiler.targets.bpf.state import State

KEY_SIZE = 320
"""Bytes of stack for a key."""
_RANKS = (1 << PRIORITY_SHIFT - RANK_SHIFT) - 1


class Lookup:
    """What strategies build with (`strategies.strategy.SearchCode`)."""

    def __init__(self, code: Code, state: State, size: int) -> None:
        self.code = code
        self.state = state
        self.key = code.reserve(size)

    def word(self, word: Word) -> Value:
        return self.state.word(word)

    def mask(self, value: Value, bits: int) -> Value:
        return self.code.b.and_(value, self.code.number(bits))

    def shift(self, value: Value, left: int) -> Value:
        b = self.code.b
        if left > 0:
            return b.shl(value, self.code.number(left))
        return b.lshr(value, self.code.number(-left)) if left else value

    def either(self, left: Value, right: Value) -> Value:
        return self.code.b.or_(left, right)

    def if_zero(self, value: Value, then: Value, otherwise: Value) -> Value:
        b = self.code.b
        return b.select(b.icmp_unsigned("==", value, self.number(0)), then, otherwise)

    def number(self, value: int) -> Value:
        return self.code.number(value)

    def swap(self, value: Value) -> Value:
        return self.code.b.bswap(value)

    def store(self, offset: int, value: Value, size: int) -> None:
        if size == 4:
            self.code.store(self.key, offset, value, I32)
        elif offset % 8:  # behind a trie's prefix length: in halves, for the stack is aligned
            self.code.store(self.key, offset, value, I32)
            high = self.code.b.lshr(value, self.code.number(32))
            self.code.store(self.key, offset + 4, high, I32)
        else:
            self.code.store(self.key, offset, value)

    def find(self, map_name: str) -> Value:
        return self._value(self.code.lookup(map_name, self.key))

    def default(self, table: int) -> Value:
        self.code.store(self.key, 0, self.code.number(table), I32)
        return self._value(self.code.lookup(DEFAULTS, self.key))

    def _value(self, found: Value) -> Value:
        """The number behind a pointer, or 0 if it is null."""
        code, b = self.code, self.code.b
        before = b.block
        yes, after = code.block("found"), code.block("looked")
        null = b.icmp_unsigned("==", found, type(code.number(0))(found.type, None))
        b.cbranch(null, after, yes)
        code.enter(yes)
        value = code.load(found, 0)
        code.go(after)
        code.enter(after)
        result = b.phi(value.type)
        result.add_incoming(code.number(0), before)
        result.add_incoming(value, yes)
        return result


def find_best(lookup: Lookup, table: TableCode, line: Callable[[Any], int]) -> Value:
    """The value of the entry that wins in a table, or 0; `line(key)` annotates."""
    code, b = lookup.code, lookup.code.b
    searches = table.searches
    if not searches:
        return code.number(0)
    done = code.block("decided")
    arrivals: list[tuple[Value, Value]] = []
    best: Value = None
    for index, search in enumerate(searches):
        rest = searches[index + 1 :]
        with code.line(line(("search", table.table.number, index))):
            found = search.emit(lookup)
            if _may_tie(search, searches):
                found = _ranked(lookup, search, searches, found)
            best = found if best is None else _greater(code, best, found)
            if not rest:
                break
            arrivals.append((best, b.block))
            code.jump_if(_decided(lookup, best, rest), done, "search")
    arrivals.append((best, b.block))
    code.go(done)
    code.enter(done)
    result = b.phi(best.type)
    for value, block in arrivals:
        result.add_incoming(value, block)
    return result


def _decided(lookup: Lookup, best: Value, rest: tuple[Search, ...]) -> Value:
    """Whether nothing that follows can win any more: even the highest of it is lower."""
    most = max(highest(each) for each in rest) + 2
    if most > 1 << 16:  # nothing is higher than that
        return lookup.code.number(0, type(best.type)(1))
    return lookup.code.b.icmp_unsigned(">=", best, lookup.number(most << PRIORITY_SHIFT))


def _greater(code: Code, left: Value, right: Value) -> Value:
    return code.b.select(code.b.icmp_unsigned(">=", left, right), left, right)


def _may_tie(search: Search, searches: tuple[Search, ...]) -> bool:
    return any(
        other is not search
        and lowest(other) <= highest(search)
        and lowest(search) <= highest(other)
        for other in searches
    )


def _ranked(lookup: Lookup, search: Search, searches: tuple[Search, ...], found: Value) -> Value:
    """Equal priorities: the mask that sorts first wins."""
    order = sorted({first_mask(each) for each in searches}, reverse=True)
    rank = order.index(first_mask(search))
    ranked = lookup.either(found, lookup.number(min(rank, _RANKS) << RANK_SHIFT))
    b = lookup.code.b
    return b.select(b.icmp_unsigned("==", found, lookup.number(0)), lookup.number(0), ranked)
