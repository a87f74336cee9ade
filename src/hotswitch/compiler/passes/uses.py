"""Find which bits of the flow the program reads and writes: only those are parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import UnionType
from typing import Any

from hotswitch.compiler.flow import Flow, Word
from hotswitch.compiler.ir import Program, Uses
from hotswitch.headers.declaration import Field
from hotswitch.headers.meta import KERNELS_OWN, META, Beside
from hotswitch.model.action import (
    Action,
    Actions,
    CheckLength,
    CopyField,
    CopyToUser,
    DecrementTtl,
    Hash,
    Learn,
    Lookup,
    NoteFlags,
    PopMpls,
    PopVlan,
    PushMpls,
    PushVlan,
    Recirculate,
    SetField,
    walk,
)

TAGS = ("vlan", "vlan2")
ENDS = ("src", "dst")
LABELS = ("mpls", "mpls2", "mpls3")
FLAGS = "tcp.flags"
LAYER_4 = ("tcp", "udp", "sctp")
HASHED = (
    *(f"{layer}.{side}" for layer in ("ethernet", "ipv4", "ipv6", *LAYER_4) for side in ENDS),
    "ethertype", "ip_protocol", "ip_fragment", "ipv4", "ipv6",
)  # fmt: skip
"""What `Hash` looks at."""
SEGMENTED = ("tcp.data_offset", "udp")
"""What says where the headers of a packet end that is yet to be segmented."""


def uses(program: Program, flow: Flow) -> Program:
    """Collect the words of all masks and actions."""
    read: Counter[Word] = Counter()
    written: Counter[Word] = Counter()
    for code in program.tables:
        for subtable in code.table.subtables:
            for word, bits in flow.terms(subtable.masks).items():
                read[word] |= bits
    for template in program.templates.values():
        for action in walk(template):
            for name, mask in _read(flow, action):
                for word, bits in flow.terms([(name, mask)]).items():
                    read[word] |= bits
            for name, mask in _written(flow, action):
                for word, bits in flow.terms([(name, mask)]).items():
                    read[word] |= bits
                    if word.layer in flow.registry.layers:
                        written[word] |= bits
    for field in parsed_fields(flow, read):
        for word, bits in flow.terms(_tested(flow, field)).items():
            read[word] |= bits
    return replace(program, uses=Uses(dict(sorted(read.items())), dict(sorted(written.items()))))


def parsed_fields(flow: Flow, read: Mapping[Word, int]) -> list[Beside]:
    """The fields that the parser finds out, of those that are read."""
    found = []
    for field in META:
        if field.bits:
            (piece,) = flow.pieces(field.name)
            if read.get(piece.word, 0) & piece.mask:
                found.append(field)
    return found


def _tested(flow: Flow, field: Beside) -> list[tuple[str, int]]:
    tests = (test for bit in field.bits for test in (*bit.any_of, *bit.none_of))
    return _all(flow, *(test.field for test in flow.registry.those_here(tests)))


def _all(flow: Flow, *names: str) -> list[tuple[str, int]]:
    return [(name, flow.field(name).mask) for name in names]


def _tags(flow: Flow) -> list[tuple[str, int]]:
    """The fields that pushing and popping tags moves about."""
    layers = [name for name in TAGS if name in flow.registry.layers]
    names = [f"{layer}.{each.name}" for layer in layers for each in _fields(flow, layer)]
    return _all(flow, "ethernet.type", *names, *layers)


def changes_labels(program: Program) -> bool:
    """Whether some action puts labels on or takes them off."""
    return has_action(program, PushMpls | PopMpls)


def changes_tags(program: Program) -> bool:
    """Whether some action changes a frame's tags."""
    return bool(program.uses.written_layers & {*TAGS}) or has_action(program, PushVlan | PopVlan)


def _tags_if_set(flow: Flow, name: str) -> list[tuple[str, int]]:
    """Tags are written back all together."""
    return _tags(flow) if flow.field(name).layer in TAGS else []


def _labels(flow: Flow) -> list[tuple[str, int]]:
    layers = [name for name in LABELS if name in flow.registry.layers]
    names = [f"{layer}.{each.name}" for layer in layers for each in _fields(flow, layer)]
    ttls = [
        name for name in ("ipv4.ttl", "ipv6.hop_limit") if name.split(".")[0] in layers_of(flow)
    ]
    return [*_tags(flow), *_all(flow, "ethertype", *names, *layers, *ttls)]


def copied_width(flow: Flow, action: CopyField) -> int:
    """How many bits an action copies."""
    return action.width or flow.field(action.source).width - action.source_bit


def layers_of(flow: Flow) -> frozenset[str]:
    """The names of all layers."""
    return frozenset(flow.registry.layers)


def _fields(flow: Flow, layer: str) -> tuple[Field, ...]:
    return flow.registry.layers[layer].header.fields


def _read(flow: Flow, action: Action) -> list[tuple[str, int]]:
    match action:
        case CopyField(source, target):
            return [*_all(flow, source), *_tags_if_set(flow, target)]
        case SetField(field):
            return _tags_if_set(flow, field)
        case PushVlan() | PopVlan():
            return _tags(flow)
        case PushMpls() | PopMpls():
            return _labels(flow)
        case DecrementTtl(field):
            return _all(flow, field)
        case Learn(vlan):
            return _all(flow, "in_port", "ethernet.src", vlan)
        case Lookup(vlan):
            return _all(flow, "ethernet.dst", vlan)
        case CopyToUser(fields=fields):
            return _all(flow, *fields)
        case CheckLength():
            return _all(flow, *_here(flow, *SEGMENTED))
        case Hash():
            return _all(flow, *_here(flow, *HASHED))
        case NoteFlags():
            return _all(flow, *_here(flow, FLAGS))
    return []


def _here(flow: Flow, *names: str) -> tuple[str, ...]:
    """Those of these fields that there are."""
    return tuple(filter(flow.registry.has, names))


def kernels_own(flow: Flow, names: Iterable[str]) -> tuple[Beside, ...]:
    """Of fields of these names, those that the kernel keeps beside its packets."""
    found = (flow.field(name).beside for name in names)
    return tuple(each for each in found if each is not None and each.origin in KERNELS_OWN)


def matches_kernels_own(program: Program, flow: Flow) -> bool:
    """Whether any entry is looked up by what the kernel keeps beside its packets."""
    return any(
        kernels_own(flow, (name for name, _ in subtable.masks))
        for code in program.tables
        for subtable in code.table.subtables
    )


def changed_words(flow: Flow, actions: Actions) -> dict[Word, int]:
    """The words that actions change, and the bits that are set of each."""
    changed: Counter[Word] = Counter()
    for action in walk(actions):
        moved = _tags(flow) if isinstance(action, PushVlan | PopVlan) else []
        for name, mask in (*_written(flow, action), *moved):
            for piece in flow.pieces(name):
                changed[piece.word] |= piece.place(mask)
    return {word: bits for word, bits in sorted(changed.items()) if bits}


def has_action(program: Program, kinds: type[Any] | UnionType) -> bool:
    """Whether any template has such an action, also within another."""
    return any(
        isinstance(action, kinds)
        for template in program.templates.values()
        for action in walk(template)
    )


def read_by(flow: Flow, action: Action) -> tuple[str, ...]:
    """The names of the fields that an action reads."""
    return tuple(name for name, _ in _read(flow, action))


def set_by(flow: Flow, action: Action) -> tuple[str, ...]:
    """The names of the fields that an action sets."""
    return tuple(name for name, _ in _written(flow, action))


def _written(flow: Flow, action: Action) -> list[tuple[str, int]]:
    match action:
        case SetField(field, _, mask):
            return [(field, mask & flow.field(field).mask)]
        case CopyField():
            width = copied_width(flow, action)
            return [(action.target, ((1 << width) - 1) << action.target_bit)]
        case DecrementTtl(field):
            return _all(flow, field)
        case Lookup(target=target):
            return _all(flow, target)
        case Hash():
            return _all(flow, "dp_hash")
        case Recirculate():
            return _all(flow, "recirc_id")
    return []
