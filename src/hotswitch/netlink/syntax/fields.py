"""Forms of what has named parts: `src=1,dst=2`; of structures, and of numbers that are several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from hotswitch.netlink.syntax.form import Form, Style
from hotswitch.netlink.syntax.reader import Reader
from hotswitch.netlink.types import Structure

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Part(Form, Protocol):
    """The form of a number."""

    @property
    def full(self) -> int:
        """The mask of all bits."""


@dataclass(frozen=True, eq=False)
class Field:
    """A part: its name in the text, its form, the structure's member (that of its name, if
    empty) and the place of its lowest bit in there.

    wildcarded: whether verbose style shows it where nothing of it is looked at.
    default: what it is if it is not written; shown: whether it is shown when it is just that.
    also: other names that are read.
    """

    name: str
    form: Part
    member: str = ""
    shift: int = 0
    default: int = 0
    shown: bool = True
    wildcarded: bool = True
    also: tuple[str, ...] = ()

    def of(self, whole: Any) -> int:
        """This part of a whole value, or of its mask."""
        value = whole if isinstance(whole, int) else getattr(whole, self.member or self.name)
        return int(value) >> self.shift & self.form.full


class Fields:
    """Parts of a structure, or of a number (structure: None). A part that is not written is zero,
    and not looked at."""

    def __init__(self, structure: Structure | None, *fields: Field) -> None:
        self.structure = structure
        self.fields = fields
        self._by_name = {name: each for each in fields for name in (each.name, *each.also)}

    @property
    def usage(self) -> str:
        """All parts."""
        return ",".join(f"{each.name}={each.form.usage}" for each in self.fields)

    def show(self, value: Any, mask: Any, style: Style) -> str:
        """Without what the mask leaves out, unless it is to be verbose."""
        parts = []
        for field in self.fields:
            here = field.of(value)
            looked_at = None if mask is None else field.of(mask)
            if looked_at == 0 and not (style.verbose and field.wildcarded):
                continue
            if field.shown or here != field.default:
                parts.append(f"{field.name}={field.form.show(here, looked_at, style)}")
        return ",".join(parts)

    def read(self, reader: Reader) -> tuple[Any, Any]:
        """Parts in any order, each once."""
        values, masks = read_parts(reader, self._by_name)
        for field in self.fields:
            values.setdefault(field, field.default)
        return self.built(values), self.built(masks)

    def exact(self, mask: Any) -> bool:
        """Whether all of every part is looked at."""
        return all(each.form.exact(each.of(mask)) for each in self.fields)

    def built(self, parts: dict[Field, int]) -> Any:
        """The whole of parts; those that are missing are zero."""
        members: dict[str, int] = {}
        for field, value in parts.items():
            member = field.member or field.name
            members[member] = members.get(member, 0) | value << field.shift
        if self.structure is None:
            return sum(members.values())
        rest = {name: 0 for name in self.structure.members if name not in members}
        return self.structure.value(**members, **rest)


def read_parts(
    reader: Reader, by_name: dict[str, Field], *, stop: str = ")"
) -> tuple[dict[Field, int], dict[Field, int]]:
    """Read `name=value` after `name=value`, up to a parenthesis or `stop`: values and masks."""
    values: dict[Field, int] = {}
    masks: dict[Field, int] = {}
    while not reader.sees(")") and not reader.sees(stop):
        field = read_name(reader, by_name)
        values[field], masks[field] = field.form.read(reader)
        by_name = {name: each for name, each in by_name.items() if each is not field}
        if not reader.take(","):
            break
    return values, masks


def read_name(reader: Reader, by_name: dict[str, Field]) -> Field:
    """Read the name of a part that may follow, and the equals sign."""
    start = reader.position
    expected = f"one of {', '.join(f'{name}=' for name in by_name)}" if by_name else "')'"
    name = reader.match(_NAME, expected)
    if name not in by_name or not reader.take("="):
        reader.fail(expected, start)
    return by_name[name]
