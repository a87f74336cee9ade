"""Hypothesis strategies for what the tables allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from hotswitch.netlink.attribute_type import AttributeType
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import FAMILIES, Codec
from hotswitch.netlink.message import Message
from hotswitch.netlink.nested import AttributeSet, Indexed, Nested
from hotswitch.netlink.types import (
    Array,
    Binary,
    Flag,
    Masked,
    Number,
    Structure,
    Text,
    WithMask,
)

_LETTERS = st.characters(codec="utf-8", exclude_characters="\0")


def of_type(kind: AttributeType, depth: int) -> st.SearchStrategy[Any]:
    """Values of an attribute's type, nested at most `depth` deep."""
    match kind:
        case Number():
            return st.integers(*kind.limits)
        case Text(maximum):
            return st.text(_LETTERS, max_size=maximum // 4)
        case Flag():
            return st.just(True)
        case Binary(minimum, maximum, unit):
            top = min(maximum, minimum + 16 * unit)
            return st.integers(-(-minimum // unit), top // unit).flatmap(
                lambda count: st.binary(min_size=count * unit, max_size=count * unit)
            )
        case Structure():
            members = [of_type(each, depth) for each in kind.members.values()]
            return st.tuples(*members).map(kind.value._make)
        case Array(element, minimum, maximum):
            most = min(maximum, minimum + 3)
            return st.lists(of_type(element, depth), min_size=minimum, max_size=most).map(tuple)
        case WithMask(inner):
            # Both halves have one length.
            return of_type(inner, depth).map(lambda value: Masked(value, value))
        case Nested(of):
            return of_set(of(), depth - 1)
        case Indexed(element):
            numbers = st.lists(st.integers(0, 0x3FFF), max_size=2, unique=True)
            return numbers.flatmap(lambda found: _pairs(found, lambda _: element, depth - 1))
    raise AssertionError(kind)


def of_set(attributes: AttributeSet, depth: int = 3) -> st.SearchStrategy[Attributes]:
    """Attributes of a set."""
    if depth <= 0:
        return st.just(Attributes())
    names = [each.name for each in attributes.attributes]
    some = st.lists(st.sampled_from(names), max_size=4, unique=not attributes.ordered)
    return some.flatmap(
        lambda found: _pairs(found, lambda name: attributes.by_name[name].type, depth)
    )


def messages(codec: Codec) -> st.SearchStrategy[Message]:
    """Messages of all families."""
    return st.sampled_from(FAMILIES).flatmap(
        lambda family: st.builds(
            Message,
            family=st.just(family),
            command=st.sampled_from(sorted(family.by_name)),
            attributes=of_set(family.attributes),
            datapath=st.integers(-(1 << 31), (1 << 31) - 1) if family.header else st.just(0),
            flags=st.integers(0, 0xFFFF),
            sequence=st.integers(0, 0xFFFFFFFF),
            port=st.integers(0, 0xFFFFFFFF),
            version=st.integers(0, 255),
        )
    )


def _pairs(
    names: Iterable[Any], kind: Callable[[Any], AttributeType], depth: int
) -> st.SearchStrategy[Attributes]:
    names = tuple(names)
    values = st.tuples(*(of_type(kind(name), depth) for name in names))
    return values.map(lambda found: Attributes(zip(names, found, strict=True)))
