"""Fields of the flow set and copied; those of a header only where the header is present."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hotswitch.compiler.flow import Flow, Word
from hotswitch.compiler.passes.uses import copied_width
from hotswitch.compiler.targets.bpf.code import Value
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.headers.registry import FieldKind
from hotswitch.model.action import CopyField


def if_there(state: State, name: str, then: Callable[[], None]) -> None:
    """Build `then` for packets that have the field: all, if it is beside the packet."""
    info = state.flow.field(name)
    if info.kind is FieldKind.HEADER:
        state.code.when(state.present(info.layer), then)
    else:
        then()


def set_field(state: State, name: str, mask: int, operands: Sequence[Callable[[], Value]]) -> None:
    """Set the field's bits under the mask; an operand for each of its pieces builds the value."""

    def then() -> None:
        for piece, operand in zip(state.flow.pieces(name), operands, strict=True):
            if bits := piece.place(mask):
                state.merge(piece.word, bits, operand())
        _mark(state, name)

    if_there(state, name, then)


def copy_field(state: State, action: CopyField) -> None:
    """Copy run by run; all are read before one is written, as the fields can be the same."""
    b, number = state.code.b, state.code.number

    def then() -> None:
        moved = []
        for source, start, target, end, width in _runs(state.flow, action):
            mask = (1 << width) - 1
            bits = b.and_(b.lshr(state.word(source), number(start)), number(mask))
            moved.append((target, mask << end, b.shl(bits, number(end))))
        for word, mask, placed in moved:
            state.merge(word, mask, placed)
        _mark(state, action.target)

    if_there(state, action.target, then)


def _runs(flow: Flow, action: CopyField) -> Iterator[tuple[Word, int, Word, int, int]]:
    """Runs of bits that lie in one piece of the source and one of the target.

    Each with the source's word and the run's lowest bit in it, the target's, and the bits' number.
    """
    width = copied_width(flow, action)
    for source in flow.pieces(action.source):
        for target in flow.pieces(action.target):
            # How far the pieces' lowest bits are into what is copied.
            from_bit = source.value_shift - action.source_bit
            to_bit = target.value_shift - action.target_bit
            low = max(from_bit, to_bit, 0)
            high = min(from_bit + source.width, to_bit + target.width, width)
            if low < high:
                start = source.word_shift + low - from_bit
                end = target.word_shift + low - to_bit
                yield source.word, start, target.word, end, high - low


def _mark(state: State, name: str) -> None:
    """Have a header's field written back."""
    info = state.flow.field(name)
    if info.kind is FieldKind.HEADER:
        state.mark_layer(info.layer)
