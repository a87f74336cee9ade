"""The registry: all headers together, the parse graph between them, and every field by name."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.headers import graph
from hotswitch.headers.check import check_header
from hotswitch.headers.declaration import Field, Header, Oxm
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.meta import META, Beside, Test
from hotswitch.headers.text import DECIMAL, TextForm

__all__ = ["START", "FieldInfo", "FieldKind", "HeaderError", "Layer", "Registry"]

START = "ethernet"
"""The header at offset 0 of every frame."""


class FieldKind(enum.Enum):
    """Where a field lives."""

    HEADER = "header"
    """In a header: "ipv4.src"."""
    PRESENCE = "presence"
    """1 if the layer is present: "ipv4", "vlan2"."""
    SPACE = "space"
    """The last key that was selected: "ethertype", "ip_protocol"."""
    META = "meta"
    """Beside the packet: "in_port", "metadata", "reg0"."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The `occurrence`-th (from 0) of a header in a frame: "vlan" is 0, "vlan2" is 1."""

    name: str
    header: Header
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field that a match or an action can name.

    width: bits. layer: the layer's name for HEADER and PRESENCE, else empty.
    bit: for HEADER, the field's first bit counted from the header's first
        (most significant) bit, as in `Header.offsets`; else 0.
    beside: for META, its declaration.
    """

    name: str
    kind: FieldKind
    width: int
    layer: str = ""
    bit: int = 0
    text: TextForm = DECIMAL
    oxm: Oxm | None = None
    settable: bool = False
    doc: str = ""
    beside: Beside | None = None

    @property
    def mask(self) -> int:
        """The mask of all its bits."""
        return (1 << self.width) - 1


class Registry:
    """A set of headers that fit together. It never changes.

    Raises HeaderError for a declaration that is wrong by itself, for two that contradict each
    other, and for a header that can't be reached from `ethernet`.
    """

    headers: Mapping[str, Header]
    """By name, in the order in which they were given."""
    start: Header
    """The header at offset 0."""
    spaces: Mapping[str, Mapping[int, Header]]
    """For each space, what comes next under each key."""
    followers: Mapping[str, tuple[str, ...]]
    """For each header's name, the names of the headers that can come next."""
    cycles: Mapping[str, frozenset[str]]
    """For each header that can follow itself, the names of all headers of its cycle."""
    layers: Mapping[str, Layer]
    """All layers by name, outer before inner: the order in which headers are written back."""

    def __init__(self, headers: Iterable[Header]) -> None:
        given = tuple(headers)
        for header in given:
            check_header(header)
        self.headers = _by_name(given)
        if START not in self.headers:
            raise HeaderError(f"no header is named {START!r}, which every frame starts with")
        self.start = self.headers[START]
        self.spaces = _spaces(given)
        self.followers = MappingProxyType(dict(graph.followers(given)))
        self.cycles = MappingProxyType(dict(graph.cycles(self.followers)))
        self._check_reach()
        self._check_chains()
        self.layers = self._layers()
        self._fields = MappingProxyType(self._all_fields())

    def field(self, name: str) -> FieldInfo:
        """The field of that name. Raises HeaderError, with the nearest name, if there is none."""
        try:
            return self._fields[name]
        except KeyError:
            raise HeaderError(_unknown("field", name, self._fields)) from None

    def fields(self) -> Iterator[FieldInfo]:
        """All fields: those beside the packet, the spaces', then layer by layer."""
        return iter(self._fields.values())

    def has(self, name: str) -> bool:
        """Whether there is a field of that name."""
        return name in self._fields

    def those_here(self, tests: Iterable[Test]) -> tuple[Test, ...]:
        """Those of the tests whose fields there are among these headers."""
        return tuple(test for test in tests if self.has(test.field))

    def header(self, name: str) -> Header:
        """The header of that name. Raises HeaderError, with the nearest name, if there is none."""
        try:
            return self.headers[name]
        except KeyError:
            raise HeaderError(_unknown("header", name, self.headers)) from None

    def next(self, space: str, key: int) -> Header | None:
        """What comes next under `key` in `space`, or None: the rest is payload."""
        return self.spaces.get(space, {}).get(key)

    def _check_reach(self) -> None:
        found = graph.reachable(self.followers, START)
        for header in self.headers.values():
            if header is not self.start and header.name not in found:
                where = ", ".join(sorted({repr(each.space) for each in header.under})) or "nothing"
                raise HeaderError(
                    f"header {header.name!r} is under {where}, which no header reaches",
                    header=header,
                )

    def _check_chains(self) -> None:
        for name, members in self.cycles.items():
            for other in sorted(members):
                if self.headers[other].chain != self.headers[name].chain:
                    raise HeaderError(
                        f"headers {name!r} and {other!r} can follow each other but have "
                        f"chain={self.headers[name].chain} and chain={self.headers[other].chain}",
                        header=max(
                            (self.headers[name], self.headers[other]),
                            key=list(self.headers.values()).index,
                        ),
                    )

    def _layers(self) -> Mapping[str, Layer]:
        layers: dict[str, Layer] = {}
        for header_name in graph.outer_to_inner(self.followers, START):
            header = self.headers[header_name]
            for occurrence in range(header.repeat):
                name = header_name if occurrence == 0 else f"{header_name}{occurrence + 1}"
                if name in layers:
                    raise HeaderError(f"two layers are named {name!r}", header=header)
                layers[name] = Layer(name, header, occurrence)
        return MappingProxyType(layers)

    def _all_fields(self) -> dict[str, FieldInfo]:
        fields = {
            each.name: FieldInfo(
                each.name,
                FieldKind.META,
                each.width,
                text=each.text,
                oxm=each.oxm,
                settable=each.settable,
                doc=each.doc,
                beside=each,
            )
            for each in META
        }
        for header in self.headers.values():
            _add_shown(fields, header)
        for layer in self.layers.values():
            if layer.name in fields:
                raise HeaderError(
                    f"the layer {layer.name!r} has the name of a field", header=layer.header
                )
            fields[layer.name] = FieldInfo(
                layer.name, FieldKind.PRESENCE, 1, layer.name, doc=layer.header.title
            )
            for each in layer.header.fields:
                info = _header_field(layer, each)
                fields[info.name] = info
        return fields


def _by_name(headers: tuple[Header, ...]) -> Mapping[str, Header]:
    found: dict[str, Header] = {}
    for header in headers:
        if header.name in found:
            raise HeaderError(f"two headers are named {header.name!r}", header=header)
        found[header.name] = header
    return MappingProxyType(found)


def _spaces(headers: tuple[Header, ...]) -> Mapping[str, Mapping[int, Header]]:
    widths: dict[str, int] = {}
    for header in headers:
        if header.select:
            by = header.select.by
            width = header.by_name[by].width if by else 0
            widths[header.select.space] = max(width, widths.get(header.select.space, 0))
    spaces: dict[str, dict[int, Header]] = {space: {} for space in widths}
    for header in headers:
        for each in header.under:
            keys = spaces.setdefault(each.space, {})
            if each.key in keys:
                raise HeaderError(
                    f"headers {keys[each.key].name!r} and {header.name!r} are both under "
                    f"key {each.key:#x} of {each.space!r}",
                    header=header,
                )
            if each.space in widths and not 0 <= each.key < 1 << widths[each.space]:
                raise HeaderError(
                    f"header {header.name!r} is under key {each.key:#x} of {each.space!r}, "
                    f"where keys have {widths[each.space]} bits",
                    header=header,
                )
            keys[each.key] = header
    return MappingProxyType({space: MappingProxyType(keys) for space, keys in spaces.items()})


def _add_shown(fields: dict[str, FieldInfo], header: Header) -> None:
    select = header.select
    if select is None or not select.shown_as:
        return
    by = header.by_name[select.by]
    doc = f"the last key selected in {select.space!r}"
    known = fields.get(select.shown_as)
    if known is None:
        fields[select.shown_as] = FieldInfo(
            select.shown_as, FieldKind.SPACE, by.width, text=by.text, oxm=select.oxm, doc=doc
        )
    elif (known.kind, known.width, known.oxm) == (FieldKind.SPACE, by.width, select.oxm):
        if repr(select.space) not in known.doc:
            fields[known.name] = replace(known, doc=f"{known.doc} or {select.space!r}")
    else:
        raise HeaderError(
            f"header {header.name!r} shows {select.shown_as!r} with another width or OXM code "
            "than another field of that name",
            header=header,
        )


def _header_field(layer: Layer, each: Field) -> FieldInfo:
    return FieldInfo(
        f"{layer.name}.{each.name}",
        FieldKind.HEADER,
        each.width,
        layer.name,
        layer.header.offsets[each.name],
        each.text,
        # OXM speaks of the outermost occurrence only.
        each.oxm if layer.occurrence == 0 else None,
        each.settable,
        each.doc,
    )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"no {what} {name!r}" + (f"; did you mean {near[0]}?" if near else "")
