"""Whole flows: what matches, what was counted, what is done."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.syntax.actions import read_list, show_actions
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.syntax.keys import read_key, show_key
from hotswitch.netlink.syntax.reader import NO_PORTS, Reader
from hotswitch.netlink.ufid import read as read_ufid
from hotswitch.netlink.ufid import show as show_ufid

_UFID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LETTERS = {
    0x002: "S",
    0x001: "F",
    0x008: "P",
    0x004: "R",
    0x020: "U",
    0x010: ".",
    0x040: "E",
    0x080: "C",
}
"""Of TCP flags, in the order in which they are written (packet_format_tcp_flags, lib/packets.c)."""

_COUNTED = re.compile(
    r"packets:[0-9]+, bytes:[0-9]+, used:(?:never|-?[0-9.]+s)(?:, flags:[^,\s]+)?"
    r"(?:, (?:offloaded|dp):[^,\s]+)*(?:, |$)"
)


@dataclass(frozen=True, slots=True)
class FlowText:
    """What a flow's text says. actions: None if it has none."""

    ufid: bytes | None
    key: Attributes
    mask: Attributes
    actions: Attributes | None = None


def show_match(flow: Attributes, style: Style) -> str:
    """The key of a message's attributes under its mask, as `add-flow` takes it."""
    return show_key(flow.get("key", NONE), flow.get("mask") or None, style)


def show_statistics(flow: Attributes, now: int) -> str:
    """What was counted: packets, bytes, seconds since the last one, TCP flags.

    now: milliseconds of the monotonic clock.
    """
    counted = flow.get("statistics")
    packets, octets = (counted.packets, counted.bytes) if counted else (0, 0)
    used = flow.get("used")
    age = f"{(now - used) / 1000:.3f}s" if used else "never"
    flags = show_tcp_flags(flow.get("tcp_flags", 0))
    return f"packets:{packets}, bytes:{octets}, used:{age}{flags and f', flags:{flags}'}"


def show_tcp_flags(flags: int) -> str:
    """A letter a flag; nothing if there are none."""
    return "".join(letter for bit, letter in _LETTERS.items() if flags & bit)


def show_flow(flow: Attributes, now: int, style: Style) -> str:
    """The line of a flow from its message's attributes, as `dump-flows` prints it.

    now: milliseconds of the monotonic clock.
    """
    parts = []
    if style.verbose and "ufid" in flow:
        parts.append(f"ufid:{show_ufid(flow['ufid'])}")
    parts += [show_match(flow, style), show_statistics(flow, now)]
    if style.verbose:
        parts.append("dp:ovs")
    return ", ".join([*parts, f"actions:{show_actions(flow.get('actions', NONE), style)}"])


def read_flow(text: str, ports: dict[str, int] | None = None) -> FlowText:
    """The flow that a text says: a UFID, a key, and as `dump-flows` prints it also statistics,
    which are passed over, and actions. Raises FlowSyntaxError.

    ports: numbers by name.
    """
    reader = Reader("flow", text, ports=ports or NO_PORTS)
    reader.blanks()
    ufid = None
    if reader.take("ufid:"):
        ufid = read_ufid(reader.match(_UFID, "32 hexadecimal digits, as 8-4-4-4-12,"))
        if not reader.blanks():
            reader.fail("a comma")
    key, mask = read_key(reader, stop="packets:")
    if reader.sees(")"):
        reader.fail("the end, or a comma")
    if reader.ended:
        return FlowText(ufid, key, mask)
    reader.match(_COUNTED, "packets:N, bytes:N, used:N.Ns")
    reader.need("actions:")
    with reader.with_masks(False):
        actions = _rest(reader)
    return FlowText(ufid, key, mask, actions)


def read_actions(text: str, ports: dict[str, int] | None = None) -> Attributes:
    """The actions that a text says; `drop` or nothing: none. Raises FlowSyntaxError.

    ports: numbers by name.
    """
    reader = Reader("actions", text, ports=ports or NO_PORTS, masks=False)
    return _rest(reader)


def _rest(reader: Reader) -> Attributes:
    actions = read_list(reader)
    if not reader.ended:
        reader.fail("the end, or a comma")
    return actions
