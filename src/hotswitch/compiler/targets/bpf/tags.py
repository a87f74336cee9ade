"""VLAN tags: on and off the flow, and then those of the flow into the frame."""

from __future__ import annotations

from functools import partial

from hotswitch.compiler.flow import Word
from hotswitch.compiler.passes.uses import TAGS
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I32, I64, Code, Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State

ADDRESSES = 12
"""Bytes before the tags."""


def push_tag(state: State, ethertype: int, error: Value) -> None:
    """A new outermost tag with the old one's content (IEEE 802.1Q); a third one is an error."""
    code, b = state.code, state.code.b
    outer, inner = _words(state)
    code.jump_if(state.present(TAGS[1]), error)
    state.set_word(inner, state.word(outer))
    state.set_presence(TAGS[1], state.presence(TAGS[0]))
    (kind,) = state.flow.pieces("ethernet.type")
    tci = b.and_(state.word(outer), code.number(0xFFFF << 48))
    state.set_word(outer, b.or_(tci, b.shl(state.piece(kind), code.number(32))))
    state.set_piece(kind, code.number(ethertype))
    state.set_presence(TAGS[0], 1)
    state.mark(cells.TAGS_DIRTY)


def pop_tag(state: State) -> None:
    """The outermost tag off a packet that has one."""
    code = state.code
    outer, inner = _words(state)
    (kind,) = state.flow.pieces("ethernet.type")
    state.set_piece(kind, code.b.lshr(state.word(outer), code.number(32)))
    state.set_word(outer, state.word(inner))
    state.set_presence(TAGS[0], state.presence(TAGS[1]))
    state.set_word(inner, code.number(0))
    state.set_presence(TAGS[1], 0)
    state.mark(cells.TAGS_DIRTY)


def _words(state: State) -> tuple[Word, Word]:
    """Those of the outer and of the inner tag."""
    outer, inner = (state.flow.pieces(f"{layer}.vid")[0].word for layer in TAGS)
    return outer, inner


def commit_tags(code: Code, packet: Packet, state: State, error: Value) -> None:
    """Make the frame's tags those of the flow."""
    if packet.context.whole_data:
        _rewrite(code, packet, state, error)
    else:
        _pop_and_push(code, packet, state, error)
    b = code.b
    tags = b.add(state.presence(TAGS[0]), state.presence(TAGS[1]))
    state.set_cell(cells.TAGS, tags)
    kept = b.and_(state.cell(cells.DIRTY), code.number(~cells.TAGS_DIRTY & (1 << 64) - 1))
    state.set_cell(cells.DIRTY, kept)


def _tag(state: State, layer: str) -> tuple[Value, Value]:
    """TPID and TCI of a tag in the flow."""
    before = "ethernet.type" if layer == TAGS[0] else f"{TAGS[0]}.type"
    word = state.word(state.flow.pieces(f"{layer}.vid")[0].word)
    return state.field(before), state.code.b.lshr(word, state.code.number(48))


def _pop_and_push(code: Code, packet: Packet, state: State, error: Value) -> None:
    b = code.b
    for count in (1, 2):
        enough = b.icmp_unsigned(">=", state.cell(cells.TAGS), code.number(count))
        code.when(
            enough, lambda: packet.must(code.call(c.SKB_VLAN_POP, packet.pointer), error), "pop"
        )
    for layer in reversed(TAGS):
        code.when(state.present(layer), partial(_push, code, packet, state, layer, error))


def _push(code: Code, packet: Packet, state: State, layer: str, error: Value) -> None:
    tpid, tci = _tag(state, layer)
    tpid = packet.swap16(tpid)
    packet.must(code.call(c.SKB_VLAN_PUSH, packet.pointer, tpid, tci), error)


def _rewrite(code: Code, packet: Packet, state: State, error: Value) -> None:
    """Addresses, tags and type anew, after making room or taking it away."""
    b = code.b
    addresses = code.reserve_once("addresses", 16)
    packet.read(code.number(0), addresses, code.number(ADDRESSES), error)
    tags = b.add(state.presence(TAGS[0]), state.presence(TAGS[1]))
    less = b.shl(b.sub(state.cell(cells.TAGS), tags), code.number(2))
    packet.must(code.call(c.XDP_ADJUST_HEAD, packet.pointer, b.trunc(less, I32)), error)
    packet.write(code.number(0), addresses, code.number(ADDRESSES), error)
    buffer = code.reserve_once("tag", 8)
    for position, layer in enumerate(TAGS):
        code.when(
            state.present(layer),
            partial(_put, code, packet, state, layer, position, buffer, error),
        )


def _put(
    code: Code, packet: Packet, state: State, layer: str, position: int, buffer: Value, error: Value
) -> None:
    b = code.b
    tpid, tci = _tag(state, layer)
    both = b.or_(b.shl(tpid, code.number(16)), tci)
    code.store(buffer, 0, b.zext(b.bswap(b.trunc(both, I32)), I64), I32)
    packet.write(code.number(ADDRESSES + 4 * position), buffer, code.number(4), error)
