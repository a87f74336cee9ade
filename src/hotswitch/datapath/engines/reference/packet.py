"""A packet on its way: its bytes, the headers recorded in them, and the fields beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.headers.declaration import Header
from hotswitch.headers.meta import META, Beside, Bit, Test
from hotswitch.headers.parse import parse, read_fields
from hotswitch.headers.registry import FieldInfo, FieldKind, Registry


@dataclass(slots=True, eq=False)
class Section:
    """A recorded header. values: its fixed part's fields, as matches see them.

    was_set: an action has set a field, and the frame's bytes do not show it yet.
    """

    header: Header
    offset: int
    length: int
    values: dict[str, int]
    was_set: bool = False

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.offset + self.length

    def fixed_part(self, frame: bytes | bytearray) -> bytes:
        """The header's fixed part as it is in the frame."""
        return bytes(frame[self.offset : self.offset + self.header.size])


class Packet:
    """sections: by layer name. beside: the fields that are in no header, by name."""

    def __init__(
        self,
        registry: Registry,
        in_port: int,
        frame: bytes,
        beside: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """beside: the first values of such fields, where they are not 0."""
        self.registry = registry
        self.in_port = in_port
        self.length = len(frame)
        self.frame = bytearray(frame)
        parsed = parse(registry, frame)
        self.malformed = parsed.malformed
        self.payload = parsed.end
        self.sections = {
            name: Section(
                registry.layers[name].header, placed.offset, placed.length, dict(placed.values)
            )
            for name, placed in parsed.layers.items()
        }
        self.beside = {each.name: 0 for each in META} | dict(parsed.keys) | {"in_port": in_port}
        self.beside |= {each.name: self._found(each) for each in META if each.bits}
        self.beside |= beside

    def read(self, name: str) -> int | None:
        """The field's value, or None if its header is absent."""
        info = self.registry.field(name)
        if info.kind is FieldKind.PRESENCE:
            return int(info.layer in self.sections)
        if info.kind is FieldKind.HEADER:
            section = self.sections.get(info.layer)
            return section.values[_own_name(info)] if section else None
        return self.beside[name]

    def write(self, name: str, value: int) -> None:
        """Set a field whose header is present."""
        info = self.registry.field(name)
        if info.kind is FieldKind.HEADER:
            section = self.sections[info.layer]
            section.values[_own_name(info)] = value
            section.was_set = True
        else:
            self.beside[name] = value

    def copy(self) -> Packet:
        """Another one, which is the same now."""
        other = copy(self)
        other.frame = bytearray(self.frame)
        other.beside = dict(self.beside)
        other.sections = {
            name: replace(section, values=dict(section.values))
            for name, section in self.sections.items()
        }
        return other

    def again(self, recirculated: int) -> Packet:
        """The frame, into which all has been written back, parsed once more; fields beside it
        stay."""
        beside = self.beside_now() | {"recirc_id": recirculated}
        return Packet(self.registry, self.in_port, bytes(self.frame), beside)

    def beside_now(self) -> dict[str, int]:
        """The fields of `META` that are not 0, but those that the parser found."""
        return {
            each.name: self.beside[each.name]
            for each in META
            if self.beside[each.name] and not each.bits
        }

    def _found(self, field: Beside) -> int:
        return sum(self._bit(bit) << place for place, bit in enumerate(field.bits))

    def _bit(self, bit: Bit) -> bool:
        return self._any(bit.any_of) and not self._any(bit.none_of)

    def _any(self, tests: Iterable[Test]) -> bool:
        values = ((test, self.read(test.field)) for test in self.registry.those_here(tests))
        return any(value is not None and test.low <= value <= test.high for test, value in values)

    def in_wire_order(self) -> list[Section]:
        """The recorded headers, outermost first."""
        return sorted(self.sections.values(), key=lambda section: section.offset)

    def occurrences(self, header: str) -> list[Section]:
        """The recorded headers of that name, outermost first."""
        return [self.sections[name] for name in self._slots(header) if name in self.sections]

    def set_occurrences(self, header: str, sections: list[Section]) -> None:
        """These are the recorded headers of that name now; there is a slot for each."""
        slots = list(self._slots(header))
        for name in slots:
            self.sections.pop(name, None)
        self.sections |= zip(slots, sections, strict=False)

    def splice(self, at: int, length: int, new: bytes) -> None:
        """Replace `length` bytes by others. Headers that begin behind them move."""
        self.frame[at : at + length] = new
        for section in self.sections.values():
            if section.offset >= at + length:
                section.offset += len(new) - length

    def read_again(self) -> None:
        """Take all headers' fields from the frame."""
        for section in self.sections.values():
            section.values = read_fields(section.header, section.fixed_part(self.frame))

    def _slots(self, header: str) -> Iterator[str]:
        layers = self.registry.layers.values()
        return (layer.name for layer in layers if layer.header.name == header)


def _own_name(info: FieldInfo) -> str:
    return info.name.removeprefix(info.layer + ".")
