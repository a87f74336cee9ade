"""The rtnetlink messages of clsact: its queueing discipline, and our filter in it.

Numbers are those of linux/rtnetlink.h, linux/pkt_sched.h and linux/pkt_cls.h; in machine order.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from functools import lru_cache
from typing import NamedTuple

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks.hook import Spot
from hotswitch.kernel.netlink import Message, Request

_RTM_NEWQDISC, _RTM_DELQDISC = 36, 37
_RTM_NEWTFILTER, _RTM_DELTFILTER, _RTM_GETTFILTER = 44, 45, 46
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_FD, _TCA_BPF_NAME, _TCA_BPF_FLAGS, _TCA_BPF_ID = 6, 7, 8, 11
_DIRECT_ACTION = 1

_FILTER = "bpf"
_IS_CLSACT = netlink.text(_TCA_KIND, "clsact")
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_INGRESS, _EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_PRIORITY = _HANDLE = 0x6873
_ALL_PROTOCOLS = socket.htons(3)

NAME = b"hotswitch"
NAME_WITH_QDISC = b"hotswitch, its own clsact"
"""The filter's name; the second one where the queueing discipline was made for it."""

_message = struct.Struct("=BxxxiIII")
"""`struct tcmsg`: family, ifindex, handle, parent, info (priority << 16 | protocol)."""


class Filter(NamedTuple):
    """A hotswitch's filter. program: its id."""

    name: bytes
    program: int


def make_qdisc(spot: Spot) -> Request:
    """Make clsact on the spot's device, if it has none."""
    flags = netlink.CREATE | netlink.EXCLUSIVE
    return Request(_RTM_NEWQDISC, flags, _qdisc(spot.ifindex), _attempt(spot))


def delete_qdisc(ifindex: int) -> Request:
    """Delete clsact from a device, and what is in it."""
    return Request(_RTM_DELQDISC, 0, _qdisc(ifindex), f"remove clsact from the device {ifindex}")


def make_filter(program: int, spot: Spot, name: bytes) -> Request:
    """Put our filter there, if it is not. program: its descriptor."""
    flags = netlink.CREATE | netlink.EXCLUSIVE
    return _put(program, spot, name, flags, _attempt(spot))


def replace_filter(program: int, spot: Spot, name: bytes) -> Request:
    """Let our filter there run another program."""
    attempt = f"replace the filter on the device {spot.ifindex}"
    return _put(program, spot, name, netlink.REPLACE, attempt)


def delete_filter(spot: Spot) -> Request:
    """Take our filter off."""
    return Request(_RTM_DELTFILTER, 0, _filter(spot), f"detach from the device {spot.ifindex}")


def get_filter(spot: Spot) -> Request:
    """Ask for our filter: the answer is for `read_filter`."""
    body = _filter(spot) + netlink.text(_TCA_KIND, _FILTER)
    return Request(_RTM_GETTFILTER, 0, body, f"look for a filter on the device {spot.ifindex}")


def list_filters(spot: Spot) -> Request:
    """Ask for everybody's filters there; a dump."""
    body = _message.pack(socket.AF_UNSPEC, spot.ifindex, 0, _parent(spot), 0)
    attempt = f"list the filters of the device {spot.ifindex}"
    return Request(_RTM_GETTFILTER, netlink.DUMP, body, attempt)


def read_filter(answer: Message) -> Filter | None:
    """The filter that the kernel tells of; None if it is not a hotswitch's."""
    options = netlink.attributes(answer.body[_message.size :]).get(_TCA_OPTIONS, b"")
    told = netlink.attributes(options)
    name = told.get(_TCA_BPF_NAME, b"").rstrip(b"\0")
    if name not in (NAME, NAME_WITH_QDISC):
        return None
    return Filter(name, int.from_bytes(told.get(_TCA_BPF_ID, b""), sys.byteorder))


def says_gone(error: KernelError) -> bool:
    """Whether there is no such device or filter. EINVAL: the device has no clsact."""
    return netlink.is_gone(error) or error.errno == errno.EINVAL


def _put(program: int, spot: Spot, name: bytes, flags: int, attempt: str) -> Request:
    return Request(_RTM_NEWTFILTER, flags, _filter(spot) + _runs(program, name), attempt)


@lru_cache(maxsize=64)
def _runs(program: int, name: bytes) -> bytes:
    """What a filter runs: the same on all devices."""
    return netlink.text(_TCA_KIND, _FILTER) + netlink.nested(
        _TCA_OPTIONS,
        netlink.u32(_TCA_BPF_FD, program),
        netlink.attribute(_TCA_BPF_NAME, name + b"\0"),
        netlink.u32(_TCA_BPF_FLAGS, _DIRECT_ACTION),
    )


def _filter(spot: Spot) -> bytes:
    info = _PRIORITY << 16 | _ALL_PROTOCOLS
    return _message.pack(socket.AF_UNSPEC, spot.ifindex, _HANDLE, _parent(spot), info)


def _qdisc(ifindex: int) -> bytes:
    return _message.pack(socket.AF_UNSPEC, ifindex, _CLSACT_HANDLE, _CLSACT, 0) + _IS_CLSACT


def _parent(spot: Spot) -> int:
    return _EGRESS if spot.egress else _INGRESS


def _attempt(spot: Spot) -> str:
    return f"attach to the device {spot.ifindex}"
