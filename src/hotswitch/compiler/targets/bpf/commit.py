"""Writing back: what actions have set in the flow goes into the frame before it is seen.

Checksums follow by RFC 1624, equation 3. Numbers here are as on the wire, so a sum of 32-bit halves
folds to the sum of 16-bit words.
"""

from __future__ import annotations

from functools import partial

from hotswitch.compiler.flow import WORD, Flow, Piece, Word
from hotswitch.compiler.ir import Program
from hotswitch.compiler.passes.parse import behind_pseudo_header, covering
from hotswitch.compiler.passes.uses import LABELS, TAGS, changes_labels, changes_tags
from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I16, Code, Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.parser import read_word
from hotswitch.compiler.targets.bpf.state import State
from hotswitch.compiler.targets.bpf.tags import commit_tags
from hotswitch.compiler.targets.bpf.tunnel import sets_outer_headers, tell_tunnel
from hotswitch.headers.declaration import Header

_PSEUDO_HEADER = 0x10
_KEEP_ZERO = 0x20
"""Flags of l4_csum_replace (BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0)."""


class Commit:
    """Builds the write-back of everything that a program can set."""

    def __init__(
        self, code: Code, packet: Packet, state: State, flow: Flow, program: Program, error: Value
    ) -> None:
        self.code = code
        self.packet = packet
        self.state = state
        self.flow = flow
        self.program = program
        self.error = error
        written = program.uses.written_layers
        self.layers = tuple(layer for layer in state.tracked if layer in written)
        self.tags = changes_tags(program)
        self.labels_move = changes_labels(program)
        self.outer_headers = sets_outer_headers(program, flow) and not packet.context.whole_data
        self.shows_checksums = any(map(self._shown_checksum, flow.registry.layers))

    def build(self) -> None:
        """Write back whatever is dirty."""
        if self.outer_headers:
            dirty = self.code.b.and_(
                self.state.cell(cells.DIRTY), self.code.number(cells.TUNNEL_DIRTY)
            )
            self.code.when(
                self.code.is_set(dirty),
                lambda: tell_tunnel(self.packet, self.state, self.error),
                "outer_headers",
            )
        if self.tags:
            dirty = self.code.b.and_(
                self.state.cell(cells.DIRTY), self.code.number(cells.TAGS_DIRTY)
            )
            self.code.when(
                self.code.is_set(dirty),
                lambda: commit_tags(self.code, self.packet, self.state, self.error),
                "tags",
            )
        for layer in self.layers:
            bit = self.code.number(self.state.dirty_bit(layer))
            dirty = self.code.b.and_(self.state.cell(cells.DIRTY), bit)
            self.code.when(self.code.is_set(dirty), partial(self._write, layer), layer)

    def build_if_told_apart(self) -> None:
        """Write back where only checksums tell when it is done: what is set of one afterwards, and
        what matches see of it."""
        if self.shows_checksums:
            self.build()

    def place(self, layer: str) -> Value:
        """Where a tracked layer is in the packet's memory now: what came or went since lies
        before it."""
        b = self.code.b
        if layer == "ethernet":
            return self.code.number(0)
        if layer in LABELS and self.labels_move:
            return self._label_place(LABELS.index(layer))
        moved = b.sub(self.packet.stored_length(), self.state.cell(cells.STORED_LENGTH))
        place = b.add(self.state.cell(self.state.offset_cell(layer)), moved)
        return b.and_(place, self.code.number(0xFFFF))

    def _label_place(self, index: int) -> Value:
        """A label that an action may have put on is found behind the tags."""
        b, number = self.code.b, self.code.number
        tags = b.add(self.state.presence(TAGS[0]), self.state.presence(TAGS[1]))
        if self.packet.context.tag_beside:
            tags = b.sub(tags, self.packet.tag_present())
        return b.add(number(14 + 4 * index), b.shl(b.and_(tags, number(3)), number(2)))

    def _write(self, layer: str) -> None:
        code, b, state = self.code, self.code.b, self.state
        header = self.flow.registry.layers[layer].header
        buffer = code.reserve_once("header", 64)
        place = self.place(layer)
        size = code.number(header.size)
        self.packet.read(place, buffer, size, self.error)
        old, new = {}, {}
        for index in range(-(-header.size // 8)):
            length = min(8, header.size - 8 * index)
            whole = ((1 << 8 * length) - 1) << WORD - 8 * length
            old[index] = read_word(code, buffer, index, whole, header.size)
            mask = self.program.uses.written.get(Word(layer, index), 0)
            new[index] = old[index]
            if mask:
                kept = b.and_(old[index], code.number(~mask & (1 << WORD) - 1))
                set_ = b.and_(state.word(Word(layer, index)), code.number(mask))
                new[index] = b.or_(kept, set_)
        checksum = header.checksum
        own = checksum is not None and (
            not checksum.pseudo_header or self.packet.context.whole_data
        )
        if own:
            self._own_checksum(header, old, new)
        for index, value in new.items():
            self._put(buffer, index, value, header.size)
        self.packet.write(place, buffer, size, self.error)
        if checksum and not own:
            difference = self._difference(old, new, self._but_checksum(header))
            self._follow(layer, place, difference, 0)
        if piece := self._shown_checksum(layer):
            self._read_checksum(piece, layer, place)
        if header.addresses and self._addresses_set(layer, header):
            difference = self._difference(old, new, self._addresses(header))
            for behind in behind_pseudo_header(self.flow.registry, header):
                for name, other in self.flow.registry.layers.items():
                    if other.header.name == behind and name in state.tracked:
                        self._when_present(name, difference)
        self._tell_covering(layer, header, old, new)
        state.unmark(state.dirty_bit(layer))

    def _when_present(self, layer: str, difference: Value) -> None:
        self.code.when(
            self.state.present(layer),
            lambda: self._follow_another(layer, difference, _PSEUDO_HEADER),
        )

    def _tell_covering(
        self, layer: str, header: Header, old: dict[int, Value], new: dict[int, Value]
    ) -> None:
        """Checksums further out that cover this layer as payload follow."""
        outer = covering(self.flow.registry, header)
        names = [
            name
            for name, other in self.flow.registry.layers.items()
            if other.header.name in outer and name in self.state.tracked
        ]
        if not names:
            return
        everything = dict.fromkeys(old, (1 << WORD) - 1)
        difference = self._difference(old, new, everything)
        for name in names:
            self.code.when(
                self.state.present(name),
                partial(self._follow_payload, name, layer, difference),
            )

    def _follow_payload(self, outer: str, layer: str, difference: Value) -> None:
        """At an odd distance the bytes stand in the other half of each 16-bit word."""
        b = self.code.b
        place = self.place(outer)
        odd = b.and_(b.sub(self.place(layer), place), self.code.number(1))
        swapped = self.packet.swap16(difference)
        turned = b.select(self.code.is_set(odd), swapped, difference)
        self._follow_another(outer, turned, 0)

    # checksums

    def _follow_another(self, layer: str, difference: Value, flags: int) -> None:
        """Let the checksum of a layer that is not being written follow a difference: the one in the
        frame, which may have been set meanwhile, and with it the flow's."""
        place = self.place(layer)
        piece = self._shown_checksum(layer)
        if piece is not None:
            self._write_checksum(piece, layer, place)
        self._follow(layer, place, difference, flags)
        if piece is not None:
            self._read_checksum(piece, layer, place)

    def _shown_checksum(self, layer: str) -> Piece | None:
        """Where the flow has a layer's checksum, if the program matches, sets or copies it."""
        checksum = self.flow.registry.layers[layer].header.checksum
        if checksum is None or not self.state.uses(name := f"{layer}.{checksum.field}"):
            return None
        (piece,) = self.flow.pieces(name)
        return piece

    def _read_checksum(self, piece: Piece, layer: str, place: Value) -> None:
        """Let the flow have the checksum that is in the frame now."""
        buffer = self.code.reserve_once("checksum", 8)
        at = self._checksum_place(layer, place)
        self.packet.read(at, buffer, self.code.number(2), self.error)
        self.state.set_piece(piece, self.packet.swap16(self.code.load(buffer, 0, I16)))

    def _write_checksum(self, piece: Piece, layer: str, place: Value) -> None:
        """Let the frame have what was set of a checksum."""
        mask = self.program.uses.written.get(piece.word, 0) & piece.mask
        if not mask:
            return
        code, b = self.code, self.code.b
        buffer = code.reserve_once("checksum", 8)
        at, two, narrow = (
            self._checksum_place(layer, place),
            code.number(2),
            mask >> piece.word_shift,
        )
        self.packet.read(at, buffer, two, self.error)
        before = self.packet.swap16(code.load(buffer, 0, I16))
        kept = b.and_(before, code.number(~narrow & 0xFFFF))
        after = b.or_(kept, b.and_(self.state.piece(piece), code.number(narrow)))
        code.store(buffer, 0, self.packet.swap16(after), I16)
        self.packet.write(at, buffer, two, self.error)

    def _checksum_place(self, layer: str, place: Value) -> Value:
        header = self.flow.registry.layers[layer].header
        assert header.checksum
        offset = header.offsets[header.checksum.field] // 8
        return self.code.b.add(place, self.code.number(offset))

    def _but_checksum(self, header: Header) -> dict[int, int]:
        """All bits of the header, by word, but those of its checksum."""
        bits = dict.fromkeys(range(-(-header.size // 8)), (1 << WORD) - 1)
        if header.checksum:
            (piece,) = self.flow.pieces(f"{header.name}.{header.checksum.field}")
            bits[piece.word.index] &= ~piece.mask
        return bits

    def _addresses(self, header: Header) -> dict[int, int]:
        bits: dict[int, int] = {}
        for name in header.addresses:
            for piece in self.flow.pieces(f"{header.name}.{name}"):
                bits[piece.word.index] = bits.get(piece.word.index, 0) | piece.mask
        return bits

    def _addresses_set(self, layer: str, header: Header) -> bool:
        return any(
            self.program.uses.written.get(Word(layer, index), 0) & mask
            for index, mask in self._addresses(header).items()
        )

    def _difference(
        self, old: dict[int, Value], new: dict[int, Value], bits: dict[int, int]
    ) -> Value:
        """Σ~m + Σm' over these bits, folded to 16 bits."""
        b, number = self.code.b, self.code.number
        total = number(0)
        for index, mask in bits.items():
            before = b.and_(b.xor(old[index], number((1 << WORD) - 1)), number(mask))
            for value in (before, b.and_(new[index], number(mask))):
                total = b.add(total, b.lshr(value, number(32)))
                total = b.add(total, b.and_(value, number(0xFFFFFFFF)))
        return self._fold(total)

    def _fold(self, total: Value) -> Value:
        """A sum of fewer than 2**15 32-bit numbers as 16 bits, carries added in again."""
        b, number = self.code.b, self.code.number
        for _ in range(4):
            low = b.and_(total, number(0xFFFF))
            total = b.add(low, b.lshr(total, number(16)))
        return total

    def _updated(self, before: Value, difference: Value, keep_zero: bool) -> Value:
        """The checksum after a difference."""
        b, number = self.code.b, self.code.number
        total = self._fold(b.add(b.xor(before, number(0xFFFF)), difference))
        after = b.xor(total, number(0xFFFF))
        if not keep_zero:
            return after
        is_zero = b.icmp_unsigned("==", after, number(0))
        after = b.select(is_zero, number(0xFFFF), after)
        return b.select(b.icmp_unsigned("==", before, number(0)), number(0), after)

    def _own_checksum(self, header: Header, old: dict[int, Value], new: dict[int, Value]) -> None:
        b = self.code.b
        assert header.checksum
        difference = self._difference(old, new, self._but_checksum(header))
        (piece,) = self.flow.pieces(f"{header.name}.{header.checksum.field}")
        word = new[piece.word.index]
        before = b.and_(b.lshr(word, self.code.number(piece.word_shift)), self.code.number(0xFFFF))
        after = self._updated(before, difference, header.checksum.zero_is_none)
        kept = b.and_(word, self.code.number(~piece.mask & (1 << WORD) - 1))
        placed = b.shl(after, self.code.number(piece.word_shift))
        new[piece.word.index] = b.or_(kept, placed)

    def _follow(self, layer: str, place: Value, difference: Value, flags: int) -> None:
        """Let a checksum in the frame follow a difference."""
        code, b = self.code, self.code.b
        header = self.flow.registry.layers[layer].header
        assert header.checksum
        at = self._checksum_place(layer, place)
        if self.packet.context.whole_data:
            buffer = code.reserve_once("checksum", 8)
            two = code.number(2)
            self.packet.read(at, buffer, two, self.error)
            before = self.packet.swap16(code.load(buffer, 0, I16))
            after = self._updated(before, difference, header.checksum.zero_is_none)
            code.store(buffer, 0, self.packet.swap16(after), I16)
            self.packet.write(at, buffer, two, self.error)
            return
        if header.checksum.zero_is_none:
            flags |= _KEEP_ZERO
        result = code.call(
            c.L4_CSUM_REPLACE,
            self.packet.pointer,
            b.trunc(at, c.I32),
            code.number(0),
            self.packet.swap16(difference),
            code.number(flags),
        )
        self.packet.must(result, self.error)

    def _put(self, buffer: Value, index: int, value: Value, size: int) -> None:
        """Store a word's bytes, those within `size`, as on the wire."""
        code, b = self.code, self.code.b
        start = 0
        there = min(8, size - 8 * index)
        while start < there:
            length = next(
                each for each in (8, 4, 2, 1) if each <= there - start and start % each == 0
            )
            part = b.lshr(value, code.number(WORD - 8 * (start + length)))
            kind = {8: c.I64, 4: c.I32, 2: c.I16, 1: c.I8}[length]
            part = part if length == 8 else b.trunc(part, kind)
            code.store(buffer, 8 * index + start, part if length == 1 else b.bswap(part), kind)
            start += length
