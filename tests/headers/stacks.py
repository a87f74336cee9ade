"""Hypothesis strategies: random stacks of headers that can follow each other, for any registry."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from hotswitch.headers.declaration import Header
from hotswitch.headers.graph import reachable
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
    names = draw(_paths(registry, most))
    stack: Stack = [(name, draw(values(registry.headers[name]))) for name in names]
    # Where something is always next, a payload could look like it.
    last = registry.headers[names[-1]]
    always = last.select is not None and not last.select.by
    return stack, b"" if always else draw(st.binary(max_size=40))


@st.composite
def _paths(draw: st.DrawFn, registry: Registry, most: int) -> list[str]:
    """Names of headers that can follow each other, mostly `most` of them or until none can."""
    name = registry.start.name
    path = [name]
    walked: dict[frozenset[str], int] = {}
    length = draw(st.sampled_from([most, most, most, *range(1, most)]))
    while True:
        cycle = registry.cycles.get(name, frozenset())
        walked[cycle] = walked.get(cycle, 0) + 1
        choices = [
            after
            for after in registry.followers[name]
            if after not in registry.cycles
            or walked.get(registry.cycles[after], 0) < registry.headers[after].chain
        ]
        if len(path) == length or not choices:
            return path
        # Weighted by what lies behind, else most frames would be ARP or labels.
        weighted = [
            after for after in choices for _ in range(1 + len(reachable(registry.followers, after)))
        ]
        name = draw(st.sampled_from(weighted))
        path.append(name)
