"""Requests that tests make often."""

from __future__ import annotations

from typing import Any

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.keys import Ethernet

ALL = (1 << 48) - 1


def new_datapath(name: str = "dp1", **more: Any) -> Attributes:
    return Attributes(name=name, upcall_pid=0, **more)


def new_vport(name: str, kind: int = 1, pid: int = 0, **more: Any) -> Attributes:
    return Attributes(type=kind, name=name, upcall_pid=(pid,), **more)


def key(in_port: int, dst: int = 0) -> Attributes:
    return Attributes(in_port=in_port, ethernet=Ethernet.value(src=0, dst=dst))


def mask(dst: int = ALL) -> Attributes:
    return Attributes(in_port=0xFFFFFFFF, ethernet=Ethernet.value(src=0, dst=dst))


def flow(in_port: int, dst: int, output: int, ufid: bytes | None = None) -> Attributes:
    """A flow for one destination."""
    named = Attributes() if ufid is None else Attributes(ufid=ufid)
    actions = Attributes() if not output else Attributes(output=output)
    return named + Attributes(key=key(in_port, dst), mask=mask(), actions=actions)


def frame(dst: int, src: int = 0x0A0000000001) -> bytes:
    return dst.to_bytes(6, "big") + src.to_bytes(6, "big") + b"\x12\x34" + bytes(46)
