"""Actions: what an entry does with a packet, one after another.

Field names are as in a match. A header that is absent is neither changed nor read: setting
one of its fields does nothing, copying from it gives zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

IN_PORT = 0xFFFFFFF8
"""The port that the packet came in by, as an output (OpenFlow 1.3, OFPP_IN_PORT)."""

MAXIMUM_PORT = 0xFEFF
"""The highest number that a port may have; the lowest is 1."""

MOST_RECIRCULATIONS = 8
"""How often one packet can be looked up again."""


@dataclass(frozen=True, slots=True)
class Output:
    """Send the packet, as it is now, to a port. To its ingress port only as `IN_PORT`, or if
    `hairpin` says so."""

    port: int
    hairpin: bool = False


@dataclass(frozen=True, slots=True)
class OutputList:
    """Send the packet, as it is now, to each of these ports; to its ingress port only if `hairpin`
    says so."""

    ports: tuple[int, ...]
    hairpin: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """End here. (A packet for which no table has an entry is dropped too.)

    reason: why, for who looks at entries or at a trace; 0: not said.
    """

    reason: int = 0


@dataclass(frozen=True, slots=True)
class ToHost:
    """End here and let the host's stack have the frame as it is now."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Set the bits of `mask` in `field` to those of `value`; the header's checksums follow."""

    field: str
    value: int
    mask: int = -1


@dataclass(frozen=True, slots=True)
class CopyField:
    """Copy `width` bits (0: all of the source) of one field into another.

    Bit offsets count from the least significant bit, as in OpenFlow's copy-field.
    """

    source: str
    target: str
    source_bit: int = 0
    target_bit: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class PushVlan:
    """Put a new outermost tag on, with the outermost tag's TCI if there is one, else zero.

    `ethertype` is 0x8100 or 0x88a8. With as many tags as are recorded (2) already there,
    the packet is dropped and counted as an error.
    """

    ethertype: int = 0x8100


@dataclass(frozen=True, slots=True)
class PopVlan:
    """Take the outermost tag off, if there is one."""


@dataclass(frozen=True, slots=True)
class PushMpls:
    """Put a new outermost label after the tags, and `ethertype` (0x8847, 0x8848) before it.

    Label, class and TTL are those of the outermost label if there is one; else label and class
    are zero and the TTL is the IP header's, or 64. Headers behind the labels are no longer
    visible to later tables.
    """

    ethertype: int = 0x8847


@dataclass(frozen=True, slots=True)
class PopMpls:
    """Take the outermost label off, if there is one; `ethertype` says what follows the tags now."""

    ethertype: int


@dataclass(frozen=True, slots=True)
class DecrementTtl:
    """Decrement `field`; if it was 0 or 1 the packet's way ends, counted as expired.

    spent: what is done with such a packet before that.
    """

    field: str = "ipv4.ttl"
    spent: Actions = ()


@dataclass(frozen=True, slots=True)
class GotoTable:
    """Go on in a table with a higher number. Only as the last action."""

    table: int


@dataclass(frozen=True, slots=True)
class CopyToUser:
    """Give user space a copy of the packet as it is now, at most `length` bytes of it.

    fields: fields beside the packet whose values go with it, in the order of `headers.meta.META`
    (another order is put right).
    """

    reason: int = 0
    length: int = 0xFFFF
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Learn:
    """Note in the address table that `ethernet.src` in the VLAN of `vlan` is at the ingress port.

    vlan: a field, of which the low 12 bits count. Group and all-zero addresses are not
    learned, static addresses not moved, and a full table learns nothing new.
    """

    vlan: str = "reg0"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Put the port of `ethernet.dst` in the VLAN of `vlan` into `target`, or 0 if unknown."""

    vlan: str = "reg0"
    target: str = "reg1"


@dataclass(frozen=True, slots=True)
class Limit:
    """Drop the packet, and count it as limited, if `meter` is spent."""

    meter: int


@dataclass(frozen=True, slots=True)
class Clone:
    """Carry these actions out with a copy: the packet is as before afterwards.

    What ends the copy's way does not end the packet's.
    """

    actions: Actions


@dataclass(frozen=True, slots=True)
class Sample:
    """Do as `Clone`, but only for some packets: each with a chance of (probability + 1) / 2**32."""

    probability: int
    actions: Actions


@dataclass(frozen=True, slots=True)
class CheckLength:
    """Do as `Clone`, with the actions for packets that are longer than `length`, or the others.

    length: bytes of the frame as it is now, with its tags. Of a packet that is yet to be segmented
    the longest segment counts.
    """

    length: int
    longer: Actions
    otherwise: Actions = ()


@dataclass(frozen=True, slots=True)
class Truncate:
    """Cut the packet off behind `length` bytes. Only outputs and copies come behind it."""

    length: int


@dataclass(frozen=True, slots=True)
class Hash:
    """Put a hash of the packet's flow into `dp_hash`; it is never 0.

    It is the same for both directions, and for all fragments. docs/pipeline.md defines it.
    """

    basis: int = 0


@dataclass(frozen=True, slots=True)
class Recirculate:
    """Parse the packet, as it is now, once more, and begin again in table 0. Only last.

    The field `recirc_id` has the value `id` then, and the other fields beside the packet theirs.
    """

    id: int


@dataclass(frozen=True, slots=True)
class NoteFlags:
    """Add the packet's TCP flags, as they are now, to those that its entry has seen."""


Action: TypeAlias = (
    Output
    | OutputList
    | Drop
    | ToHost
    | SetField
    | CopyField
    | PushVlan
    | PopVlan
    | PushMpls
    | PopMpls
    | DecrementTtl
    | GotoTable
    | CopyToUser
    | Learn
    | Lookup
    | Limit
    | Clone
    | Sample
    | CheckLength
    | Truncate
    | Hash
    | Recirculate
    | NoteFlags
)
Actions: TypeAlias = tuple[Action, ...]

CANNOT_BE_UNDONE = (PushMpls, PopMpls, Truncate, Recirculate)
"""What can't be carried out with a copy, unless nothing is done with the packet afterwards."""


def lists_in(action: Action) -> tuple[Actions, ...]:
    """The lists of actions that are in an action."""
    match action:
        case Clone(actions) | Sample(_, actions):
            return (actions,)
        case CheckLength(_, longer, otherwise):
            return longer, otherwise
        case DecrementTtl(_, spent):
            return (spent,)
    return ()


def with_lists(action: Action, lists: tuple[Actions, ...]) -> Action:
    """The action with these lists in the places of its own."""
    match action:
        case Clone() | Sample():
            return replace(action, actions=lists[0])
        case CheckLength():
            return replace(action, longer=lists[0], otherwise=lists[1])
        case DecrementTtl():
            return replace(action, spent=lists[0])
    return action


def walk(actions: Actions) -> Iterator[Action]:
    """All actions, each before what is in it."""
    for action in actions:
        yield action
        for inner in lists_in(action):
            yield from walk(inner)


def can_be_undone(actions: Actions) -> bool:
    """Whether the packet can be made to be as before these actions."""
    return not any(isinstance(action, CANNOT_BE_UNDONE) for action in walk(actions))
