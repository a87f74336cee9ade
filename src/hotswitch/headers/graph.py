"""The parse graph: which header can follow which, its cycles, and an order of all headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hotswitch.headers.declaration import Header

Graph = Mapping[str, tuple[str, ...]]
"""For each header's name, the names of those that can come next."""


def followers(headers: Sequence[Header]) -> Graph:
    """The parse graph, by name; followers are in the order of `headers`."""
    under: dict[str, list[tuple[str, int]]] = {}
    for header in headers:
        for each in header.under:
            under.setdefault(each.space, []).append((header.name, each.key))
    graph: dict[str, tuple[str, ...]] = {}
    for header in headers:
        select = header.select
        found = under.get(select.space, []) if select else []
        if select and not select.by:
            found = [(name, key) for name, key in found if key == 0]
        graph[header.name] = tuple(dict.fromkeys(name for name, _ in found))
    return graph


def reachable(graph: Graph, start: str) -> frozenset[str]:
    """What can come after `start`, at any distance (`start` itself only through a cycle)."""
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph[name])
    return frozenset(seen)


def cycles(graph: Graph) -> Mapping[str, frozenset[str]]:
    """For each header that can follow itself, all headers of its cycle (itself among them).

    These are the graph's strongly connected components. The graph has some tens of nodes,
    so plain reachability is quick enough.
    """
    reach = {name: reachable(graph, name) for name in graph}
    return {
        name: frozenset(other for other in reach[name] if name in reach[other])
        for name in graph
        if name in reach[name]
    }


def outer_to_inner(graph: Graph, start: str) -> tuple[str, ...]:
    """All headers so that none comes before one that can only be further out.

    Headers of one cycle stand together. Where the graph leaves a choice, the order in
    which the headers were given decides.
    """
    component = {name: frozenset({name}) for name in graph} | dict(cycles(graph))
    before: dict[str, set[str]] = {name: set() for name in graph}
    for name, nexts in graph.items():
        for other in nexts:
            if other not in component[name]:
                for member in component[other]:
                    before[member] |= component[name]
    order = [name for name in graph if name in component[start]]
    left = [name for name in graph if name not in order]
    while left:
        ready = next(name for name in left if before[name].isdisjoint(left))
        together = [name for name in left if name in component[ready]]
        order += together
        left = [name for name in left if name not in together]
    return tuple(order)
