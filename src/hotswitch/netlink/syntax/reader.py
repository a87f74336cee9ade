"""A text, and how far it has been read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NoReturn

from hotswitch.netlink.syntax.errors import FlowSyntaxError

DEPTH = 32
"""How deep parentheses of actions and of `encap` may be nested."""

NO_PORTS: Mapping[str, int] = MappingProxyType({})

_BLANKS = re.compile(r"[\s,]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0|[1-9][0-9]*")


class Reader:
    """Reads one text from left to right. Whatever is wrong raises FlowSyntaxError.

    what: what the text is, for errors. ports: numbers by name.
    masks: whether values may have a mask behind them.
    """

    def __init__(
        self, what: str, text: str, *, ports: Mapping[str, int] = NO_PORTS, masks: bool = True
    ) -> None:
        self.text = text
        self.position = 0
        self.ports = ports
        self.masks = masks
        self._what = what
        self._depth = 0

    @property
    def ended(self) -> bool:
        """Whether all has been read."""
        return self.position == len(self.text)

    def sees(self, word: str) -> bool:
        """Whether this comes next."""
        return self.text.startswith(word, self.position)

    def take(self, word: str) -> bool:
        """Read this if it comes next; whether it did."""
        found = self.sees(word)
        self.position += len(word) * found
        return found

    def need(self, word: str) -> None:
        """Read this."""
        if not self.take(word):
            self.fail(repr(word))

    def match(self, pattern: re.Pattern[str], expected: str) -> str:
        """Read what a pattern describes."""
        found = pattern.match(self.text, self.position)
        if found is None:
            self.fail(expected)
        self.position = found.end()
        return found[0]

    def number(self, most: int) -> int:
        """Read a whole number, decimal or hexadecimal (0x), of at most so much."""
        start = self.position
        expected = f"a number from 0 to {most if most < 0x10000 else hex(most)}, as 10 or 0xa,"
        value = int(self.match(_NUMBER, expected), 0)
        if value > most:
            self.fail(expected, start)
        return value

    def mask_follows(self) -> bool:
        """Read the slash before a mask, if there is one and masks are allowed."""
        return self.masks and self.take("/")

    def blanks(self) -> bool:
        """Read blanks and commas; whether there were any, or nothing else is left."""
        start = self.position
        self.match(_BLANKS, "")
        return self.position > start or self.ended

    def fail(self, expected: str, position: int | None = None) -> NoReturn:
        """Say what is expected here, or at an earlier position."""
        where = self.position if position is None else position
        raise FlowSyntaxError(self._what, self.text, where, expected)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of parentheses more."""
        if self._depth == DEPTH:
            self.fail(f"no more than {DEPTH} levels of parentheses")
        self._depth += 1
        yield
        self._depth -= 1

    @contextmanager
    def with_masks(self, masks: bool) -> Iterator[None]:
        """Allow masks for a while, or not."""
        before, self.masks = self.masks, masks
        yield
        self.masks = before
