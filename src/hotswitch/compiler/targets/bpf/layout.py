"""The memory that programs share with user space: maps' names, and what lies where in their values.

All numbers are in machine order. Sizes are bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VERSION = 5
"""Another one where maps mean something else than before: then nothing is taken over."""

PORTS = "ports"
"""hash: ifindex (u32) -> port number (u32). A port with several links has a row for each."""
PORT_HINTS = "port_hints"
"""array by ifindex modulo its length: ifindex, port number (u32 each). The hash has the others."""
PORT_HINT = struct.Struct("<II")
PORT_HINTS_LENGTH = 4096
LINKS = "links"
"""array by port number: the link that frames leave by, then what is to be known if it fails."""
LINK = struct.Struct("<II")
"""ifindex, flags. Written and read as one word, for another link may take its place at any
moment."""
FALLBACK = struct.Struct("<QQQII")
"""Where the kernel keeps the link's state, operational state and index (addresses); and the other
link that frames leave by while it does not work: ifindex, flags. Written while the link has no
`LINK_FALLBACK`."""
LINK_ROW_SIZE = LINK.size + FALLBACK.size
LINK_PEER = 1
"""The link is a veth whose other end is in another namespace: hand packets straight to it."""
LINK_XDP = 2
"""The link takes frames that XDP redirects to it."""
LINK_HOST = 4
"""The port is the host's: frames are taken where the host sends them, and received by the host."""
LINK_FALLBACK = 8
"""There is another link for when this one does not work."""

SLOTS = "slots"
"""array by slot: template, next (u32 each), cookie (u64), priority, flags (u32 each), operands.

Entries that differ only in priority share a place in the match maps. It holds the highest; `next`
is the slot of the one below, or 0. flags: the TCP flags that `NoteFlags` has seen.
"""
SLOT_FLAGS = 20
SLOT_HEAD = struct.Struct("<IIQII")
COUNTERS = "counters"
"""per-CPU array by slot: packets, bytes, last used (u64 each)."""
COUNTER = struct.Struct("<QQQ")
CARRIED = "carried"
"""array by slot, not for programs: packets, bytes, last used (u64 each), predecessor, flags (u32).

What the slot's entry counted elsewhere before. A predecessor is a slot whose counts are its too.
"""
CARRY = struct.Struct("<QQQII")
DEFAULTS = "defaults"
"""array by table: the value for every packet (u64), or 0."""
DIRECT = "direct"
"""direct_NUMBER_BITS, array: the values of subtable NUMBER (u64), or 0."""
MEMBERS = "members"
"""array: port numbers (u64), port lists one after another."""

PORT_COUNTERS = "port_counters"
"""per-CPU array by port number: rx packets, bytes, dropped, tx packets, bytes, dropped."""
PORT_COUNTER = struct.Struct("<6Q")
PORT_CARRIED = "port_carried"
"""array by port number, not for programs: the same, of what was counted in smaller maps."""
TOTALS = "totals"
"""per-CPU array of one: see `Total`."""
TOTAL = struct.Struct("<9Q")

ADDRESSES = "addresses"
"""hash: VLAN << 48 | address (u64) -> port (u32), flags (u32), last seen (u64)."""
ADDRESS_KEY = struct.Struct("<Q")
ADDRESS = struct.Struct("<IIQ")
ADDRESS_STATIC = 1
ADDRESS_REFRESH = 1_000_000_000
"""ns after which a packet renews `last seen`."""

METERS = "meters"
"""hash by meter: ns a packet, ns of burst, theoretical arrival time in ns (u64 each); and, for
whoever takes over, packets a second and in a burst (u64 each)."""
METER = struct.Struct("<QQQQQ")

SCRATCH = "scratch"
"""per-CPU array of one: the running program's own."""
SCRATCH_SIZE = 4096

COPIES = "copies"
"""ring buffer of copies to user space: head, then the frame's first bytes."""
COPY_HEAD = struct.Struct("<IIIIQIHHII")
"""length, captured, in_port, reason, cookie, table, tag TCI, tag present, tag TPID, asked.

The tag is one that lies beside the frame; it belongs at its byte 12. No more than the asked bytes
are to be handed on, the tag's included.
"""
COPY_CARRIES = 1 << 31
"""In `table`: between head and frame are fields beside the packet: a number (u64) with a bit for
each of `headers.meta.META` that is there, then the words that they are in (u64 each)."""
COPY_SIZES = (256, 2048, 16384, 65536)
"""Bytes of frame in a record; a record has the smallest that suffices."""

PROGRAMS = "programs"
"""program array of one: the pipeline. One for each hook ("programs_tcx"): an array takes programs
of one type only."""


class Total(NamedTuple):
    """The datapath's counters, in the order of `TOTALS`."""

    missed: int
    expired: int
    limited: int
    errors: int
    malformed: int
    lost: int
    not_learned: int
    learned: int
    moved: int


def is_array(map_name: str) -> bool:
    """Whether a map of values is an array: an element that is not in use is 0."""
    return map_name == DEFAULTS or map_name.startswith(DIRECT + "_")
