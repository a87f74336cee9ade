"""The running program's own memory: the flow's words, and cells for what else it must remember.

It lies in a map, not on the stack: the verifier then knows nothing of the values, and the many
ways through a parser stay few states. It is one a CPU, and a program runs to its end on one.
"""

from __future__ import annotations

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import WORD, Flow, Piece, Word
from hotswitch.compiler.ir import Program
from hotswitch.compiler.passes.layout import START
from hotswitch.compiler.targets.bpf.code import Code, Value
from hotswitch.compiler.targets.bpf.layout import SCRATCH_SIZE
from hotswitch.headers.registry import FieldKind

OFFSET = 0
"""Where the parser stands, in bytes of the packet's memory."""
STORED_LENGTH = 8
"""The length of the packet's memory when it came in."""
TAGS = 16
"""How many of the frame's tags are recorded ones."""
DIRTY = 24
"""What was set and not yet written back, a bit for each of `State.tracked`; see TAGS_DIRTY and
TUNNEL_DIRTY."""
ACTED = 32
"""Not zero once the packet went anywhere."""
NOW = 40
FRAME_LENGTH = 48
PATH_LENGTH = 56
MALFORMED = 64
_OFFSETS = 72
PATH = 704
"""XDP: the slots of the entries met so far (u32)."""
PATH_LIMIT = 64
TUNNEL = 964
"""tcx: a `kernel.tunnel_key`. Its addresses are at multiples of 8."""
RECIRCULATIONS = 696
"""tcx: how often the packet was looked up again. Then `PATH` is for what is handed on meanwhile, to
here:"""
HANDED_ON_END = 960

TAGS_DIRTY = 1 << 63
TUNNEL_DIRTY = 1 << 62


class State:
    """Access to the scratch memory of one program. end: behind it nothing is in use."""

    def __init__(self, code: Code, flow: Flow, program: Program, tracked: tuple[str, ...]) -> None:
        self.code = code
        self.flow = flow
        self.program = program
        self.tracked = tracked
        self.memory: Value = None
        self.end = max(program.places.values(), default=START) + 8
        if self.end > SCRATCH_SIZE or len(tracked) > (RECIRCULATIONS - _OFFSETS) // 8:
            raise CompileError("the pipeline looks at too many headers at once")

    def cell(self, offset: int) -> Value:
        """Read a cell."""
        return self.code.load(self.memory, offset)

    def set_cell(self, offset: int, value: Value | int) -> None:
        """Write a cell."""
        self.code.store(
            self.memory, offset, self.code.number(value) if isinstance(value, int) else value
        )

    def offset_cell(self, layer: str) -> int:
        """Where the offset of a tracked layer is kept."""
        return _OFFSETS + 8 * self.tracked.index(layer)

    def dirty_bit(self, layer: str) -> int:
        """The bit of a tracked layer in DIRTY."""
        return 1 << self.tracked.index(layer)

    def mark(self, bits: int) -> None:
        """Set bits in DIRTY."""
        self.set_cell(DIRTY, self.code.b.or_(self.cell(DIRTY), self.code.number(bits)))

    def unmark(self, bits: int) -> None:
        """Take bits out of DIRTY."""
        kept = self.code.number(~bits & (1 << WORD) - 1)
        self.set_cell(DIRTY, self.code.b.and_(self.cell(DIRTY), kept))

    # words and fields

    def has(self, word: Word) -> bool:
        """Whether the program uses a word."""
        return word in self.program.places

    def uses(self, name: str) -> bool:
        """Whether the program uses any of a field's bits."""
        bits = self.program.uses.bits
        return any(bits.get(piece.word, 0) & piece.mask for piece in self.flow.pieces(name))

    def word(self, word: Word) -> Value:
        """Read a word of the flow."""
        return self.code.load(self.memory, self.program.places[word])

    def set_word(self, word: Word, value: Value) -> None:
        """Write a word of the flow."""
        self.code.store(self.memory, self.program.places[word], value)

    def piece(self, piece: Piece) -> Value:
        """A piece's bits, right-aligned."""
        b = self.code.b
        shifted = b.lshr(self.word(piece.word), self.code.number(piece.word_shift))
        return b.and_(shifted, self.code.number((1 << piece.width) - 1))

    def set_piece(self, piece: Piece, value: Value) -> None:
        """Put right-aligned bits in a piece's place."""
        b = self.code.b
        bits = b.and_(value, self.code.number((1 << piece.width) - 1))
        placed = b.shl(bits, self.code.number(piece.word_shift))
        self.merge(piece.word, piece.mask, placed)

    def merge(self, word: Word, mask: int, placed: Value) -> None:
        """Replace the bits of `mask` in a word; `placed` has no others."""
        b = self.code.b
        kept = b.and_(self.word(word), self.code.number(~mask & (1 << 64) - 1))
        self.set_word(word, b.or_(kept, placed))

    def field(self, name: str) -> Value:
        """A field, or the low 64 bits of one that is wider."""
        b = self.code.b
        result = None
        for piece in self.flow.pieces(name):
            if piece.value_shift >= WORD:
                continue
            part = b.shl(self.piece(piece), self.code.number(piece.value_shift))
            result = part if result is None else b.or_(result, part)
        return result

    def set_field_quietly(self, name: str, value: Value) -> None:
        """Set a field to 64 bits, above them 0, in the flow; the frame has this value already."""
        for piece in self.flow.pieces(name):
            if piece.value_shift >= WORD:
                self.set_piece(piece, self.code.number(0))
                continue
            shifted = self.code.b.lshr(value, self.code.number(piece.value_shift))
            self.set_piece(piece, shifted)

    def set_field(self, name: str, value: Value) -> None:
        """Set a field to 64 bits, above them 0; its layer is present."""
        self.set_field_quietly(name, value)
        layer = self.flow.field(name).layer
        if layer and self.flow.field(name).kind is FieldKind.HEADER:
            self.mark_layer(layer)

    def mark_layer(self, layer: str) -> None:
        """Note that a layer was set."""
        if layer in ("vlan", "vlan2"):
            self.mark(TAGS_DIRTY)
        else:
            self.mark(self.dirty_bit(layer))

    def present(self, layer: str) -> Value:
        """Whether a layer is present (a truth value)."""
        return self.code.is_set(self.presence(layer))

    def presence(self, layer: str) -> Value:
        """1 if a layer is present."""
        return self.piece(self.flow.presence(layer))

    def set_presence(self, layer: str, value: Value | int) -> None:
        """Say whether a layer is present: 0 or 1."""
        piece = self.flow.presence(layer)
        if value == 1 and isinstance(value, int):
            bits = self.code.b.or_(self.word(piece.word), self.code.number(piece.mask))
            self.set_word(piece.word, bits)
            return
        self.set_piece(piece, self.code.number(value) if isinstance(value, int) else value)
