"""The reference of families, attributes and structures, as Markdown, from the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.netlink import extension_headers, lacks
from hotswitch.netlink.attribute_type import AttributeType
from hotswitch.netlink.codec import FAMILIES
from hotswitch.netlink.extended import EXTENDED
from hotswitch.netlink.family import DO, DUMP, NAMESPACE_ADMINISTRATOR, Command, Family
from hotswitch.netlink.nested import Attribute, AttributeSet, Indexed, Nested
from hotswitch.netlink.syntax import actions, keys
from hotswitch.netlink.types import Array, Number, Structure, WithMask


def reference() -> str:
    """All families, then the sets of attributes that are nested in theirs, then structures."""
    return "\n".join(_lines()) + "\n"


def limits() -> str:
    """What is decoded but can't be carried out, and what it would take."""
    lines = ["| key attribute | takes |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in lacks.KEYS.items()]
    lines += [f"| `ipv6_extensions`, bits 0x180 | {extension_headers.NO_FIELD} |"]
    lines += [f"| `ipv6_extensions`, bits 0x3 | {extension_headers.NO_PROTOCOL} |"]
    lines += ["", "| attribute of `tunnel` | takes |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in lacks.TUNNELS.items()]
    lines += [f"| `oam`, set | {lacks.OAM} |"]
    lines += ["", "| action | takes |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in lacks.ACTIONS.items()]
    return "\n".join(lines) + "\n"


def syntax() -> str:
    """How keys and actions are written."""
    lines = ["| key attribute | written |", "|---|---|"]
    lines += [f"| `{each.attribute}` | {_code(each.usage)} |" for each in keys.FORMS]
    lines += ["", "| action | written |", "|---|---|"]
    lines += ["| `output` | `PORT` |", "| `set`, `set_masked` | `set(KEY ATTRIBUTE)` |"]
    lines += [f"| `{each.attribute}` | {_code(each.usage)} |" for each in actions.FORMS]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    bars = text.replace("|", "\\|")
    return f"`{bars}`"


def _lines() -> Iterator[str]:
    sets = [EXTENDED]
    for family in FAMILIES:
        yield from _family(family)
        sets.append(family.attributes)
    own = len(sets)
    structures: list[Structure] = []
    for each in sets:  # grows on the way
        for attribute in each.attributes:
            _collect(attribute.type, sets, structures)
    yield "### Acknowledgements"
    yield ""
    yield from _set(EXTENDED)
    yield "### What is nested"
    yield ""
    for each in sets[own:]:
        yield from _set(each)
    yield "### Structures"
    yield ""
    for structure in structures:
        members = ", ".join(f"{name} {kind.text}" for name, kind in structure.members.items())
        yield f"- `{structure.name}`: {members}"


def _family(family: Family) -> Iterator[str]:
    yield f"### {family.name}"
    yield ""
    facts = [family.doc, f"Version {family.version}."]
    if family.groups:
        facts.append(f"Multicast group: {', '.join(f'`{each}`' for each in family.groups)}.")
    yield " ".join(facts)
    yield ""
    yield "| command | number | asked by | needs | |"
    yield "|---|---|---|---|---|"
    for command in family.commands:
        needs = ", ".join(f"`{each}`" for each in command.needs)
        cells = (f"`{command.name}`", str(command.number), _asked(command), needs, command.doc)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield from _set(family.attributes)


def _asked(command: Command) -> str:
    words = [word for flag, word in ((DO, "one"), (DUMP, "dump")) if command.flags & flag]
    if command.flags & NAMESPACE_ADMINISTRATOR:
        words.append("administrator")
    return ", ".join(words)


def _set(attributes: AttributeSet) -> Iterator[str]:
    yield f"`{attributes.name}`"
    yield ""
    yield "| attribute | number | payload | |"
    yield "|---|---|---|---|"
    for each in attributes.attributes:
        yield f"| `{each.name}` | {each.number} | {each.type.text} | {_doc(each)} |"
    yield ""


def _doc(attribute: Attribute) -> str:
    kind = attribute.type
    if not isinstance(kind, Number) or not kind.names or attribute.doc:
        return attribute.doc
    return ", ".join(f"{number} {name}" for number, name in kind.names.items())


def _collect(kind: AttributeType, sets: list[AttributeSet], structures: list[Structure]) -> None:
    """Note what an attribute's type consists of, once."""
    match kind:
        case Nested():
            inner = kind.of()
            # A set with masks is the same set.
            if all(
                inner.attributes[0].kernel != known.attributes[0].kernel or inner.name != known.name
                for known in sets
            ):
                sets.append(inner)
        case Indexed(element) | Array(element) | WithMask(element):
            _collect(element, sets, structures)
        case Structure():
            if kind not in structures:
                structures.append(kind)
