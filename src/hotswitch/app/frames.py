"""A frame from what a person says of it: fields in the syntax of matches, or hexadecimal bytes."""

from __future__ import annotations

from collections import deque

from hotswitch.base.errors import HotswitchError
from hotswitch.headers.build import build
from hotswitch.headers.registry import FieldKind, Registry
from hotswitch.model.text import read_match

_SHORTEST = 60
"""Bytes of the shortest Ethernet frame without FCS (IEEE 802.3, 3.2.8)."""

_LONGEST = 65535


class FrameError(HotswitchError):
    """Words that no frame can be made of."""


def frame_from_hex(text: str) -> bytes:
    """The bytes; spaces, colons and a leading 0x do not count. Raises FrameError."""
    digits = "".join(text.split()).replace(":", "").removeprefix("0x")
    try:
        frame = bytes.fromhex(digits)
    except ValueError:
        raise FrameError("the frame is not hexadecimal, two digits a byte") from None
    if not 0 < len(frame) <= _LONGEST:
        raise FrameError(f"a frame has 1 to {_LONGEST} bytes, not {len(frame)}")
    return frame


def frame_from_fields(registry: Registry, text: str) -> bytes:
    """The shortest frame with these fields: `ipv4.dst=10.0.0.1,tcp`; headers between are added.

    All else has its default, and zeros fill it up to 60 bytes. Raises HotswitchError.
    """
    layers: dict[str, dict[str, int]] = {}
    for term in read_match(registry, text):
        info = registry.field(term.field)
        if info.kind not in (FieldKind.HEADER, FieldKind.PRESENCE):
            raise FrameError(
                f"{info.name} is not in the frame", remedy="name a field of a header: ethernet.type"
            )
        if term.mask != info.mask or (info.kind is FieldKind.PRESENCE and not term.value):
            raise FrameError(f"{info.name}: a frame needs a whole value")
        values = layers.setdefault(info.layer, {})
        if info.kind is FieldKind.HEADER:
            values[info.name.removeprefix(f"{info.layer}.")] = term.value
    names = _path(registry, frozenset(layers))
    frame = build(
        registry,
        [(registry.layers[name].header.name, layers.get(name, {})) for name in names],
    )
    return frame.ljust(_SHORTEST, b"\0")


def _path(registry: Registry, wanted: frozenset[str]) -> tuple[str, ...]:
    """The shortest way through the parse graph that meets all these layers."""
    start: tuple[str, ...] = (registry.start.name,)
    todo = deque([start])
    seen = {(start[-1], wanted & set(start))}
    while todo:
        path = todo.popleft()
        if wanted <= set(path):
            return path
        header = registry.layers[path[-1]].header
        for name in registry.followers[header.name]:
            layer = _next_occurrence(registry, path, name)
            if layer is None:
                continue
            state = (layer, wanted & {*path, layer})
            if state not in seen:
                seen.add(state)
                todo.append((*path, layer))
    raise FrameError(f"no frame has all of {', '.join(sorted(wanted))}")


def _next_occurrence(registry: Registry, path: tuple[str, ...], name: str) -> str | None:
    """The layer that one more of this header would be, if so many are recorded."""
    count = sum(registry.layers[each].header.name == name for each in path)
    layer = name if count == 0 else f"{name}{count + 1}"
    return layer if layer in registry.layers else None
