"""Looking a packet up again: another program begins with it, and with the fields beside it.

What is beside the packet lies at fixed places meanwhile, for the next program may be one of another
shape.
"""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow, Word
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import Value
from hotswitch.compiler.targets.bpf.hook import AGAIN, Packet
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.model.action import MOST_RECIRCULATIONS


def recirculate(packet: Packet, state: State, number: Value, verdict: Mapping[str, Value]) -> None:
    """Begin again with this `recirc_id`. Everything set has been written back."""
    code, b = state.code, state.code.b
    count = b.add(state.cell(cells.RECIRCULATIONS), code.number(1))
    many = b.icmp_unsigned(">", count, code.number(MOST_RECIRCULATIONS))
    code.jump_if(many, verdict["error"])
    state.set_cell(cells.RECIRCULATIONS, count)
    state.set_field_quietly("recirc_id", number)
    for word in _handed_on(state.flow):
        value = state.word(word) if state.has(word) else code.number(0)
        state.set_cell(_place(word), value)
    code.call(c.TAIL_CALL, packet.pointer, code.map(AGAIN.programs), code.number(0))
    code.go(verdict["error"])


def take_over(state: State) -> None:
    """The fields beside the packet are what they were before."""
    for word in _handed_on(state.flow):
        if state.has(word):
            state.set_word(word, state.cell(_place(word)))


def _handed_on(flow: Flow) -> list[Word]:
    """The words of fields that the parser does not find."""
    (first,) = flow.pieces("metadata")
    words = sorted(word for word in flow.beside_words() if word.index >= first.word.index)
    if _place(words[-1]) + 8 > cells.HANDED_ON_END:
        raise CompileError("there are too many fields beside the packet")
    return words


def _place(word: Word) -> int:
    return cells.PATH + 8 * word.index
