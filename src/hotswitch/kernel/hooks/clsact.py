"""clsact: a BPF filter at a device's ingress or egress, for kernels without tcx (tc-bpf(8)).

The filter stays on the device until it is taken off, whatever becomes of processes. It is known
by its priority, handle and name, so it is found again, and others' filters stay as they are. The
name says whether the queueing discipline was made for it; then it goes with the filter, if
nothing else is in it.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket, Request
from hotswitch.kernel.programs import Program

_RTM_NEWQDISC, _RTM_DELQDISC = 36, 37
_RTM_NEWTFILTER, _RTM_DELTFILTER, _RTM_GETTFILTER = 44, 45, 46
_TCA_KIND, _TCA_OPTIONS = 1, 2
_TCA_BPF_FD, _TCA_BPF_NAME, _TCA_BPF_FLAGS, _TCA_BPF_ID = 6, 7, 8, 11
_DIRECT_ACTION = 1

_QDISC, _FILTER = "clsact", "bpf"
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_INGRESS, _EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_PRIORITY = _HANDLE = 0x6873
_ALL_PROTOCOLS = socket.htons(3)
_NAME = b"hotswitch"
_NAME_WITH_QDISC = b"hotswitch, its own clsact"

_NO_CLSACT = "needs Linux 6.6 or newer, or the modules sch_ingress and cls_bpf"

_message = struct.Struct("=BxxxiIII")
"""`struct tcmsg`: family, ifindex, handle, parent, info (priority << 16 | protocol)."""


class Spot(NamedTuple):
    """A device's ingress or egress."""

    ifindex: int
    egress: bool = False


class ClsactAttachment:
    """Our filter on a device, with the program that it runs.

    A filter like it with another program is not this one: the device that had the index before may
    have gone, and another hotswitch may have the one that has it now.
    """

    def __init__(self, spot: Spot, program_id: int) -> None:
        self._spot = spot
        self._program_id = program_id

    @property
    def spot(self) -> Spot:
        """Where it was attached."""
        return self._spot

    @property
    def ifindex(self) -> int:
        """The device's index, or 0 once the filter or the device has gone."""
        return self._spot.ifindex if self._name() else 0

    @property
    def program_id(self) -> int:
        """The program that it runs."""
        return self._program_id

    def _name(self) -> bytes:
        """The filter's name, or nothing once it has gone."""
        with NetlinkSocket(netlink.ROUTE) as asker:
            return _names(asker, [self])[0]

    def replace(self, program: Program) -> None:
        """Run another program from now on; no packet misses both. Raises KernelError."""
        attempt = f"replace the filter on the device {self._spot.ifindex}"
        name = self._name()
        if not name:
            raise KernelError(attempt, errno.ENOENT)
        with NetlinkSocket(netlink.ROUTE) as asker:
            request = _put(program, self._spot, name, netlink.REPLACE)
            asker.request(request.type, request.flags, request.body, attempt)
        self._program_id = program.info().id

    def detach(self) -> None:
        """Take our filter off, and the qdisc if it was made for it. Raises KernelError.

        It is no error if they have gone.
        """
        detach_all([self])

    def pin(self, path: Path) -> None:
        """Nothing: a filter outlives the process anyway. `find` finds it again."""

    def close(self) -> None:
        """Nothing: the filter stays."""


def attach(program: Program, ifindex: int, *, egress: bool = False) -> ClsactAttachment:
    """Attach at the device's ingress or egress.

    Raises KernelError: EEXIST if ours is there already.
    """
    (result,) = attach_all(program, [Spot(ifindex, egress)])
    if isinstance(result, KernelError):
        raise result
    return result


def attach_all(program: Program, spots: Sequence[Spot]) -> list[ClsactAttachment | KernelError]:
    """Attach at each of these; the attachment, or why not: EEXIST if ours is there already.

    Raises KernelError if the kernel can't even be asked.
    """
    program_id = program.info().id
    results: dict[Spot, ClsactAttachment | KernelError] = {}
    names: dict[Spot, bytes] = {}
    with NetlinkSocket(netlink.ROUTE) as asker:
        flags = netlink.CREATE | netlink.EXCLUSIVE
        made = asker.requests(
            [Request(_RTM_NEWQDISC, flags, _qdisc(each.ifindex), _attempt(each)) for each in spots]
        )
        for spot, answer in zip(spots, made, strict=True):
            if not isinstance(answer, KernelError):
                names[spot] = _NAME_WITH_QDISC
            elif answer.errno == errno.EEXIST:
                names[spot] = _NAME
            else:
                results[spot] = _explained(answer)
        put = asker.requests([_put(program, spot, name, flags) for spot, name in names.items()])
        for (spot, name), answer in zip(names.items(), put, strict=True):
            if isinstance(answer, KernelError):
                results[spot] = _explained(answer)
                if name == _NAME_WITH_QDISC:
                    _remove_qdiscs(asker, [spot.ifindex])
            else:
                results[spot] = ClsactAttachment(spot, program_id)
    return [results[spot] for spot in spots]


def detach_all(attachments: Sequence[ClsactAttachment]) -> None:
    """Take filters off, and the qdiscs that were made for them. Raises KernelError.

    It is no error if they have gone.
    """
    if not attachments:
        return
    with NetlinkSocket(netlink.ROUTE) as asker:
        names = _names(asker, attachments)
        there = [(each.spot, name) for each, name in zip(attachments, names, strict=True) if name]
        _all_done_or_gone(
            asker,
            [
                Request(_RTM_DELTFILTER, 0, _filter(spot), f"detach from the device {spot.ifindex}")
                for spot, _ in there
            ],
        )
        _remove_qdiscs(asker, [spot.ifindex for spot, name in there if name == _NAME_WITH_QDISC])


def remove_empty(indexes: Sequence[int]) -> None:
    """Remove clsact from those devices where nothing is in it. Raises KernelError.

    For one that was made, or kept, for a filter of ours by a life that ended in between: nothing
    tells whose it is, so it is only for devices where one ended so.
    """
    with NetlinkSocket(netlink.ROUTE) as asker:
        _remove_qdiscs(asker, indexes)


def _remove_qdiscs(asker: NetlinkSocket, indexes: Sequence[int]) -> None:
    """Remove clsact from those devices where nothing is in it."""
    empty = [index for index in indexes if not _has_filters(asker, index)]
    _all_done_or_gone(
        asker,
        [
            Request(_RTM_DELQDISC, 0, _qdisc(index), f"remove clsact from the device {index}")
            for index in empty
        ],
    )


def _all_done_or_gone(asker: NetlinkSocket, requests: Sequence[Request]) -> None:
    for answer in asker.requests(requests):
        if isinstance(answer, KernelError) and not _says_gone(answer):
            raise answer


def _says_gone(error: KernelError) -> bool:
    """EINVAL: the device has no clsact."""
    return netlink.is_gone(error) or error.errno == errno.EINVAL


def _attempt(spot: Spot) -> str:
    return f"attach to the device {spot.ifindex}"


def _explained(error: KernelError) -> KernelError:
    """ENOENT: the kernel knows no such kind of queueing discipline, or of filter."""
    if error.errno != errno.ENOENT:
        return error
    return KernelError(error.attempt, error.errno, remedy=_NO_CLSACT)


def find(ifindex: int, *, egress: bool = False) -> ClsactAttachment | None:
    """A hotswitch's filter on the device, if there is one. Raises KernelError."""
    return find_all([Spot(ifindex, egress)])[0]


def find_all(spots: Sequence[Spot]) -> list[ClsactAttachment | None]:
    """A hotswitch's filter at each of these, where there is one. Raises KernelError."""
    if not spots:
        return []
    with NetlinkSocket(netlink.ROUTE) as asker:
        return [
            ClsactAttachment(spot, found.program) if found else None
            for spot, found in zip(spots, _ours(asker, spots), strict=True)
        ]


class _Filter(NamedTuple):
    """program: its id."""

    name: bytes
    program: int


def _put(program: Program, spot: Spot, name: bytes, flags: int) -> Request:
    options = netlink.nested(
        _TCA_OPTIONS,
        netlink.u32(_TCA_BPF_FD, program.fd),
        netlink.attribute(_TCA_BPF_NAME, name + b"\0"),
        netlink.u32(_TCA_BPF_FLAGS, _DIRECT_ACTION),
    )
    body = _filter(spot) + netlink.text(_TCA_KIND, _FILTER) + options
    return Request(_RTM_NEWTFILTER, flags, body, _attempt(spot))


def _names(asker: NetlinkSocket, attachments: Sequence[ClsactAttachment]) -> list[bytes]:
    """The filters' names, or nothing for those that have gone."""
    there = _ours(asker, [each.spot for each in attachments])
    return [
        found.name if found and found.program == each.program_id else b""
        for each, found in zip(attachments, there, strict=True)
    ]


def _ours(asker: NetlinkSocket, spots: Sequence[Spot]) -> list[_Filter | None]:
    """A hotswitch's filters there."""
    kind = netlink.text(_TCA_KIND, _FILTER)
    answers = asker.requests(
        [
            Request(
                _RTM_GETTFILTER,
                0,
                _filter(spot) + kind,
                f"look for a filter on the device {spot.ifindex}",
            )
            for spot in spots
        ]
    )
    return [_read(answer) for answer in answers]


def _read(answer: Sequence[netlink.Message] | KernelError) -> _Filter | None:
    if isinstance(answer, KernelError):
        if _says_gone(answer):
            return None
        raise answer
    if not answer:
        return None
    options = netlink.attributes(answer[0].body[_message.size :]).get(_TCA_OPTIONS, b"")
    told = netlink.attributes(options)
    name = told.get(_TCA_BPF_NAME, b"").rstrip(b"\0")
    if name not in (_NAME, _NAME_WITH_QDISC):
        return None
    return _Filter(name, int.from_bytes(told.get(_TCA_BPF_ID, b""), sys.byteorder))


def _has_filters(asker: NetlinkSocket, ifindex: int) -> bool:
    """Whether anybody has a filter in the device's clsact."""
    attempt = f"list the filters of the device {ifindex}"
    for parent in (_INGRESS, _EGRESS):
        body = _message.pack(socket.AF_UNSPEC, ifindex, 0, parent, 0)
        try:
            if asker.request(_RTM_GETTFILTER, netlink.DUMP, body, attempt):
                return True
        except KernelError as error:
            if not _says_gone(error):
                raise
    return False


def _filter(spot: Spot) -> bytes:
    info = _PRIORITY << 16 | _ALL_PROTOCOLS
    parent = _EGRESS if spot.egress else _INGRESS
    return _message.pack(socket.AF_UNSPEC, spot.ifindex, _HANDLE, parent, info)


def _qdisc(ifindex: int) -> bytes:
    body = _message.pack(socket.AF_UNSPEC, ifindex, _CLSACT_HANDLE, _CLSACT, 0)
    return body + netlink.text(_TCA_KIND, _QDISC)
