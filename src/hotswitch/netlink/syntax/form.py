"""What a form is: how a value, or a value under a mask, is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.syntax.reader import Reader

NO_NAMES: Mapping[int, str] = MappingProxyType({})

_SAFE = re.compile(r"(?!0[xX]|[0-9]+$)[^\s,()/]+")


@dataclass(frozen=True, slots=True)
class Style:
    """verbose: what a mask leaves out is shown too. ports: names by number."""

    verbose: bool = False
    ports: Mapping[int, str] = field(default_factory=lambda: NO_NAMES)

    def port(self, number: int) -> str:
        """A port's name, if it has one that can be read back, or its number."""
        name = self.ports.get(number, "")
        return name if _SAFE.fullmatch(name) else str(number)


PLAIN = Style()


class Form(Protocol):
    """How a value is written, without what is around it."""

    @property
    def usage(self) -> str:
        """A short example or pattern, for people."""

    def show(self, value: Any, mask: Any, style: Style) -> str:
        """The text of a value; mask: which of its bits count, None: all."""

    def read(self, reader: Reader) -> tuple[Any, Any]:
        """A value and its mask. Raises FlowSyntaxError."""

    def exact(self, mask: Any) -> bool:
        """Whether a mask has all bits that a value can have."""


def zeros(value: Any) -> Any:
    """The mask of this value that looks at nothing; flags in Attributes are left out of it."""
    if isinstance(value, Attributes):
        return Attributes((name, zeros(each)) for name, each in value if each is not True)
    if isinstance(value, tuple):
        parts = map(zeros, value)
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    return bytes(len(value)) if isinstance(value, bytes) else 0


def is_zero(mask: Any) -> bool:
    """Whether a mask looks at nothing."""
    if isinstance(mask, Attributes):
        return all(is_zero(each) for _, each in mask)
    if isinstance(mask, tuple):
        return all(map(is_zero, mask))
    return not any(mask) if isinstance(mask, bytes) else not mask


def c_hex(value: int) -> str:
    """As `%#x` of C has it: 0 is just that."""
    return f"{value:#x}" if value else "0"
