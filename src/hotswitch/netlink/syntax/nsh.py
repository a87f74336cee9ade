"""The form of NSH headers (RFC 8300)."""

from __future__ import annotations

from typing import Any

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.keys import NshBase
from hotswitch.netlink.syntax.byte_strings import Bytes
from hotswitch.netlink.syntax.fields import Field, Fields, read_parts
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.syntax.numbers import Integer
from hotswitch.netlink.syntax.reader import Reader

_BYTE = Integer(8, mask="0x{:02x}".format, partial="0x{:02x}".format)
_WORD = Integer(32, "0x{:x}".format, "0x{:08x}".format)
_CONTEXT = tuple(Field(f"c{number}", _WORD) for number in range(1, 5))
_TYPE_1, _TYPE_2 = 1, 2
_METADATA = Bytes(prefix="0x")


class Nsh:
    """The base header, and the context: four numbers with metadata type 1, bytes with type 2.

    defaults: what is not written is, in the order of the base header's parts.
    """

    def __init__(self, **defaults: int) -> None:
        of = defaults.get
        self._base = Fields(
            NshBase,
            Field("flags", _BYTE, default=of("flags", 0)),
            Field("ttl", _BYTE, default=of("ttl", 0)),
            Field("mdtype", _BYTE, "md_type", default=of("mdtype", 0)),
            Field("np", _BYTE, "protocol", default=of("np", 0)),
            Field(
                "spi",
                Integer(24, "0x{:x}".format, "0x{:08x}".format),
                "path",
                8,
                default=of("spi", 0),
            ),
            Field("si", _BYTE, "path", default=of("si", 0)),
        )

    @property
    def usage(self) -> str:
        """All parts."""
        return f"{self._base.usage},c1=0xN,c2=0xN,c3=0xN,c4=0xN or md2=0xHEX"

    def show(self, value: Attributes, mask: Attributes | None, style: Style) -> str:
        """What the mask leaves out is never shown."""
        terse = Style(ports=style.ports)
        parts = []
        if "base" in value:
            under = None if mask is None else mask.get("base", NshBase.value(0, 0, 0, 0, 0))
            parts.append(self._base.show(value["base"], under, terse))
        if "md1" in value:
            under = None if mask is None else mask.get("md1", (0,) * 4)
            for position, field in enumerate(_CONTEXT):
                looked_at = None if under is None else under[position]
                if looked_at != 0:
                    text = field.form.show(value["md1"][position], looked_at, terse)
                    parts.append(f"{field.name}={text}")
        if "md2" in value:
            under = None if mask is None else mask.get("md2")
            parts.append(f"md2={_METADATA.show(value['md2'], under, terse)}")
        return ",".join(filter(None, parts))

    def read(self, reader: Reader) -> tuple[Attributes, Attributes]:
        """The attributes and their masks. A context of type 1 is there if one is written, or if
        that is the type."""
        metadata: tuple[bytes, bytes] | None = None
        fields = (*self._base.fields, *_CONTEXT)
        values: dict[Field, int] = {}
        masks: dict[Field, int] = {}
        left = {each.name: each for each in fields}
        while not reader.sees(")"):
            if metadata is None and reader.take("md2="):
                metadata = _METADATA.read(reader)
                if not reader.take(","):
                    break
                continue
            found, looked_at = read_parts(reader, left, stop="md2=")
            values |= found
            masks |= looked_at
            left = {name: each for name, each in left.items() if each not in values}
            if not reader.sees("md2="):
                break
        base = self._base.fields
        for field in base:
            values.setdefault(field, field.default)
        pairs: list[tuple[str, Any]] = [("base", self._base.built(_some(values, base)))]
        under: list[tuple[str, Any]] = [("base", self._base.built(_some(masks, base)))]
        if metadata is not None:
            pairs.append(("md2", metadata[0]))
            under.append(("md2", metadata[1]))
        elif pairs[0][1].md_type == _TYPE_1 or any(each in values for each in _CONTEXT):
            pairs.append(("md1", tuple(values.get(each, 0) for each in _CONTEXT)))
            under.append(("md1", tuple(masks.get(each, 0) for each in _CONTEXT)))
        return Attributes(pairs), Attributes(under)

    def exact(self, mask: Attributes) -> bool:
        """Whether all parts are looked at."""
        return (
            self._base.exact(mask["base"])
            and all(each == 0xFFFFFFFF for each in mask.get("md1", ()))
            and _METADATA.exact(mask.get("md2", b""))
        )


def _some(parts: dict[Field, int], fields: tuple[Field, ...]) -> dict[Field, int]:
    return {field: parts[field] for field in fields if field in parts}


NSH = Nsh()
PUSHED = Nsh(ttl=63, mdtype=_TYPE_1, np=3, si=255)
"""With ovs-dpctl's defaults: an Ethernet frame follows."""
