"""Forms of nested attributes: words that stand alone, `name=value` and `name(value)`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hotswitch.netlink.attributes import NONE, Attributes, Name
from hotswitch.netlink.syntax.form import Form, Style, is_zero, zeros
from hotswitch.netlink.syntax.reader import Reader

_NAME = re.compile(r"[a-z][A-Za-z0-9_]*")


def _any(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Option:
    """An attribute: its name in the codec, its name in the text, and its form; None: a flag.

    inside: its value is in parentheses; bare: which are left out if nothing is in them.
    needed: it has to be there. fits: which values are written so; of several options for one
    attribute the first that fits is shown.
    """

    attribute: Name
    name: str
    form: Form | None = None
    inside: bool = False
    needed: bool = False
    bare: bool = False
    fits: Callable[[Any], bool] = _any

    @property
    def usage(self) -> str:
        """How it is written."""
        if self.form is None:
            return self.name
        return (
            f"{self.name}({self.form.usage})" if self.inside else f"{self.name}={self.form.usage}"
        )

    def show(self, value: Any, mask: Any, style: Style) -> str:
        """Its text."""
        if self.form is None:
            return self.name
        text = self.form.show(value, mask, style)
        if self.bare and not text:
            return self.name
        return f"{self.name}({text})" if self.inside else f"{self.name}={text}"


class Options:
    """Attributes of a set, each at most once, in any order.

    as_given: shown in the order in which they are, not in this one.
    """

    def __init__(self, *options: Option, as_given: bool = False) -> None:
        self.options = options
        self._as_given = as_given
        self._by_attribute: dict[Name, list[Option]] = {}
        for each in options:
            self._by_attribute.setdefault(each.attribute, []).append(each)

    @property
    def usage(self) -> str:
        """All that there can be."""
        return ",".join(
            " or ".join(each.usage for each in alternatives)
            for alternatives in self._by_attribute.values()
        )

    def show(self, value: Attributes, mask: Attributes | None, style: Style) -> str:
        """Without what the mask leaves out, unless it is to be verbose."""
        names = value.names if self._as_given else self._by_attribute
        order = [name for name in names if name in value]
        parts = []
        for name in order:
            alternatives = self._by_attribute.get(name, ())
            option = next((each for each in alternatives if each.fits(value[name])), None)
            if option is None:
                continue
            looked_at = None if mask is None else mask.get(name, zeros(value[name]))
            named = option.form is not None and not option.inside and not style.verbose
            if named and looked_at is not None and is_zero(looked_at):
                continue
            parts.append(option.show(value[name], looked_at, style))
        return ",".join(parts)

    def read(self, reader: Reader) -> tuple[Attributes, Attributes]:
        """The attributes, and their masks (none of flags)."""
        values: list[tuple[Name, Any]] = []
        masks: list[tuple[Name, Any]] = []
        left = {each.name: each for each in self.options}
        start = reader.position
        while not reader.sees(")"):
            option = left[self._read_name(reader, left)]
            for each in self._by_attribute[option.attribute]:
                del left[each.name]
            if option.form is None:
                values.append((option.attribute, True))
            elif option.bare and not reader.sees("("):
                values.append((option.attribute, NONE))
            else:
                reader.need("(" if option.inside else "=")
                value, mask = option.form.read(reader)
                if option.inside:
                    reader.need(")")
                values.append((option.attribute, value))
                masks.append((option.attribute, mask))
            if not reader.take(","):
                break
        for option in left.values():
            if option.needed:
                reader.fail(option.usage, start if reader.position == start else None)
        return Attributes(values), Attributes(masks)

    def exact(self, mask: Attributes) -> bool:
        """Whether all is looked at; what is not there can't be known."""
        return False

    def _read_name(self, reader: Reader, left: dict[str, Option]) -> str:
        start = reader.position
        expected = f"one of {', '.join(left)}" if left else "')'"
        name = reader.match(_NAME, expected)
        if name not in left:
            reader.fail(expected, start)
        return name
