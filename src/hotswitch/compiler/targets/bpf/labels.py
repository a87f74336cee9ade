"""MPLS labels on and off an skb (XDP leaves such packets to tcx).

There is no helper that takes bytes out behind the addresses of a packet that is not IP. Taking
off a VLAN tag does, so a label is made to look like one. Inserting is done in front, and the
bytes before the label are moved there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hotswitch.compiler.flow import Word
from hotswitch.compiler.passes.uses import LABELS, TAGS
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf.code import I16, I32, Code, Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State

_TPID = 0x8100
_ADDRESSES = 12
_BOTTOM = 1 << 40
_LABEL_ONLY = 0xFFFFFE00
"""Label and class of a label stack entry, without bottom and TTL."""


def push_label(code: Code, packet: Packet, state: State, error: Value, ethertype: int) -> None:
    """Insert a label behind the tags. Everything set has been written back."""
    b, number = code.b, code.number
    code.jump_if(state.present(LABELS[2]), error)
    entry = _new_entry(code, state)
    packet.must(code.call(c.SKB_CHANGE_HEAD, packet.pointer, number(4, I32), number(0)), error)
    beside = packet.tag_present()
    tags = b.sub(b.add(state.presence(TAGS[0]), state.presence(TAGS[1])), beside)
    length = b.add(number(14), b.shl(b.and_(tags, number(3)), number(2)))
    buffer = code.reserve_once("addresses", 32)
    for tag_count in range(3):
        size = number(14 + 4 * tag_count)
        code.when(
            b.icmp_unsigned("==", length, size),
            partial(_move_front, code, packet, buffer, size, ethertype, error),
            "move",
        )
    code.store(buffer, 24, b.zext(b.bswap(b.trunc(entry, I32)), entry.type), I32)
    packet.write(length, code.at(buffer, 24), number(4), error)
    words = [state.flow.pieces(f"{layer}.label")[0].word for layer in LABELS]
    for deeper, outer in ((2, 1), (1, 0)):
        state.set_word(words[deeper], state.word(words[outer]))
        state.set_presence(LABELS[deeper], state.presence(LABELS[outer]))
    state.set_word(words[0], b.shl(entry, number(32)))
    _hide_inner(state)
    state.set_presence(LABELS[0], 1)
    _set_type(code, state, ethertype)


def _new_entry(code: Code, state: State) -> Value:
    """The label stack entry to push: as the outermost, or a first one with the packet's TTL."""
    b, number = code.b, code.number
    word = state.word(state.flow.pieces(f"{LABELS[0]}.label")[0].word)
    outer = b.lshr(word, number(32))
    again = b.and_(outer, number(0xFFFFFFFF ^ 0x100))
    ttl = number(64)
    for name in ("ipv4.ttl", "ipv6.hop_limit"):
        if name.split(".")[0] in state.flow.registry.layers:
            ttl = b.select(state.present(name.split(".")[0]), state.field(name), ttl)
    first = b.or_(ttl, number(0x100))
    return b.select(state.present(LABELS[0]), again, first)


def _move_front(
    code: Code, packet: Packet, buffer: Value, size: Value, ethertype: int, error: Value
) -> None:
    packet.read(code.number(4), buffer, size, error)
    kind = packet.swap16(code.number(ethertype))
    code.store(buffer, size.constant - 2, kind, I16)
    packet.write(code.number(0), buffer, size, error)


def _hide_inner(state: State) -> None:
    """All layers but Ethernet, tags and labels become absent."""
    keep = {"ethernet", *TAGS, *LABELS}
    by_word: dict[Word, int] = {}
    for layer in state.flow.registry.layers:
        if layer not in keep:
            piece = state.flow.presence(layer)
            by_word[piece.word] = by_word.get(piece.word, 0) | piece.mask
    for word, mask in by_word.items():
        if state.has(word):
            state.merge(word, mask, state.code.number(0))
    for word in state.program.places:
        if word.layer in state.flow.registry.layers and word.layer not in keep:
            state.set_word(word, state.code.number(0))


def _set_type(code: Code, state: State, ethertype: int) -> None:
    """The type before the first label, and the field `ethertype`."""
    (shown,) = state.flow.pieces("ethertype")
    state.set_piece(shown, code.number(ethertype))

    def innermost(layers: tuple[str, ...]) -> None:
        if len(layers) == 1:
            state.set_field_quietly(f"{layers[0]}.type", code.number(ethertype))
            return
        _either(
            code,
            state.present(layers[-1]),
            lambda: state.set_field_quietly(f"{layers[-1]}.type", code.number(ethertype)),
            lambda: innermost(layers[:-1]),
        )

    innermost(("ethernet", *TAGS))


def _either(
    code: Code, condition: Value, then: Callable[[], None], otherwise: Callable[[], None]
) -> None:
    yes, no, rest = code.block("yes"), code.block("no"), code.block("either")
    code.b.cbranch(condition, yes, no)
    for block, build in ((yes, then), (no, otherwise)):
        code.enter(block)
        build()
        code.go(rest)
    code.enter(rest)


def pop_label(code: Code, packet: Packet, state: State, error: Value, ethertype: int) -> None:
    """Take out the label behind the tags. Everything set has been written back.

    Two tags are pushed, which puts one into the packet's memory before what tags there are, and
    tells the kernel that the packet is tagged. What is behind it up to the label is moved over
    the label, and a second tag's type before it: then popping tags takes all of it away.
    """
    b, number = code.b, code.number
    for _ in range(2):
        tpid = packet.swap16(number(_TPID))
        packet.must(code.call(c.SKB_VLAN_PUSH, packet.pointer, tpid, number(0)), error)
    tags = b.and_(b.add(state.presence(TAGS[0]), state.presence(TAGS[1])), number(3))
    buffer = code.reserve_once("addresses", 32)
    for tag_count in range(3):
        size = number(2 + 4 * tag_count)
        code.when(
            b.icmp_unsigned("==", tags, number(tag_count)),
            partial(_move_back, code, packet, buffer, size, ethertype, error),
            "move",
        )
    code.store(buffer, 24, packet.swap16(number(_TPID)), I32)
    packet.write(number(_ADDRESSES + 4), code.at(buffer, 24), number(4), error)
    for _ in range(3):
        packet.must(code.call(c.SKB_VLAN_POP, packet.pointer), error)
    words = [state.flow.pieces(f"{layer}.label")[0].word for layer in LABELS]
    for outer, deeper in ((0, 1), (1, 2)):
        state.set_word(words[outer], state.word(words[deeper]))
        state.set_presence(LABELS[outer], state.presence(LABELS[deeper]))
    state.set_word(words[2], number(0))
    state.set_presence(LABELS[2], 0)
    _set_type(code, state, ethertype)


def _move_back(
    code: Code, packet: Packet, buffer: Value, size: Value, ethertype: int, error: Value
) -> None:
    packet.read(code.number(_ADDRESSES + 4), buffer, size, error)
    kind = packet.swap16(code.number(ethertype))
    code.store(buffer, size.constant - 2, kind, I16)
    packet.write(code.number(_ADDRESSES + 8), buffer, size, error)
