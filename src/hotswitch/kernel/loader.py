"""From a compiled object to instructions that the kernel can load.

`link` is pure: it lays one program and the functions that it reaches out in one run of instructions
and lists where maps are named. `resolve` puts maps' descriptors there, so one compiled object
can be loaded with other maps; `load` loads it. The kernel's rules: Documentation/bpf/llvm_reloc.rst
and Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotswitch.kernel.btf import SourceLine
from hotswitch.kernel.error import LinkError
from hotswitch.kernel.maps import Map
from hotswitch.kernel.object_file import ObjectFile, Symbol
from hotswitch.kernel.programs import AttachType, Program, ProgramType

_R_BPF_64_64 = 1
_R_BPF_64_32 = 10
"""Kinds of relocation: of an `ld_imm64`, and of a call (llvm_reloc.rst)."""

_CALL = 0x85
_LOAD_IMMEDIATE = 0x18
"""Opcodes: BPF_JMP | BPF_CALL, and BPF_LD | BPF_DW | BPF_IMM (include/uapi/linux/bpf.h)."""

_PSEUDO_MAP = 1
_PSEUDO_CALL = 1
_PSEUDO_FUNCTION = 4
"""What the source register says of the immediate: BPF_PSEUDO_MAP_FD, _CALL, _FUNC."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """The `ld_imm64` at instruction `index` loads the address of the map `name`."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """Instructions `start` to `start + length` come from `offset` bytes into a section."""

    name: str
    section: int
    offset: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Linked:
    """One program, complete but for its maps' descriptors."""

    instructions: bytes
    relocations: tuple[Relocation, ...]
    functions: tuple[Function, ...]

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the maps it uses, each once, in order of first use."""
        return tuple(dict.fromkeys(each.name for each in self.relocations))


def link(compiled: bytes, entry: str = "") -> Linked:
    """Link the program that starts with the function `entry` of an ELF object for BPF.

    entry: may be empty if the object has only one function that is visible outside it.
    Raises LinkError.
    """
    return _Linker(ObjectFile(compiled)).link(entry)


def resolve(linked: Linked, maps: Mapping[str, Map | int]) -> bytes:
    """Return the instructions with the maps' descriptors in place. Raises LinkError."""
    code = bytearray(linked.instructions)
    for each in linked.relocations:
        found = maps.get(each.name)
        if found is None:
            raise LinkError(f"the program names the map {each.name}, which is not there")
        fd = found.fd if isinstance(found, Map) else found
        _set(code, each.index, source=_PSEUDO_MAP, immediate=fd)
    return bytes(code)


def load(
    linked: Linked,
    maps: Mapping[str, Map | int],
    type_: ProgramType,
    *,
    name: str = "",
    expected_attach_type: int = AttachType.NONE,
    log_level: int = 0,
    lines: Sequence[SourceLine] = (),
) -> Program:
    """Resolve and load, with the functions' names. Raises LinkError, VerifierError, KernelError."""
    functions = {each.start: each.name for each in linked.functions}
    return Program.load(
        type_,
        resolve(linked, maps),
        name=name,
        expected_attach_type=expected_attach_type,
        log_level=log_level,
        functions=functions if len(functions) > 1 or lines else {},
        lines=lines,
    )


def programs(compiled: bytes) -> list[str]:
    """The names of an object's functions that are visible outside it. Raises LinkError."""
    return ObjectFile(compiled).visible


class _Linker:
    """Lays functions out as they are reached, then points calls at them."""

    def __init__(self, source: ObjectFile) -> None:
        self.source = source
        self.code = bytearray()
        self.relocations: list[Relocation] = []
        self.functions: dict[tuple[int, int], Function] = {}
        self.references: list[tuple[int, tuple[int, int], int]] = []
        """(instruction, the function that it refers to, pseudo source register)."""

    def link(self, entry: str) -> Linked:
        self._place(self._entry(entry))
        done = 0
        while done < len(self.references):
            _, target, _ = self.references[done]
            if target not in self.functions:
                self._place(self.source.functions[target])
            done += 1
        for index, target, source in self.references:
            distance = self.functions[target].start - index - 1
            _set(self.code, index, source=source, immediate=distance)
        return Linked(bytes(self.code), tuple(self.relocations), tuple(self.functions.values()))

    def _entry(self, name: str) -> Symbol:
        visible = self.source.visible
        if not name and len(visible) != 1:
            raise LinkError(f"the object has {len(visible)} programs, so one must be named")
        wanted = name or visible[0]
        for symbol in self.source.functions.values():
            if symbol.name == wanted and symbol.section in self.source.code:
                return symbol
        raise LinkError(f"the object has no function {wanted}")

    def _place(self, symbol: Symbol) -> None:
        start = len(self.code) // 8
        body = self.source.code[symbol.section][symbol.value : symbol.value + symbol.size]
        if len(body) != symbol.size or not body or len(body) % 8:
            raise LinkError(f"{symbol.name} is not made of whole instructions")
        self.code += body
        place = symbol.section, symbol.value
        self.functions[place] = Function(symbol.name, *place, start, len(body) // 8)
        relocations = self.source.relocations.get(symbol.section, {})
        position = 0
        while position < len(body):
            opcode, registers, _, immediate = struct.unpack_from("<BBhi", body, position)
            offset = symbol.value + position
            index = start + position // 8
            relocation = relocations.get(offset)
            if opcode == _LOAD_IMMEDIATE:
                if position + 16 > len(body):
                    raise LinkError(f"{symbol.name} ends within an instruction")
                if relocation:
                    self._address(index, relocation, immediate)
                position += 16
                continue
            if opcode == _CALL and (relocation or registers >> 4 == _PSEUDO_CALL):
                self._call(index, symbol, offset, relocation, immediate)
            elif relocation:
                raise LinkError(
                    f"{symbol.name} refers to {self._name(relocation[1])} in an odd way"
                )
            position += 8

    def _address(self, index: int, relocation: tuple[int, Symbol], addend: int) -> None:
        kind, target = relocation
        if kind != _R_BPF_64_64:
            raise LinkError(f"relocation of kind {kind} against {self._name(target)}")
        if not target.section:
            self.relocations.append(Relocation(index, target.name))
        elif target.section in self.source.code:
            self._refer(index, target.section, target.value + addend, _PSEUDO_FUNCTION)
        else:
            raise LinkError(
                f"the program uses data of its own ({self._name(target)}): only maps can hold data"
            )

    def _call(
        self,
        index: int,
        caller: Symbol,
        offset: int,
        relocation: tuple[int, Symbol] | None,
        immediate: int,
    ) -> None:
        if relocation is None:  # within the section, already relative
            self._refer(index, caller.section, offset + (immediate + 1) * 8, _PSEUDO_CALL)
            return
        kind, target = relocation
        if kind != _R_BPF_64_32 or target.section not in self.source.code:
            raise LinkError(f"{caller.name} calls {self._name(target)}, which is not there")
        self._refer(index, target.section, target.value + (immediate + 1) * 8, _PSEUDO_CALL)

    def _refer(self, index: int, section: int, offset: int, source: int) -> None:
        if (section, offset) not in self.source.functions:
            raise LinkError(f"no function starts at {self._section(section)}+{offset}")
        self.references.append((index, (section, offset), source))

    def _name(self, symbol: Symbol) -> str:
        return symbol.name or self._section(symbol.section)

    def _section(self, number: int) -> str:
        names = self.source.sections
        return names[number] if number < len(names) else f"section {number}"


def _set(code: bytearray, index: int, *, source: int, immediate: int) -> None:
    position = index * 8
    code[position + 1] = code[position + 1] & 0x0F | source << 4
    struct.pack_into("<i", code, position + 4, immediate)
    if code[position] == _LOAD_IMMEDIATE:
        struct.pack_into("<i", code, position + 12, 0)
