"""What a compiled object holds: code, symbols, relocations. It knows ELF, not BPF's rules.

The format is that of the System V ABI (chapter 4, object files), as LLVM writes it for BPF:
Documentation/bpf/llvm_reloc.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from hotswitch.kernel.error import LinkError

_EXECUTABLE = 4
"""SHF_EXECINSTR."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for a place; `value` is its offset in the section, `size` its length, in bytes."""

    name: str
    section: int
    """The section's number, or 0 if undefined."""
    value: int
    size: int
    kind: str
    """STT_FUNC, STT_SECTION, STT_NOTYPE, STT_OBJECT."""
    binding: str


class ObjectFile:
    """What linking needs of an ELF object for BPF.

    compiled: the file's content. Raises LinkError if it is no such object.
    sections: the names of all sections. code: the content of those with instructions, by number.
    relocations: kind and target by section and offset into it, in bytes.
    functions: by section and offset.
    """

    def __init__(self, compiled: bytes) -> None:
        try:
            elf = ELFFile(BytesIO(compiled))
            if elf["e_machine"] != "EM_BPF" or not elf.little_endian:
                raise LinkError("the object is not for little-endian BPF")
            self.sections: list[str] = [section.name for section in elf.iter_sections()]
            self.code: dict[int, bytes] = {
                number: section.data()
                for number, section in enumerate(elf.iter_sections())
                if section["sh_type"] == "SHT_PROGBITS" and section["sh_flags"] & _EXECUTABLE
            }
            table = next(s for s in elf.iter_sections() if isinstance(s, SymbolTableSection))
            symbols = [_symbol(each) for each in table.iter_symbols()]
            self.relocations: dict[int, dict[int, tuple[int, Symbol]]] = {}
            for section in elf.iter_sections():
                if isinstance(section, RelocationSection):
                    self.relocations[section["sh_info"]] = {
                        each["r_offset"]: (each["r_info_type"], symbols[each["r_info_sym"]])
                        for each in section.iter_relocations()
                    }
        except LinkError:
            raise
        except Exception as error:  # pyelftools raises whatever comes of damaged input
            raise LinkError(f"the object can't be read: {str(error) or 'no symbols'}") from None
        self.functions = {
            (each.section, each.value): each for each in symbols if each.kind == "STT_FUNC"
        }

    @property
    def visible(self) -> list[str]:
        """The names of the functions that others may call."""
        return [
            each.name
            for each in self.functions.values()
            if each.binding == "STB_GLOBAL" and each.section in self.code
        ]


def _symbol(entry: Any) -> Symbol:
    number = entry["st_shndx"]
    return Symbol(
        entry.name,
        number if isinstance(number, int) else 0,
        entry["st_value"],
        entry["st_size"],
        entry["st_info"]["type"],
        entry["st_info"]["bind"],
    )
