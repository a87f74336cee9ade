"""Deleting many links for the cost of few (rtnetlink(7)). In this thread's network namespace."""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Collection, Mapping, Sequence

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import IFLA_EXT_MASK, RTM_DELLINK, RTM_GETLINK, information
from hotswitch.kernel.netlink import NetlinkSocket, Request

_RTM_SETLINK = 19
_SKIP_STATISTICS = 8
_IFLA_GROUP = 27
_GROUPS = 1 << 31


def delete_many(indexes: Sequence[int]) -> list[KernelError | None]:
    """Delete links; for each why it failed, or None. A veth's peer goes with it.

    For each link that the kernel deletes it waits until no processor can still have it in hand;
    for a group of links it does so once (rtnl_group_dellink, net/core/rtnetlink.c). So these get a
    group of their own, by which they are deleted. No index is given twice. Raises KernelError if
    the kernel can't even be asked.
    """
    with NetlinkSocket(netlink.ROUTE) as asker:
        if len(indexes) < 2:
            return _errors(asker, RTM_DELLINK, dict.fromkeys(indexes, b""))
        groups = _groups(asker)
        own = _attribute(_other_than(groups.values()))
        errors = _errors(asker, _RTM_SETLINK, dict.fromkeys(indexes, own))
        try:
            asker.request(RTM_DELLINK, 0, _body(0) + own, f"delete {len(indexes)} links")
        except KernelError:
            # Some link is of a kind that can't be deleted, or all have gone.
            before = {index: _attribute(groups.get(index, 0)) for index in indexes}
            _errors(asker, _RTM_SETLINK, before)
            return _errors(asker, RTM_DELLINK, dict.fromkeys(indexes, b""))
        return errors


def _errors(
    asker: NetlinkSocket, kind: int, attributes: Mapping[int, bytes]
) -> list[KernelError | None]:
    """Ask one thing of links; for each why it failed, or None. attributes: of links by index."""
    asked = [
        Request(kind, 0, _body(index) + each, f"delete the link {index}")
        for index, each in attributes.items()
    ]
    answers = asker.requests(asked)
    return [each if isinstance(each, KernelError) else None for each in answers]


def _body(index: int) -> bytes:
    return information.pack(socket.AF_UNSPEC, 0, index, 0, 0)


def _attribute(group: int) -> bytes:
    return netlink.u32(_IFLA_GROUP, group)


def _groups(asker: NetlinkSocket) -> dict[int, int]:
    """The groups that links are in, by the links' indexes."""
    question = _body(0) + netlink.u32(IFLA_EXT_MASK, _SKIP_STATISTICS)
    answer = asker.request(RTM_GETLINK, netlink.DUMP, question, "list the links")
    wanted = frozenset((_IFLA_GROUP,))
    found = {}
    for each in answer:
        index = information.unpack_from(each.body)[2]
        group = netlink.chosen_attributes(each.body, information.size, wanted).get(_IFLA_GROUP)
        found[index] = int.from_bytes(group or b"", sys.byteorder)
    return found


def _other_than(taken: Collection[int]) -> int:
    while (group := random.randrange(1, _GROUPS)) in taken:
        pass
    return group
