"""Copies to user space: records in a ring buffer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llvmlite import ir

from hotswitch.compiler.flow import Flow, Word
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I16, I32, POINTER, Code, Value
from hotswitch.compiler.targets.bpf.counting import Counting
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tunnel import FIELDS, is_read_first, read_tunnel
from hotswitch.headers.meta import META


def copy_to_user(
    code: Code,
    packet: Packet,
    state: State,
    counting: Counting,
    in_port: Value,
    table: int,
    cookie: Value,
    asked: Value,
    fields: tuple[str, ...],
) -> None:
    """Copy the frame; asked: reason in the low, most bytes in the high 32 bits. fields: those
    beside the packet that go with it."""
    outer = FIELDS.intersection(fields) and not is_read_first(state.program, state.flow)
    if outer and not packet.context.whole_data:
        read_tunnel(packet, state)
    words = carried_words(state.flow, fields)
    tail = carried_size(len(words))
    b, number = code.b, code.number
    state.set_cell(cells.ACTED, 1)
    most = b.lshr(asked, number(32))
    stored = packet.stored_length()
    wanted = b.select(b.icmp_unsigned("<", stored, most), stored, most)
    on = code.block("copied")
    lost = code.block("lost")
    for size in memory.COPY_SIZES:
        here, larger = code.block("copy"), code.block("copy_larger")
        if size == memory.COPY_SIZES[-1]:
            code.go(here)
        else:
            b.cbranch(b.icmp_unsigned("<=", wanted, number(size)), here, larger)
        code.enter(here)
        total = number(memory.COPY_HEAD.size + tail + size)
        record = code.call(
            c.RINGBUF_RESERVE, code.map(memory.COPIES), total, number(0), returns=POINTER
        )
        code.jump_if(b.icmp_unsigned("==", record, ir.Constant(POINTER, None)), lost)
        code.store(record, 0, packet.frame_length(), I32)
        code.store(record, 4, wanted, I32)
        code.store(record, 8, in_port, I32)
        code.store(record, 12, b.and_(asked, number(0xFFFFFFFF)), I32)
        code.store(record, 16, cookie)
        code.store(record, 24, number(table | (memory.COPY_CARRIES if words else 0)), I32)
        code.store(record, 36, most, I32)
        _tag(code, packet, record)
        _fields(state, record, fields)
        _bytes(code, packet, record, wanted, size, tail)
        code.call(c.RINGBUF_SUBMIT, record, number(0))
        code.go(on)
        code.enter(larger)
    b.unreachable()
    code.enter(lost)
    counting.total("lost")
    code.go(on)
    code.enter(on)


def _tag(code: Code, packet: Packet, record: Value) -> None:
    if not packet.context.tag_beside:
        code.store(record, 28, code.number(0))
        return
    code.store(record, 28, packet.tag(), I16)
    code.store(record, 30, packet.tag_present(), I16)
    code.store(record, 32, packet.tag_ethertype(), I32)


def carried_words(flow: Flow, fields: Iterable[str]) -> list[Word]:
    """The words that these fields beside the packet are in."""
    return sorted({piece.word for name in fields for piece in flow.pieces(name)})


def carried_size(words: int) -> int:
    """Bytes between a record's head and its frame, for so many words."""
    return 8 * (words + 1) if words else 0


def _fields(state: State, record: Value, fields: Sequence[str]) -> None:
    """Which fields there are, and the words that they are in."""
    if not fields:
        return
    code = state.code
    which = sum(1 << place for place, field in enumerate(META) if field.name in fields)
    code.store(record, memory.COPY_HEAD.size, code.number(which))
    words = carried_words(state.flow, fields)
    for place, word in enumerate(words, start=1):
        code.store(record, memory.COPY_HEAD.size + 8 * place, state.word(word))


def _bytes(code: Code, packet: Packet, record: Value, wanted: Value, size: int, tail: int) -> None:
    """Copy the bytes; none if they can't be read (the record then says so: captured 0)."""
    b, number = code.b, code.number
    bounded = code.opaque(wanted)
    ready = code.block("ready")
    code.jump_if(b.icmp_unsigned(">", bounded, number(size)), ready)
    # Before Linux 6.8 the verifier learns from "less than one", but not from "not zero"; LLVM would
    # make the second of the first if it saw the one.
    code.jump_if(b.icmp_unsigned("<", bounded, code.opaque(number(1))), ready)
    target = code.at(record, memory.COPY_HEAD.size + tail)
    helper = c.XDP_LOAD_BYTES if packet.context.whole_data else c.SKB_LOAD_BYTES
    result = code.call(helper, packet.pointer, number(0, I32), target, bounded)
    code.when(code.is_set(result), lambda: code.store(record, 4, number(0), I32), "unread")
    code.go(ready)
    code.enter(ready)
