"""The length of a packet: cutting it off, and choosing by it."""

from __future__ import annotations

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf.code import I32, Value
from hotswitch.compiler.targets.bpf.commit import Commit
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State

LEAST = 128
"""Bytes that a packet can always be cut to.

The kernel cuts none off within its headers, nor before a checksum that is yet to be computed.
"""
_ETHERNET = 14
_UDP = 8


def truncate(packet: Packet, length: Value, error: Value) -> None:
    """Cut the packet off. Everything set has been written back."""
    code, b = packet.code, packet.code.b
    on = code.block("cut")
    code.jump_if(b.icmp_unsigned("<=", packet.frame_length(), length), on)
    beside = b.shl(packet.tag_present(), code.number(2))
    wanted = b.sub(length, beside)
    short = b.icmp_unsigned("<", wanted, code.number(_ETHERNET))
    wanted = b.select(short, code.number(_ETHERNET), wanted)
    failed = b.trunc(_cut(packet, wanted), I32)
    code.jump_if(b.icmp_signed(">=", failed, code.number(0, I32)), on)
    least = code.number(LEAST)
    code.jump_if(b.icmp_unsigned("<=", packet.stored_length(), least), on)
    packet.must(_cut(packet, least), error)
    code.go(on)
    code.enter(on)


def _cut(packet: Packet, length: Value) -> Value:
    code = packet.code
    return code.call(c.SKB_CHANGE_TAIL, packet.pointer, code.b.trunc(length, I32), code.number(0))


def longest(packet: Packet, state: State, commit: Commit) -> Value:
    """The frame's length, or that of its longest segment if it is yet to be segmented.

    Everything set has been written back.
    """
    code, b = state.code, state.code.b
    whole = packet.frame_length()
    size = packet.segment_size()
    headers = code.number(0)
    registry = state.flow.registry
    if "tcp" in registry.layers:
        words = b.shl(state.field("tcp.data_offset"), code.number(2))
        end = b.add(commit.place("tcp"), words)
        headers = b.select(state.present("tcp"), end, headers)
    if "udp" in registry.layers:
        end = b.add(commit.place("udp"), code.number(_UDP))
        headers = b.select(state.present("udp"), end, headers)
    known = b.and_(code.is_set(size), code.is_set(headers))
    headers = b.add(headers, b.shl(packet.tag_present(), code.number(2)))
    segment = b.add(headers, size)
    shorter = b.icmp_unsigned("<", segment, whole)
    return b.select(b.and_(known, shorter), segment, whole)
