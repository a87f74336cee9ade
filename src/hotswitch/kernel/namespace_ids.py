"""Ids of other network namespaces (include/uapi/linux/net_namespace.h).

By such an id, links there can be asked for without a way into that namespace: it holds as long as
both live, whatever becomes of the path that led there, and keeps neither alive. The kernel may give
the id of one that has ended to another.
"""

from __future__ import annotations

import errno
import socket
import sys

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket

_RTM_NEWNSID, _RTM_GETNSID = 88, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_ANY = 0xFFFFFFFF
_HEAD = bytes([socket.AF_UNSPEC, 0, 0, 0])
"""`struct rtgenmsg`, padded."""


def namespace_id(descriptor: int) -> int:
    """The id by which the thread's namespace knows that of a descriptor; it gets one if needed.

    Raises KernelError.
    """
    attempt = "give the network namespace an id"
    other = netlink.u32(_NETNSA_FD, descriptor)
    with NetlinkSocket(netlink.ROUTE) as asker:
        try:
            asker.request(_RTM_NEWNSID, 0, _HEAD + other + netlink.u32(_NETNSA_NSID, _ANY), attempt)
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
        return _ask(asker, other, attempt)


def known_id(descriptor: int) -> int:
    """The id by which the thread's namespace knows that of a descriptor already; -1: by none.

    Raises KernelError.
    """
    with NetlinkSocket(netlink.ROUTE) as asker:
        return _ask(asker, netlink.u32(_NETNSA_FD, descriptor), "ask for a network namespace's id")


def _ask(asker: NetlinkSocket, other: bytes, attempt: str) -> int:
    answer = asker.request(_RTM_GETNSID, 0, _HEAD + other, attempt)
    said = netlink.attributes(answer[0].body[len(_HEAD) :]) if answer else {}
    return int.from_bytes(said.get(_NETNSA_NSID, b"\xff" * 4), sys.byteorder, signed=True)
