"""Make the parser's states: only headers that are used, or on the way to one that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hotswitch.compiler.flow import PRESENCE_LAYER, Flow
from hotswitch.compiler.ir import DONE, Node, Program
from hotswitch.headers import graph
from hotswitch.headers.declaration import Header
from hotswitch.headers.registry import FieldKind, Registry


def parse(program: Program, flow: Flow) -> Program:
    """Unroll the parse graph into states; cycles are walked as often as their `chain` says."""
    registry = flow.registry
    wanted = used_headers(program, flow)
    on_the_way = {
        name
        for name in registry.headers
        if name in wanted or wanted & graph.reachable(registry.followers, name)
    }
    nodes: dict[str, Node] = {}
    todo = [(registry.start, 0)]
    while todo:
        header, step = todo.pop(0)
        label = _label(registry, header, step)
        if label in nodes:
            continue
        follow: dict[int, str] = {}
        for key, other in _next(registry, header):
            inside = other.name in registry.cycles.get(header.name, ())
            after = step + 1 if inside else 0
            if other.name not in on_the_way or (inside and after >= other.chain):
                continue
            follow[key] = _label(registry, other, after)
            todo.append((other, after))
        nodes[label] = Node(
            label,
            header,
            _layers(registry, header, step),
            follow,
            0 if header is registry.start else None,
        )
    return replace(program, nodes=tuple(nodes.values()))


def used_headers(program: Program, flow: Flow) -> frozenset[str]:
    """The headers that the program has to find in a frame."""
    registry = flow.registry
    layers = {word.layer for word in program.uses.bits} & set(registry.layers)
    for word, bits in program.uses.bits.items():
        if word.layer == PRESENCE_LAYER:
            layers |= {name for name in registry.layers if _bit_in(flow, name, word.index, bits)}
    names = {registry.layers[layer].header.name for layer in layers}
    for info in registry.fields():
        if info.kind is FieldKind.SPACE:
            (piece,) = flow.pieces(info.name)
            if program.uses.bits.get(piece.word, 0) & piece.mask:
                names |= {
                    header.name
                    for header in registry.headers.values()
                    if header.select and header.select.shown_as == info.name
                }
    for layer in program.uses.written_layers:
        header = registry.layers[layer].header
        if header.addresses:
            names |= set(behind_pseudo_header(registry, header))
        names |= set(covering(registry, header))
    return frozenset(names)


def behind_pseudo_header(registry: Registry, header: Header) -> tuple[str, ...]:
    """The headers whose checksums cover this one's addresses."""
    inside = graph.reachable(registry.followers, header.name)
    return tuple(
        other.name
        for other in registry.headers.values()
        if other.name in inside and other.checksum and other.checksum.pseudo_header
    )


def covering(registry: Registry, header: Header) -> tuple[str, ...]:
    """The headers further out whose checksums cover this one."""
    return tuple(
        other.name
        for other in registry.headers.values()
        if other is not header
        and other.checksum
        and other.checksum.covers_payload
        and header.name in graph.reachable(registry.followers, other.name)
    )


def _bit_in(flow: Flow, layer: str, index: int, bits: int) -> bool:
    piece = flow.presence(layer)
    return piece.word.index == index and bool(bits & piece.mask)


def _label(registry: Registry, header: Header, step: int) -> str:
    return f"{header.name}@{step}" if header.name in registry.cycles else header.name


def _next(registry: Registry, header: Header) -> Iterable[tuple[int, Header]]:
    if header.select is None:
        return ()
    return registry.spaces.get(header.select.space, {}).items()


def _layers(registry: Registry, header: Header, step: int) -> tuple[str, ...]:
    names = tuple(layer.name for layer in registry.layers.values() if layer.header is header)
    if len(registry.cycles.get(header.name, ())) == 1:
        return names[step : step + 1]
    return names


__all__ = ["DONE", "behind_pseudo_header", "covering", "parse", "used_headers"]
