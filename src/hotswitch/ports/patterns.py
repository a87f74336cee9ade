"""Patterns of links' names, and whether two of them have a name in common. Pure.

    *        any characters, also none
    ?        any one character
    {dom}    one or more characters other than a dot, which are what `dom` stands for

All other characters stand for themselves.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hotswitch.ports.errors import PortTextError

LONGEST_NAME = 15
"""Bytes of a link's name (IFNAMSIZ, include/uapi/linux/if.h, without the end)."""

_LONGEST = 63
_TOKEN = re.compile(r"(?P<star>\*)|(?P<any>\?)|\{(?P<field>[a-z]+)\}|(?P<plain>[!-~])")
_REFUSED = frozenset("/:%{},;+[]\\\"'")
_ANY, _NO_DOT = "any", "no dot"
_EXAMPLE = "x"


@dataclass(frozen=True)
class Pattern:
    """A pattern; `read_pattern` makes sure that it is one."""

    text: str

    def __str__(self) -> str:
        return self.text

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names in braces."""
        return frozenset(each["field"] for each in self._tokens if each["field"])

    @property
    def has_wildcards(self) -> bool:
        """Whether there are parts that no name tells."""
        return any(each["star"] or each["any"] for each in self._tokens)

    def match(self, name: str) -> Mapping[str, str] | None:
        """What the fields stand for in this name, or None if it does not fit."""
        found = self._expression.fullmatch(name)
        return found.groupdict() if found else None

    def fill(self, fields: Mapping[str, str]) -> str:
        """The name in which the fields stand for these."""
        return "".join(
            fields[each["field"]] if each["field"] else each["plain"] for each in self._tokens
        )

    @cached_property
    def _tokens(self) -> tuple[re.Match[str], ...]:
        return tuple(_TOKEN.finditer(self.text))

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        def part(each: re.Match[str]) -> str:
            if each["field"]:
                return f"(?P<{each['field']}>[^.]+)"
            return ".*" if each["star"] else "." if each["any"] else re.escape(each["plain"])

        return re.compile("".join(map(part, self._tokens)), re.DOTALL)

    @cached_property
    def steps(self) -> tuple[tuple[str, bool], ...]:
        """The automaton: in each state, which character leads on, and whether it may be repeated.

        A state with a repeated character can also be left without one.
        """
        found: list[tuple[str, bool]] = []
        for each in self._tokens:
            if each["field"]:
                found += [(_NO_DOT, False), (_NO_DOT, True)]
            elif each["star"]:
                if found[-1:] != [(_ANY, True)]:  # two say no more than one
                    found.append((_ANY, True))
            else:
                found.append((_ANY if each["any"] else each["plain"], False))
        return tuple(found)


def read_pattern(text: str) -> Pattern:
    """Read a pattern. Raises PortTextError."""
    position, fields = 0, set()
    while position < len(text) <= _LONGEST:
        token = _TOKEN.match(text, position)
        if token is None or (token["plain"] or "") in _REFUSED or token["field"] in fields:
            break
        if token["field"]:
            fields.add(token["field"])
        position = token.end()
    if not text or position < len(text) or text in (".", ".."):
        raise PortTextError(
            f"{text[:40]!r} is no pattern of names",
            remedy="such as tap*, or tap{dom}.{dev} with each word in braces once",
        )
    return Pattern(text)


def common_name(one: Pattern, other: Pattern) -> str:
    """The shortest name that fits both, or nothing if there is none that a link can have.

    Both automata run side by side: a pair of states is where both are after the same characters.
    """
    ends = len(one.steps), len(other.steps)
    queue = [(0, "", (0, 0))]
    seen: set[tuple[bool, tuple[int, int]]] = set()
    while queue:
        length, name, state = heapq.heappop(queue)
        if (bool(name), state) in seen:
            continue
        seen.add((bool(name), state))
        if state == ends and name:
            return name
        first, second = _step(one, state[0]), _step(other, state[1])
        if first and first[1]:  # leave it without a character more
            heapq.heappush(queue, (length, name, (state[0] + 1, state[1])))
        if second and second[1]:
            heapq.heappush(queue, (length, name, (state[0], state[1] + 1)))
        character = _both(first[0], second[0]) if first and second else ""
        if first and second and character and length < LONGEST_NAME:
            after = (state[0] + (not first[1]), state[1] + (not second[1]))
            heapq.heappush(queue, (length + 1, name + character, after))
    return ""


def _step(pattern: Pattern, state: int) -> tuple[str, bool] | None:
    return pattern.steps[state] if state < len(pattern.steps) else None


def _both(one: str, other: str) -> str:
    """A character that both stand for, or nothing."""
    wild = (_ANY, _NO_DOT)
    if one in wild and other in wild:
        return _EXAMPLE
    plain, limit = (other, one) if one in wild else (one, other)
    fits = limit in (_ANY, plain) or (limit == _NO_DOT and plain != ".")
    return plain if fits else ""
