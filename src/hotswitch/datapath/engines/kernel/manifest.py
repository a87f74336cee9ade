"""What a later daemon must know to read the maps: kept in a map of its own, pinned beside them.

JSON behind a 4-byte length. The kernel writes a map's value whole, whatever becomes of the writer.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, fields
from typing import Any

from hotswitch.compiler.shape import Shape, Subtable, Table
from hotswitch.compiler.template import Template
from hotswitch.model import action as actions
from hotswitch.model.action import Action

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Manifest:
    """registry: a digest of the headers that words and keys were laid out with.
    maps: the generation in use of each map. retiring: maps that have been replaced, but what they
        counted is not yet carried over. programs: those that may be running, by the number in
        their name, and their shapes.
    """

    registry: str
    maps: dict[str, int]
    retiring: dict[str, int]
    programs: tuple[tuple[int, Shape], ...]
    templates: dict[int, Template]


def encode(manifest: Manifest) -> bytes:
    """The manifest as bytes of no particular length."""
    document = {
        "registry": manifest.registry,
        "maps": manifest.maps,
        "retiring": manifest.retiring,
        "programs": [[number, _shape(shape)] for number, shape in manifest.programs],
        "templates": {
            str(number): [_action(each) for each in template]
            for number, template in manifest.templates.items()
        },
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text


def decode(data: bytes) -> Manifest | None:
    """The manifest in these bytes, or None if nothing was written yet."""
    (length,) = _LENGTH.unpack_from(data)
    if not length:
        return None
    document = json.loads(data[_LENGTH.size : _LENGTH.size + length])
    templates = {
        int(number): tuple(_read_action(each) for each in template)
        for number, template in document["templates"].items()
    }
    return Manifest(
        document["registry"],
        document["maps"],
        document["retiring"],
        tuple((number, _read_shape(each, templates)) for number, each in document["programs"]),
        templates,
    )


def _shape(shape: Shape) -> list[Any]:
    return [
        [
            table.number,
            [
                [each.number, each.masks, each.lowest, each.highest, each.widths]
                for each in table.subtables
            ],
            table.templates,
        ]
        for table in shape.tables
    ]


def _read_shape(document: list[Any], templates: dict[int, Template]) -> Shape:
    tables = tuple(
        Table(
            number,
            tuple(
                Subtable(
                    each,
                    tuple((name, mask) for name, mask in masks),
                    lowest,
                    highest,
                    tuple(widths),
                )
                for each, masks, lowest, highest, widths in subtables
            ),
            tuple(used),
        )
        for number, subtables, used in document
    )
    named = {number for table in tables for number in table.templates}
    return Shape(tables, tuple((number, templates[number]) for number in sorted(named)))


def _action(action: Action) -> list[Any]:
    values = (getattr(action, each.name) for each in fields(action))
    return [type(action).__name__, *map(_value, values)]


def _value(value: Any) -> Any:
    """Of an action; one of actions is told by what is in it."""
    if isinstance(value, tuple):
        return [each if isinstance(each, int | str) else _action(each) for each in value]
    return value


def _read_action(document: list[Any]) -> Action:
    name, *values = document
    made: Action = getattr(actions, name)(*map(_read_value, values))
    return made


def _read_value(document: Any) -> Any:
    if isinstance(document, list):
        return tuple(_read_action(each) if isinstance(each, list) else each for each in document)
    return document
