"""What is known of the packets that actions are for: fields that have one value in all of them."""

from __future__ import annotations

from typing import TypeAlias

from hotswitch.headers.parse import parse
from hotswitch.headers.registry import Registry
from hotswitch.model.match import Match

Known: TypeAlias = dict[str, int]
"""Values by field; layers that are known to be there are 1, those known to be absent 0."""


def known_in_match(registry: Registry, match: Match) -> Known:
    """What a match says of all packets that it lets through."""
    return {
        term.field: term.value
        for term in match
        if term.mask & registry.field(term.field).mask == registry.field(term.field).mask
    }


def known_in_frame(registry: Registry, frame: bytes, in_port: int) -> Known:
    """All that there is to know of one frame (`in_port` is the model's number, 0: none)."""
    parsed = parse(registry, frame)
    found = {layer: int(layer in parsed.layers) for layer in registry.layers}
    for layer, placed in parsed.layers.items():
        found |= {f"{layer}.{field}": value for field, value in placed.values.items()}
    return found | dict(parsed.keys) | ({"in_port": in_port} if in_port else {})
