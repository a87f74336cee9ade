"""Flows of datapaths as they are shown, to people and in JSON."""

from __future__ import annotations

import time
from typing import Any

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.syntax.actions import show_actions
from hotswitch.netlink.syntax.flow import show_match, show_statistics, show_tcp_flags
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.ufid import show as show_ufid


def now() -> int:
    """Milliseconds of the clock that flows' last packets are told by."""
    return time.monotonic_ns() // 1_000_000


def counted_text(flow: Attributes) -> str:
    """What a flow has counted, for people."""
    return show_statistics(flow, now())


def counted(flow: Attributes) -> dict[str, Any]:
    """What a flow has counted, for JSON; used: seconds since the last packet."""
    sums, used = flow.get("statistics"), flow.get("used")
    return {
        "packets": sums.packets if sums else 0,
        "bytes": sums.bytes if sums else 0,
        "used": (now() - used) / 1000 if used else None,
        "flags": show_tcp_flags(flow.get("tcp_flags", 0)),
    }


def describe(flow: Attributes, style: Style) -> dict[str, Any]:
    """A flow, for JSON: its parts as texts, as `add-flow` takes them."""
    return {
        "ufid": show_ufid(flow["ufid"]) if "ufid" in flow else None,
        "match": show_match(flow, style),
        **counted(flow),
        "actions": show_actions(flow.get("actions", NONE), style),
    }
