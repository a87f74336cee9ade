"""iproute2's word order: pairs of a keyword and a value after a command's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from hotswitch.app.cli import names
from hotswitch.base.decimal import read_decimal
from hotswitch.headers.text import MAC


@dataclass(frozen=True, slots=True)
class Word:
    """A keyword and how its value is read.

    key: what the value is called in a request. read: raises ValueError, whose text says what is
    expected. choices: what completion offers. names: or the noun whose names it offers. offer: or
    what tells that, from what is begun.
    """

    name: str
    key: str
    read: Callable[[str], Any]
    choices: tuple[str, ...] = ()
    names: str = ""
    offer: Callable[[click.Context, str], tuple[str, ...]] | None = None


def words_argument(
    *words: Word, required: Sequence[str] = (), first: tuple[str, ...] = ()
) -> Callable[[Any], Any]:
    """Give a command an argument `words`: a dictionary from keys to values.

    first: words of which one may stand before all others; it is the value of the key "first".
    """

    def read(context: click.Context, _: click.Parameter, given: tuple[str, ...]) -> Any:
        # While words are completed, those before the last are wanted as they are.
        return given if context.resilient_parsing else read_words(words, given, required, first)

    def complete(context: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
        given = tuple(context.params.get("words") or ())
        return names.items(
            (() if given else first) + offered(context, words, given, first, start), start
        )

    return click.argument(
        "words",
        nargs=-1,
        callback=read,
        shell_complete=complete,
        metavar=" ".join(
            [f"[{'|'.join(first)}]"] * bool(first)
            + [
                f"{word.name} {_placeholder(word)}"
                if word.name in required
                else f"[{word.name} {_placeholder(word)}]"
                for word in words
            ]
        ),
    )


def offered(
    context: click.Context,
    words: Sequence[Word],
    given: Sequence[str],
    first: tuple[str, ...] = (),
    start: str = "",
) -> tuple[str, ...]:
    """What can follow the words that are given: values of the last keyword, or keywords."""
    pairs = given[1:] if given and given[0] in first else given
    if len(pairs) % 2:
        word = next((each for each in words if each.name == pairs[-1]), None)
        if word is None:
            return ()
        if word.offer:
            return word.offer(context, start)
        return names.names(context, word.names) if word.names else word.choices
    used = {word.key for word in words if word.name in pairs[::2]}
    return tuple(word.name for word in words if word.key not in used)


def _placeholder(word: Word) -> str:
    return "|".join(word.choices) if word.choices else word.name.upper()


def read_words(
    words: Sequence[Word],
    given: Sequence[str],
    required: Sequence[str],
    first: tuple[str, ...],
) -> dict[str, Any]:
    """The values by key. Raises click.UsageError."""
    by_name = {word.name: word for word in words}
    found: dict[str, Any] = {}
    begins = bool(given) and given[0] in first
    if begins:
        found["first"] = given[0]
    for position in range(begins, len(given), 2):
        name = given[position]
        word = by_name.get(name)
        if word is None:
            known = (*(first if position == 0 else ()), *by_name)
            is_alone = position == begins and (len(given) - begins) % 2 == 1
            meant = f"; is `bridge {name}` meant?" if is_alone and BRIDGE.name in by_name else ""
            raise click.UsageError(f"{name!r} is none of: {', '.join(known)}{meant}")
        if position + 1 == len(given):
            raise click.UsageError(f"{name} needs a value")
        if word.key in found:
            raise click.UsageError(f"{name} is given twice")
        try:
            found[word.key] = word.read(given[position + 1])
        except ValueError as error:
            raise click.UsageError(f"{name} {given[position + 1]!r}: {error}") from None
    for name in required:
        if by_name[name].key not in found:
            raise click.UsageError(f"{name} is missing")
    return found


def text(value: str) -> str:
    """Any word."""
    return value


BRIDGE = Word("bridge", "bridge", text, names="bridge")
PORT = Word("port", "port", text, names="port")


def number(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number within limits."""

    def read(value: str) -> int:
        result = read_decimal(value)
        if not lowest <= result <= highest:
            raise ValueError(f"a number from {lowest} to {highest} is expected")
        return result

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)} is expected")
        return value

    return read


def on_off(value: str) -> bool:
    """The words on and off."""
    return one_of("on", "off")(value) == "on"


def vlan(value: str) -> int:
    """A VLAN."""
    return number(0, 4095)(value)


def vlans(value: str) -> list[int]:
    """VLANs with commas between, and ranges: 10,20-29."""
    found: set[int] = set()
    for part in value.split(","):
        first, dash, last = part.partition("-")
        start, end = vlan(first), vlan(last if dash else first)
        if start > end:
            raise ValueError(f"the range {part} is empty")
        found.update(range(start, end + 1))
    return sorted(found)


LIFECYCLES = ("static", "ephemeral", "grace=30")
"""What completion offers."""


def lifecycle(value: str) -> str:
    """What becomes of a port without a device; the daemon knows what can be."""
    policy, equals, seconds = value.partition("=")
    if (policy == "grace") != bool(equals) or policy not in ("static", "ephemeral", "grace"):
        raise ValueError("static, ephemeral or grace=SECONDS is expected")
    if equals:
        number(1, 1_000_000)(seconds)
    return value


def pairs(value: str) -> dict[str, str]:
    """Pairs of a key and a value with commas between: iface-id=7,vm-id=web."""
    found: dict[str, str] = {}
    for part in value.split(","):
        key, equals, text = part.partition("=")
        if not equals or not key or key in found:
            raise ValueError("KEY=VALUE,KEY=VALUE is expected, each key once")
        found[key] = text
    return found


def several(value: str) -> list[str]:
    """Words with commas between."""
    return value.split(",")


def mac(value: str) -> str:
    """A MAC address."""
    return MAC.show(MAC.read(value))


def or_none(read: Callable[[str], Any], nothing: Any = None) -> Callable[[str], Any]:
    """What `read` takes, or the word none, which takes a setting back."""
    return lambda value: nothing if value == "none" else read(value)
