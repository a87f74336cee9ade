"""Matches as text."""

from __future__ import annotations

from hotswitch.headers.field_text import TextError, read_value, show_value
from hotswitch.headers.registry import FieldKind, Registry
from hotswitch.model.match import Match
from hotswitch.model.text.terms import parts, read_field


def show_match(registry: Registry, match: Match) -> str:
    """The text of a match. Raises HeaderError for a field that does not exist."""
    terms = []
    for term in match:
        info = registry.field(term.field)
        if info.kind is FieldKind.PRESENCE:
            terms.append(info.name if term.value else f"!{info.name}")
        else:
            terms.append(f"{info.name}={show_value(info, term.value, term.mask)}")
    return ",".join(terms) or "any"


def read_match(registry: Registry, text: str) -> Match:
    """The match that a text stands for. Every mask has the width of its field, none is -1."""
    found: dict[str, tuple[int, int]] = {}
    for part in parts(text, "any"):
        name, equals, value = (each.strip() for each in part.partition("="))
        info = read_field(registry, name.removeprefix("!") if not equals else name)
        if info.name in found:
            raise TextError(f"{info.name} is matched twice")
        if equals:
            found[info.name] = read_value(info, value)
        elif info.kind is FieldKind.PRESENCE:
            found[info.name] = (0 if name.startswith("!") else 1, 1)
        else:
            raise TextError(f"{info.name}: a value is missing")
    return Match.of(found)
