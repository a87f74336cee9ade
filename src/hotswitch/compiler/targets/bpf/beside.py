"""Fields beside the packet: their first values, from the kernel or from what the parser found."""

from __future__ import annotations

from collections.abc import Iterable

from llvmlite import ir

from hotswitch.compiler.passes.uses import kernels_own, matches_kernels_own, parsed_fields
from hotswitch.compiler.targets.bpf.code import Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.headers.meta import KERNELS_OWN, META, Bit, Test
from hotswitch.headers.registry import FieldKind


def read_beside(packet: Packet, state: State, pass_on: Value) -> None:
    """Read what the kernel keeps. At XDP, which can't, leave all packets to tcx if it counts."""
    if packet.context.whole_data:
        if matches_kernels_own(state.program, state.flow):
            state.code.jump_if(ir.Constant(ir.IntType(1), 1), pass_on)
        return
    for field in META:
        if field.origin in KERNELS_OWN and state.uses(field.name):
            state.set_field_quietly(field.name, packet.beside(field.origin))


def tell_kernel(packet: Packet, state: State, names: Iterable[str]) -> None:
    """Let the kernel have what was set of what it keeps."""
    for field in kernels_own(state.flow, names):
        packet.set_beside(field.origin, state.field(field.name))


def found_out(state: State) -> None:
    """Say what the parser, which is done, has found."""
    b, number = state.code.b, state.code.number
    for field in parsed_fields(state.flow, state.program.uses.bits):
        value = number(0)
        for place, bit in enumerate(field.bits):
            value = b.or_(value, b.shl(_bit(state, bit), number(place)))
        state.set_field_quietly(field.name, value)


def _bit(state: State, bit: Bit) -> Value:
    b, number = state.code.b, state.code.number
    there = _any(state, bit.any_of)
    if bit.none_of:
        there = b.and_(there, b.xor(_any(state, bit.none_of), number(1)))
    return there


def _any(state: State, tests: Iterable[Test]) -> Value:
    b, number = state.code.b, state.code.number
    result = number(0)
    for test in state.flow.registry.those_here(tests):
        value = state.field(test.field)
        # From low to high: the difference, which has no sign, is not more.
        more = b.sub(value, number(test.low))
        within = b.icmp_unsigned("<=", more, number(test.high - test.low))
        holds = b.zext(within, number(0).type)
        info = state.flow.field(test.field)
        if info.kind is FieldKind.HEADER:
            holds = b.and_(holds, state.presence(info.layer))
        result = b.or_(result, holds)
    return result
