"""The intermediate form: a program as a parse graph, lookups and actions, before any machine.

The passes fill it in one after another (`compiler.compile`). Its text is what `HOTSWITCH_DUMP`
writes, and what the annotations of generated code refer to by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hotswitch.compiler.flow import Word
from hotswitch.compiler.shape import Shape, Table
from hotswitch.compiler.strategies.strategy import Search
from hotswitch.compiler.template import Template
from hotswitch.headers.declaration import Header

DONE = "parsed"


@dataclass(frozen=True, slots=True)
class Node:
    """A state of the parser: at this place `header` is expected.

    layers: where to record it; the first that is still free, or nowhere.
    next: the state for each key that the header may select; any other key ends the parse.
    offset: bytes from the frame's start, where that is always the same.
    """

    label: str
    header: Header
    layers: tuple[str, ...]
    next: Mapping[int, str]
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Uses:
    """What the program reads of a packet and writes to it.

    bits: of each word of the flow, those that are read or written.
    written: of each word of a header, the bits that some action sets.
    """

    bits: Mapping[Word, int] = field(default_factory=lambda: MappingProxyType({}))
    written: Mapping[Word, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def layers(self) -> frozenset[str]:
        """The layers of those words."""
        return frozenset(word.layer for word in self.bits)

    @property
    def written_layers(self) -> frozenset[str]:
        """The layers that some action sets."""
        return frozenset(word.layer for word in self.written)


@dataclass(frozen=True, slots=True)
class TableCode:
    """A table: its lookups in the order in which they are tried, and its templates."""

    table: Table
    searches: tuple[Search, ...] = ()


@dataclass(frozen=True)
class Program:
    """A shape on its way to code."""

    shape: Shape
    tables: tuple[TableCode, ...]
    templates: Mapping[int, Template]
    uses: Uses = Uses()
    nodes: tuple[Node, ...] = ()
    places: Mapping[Word, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def maps(self) -> frozenset[str]:
        """The names of the maps that hold its entries."""
        return frozenset(search.map_name for code in self.tables for search in code.searches)

    def text(self) -> str:
        """The program for people."""
        return "\n".join(line for _, line in lines(self)) + "\n"


def lines(program: Program) -> Iterator[tuple[object, str]]:
    """The program's text, line by line, with what each line is about."""
    yield "flow", f"flow of {len(program.places)} words"
    for word, place in program.places.items():
        bits = program.uses.bits[word]
        wrote = program.uses.written.get(word, 0)
        yield (
            word,
            f"  {place:>4}: {word} bits {bits:#018x}" + (f" set {wrote:#018x}" if wrote else ""),
        )
    yield "parse", "parse"
    for node in program.nodes:
        where = f" at {node.offset}" if node.offset is not None else ""
        record = " ".join(node.layers) or "(not recorded)"
        follow = ", ".join(f"{key:#x} {label}" for key, label in node.next.items())
        yield node.label, f"  {node.label}: {node.header.name}{where} -> {record} [{follow}]"
    for code in program.tables:
        number = code.table.number
        yield ("table", number), f"table {number}"
        for index, search in enumerate(code.searches):
            low = min(each.lowest for each in search.subtables)
            high = max(each.highest for each in search.subtables)
            masks = " | ".join(
                " ".join(f"{name}/{mask:#x}" for name, mask in each.masks) or "any"
                for each in search.subtables
            )
            yield (
                ("search", number, index),
                f"  {search.name} in {search.map_name} priority {low}-{high}: {masks}",
            )
        for template in code.table.templates:
            yield ("template", number, template), f"  actions {template}"
            for position, action in enumerate(program.templates[template]):
                yield ("action", number, template, position), f"    {action}"
