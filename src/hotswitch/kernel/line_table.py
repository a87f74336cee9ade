"""Which line of source each instruction came from, out of the compiler's DWARF."""

from __future__ import annotations

import struct
from bisect import bisect_right
from io import BytesIO

from elftools.elf.elffile import ELFFile

from hotswitch.kernel.loader import Linked

_R_BPF_64_ABS64 = 2
_SECTION_SHIFT = 32


def line_table(compiled: bytes, linked: Linked) -> dict[int, int]:
    """Return the line number by instruction of `linked`, which came from the object `compiled`.

    Instructions that came from no line are left out; all of them, without debug information.
    """
    try:
        rows = _rows(compiled)
    except Exception:  # pyelftools raises whatever comes of damaged DWARF; people just see less
        return {}
    addresses = sorted(rows)
    table = {}
    for function in linked.functions:
        first = function.section << _SECTION_SHIFT | function.offset
        for number in range(function.length):
            row = bisect_right(addresses, first + number * 8) - 1
            line = rows[addresses[row]] if row >= 0 else 0
            if line:
                table[function.start + number] = line
    return table


def _rows(compiled: bytes) -> dict[int, int]:
    """From which address on which line; 0 is none."""
    elf = ELFFile(BytesIO(compiled))
    if not elf.has_dwarf_info():
        return {}
    information = elf.get_dwarf_info(relocate_dwarf_sections=False)
    section = information.debug_line_sec
    if section is None:
        return {}
    section.stream.seek(0)
    patched = BytesIO(_relocated(elf, section.stream.read()))
    information.debug_line_sec = section._replace(stream=patched)
    rows: dict[int, int] = {}
    for unit in information.iter_CUs():
        program = information.line_program_for_CU(unit)
        for each in program.get_entries() if program else ():
            state = each.state
            if state and state.end_sequence:
                rows.setdefault(state.address, 0)
            elif state:
                rows[state.address] = state.line
    return rows


def _relocated(elf: ELFFile, data: bytes) -> bytes:
    """The line programs with `section << 32 | offset` for addresses.

    As they are, addresses count from the start of a section that only the relocation names.
    """
    relocations = elf.get_section_by_name(".rel.debug_line")
    if relocations is None:
        return data
    patched = bytearray(data)
    symbols = elf.get_section(relocations["sh_link"])
    for each in relocations.iter_relocations():
        if each["r_info_type"] != _R_BPF_64_ABS64:
            continue
        symbol = symbols.get_symbol(each["r_info_sym"])
        (addend,) = struct.unpack_from("<Q", patched, each["r_offset"])
        address = symbol["st_shndx"] << _SECTION_SHIFT | symbol["st_value"] + addend
        struct.pack_into("<Q", patched, each["r_offset"], address)
    return bytes(patched)
