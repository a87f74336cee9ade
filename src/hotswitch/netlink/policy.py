"""What attributes are checked for, as CTRL_CMD_GETPOLICY and extended acknowledgements say it.

The words are those of include/uapi/linux/netlink.h (NL_POLICY_TYPE_ATTR_*), the form of the
listing that of net/netlink/policy.c: one message for the commands, then one for each attribute.
"""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.netlink.attribute_type import AttributeType
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.controller import KINDS
from hotswitch.netlink.family import DO, DUMP, HAS_POLICY, Family
from hotswitch.netlink.nested import AttributeSet, Indexed, Nested
from hotswitch.netlink.types import Binary, Flag, Number, Structure, Text

_KINDS = {name: number for number, name in KINDS.items()}


def describe(kind: AttributeType) -> Attributes:
    """What an attribute of this type has to be, without what is nested in it."""
    match kind:
        case Flag():
            return _kind("flag")
        case Number(size=1 | 2 | 4 | 8 as size, signed=signed, big_endian=False):
            low, high = kind.limits
            if signed:
                span = Attributes(minimum_signed=low, maximum_signed=high)
            else:
                span = Attributes(minimum=low, maximum=high)
            return _kind(f"{'s' if signed else 'u'}{8 * size}") + span
        case Text(maximum):
            return _kind("nul_string") + Attributes(maximum_length=maximum)
        case Binary(minimum, maximum):
            return _kind("binary") + Attributes(minimum_length=minimum, maximum_length=maximum)
        case Nested():
            return _kind("nested")
        case Indexed(Nested()):
            return _kind("nested_array")
        case _:
            if isinstance(kind, Number | Structure):
                exact = kind.size
                return _kind("binary") + Attributes(minimum_length=exact, maximum_length=exact)
            return _kind("binary")


def listing(family: Family, identity: int, only: int | None = None) -> Iterator[Attributes]:
    """The messages that answer CTRL_CMD_GETPOLICY for a family with the message type `identity`.

    only: the number of the one command that is asked about.
    """
    commands = [
        each for each in family.commands if each.flags & HAS_POLICY and only in (None, each.number)
    ]
    for command in commands:
        use = Attributes(
            (name, 0) for name, flag in (("do", DO), ("dump", DUMP)) if command.flags & flag
        )
        yield Attributes(family_id=identity, operation_policy=Attributes(((command.number, use),)))
    policies = _policies(family.attributes) if commands else []
    numbers = {id(each): number for number, each in enumerate(policies)}
    for number, policy in enumerate(policies):
        for attribute in policy.attributes:
            found = describe(attribute.type)
            inner = _inner(attribute.type)
            if inner is not None:
                highest = max(inner.by_number)
                found += Attributes(policy=numbers[id(inner)], maximum_type=highest)
            entry = Attributes(((attribute.number, found),))
            yield Attributes(family_id=identity, policy=Attributes(((number, entry),)))


def _kind(name: str) -> Attributes:
    return Attributes(type=_KINDS[name])


def _inner(kind: AttributeType) -> AttributeSet | None:
    if isinstance(kind, Indexed):
        kind = kind.element
    return kind.of() if isinstance(kind, Nested) else None


def _policies(first: AttributeSet) -> list[AttributeSet]:
    """The set and all that are nested in it, each once, in the order in which they are met."""
    found = [first]
    for each in found:  # grows on the way
        for attribute in each.attributes:
            inner = _inner(attribute.type)
            if inner is not None and all(inner is not known for known in found):
                found.append(inner)
    return found
