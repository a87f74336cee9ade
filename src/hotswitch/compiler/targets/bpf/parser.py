"""The parser's states as code: bounds, checks, the words that the program uses, what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hotswitch.compiler.flow import Word
from hotswitch.compiler.ir import Node, Program
from hotswitch.compiler.targets.bpf.code import I8, I16, I32, I64, POINTER, Code, Value
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import OFFSET, STORED_LENGTH, State
from hotswitch.headers.declaration import Header

PARSE_LIMIT = 256
"""Bytes from the frame's start within which headers' fixed parts are recognised."""

_SIZES = {8: I64, 4: I32, 2: I16, 1: I8}


class Parser:
    """Builds the parse; when it is over, control is in `done`."""

    def __init__(
        self, code: Code, packet: Packet, state: State, program: Program, malformed: Value
    ) -> None:
        self.code = code
        self.packet = packet
        self.state = state
        self.program = program
        self.malformed = malformed
        self.done = code.block("parsed")
        self.truncated = code.block("truncated")
        self.not_there = code.block("optional_not_there")
        self.blocks = {node.label: code.block(f"parse_{node.label}") for node in program.nodes}
        self.by_label = {node.label: node for node in program.nodes}

    def build(self, pull: Callable[[Value], None], annotate: Callable[[object], int]) -> None:
        """Parse; `pull` builds what to do when bytes are not directly readable."""
        self.start = self.packet.data()
        self.end = self.packet.data_end()
        self.limit = self.code.number(PARSE_LIMIT)
        if self.packet.context.tag_beside:
            tag = self.code.b.shl(self.packet.tag_present(), self.code.number(2))
            self.limit = self.code.b.sub(self.limit, tag)
        self.code.go(self.blocks[self.program.nodes[0].label])
        for node in self.program.nodes:
            self.code.enter(self.blocks[node.label])
            with self.code.line(annotate(node.label)):
                self._node(node)
        self.code.enter(self.truncated)
        pull(self.malformed)
        self.code.enter(self.not_there)
        pull(self.done)
        self.code.enter(self.done)

    def _node(self, node: Node) -> None:
        code, b = self.code, self.code.b
        size = node.header.size
        # An optional header that is not there is no fault.
        self.otherwise = self.done if node.header.optional else self.malformed
        if node.offset == 0:
            offset = code.number(0)
            first = self.start
        else:
            offset = self.state.cell(OFFSET)
            # Both bounds: the verifier sees the constant, the packet the one that counts the tag.
            beyond = b.icmp_unsigned(">", offset, code.number(PARSE_LIMIT - size))
            code.jump_if(beyond, self.otherwise)
            if self.packet.context.tag_beside:
                end = b.add(offset, code.number(size))
                code.jump_if(b.icmp_unsigned(">", end, self.limit), self.otherwise)
            first = code.opaque(b.add(self.start, offset))
        over = b.icmp_unsigned(">", b.add(first, code.number(size)), self.end)
        code.jump_if(over, self.not_there if node.header.optional else self.truncated)
        pointer = b.inttoptr(first, POINTER)
        words = {
            index: read_word(code, pointer, index, bits, size)
            for index, bits in self._bits(node).items()
        }
        self._check(node.header, words)
        whole = self._length(node.header, words, offset)
        if node.offset == 0 and self.packet.context.tag_beside:
            self._ethernet(node, words, offset, whole)
        else:
            self._record(node, words, offset)
            self._select(node, words, b.add(offset, whole))

    def _bits(self, node: Node) -> Mapping[int, int]:
        """The words of the header, by index, that are used or needed for parsing itself."""
        found: dict[int, int] = {}
        for word, bits in self.program.uses.bits.items():
            if word.layer in node.layers:
                found[word.index] = found.get(word.index, 0) | bits
        header = node.header
        names = [*header.requires]
        if header.length:
            names.append(header.length.field)
        if header.select and (node.next or header.select.shown_as):
            names += [header.select.by, *header.select.unless]
        for name in filter(None, names):
            for piece in self.state.flow.pieces(f"{header.name}.{name}"):
                found[piece.word.index] = found.get(piece.word.index, 0) | piece.mask
        return found

    def _value(self, header: Header, name: str, words: Mapping[int, Value]) -> Value:
        b = self.code.b
        result = None
        for piece in self.state.flow.pieces(f"{header.name}.{name}"):
            bits = b.lshr(words[piece.word.index], self.code.number(piece.word_shift))
            bits = b.and_(bits, self.code.number((1 << piece.width) - 1))
            bits = b.shl(bits, self.code.number(piece.value_shift))
            result = bits if result is None else b.or_(result, bits)
        return result

    def _check(self, header: Header, words: Mapping[int, Value]) -> None:
        for name, wanted in header.requires.items():
            wrong = self.code.b.icmp_unsigned(
                "!=", self._value(header, name, words), self.code.number(wanted)
            )
            self.code.jump_if(wrong, self.otherwise)

    def _length(self, header: Header, words: Mapping[int, Value], offset: Value) -> Value:
        code, b = self.code, self.code.b
        if header.length is None:
            return code.number(header.size)
        units = self._value(header, header.length.field, words)
        whole = b.add(
            b.mul(units, code.number(header.length.unit)), code.number(header.length.base)
        )
        short = b.icmp_unsigned("<", whole, code.number(header.size))
        code.jump_if(short, self.otherwise)
        beyond = b.icmp_unsigned(">", b.add(offset, whole), self.state.cell(STORED_LENGTH))
        code.jump_if(beyond, self.otherwise)
        return whole

    def _record(self, node: Node, words: Mapping[int, Value], offset: Value) -> None:
        """Record the header in the first of its layers that is free."""
        if len(node.layers) == 1 and len(self._cycle(node)) <= 1:
            self._record_as(node.layers[0], words, offset)
            return
        recorded = self.code.block("recorded")
        for layer in node.layers:
            if not self._is_used(layer):
                continue
            taken = self.code.block("taken")
            free = self.code.block("free")
            self.code.b.cbranch(self.state.present(layer), taken, free)
            self.code.enter(free)
            self._record_as(layer, words, offset)
            self.code.go(recorded)
            self.code.enter(taken)
        self.code.go(recorded)
        self.code.enter(recorded)

    def _cycle(self, node: Node) -> frozenset[str]:
        return self.state.flow.registry.cycles.get(node.header.name, frozenset())

    def _is_used(self, layer: str) -> bool:
        there = self.state.flow.presence(layer)
        used = self.program.uses.bits.get(there.word, 0) & there.mask
        return bool(used) or layer in self.state.tracked

    def _record_as(self, layer: str, words: Mapping[int, Value], offset: Value) -> None:
        for index, value in words.items():
            word = Word(layer, index)
            if self.state.has(word):
                self.state.set_word(word, value)
        if self.state.has(self.state.flow.presence(layer).word):
            self.state.set_presence(layer, 1)
        if layer in self.state.tracked:
            self.state.set_cell(self.state.offset_cell(layer), offset)

    def _select(self, node: Node, words: Mapping[int, Value], after: Value) -> None:
        code = self.code
        select = node.header.select
        if select is None or not (node.next or select.shown_as):
            code.go(self.done)
            return
        key = self._value(node.header, select.by, words) if select.by else code.number(0)
        self._show(select.shown_as, key)
        for name in select.unless:
            code.jump_if(code.is_set(self._value(node.header, name, words)), self.done)
        if node.next:
            self.state.set_cell(OFFSET, after)
        self._branch(node, key)

    def _show(self, name: str, key: Value) -> None:
        if name:
            (piece,) = self.state.flow.pieces(name)
            if self.program.uses.bits.get(piece.word, 0) & piece.mask:
                self.state.set_piece(piece, key)

    def _branch(self, node: Node, key: Value) -> None:
        switch = self.code.b.switch(key, self.done)
        for value, label in node.next.items():
            switch.add_case(self.code.number(value), self.blocks[label])

    def _ethernet(self, node: Node, words: dict[int, Value], offset: Value, whole: Value) -> None:
        """Ethernet where the outermost tag may lie beside the frame."""
        code, b = self.code, self.code.b
        beside, inside = code.block("tag_beside"), code.block("no_tag_beside")
        b.cbranch(code.is_set(self.packet.tag_present()), beside, inside)
        code.enter(inside)
        self._record(node, words, offset)
        self._select(node, words, b.add(offset, whole))
        code.enter(beside)
        inner = self._value(node.header, "type", words)
        tpid = self.packet.tag_ethertype()
        (piece,) = self.state.flow.pieces("ethernet.type")
        index = piece.word.index
        kept = b.and_(words[index], code.number(~piece.mask & (1 << 64) - 1))
        seen = b.or_(kept, b.shl(tpid, code.number(piece.word_shift)))
        self._record(node, {**words, index: seen}, offset)
        self._show("ethertype", tpid)
        tagged = next(
            (self.by_label[label] for key, label in node.next.items() if key == 0x8100), None
        )
        if tagged is None:
            code.go(self.done)
            return
        tag = b.or_(b.shl(self.packet.tag(), code.number(48)), b.shl(inner, code.number(32)))
        self._record(tagged, {0: tag}, code.number(whole.constant - 4))
        self._select(tagged, {0: tag}, whole)


def read_word(code: Code, pointer: Value, index: int, bits: int, size: int) -> Value:
    """Word `index` of the bytes at `pointer`: at least its `bits`, and none beyond `size`.

    Bytes that are not needed are not read and come as zero, or as they are.
    """
    first = 7 - (bits.bit_length() - 1) // 8
    last = 7 - ((bits & -bits).bit_length() - 1) // 8
    there = min(8, size - 8 * index)
    result = None
    b = code.b
    for start, length in _reads(first, last + 1, there):
        value = b.load(code.at(pointer, 8 * index + start), typ=_SIZES[length], align=length)
        if length > 1:
            value = b.bswap(value)
        if length < 8:
            value = b.zext(value, I64)
            shift = 64 - 8 * (start + length)
            if shift:
                value = b.shl(value, code.number(shift))
        result = value if result is None else b.or_(result, value)
    return result


def _reads(first: int, end: int, there: int) -> list[tuple[int, int]]:
    """Aligned (start, length) runs of 8, 4, 2 or 1 bytes that cover first…end within `there`."""
    for length in (1, 2, 4, 8):
        start = first // length * length
        if end <= start + length <= there:
            return [(start, length)]
    middle = 4 if first < 4 < end else first + (2 if end - first > 2 else 1)
    if first < 4 < end:
        return [*_reads(first, 4, there), *_reads(4, end, there)]
    return [*_reads(first, min(middle, end), there), *_reads(min(middle, end), end, there)]
