"""Choose a lookup strategy for the subtables of each table, and the order of lookups."""

from __future__ import annotations

from dataclasses import replace

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.ir import Program
from hotswitch.compiler.shape import FieldMasks, Subtable, Table
from hotswitch.compiler.strategies.always import Always
from hotswitch.compiler.strategies.direct import Direct
from hotswitch.compiler.strategies.exact import Exact
from hotswitch.compiler.strategies.prefix import find_prefixes
from hotswitch.compiler.strategies.strategy import Search


def search(program: Program, flow: Flow) -> Program:
    """Lookups by falling priority, so that a hit can end the search early."""
    return replace(
        program,
        tables=tuple(replace(code, searches=searches(flow, code.table)) for code in program.tables),
    )


def searches(flow: Flow, table: Table) -> tuple[Search, ...]:
    """The lookups for a table's subtables."""
    left = list(table.subtables)
    found: list[Search] = []
    while prefixes := find_prefixes(flow, left, found):
        found.append(prefixes)
        left = [each for each in left if each not in prefixes.subtables]
    found += [_single(flow, table, each) for each in left]
    return tuple(sorted(found, key=lambda one: (-highest(one), first_mask(one))))


def _single(flow: Flow, table: Table, subtable: Subtable) -> Search:
    if not subtable.masks:
        return Always(table.number, subtable)
    return Direct(flow, subtable) if subtable.widths else Exact(flow, subtable)


def first_mask(one: Search) -> FieldMasks:
    """Of the masks that a lookup covers, the one that sorts first."""
    return min(each.masks for each in one.subtables)


def highest(one: Search) -> int:
    """The highest priority that a lookup can find."""
    return max(each.highest for each in one.subtables)


def lowest(one: Search) -> int:
    """The lowest priority that a lookup can find."""
    return min(each.lowest for each in one.subtables)
