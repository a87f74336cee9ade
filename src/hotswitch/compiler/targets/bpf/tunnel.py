"""Outer headers: those that the packet came with, and those that it shall leave with.

The kernel keeps them beside the packet, both in one place: what was set takes the place of what the
packet came with. So that is read before, or where a copy to user space needs it. A frame that XDP
sees has come with none; where it shall leave with some, it is left to tcx.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from hotswitch.compiler.flow import Flow, Piece
from hotswitch.compiler.ir import Program
from hotswitch.compiler.passes.uses import read_by, set_by
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I8, I16, I32, Code, Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.headers.meta import (
    META,
    TUNNEL_CHECKSUM,
    TUNNEL_DONT_FRAGMENT,
    TUNNEL_HAS_ID,
    TUNNEL_OAM,
    Origin,
)
from hotswitch.kernel import tunnel_key as key
from hotswitch.model.action import CopyToUser, walk

FIELDS = frozenset(each.name for each in META if each.origin is Origin.TUNNEL)
OUT_FIELDS = frozenset(each.name for each in META if each.origin is Origin.OUT_TUNNEL)

_VISIBLE = TUNNEL_CHECKSUM | TUNNEL_HAS_ID | TUNNEL_DONT_FRAGMENT | TUNNEL_OAM
_IPV4, _IPV6 = 4, 6
_HALF = 8
"""Bytes of an IPv6 address that make a number."""


def sets_outer_headers(program: Program, flow: Flow) -> bool:
    """Whether some action sets what a packet shall leave with."""
    return any(
        OUT_FIELDS.intersection(set_by(flow, action))
        for template in program.templates.values()
        for action in walk(template)
    )


def is_read_first(program: Program, flow: Flow) -> bool:
    """Whether outer headers have to be read when the packet comes in, not just for copies."""
    actions = [action for template in program.templates.values() for action in walk(template)]
    matched = {
        name
        for code in program.tables
        for subtable in code.table.subtables
        for name, _ in subtable.masks
    }
    copied = {name for each in actions if isinstance(each, CopyToUser) for name in each.fields}
    used = {
        name for each in actions if not isinstance(each, CopyToUser) for name in read_by(flow, each)
    }
    in_copies = FIELDS & copied and sets_outer_headers(program, flow)
    return bool(FIELDS & (matched | used) or in_copies)


def read_tunnel(packet: Packet, state: State) -> None:
    """Read what outer headers the packet came with; without any, the fields stay zero."""
    code, b = state.code, state.code.b
    buffer = code.at(state.memory, cells.TUNNEL)

    def ask(flags: int) -> Value:
        size = code.number(key.SIZE)
        flags_value = code.number(flags | key.WITH_FLAGS)
        result = code.call(c.SKB_GET_TUNNEL_KEY, packet.pointer, buffer, size, flags_value)
        return b.trunc(result, I32)

    def is_(result: Value, number: int) -> Value:
        return b.icmp_signed("==", result, code.number(number, I32))

    result = ask(0)
    code.when(is_(result, 0), lambda: _take(state, buffer, _IPV4), "outer_ipv4")

    def ipv6() -> None:
        code.when(is_(ask(key.IPV6), 0), lambda: _take(state, buffer, _IPV6), "outer_ipv6")

    code.when(is_(result, -errno.EPROTO), ipv6, "outer")


def _take(state: State, buffer: Value, version: int) -> None:
    code, b = state.code, state.code.b

    def take(name: str, value: Callable[[], Value]) -> None:
        if state.uses(name):
            state.set_field_quietly(name, value())

    take("tunnel", lambda: code.number(version))
    take("tunnel_id", lambda: code.load(buffer, key.ID, I32))
    take("tunnel_tos", lambda: code.load(buffer, key.TOS, I8))
    take("tunnel_ttl", lambda: code.load(buffer, key.TTL, I8))
    take(
        "tunnel_flags",
        lambda: b.and_(_swap16(code, code.load(buffer, key.FLAGS, I16)), code.number(_VISIBLE)),
    )
    for name, place in (("src", key.REMOTE), ("dst", key.LOCAL)):
        if version == _IPV6:
            _take_ipv6(state, f"tunnel_ipv6_{name}", buffer, place)
        else:
            take(f"tunnel_{name}", partial(code.load, buffer, place, I32))


def _take_ipv6(state: State, name: str, buffer: Value, place: int) -> None:
    if state.uses(name):
        for piece, at in _halves(state, name, place):
            if state.has(piece.word):
                state.set_piece(piece, state.code.swap(state.code.load(buffer, at)))


def _halves(state: State, name: str, place: int) -> list[tuple[Piece, int]]:
    """The words of an IPv6 address, and where they are in the kernel's structure."""
    pieces = state.flow.pieces(name)
    return [(piece, place + _HALF * index) for index, piece in enumerate(pieces)]


def tell_tunnel(packet: Packet, state: State, error: Value) -> None:
    """Let the packet have the outer headers that were set.

    None can't be taken off again. So those without a version have no destination either, with
    which a VXLAN device drops the packet.
    """
    code, b, number = state.code, state.code.b, state.code.number
    state.unmark(cells.TUNNEL_DIRTY)
    version = _out(state, "")
    buffer = code.at(state.memory, cells.TUNNEL)
    for place in range(key.REMOTE, key.SIZE, _HALF):
        code.store(buffer, place, number(0))
    code.store(buffer, key.ID, _out(state, "_id"), I32)
    code.store(buffer, key.TOS, _out(state, "_tos"), I8)
    code.store(buffer, key.TTL, _out(state, "_ttl"), I8)
    is_ipv4 = b.icmp_unsigned("==", version, number(_IPV4))
    is_ipv6 = b.icmp_unsigned("==", version, number(_IPV6))

    def ipv4() -> None:
        for name, place in (("src", key.LOCAL), ("dst", key.REMOTE)):
            code.store(buffer, place, _out(state, f"_{name}"), I32)

    def ipv6() -> None:
        for name, place in (("src", key.LOCAL), ("dst", key.REMOTE)):
            for piece, at in _halves(state, f"out_tunnel_ipv6_{name}", place):
                if state.has(piece.word):
                    code.store(buffer, at, code.swap(state.piece(piece)))

    code.when(is_ipv4, ipv4, "to_ipv4")
    code.when(is_ipv6, ipv6, "to_ipv6")
    result = code.call(
        c.SKB_SET_TUNNEL_KEY, packet.pointer, buffer, number(key.SIZE), _flags(state, is_ipv6)
    )
    packet.must(result, error)


def _flags(state: State, is_ipv6: Value) -> Value:
    b, number = state.code.b, state.code.number
    said = _out(state, "_flags")

    def chosen(condition: Value, if_so: int, if_not: int) -> Value:
        return b.select(condition, number(if_so), number(if_not))

    def has(flag: int) -> Value:
        return state.code.is_set(b.and_(said, number(flag)))

    flags = chosen(is_ipv6, key.IPV6, 0)
    flags = b.or_(flags, chosen(has(TUNNEL_CHECKSUM), 0, key.NO_CHECKSUM))
    return b.or_(flags, chosen(has(TUNNEL_DONT_FRAGMENT), key.DONT_FRAGMENT, 0))


def _out(state: State, name: str) -> Value:
    """A field that may be set; 0 if nothing sets it."""
    field = f"out_tunnel{name}"
    return state.field(field) if state.uses(field) else state.code.number(0)


def _swap16(code: Code, value: Value) -> Value:
    return code.b.zext(code.b.bswap(code.b.trunc(value, I16)), c.I64)
