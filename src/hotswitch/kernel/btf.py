"""The least BTF that a program needs: its functions' names, and the lines that it came from.

The verifier asks for it where a function's address is taken (bpf_loop), and quotes the lines in its
log (Documentation/bpf/btf.rst).
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotswitch.kernel.syscall import Command, bpf

_MAGIC = 0xEB9F
_KIND_INT = 1
_KIND_FUNC = 12
_KIND_FUNC_PROTO = 13
_INT, _PROTOTYPE, _FIRST_FUNCTION = 1, 2, 3
_COLUMN_BITS = 10


@dataclass(frozen=True, slots=True)
class SourceLine:
    """From the instruction `index` on, the code comes from this line of `file`."""

    index: int
    number: int
    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Btf:
    """What BPF_PROG_LOAD takes: types, and records of functions and of lines."""

    types: bytes
    functions: bytes
    lines: bytes


FUNCTION_RECORD_SIZE = 8
LINE_RECORD_SIZE = 16


def encode(functions: Mapping[int, str], lines: Sequence[SourceLine] = ()) -> Btf:
    """Describe functions, by the index of their first instruction, and lines, in order."""
    strings = _Strings()
    types = [
        struct.pack("<IIII", strings.add("int"), _KIND_INT << 24, 4, 1 << 24 | 32),
        # No parameters: the verifier finds static functions' arguments out for itself.
        struct.pack("<III", 0, _KIND_FUNC_PROTO << 24, _INT),
    ]
    function_records = []
    for number, (index, name) in enumerate(sorted(functions.items())):
        types.append(
            struct.pack("<III", strings.add(_identifier(name)), _KIND_FUNC << 24, _PROTOTYPE)
        )
        function_records.append(struct.pack("<II", index, _FIRST_FUNCTION + number))
    line_records = [
        struct.pack(
            "<IIII",
            line.index,
            strings.add(line.file),
            strings.add(line.text),
            line.number << _COLUMN_BITS,
        )
        for line in lines
    ]
    body = b"".join(types)
    names = strings.data
    header = struct.pack("<HBBIIIII", _MAGIC, 1, 0, 24, 0, len(body), len(body), len(names))
    return Btf(header + body + names, b"".join(function_records), b"".join(line_records))


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]|^(?=[0-9])", "_", name) or "_"


class _Strings:
    def __init__(self) -> None:
        self._offsets = {"": 0}
        self._parts = [b"\0"]
        self._size = 1

    def add(self, text: str) -> int:
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = self._size
            # The kernel wants printable ASCII.
            safe = "".join(each if " " <= each <= "~" else "?" for each in text)
            part = safe.encode() + b"\0"
            self._parts.append(part)
            self._size += len(part)
        return offset

    @property
    def data(self) -> bytes:
        return b"".join(self._parts)


class _LoadAttributes(ctypes.Structure):
    _fields_ = (
        ("types", ctypes.c_char_p),
        ("log", ctypes.c_uint64),
        ("size", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_level", ctypes.c_uint32),
    )


def load(btf: Btf) -> int:
    """Load the types; return a descriptor. Raises KernelError."""
    attributes = _LoadAttributes(btf.types, 0, len(btf.types))
    return bpf(Command.BTF_LOAD, attributes, "load a program's BTF")
