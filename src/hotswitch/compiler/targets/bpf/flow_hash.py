"""A hash of the packet's flow; docs/pipeline.md, section 5, defines it."""

from __future__ import annotations

from hotswitch.compiler.passes.uses import LAYER_4
from hotswitch.compiler.targets.bpf.code import Value
from hotswitch.compiler.targets.bpf.state import State

MULTIPLIER = 0x9E3779B97F4A7C15


def flow_hash(state: State, basis: Value) -> None:
    """Put the hash into `dp_hash`."""
    b, number = state.code.b, state.code.number
    is_ip = number(0)
    for layer in ("ipv4", "ipv6"):
        if layer in state.flow.registry.layers:
            is_ip = b.or_(is_ip, state.presence(layer))
    is_ip = state.code.is_set(is_ip)
    whole = b.icmp_unsigned("==", state.field("ip_fragment"), number(0))
    ends = b.add(_end(state, "src", is_ip, whole), _end(state, "dst", is_ip, whole))
    kind = b.select(is_ip, _field(state, "ip_protocol"), _field(state, "ethertype"))
    found = b.and_(_mixed(state, basis, ends, kind), number(0xFFFFFFFF))
    none = b.icmp_unsigned("==", found, number(0))
    state.set_field_quietly("dp_hash", b.select(none, number(1), found))


def _end(state: State, side: str, is_ip: Value, whole: Value) -> Value:
    b, number = state.code.b, state.code.number
    first = b.select(is_ip, number(0), _field(state, f"ethernet.{side}"))
    first = b.or_(first, _field(state, f"ipv4.{side}"))
    port = number(0)
    for layer in LAYER_4:
        port = b.or_(port, _field(state, f"{layer}.{side}"))
    port = b.select(whole, port, number(0))
    high, low = _address(state, f"ipv6.{side}")
    return _mixed(state, number(0), first, high, low, port)


def _address(state: State, name: str) -> tuple[Value, Value]:
    """The upper and the lower 64 bits of a wide field."""
    b, number = state.code.b, state.code.number
    halves = [number(0), number(0)]
    if state.flow.registry.has(name):
        for piece in state.flow.pieces(name):
            half = 0 if piece.value_shift >= 64 else 1
            part = b.shl(state.piece(piece), number(piece.value_shift % 64))
            halves[half] = b.or_(halves[half], part)
    return halves[0], halves[1]


def _field(state: State, name: str) -> Value:
    """A field, 0 if it is absent."""
    return state.field(name) if state.flow.registry.has(name) else state.code.number(0)


def _mixed(state: State, start: Value, *numbers: Value) -> Value:
    b, number = state.code.b, state.code.number
    result = start
    for each in numbers:
        result = b.mul(b.xor(result, each), number(MULTIPLIER))
        result = b.xor(result, b.lshr(result, number(32)))
    return result
