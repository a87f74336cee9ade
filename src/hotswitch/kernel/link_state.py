"""Where the kernel keeps whether a link works, for programs that look there before they send.

A program has no name for another link than its own, but may read any memory of the kernel
(bpf_probe_read_kernel). So user space finds a link's memory: it has a program run on an empty frame
that "comes in" there, and return where that frame's link is. Fields are found by the kernel's BTF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.probe import PROBE_READ_KERNEL
from hotswitch.kernel.programs import Program, ProgramType

STARTED, PRESENT, NO_CARRIER = 1, 2, 4
"""Bits of `state` (enum netdev_state_t, include/linux/netdevice.h). `STARTED` is taken away first
of all when a link is set down or deleted."""

_BTF = Path("/sys/kernel/btf/vmlinux")
_BTF_HEADER = struct.Struct("<HBBIIIII")
_BTF_TYPE = struct.Struct("<III")
_BTF_STRUCT = 4
_BTF_BITFIELDS = 1 << 31
_MEMBERS = "state", "operstate", "ifindex"
_SKB_LINK = 16
"""Where in `struct sk_buff` its link is: behind two pointers, as long as there has been BPF."""
_CONTEXT_SIZE, _CONTEXT_IFINDEX, _CONTEXT_SPACE = 192, 40, 48
"""Of `struct __sk_buff` (include/uapi/linux/bpf.h); the space is `cb`."""
_FRAME = bytes(64)
_NAME = "find_link"


@dataclass(frozen=True, slots=True)
class LinkState:
    """Addresses in the kernel's memory: of a link's state (u64), of its operational state (u8, as
    `links.OperationalState`), and of its index (u32).

    They outlive the link, so what is read there counts only if the index is the link's.
    """

    state: int
    operational: int
    index: int

    def behind(self, address: int) -> LinkState:
        """These are offsets: the addresses of a link that is there."""
        offsets = self.state, self.operational, self.index
        return LinkState(*(address + each for each in offsets))


def link_states(indexes: Iterable[int]) -> Mapping[int, LinkState]:
    """Where the states of these links of this thread's network namespace are, as far as they are
    there and this kernel lets programs read them."""
    wanted = list(indexes)
    offsets = _offsets() if wanted else None
    if offsets is None:
        return {}
    found = {}
    code = _code(offsets.index)
    with suppress(KernelError), Program.load(ProgramType.SCHED_CLS, code, name=_NAME) as program:
        for index in wanted:
            if address := _find(program, index):
                found[index] = offsets.behind(address)
    return found


def _find(program: Program, index: int) -> int:
    """The address of a link's memory, or 0."""
    context = bytearray(_CONTEXT_SIZE)
    struct.pack_into("<I", context, _CONTEXT_IFINDEX, index)
    try:
        run = program.test_run(_FRAME, context=bytes(context))
    except KernelError:
        return 0  # it has gone
    address, seen = struct.unpack_from("<QI", run.context, _CONTEXT_SPACE)
    return address if seen == index else 0


def _code(offset: int) -> bytes:
    """A program that returns its frame's link's address, and what is at that offset from there."""
    read = (0x85, 0, 0, 113)  # bpf_probe_read_kernel(r1 = to, r2 = size, r3 = from)
    return b"".join(
        struct.pack("<BBhi", *each)
        for each in (
            (0xBF, 0x16, 0, 0),  # r6 = the context, which is where the frame's sk_buff is
            (0x7A, 0x0A, -8, 0),
            (0x7A, 0x0A, -16, 0),
            (0xBF, 0xA1, 0, 0),
            (0x07, 0x01, 0, -8),
            (0xB7, 0x02, 0, 8),
            (0xBF, 0x63, 0, 0),
            (0x07, 0x03, 0, _SKB_LINK),
            read,
            (0xBF, 0xA1, 0, 0),
            (0x07, 0x01, 0, -16),
            (0xB7, 0x02, 0, 4),
            (0x79, 0xA3, -8, 0),
            (0x07, 0x03, 0, offset),
            read,
            (0x79, 0xA1, -8, 0),
            (0x7B, 0x16, _CONTEXT_SPACE, 0),
            (0x61, 0xA1, -16, 0),
            (0x63, 0x16, _CONTEXT_SPACE + 8, 0),
            (0xB7, 0x00, 0, 0),
            (0x95, 0x00, 0, 0),
        )
    )


@cache
def _offsets() -> LinkState | None:
    """In `struct net_device`; None if programs can't read there, or the kernel does not say."""
    if not PROBE_READ_KERNEL:
        return None
    try:
        found = _members(_BTF.read_bytes(), "net_device", _MEMBERS)
    except OSError:
        return None
    return LinkState(*(found[name] for name in _MEMBERS)) if len(found) == len(_MEMBERS) else None


def _members(btf: bytes, structure: str, names: Iterable[str]) -> dict[str, int]:
    """The offsets of some members of a structure, in bytes; without reading a hundred thousand
    other types (Documentation/bpf/btf.rst)."""
    _, _, _, header, types, size, strings, length = _BTF_HEADER.unpack_from(btf)
    text = btf[header + strings : header + strings + length]
    wanted = {text.find(f"\0{name}\0".encode()) + 1: name for name in names}
    sought = struct.pack("<I", text.find(f"\0{structure}\0".encode()) + 1)
    at, end = header + types, header + types + size
    while (at := btf.find(sought, at, end)) >= 0:
        _, info, _ = _BTF_TYPE.unpack_from(btf, at)
        kind, count = info >> 24 & 31, info & 0xFFFF
        if (at - header - types) % 4 == 0 and kind == _BTF_STRUCT and count:
            mask = 0xFFFFFF if info & _BTF_BITFIELDS else 0xFFFFFFFF
            members = btf[at + _BTF_TYPE.size :][: count * _BTF_TYPE.size]
            found = {
                wanted[name]: (bits & mask) // 8
                for name, _, bits in _BTF_TYPE.iter_unpack(members)
                if name in wanted
            }
            if found:
                return found
        at += 1
    return {}
