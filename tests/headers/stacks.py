"""Hypothesis strategies: random stacks of headers that can follow each other, for any registry."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from hotswitch.headers.declaration import Header
from hotswitch.headers.registry import Registry

Stack = list[tuple[str, Mapping[str, int | bytes]]]


def filled_in(header: Header) -> set[str]:
    """The fields that a builder fills in, or that must not be random."""
    names = set(header.requires)
    if header.select:
        names |= {header.select.by, *header.select.unless}
    for rule in (header.length, header.total_length, header.checksum):
        if rule:
            names.add(rule.field)
    return names


@st.composite
def values(draw: st.DrawFn, header: Header) -> dict[str, int | bytes]:
    """Random values for the fields that are free."""
    given: dict[str, int | bytes] = {
        each.name: draw(st.integers(0, (1 << each.width) - 1), label=f"{header.name}.{each.name}")
        for each in header.fields
        if each.name not in filled_in(header)
    }
    if header.length and draw(st.booleans()):
        given["options"] = draw(st.binary(max_size=20))
    return given


@st.composite
def stacks(draw: st.DrawFn, registry: Registry, most: int = 9) -> tuple[Stack, bytes]:
    """Layers from Ethernet inwards, as deep as the chains allow, and a payload."""
    header = registry.start
    stack: Stack = []
    walked: dict[frozenset[str], int] = {}
    while True:
        stack.append((header.name, draw(values(header))))
        cycle = registry.cycles.get(header.name, frozenset())
        walked[cycle] = walked.get(cycle, 0) + 1
        choices = [
            name
            for name in registry.followers[header.name]
            if name not in registry.cycles
            or walked.get(registry.cycles[name], 0) < registry.headers[name].chain
        ]
        if len(stack) == most or not choices or not draw(st.integers(0, 7)):
            break
        header = registry.headers[draw(st.sampled_from(choices))]
    # Where something is always next, a payload could look like it.
    always = header.select is not None and not header.select.by
    return stack, b"" if always else draw(st.binary(max_size=40))
