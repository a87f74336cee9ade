"""clsact: a BPF filter at a device's ingress or egress, for kernels without tcx (tc-bpf(8)).

The filter stays on the device until it is taken off, whatever becomes of processes. It is known
by its priority, handle and name, so it is found again, and others' filters stay as they are. The
name says whether the queueing discipline was made for it; then it goes with the filter, if
nothing else is in it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks.clsact_messages import (
    NAME,
    NAME_WITH_QDISC,
    Filter,
    delete_filter,
    delete_qdisc,
    get_filter,
    list_filters,
    make_filter,
    make_qdisc,
    read_filter,
    replace_filter,
    says_gone,
)
from hotswitch.kernel.hooks.hook import Spot
from hotswitch.kernel.netlink import Message, NetlinkSocket, Request
from hotswitch.kernel.programs import Program

_NO_CLSACT = "needs Linux 6.6 or newer, or the modules sch_ingress and cls_bpf"


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
        name = self._name()
        request = replace_filter(program.fd, self._spot, name)
        if not name:
            raise KernelError(request.attempt, errno.ENOENT)
        with NetlinkSocket(netlink.ROUTE) as asker:
            asker.request(*request)
        self._program_id = program.info().id

    def has_own_qdisc(self) -> bool:
        """Whether it is there, in a qdisc that was made for it. Raises KernelError."""
        return self._name() == NAME_WITH_QDISC

    def detach(self, *, keep_qdisc: bool = False) -> None:
        """Take our filter off, and the qdisc if it was made for it. Raises KernelError.

        It is no error if they have gone.
        """
        detach_all([self], keep_qdiscs=keep_qdisc)

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

    All is asked for at once: between two requests others may get the lock of network devices, and
    keep it for long. Raises KernelError if the kernel can't even be asked.
    """
    program_id = program.info().id
    results: list[ClsactAttachment | KernelError] = []
    with NetlinkSocket(netlink.ROUTE) as asker:
        answers = asker.requests(
            [
                request
                for spot in spots
                for request in (make_qdisc(spot), make_filter(program.fd, spot, NAME_WITH_QDISC))
            ]
        )
        for spot, made, put in zip(spots, answers[::2], answers[1::2], strict=True):
            result: ClsactAttachment | KernelError = ClsactAttachment(spot, program_id)
            if isinstance(made, KernelError) and made.errno != errno.EEXIST:
                result = _explained(made)
            elif isinstance(put, KernelError):
                result = _explained(put)
                if not isinstance(made, KernelError):
                    _remove_qdiscs(asker, [spot.ifindex])
            elif isinstance(made, KernelError):
                _all_done_or_gone(asker, [replace_filter(program.fd, spot, NAME)])
            results.append(result)
    return results


def detach_all(attachments: Sequence[ClsactAttachment], *, keep_qdiscs: bool = False) -> None:
    """Take filters off, and the qdiscs that were made for them. Raises KernelError.

    It is no error if they have gone.
    """
    if not attachments:
        return
    with NetlinkSocket(netlink.ROUTE) as asker:
        names = _names(asker, attachments)
        there = [(each.spot, name) for each, name in zip(attachments, names, strict=True) if name]
        _all_done_or_gone(asker, [delete_filter(spot) for spot, _ in there])
        if not keep_qdiscs:
            _remove_qdiscs(asker, [spot.ifindex for spot, name in there if name == NAME_WITH_QDISC])


def remove_empty(indexes: Sequence[int]) -> None:
    """Remove clsact from those devices where nothing is in it. Raises KernelError.

    For one that was made, or kept, for a filter of ours by a life that ended in between: nothing
    tells whose it is, so it is only for devices where one ended so.
    """
    if not indexes:
        return
    with NetlinkSocket(netlink.ROUTE) as asker:
        _remove_qdiscs(asker, indexes)


def _remove_qdiscs(asker: NetlinkSocket, indexes: Sequence[int]) -> None:
    """Remove clsact from those devices where nothing is in it."""
    empty = [index for index in indexes if not _has_filters(asker, index)]
    _all_done_or_gone(asker, [delete_qdisc(index) for index in empty])


def _all_done_or_gone(asker: NetlinkSocket, requests: Sequence[Request]) -> None:
    for answer in asker.requests(requests):
        if isinstance(answer, KernelError) and not says_gone(answer):
            raise answer


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


def _names(asker: NetlinkSocket, attachments: Sequence[ClsactAttachment]) -> list[bytes]:
    """The filters' names, or nothing for those that have gone."""
    there = _ours(asker, [each.spot for each in attachments])
    return [
        found.name if found and found.program == each.program_id else b""
        for each, found in zip(attachments, there, strict=True)
    ]


def _ours(asker: NetlinkSocket, spots: Sequence[Spot]) -> list[Filter | None]:
    """A hotswitch's filters there."""
    return [_read(answer) for answer in asker.requests([get_filter(spot) for spot in spots])]


def _read(answer: Sequence[Message] | KernelError) -> Filter | None:
    if isinstance(answer, KernelError):
        if says_gone(answer):
            return None
        raise answer
    return read_filter(answer[0]) if answer else None


def _has_filters(asker: NetlinkSocket, ifindex: int) -> bool:
    """Whether anybody has a filter in the device's clsact."""
    for egress in (False, True):
        try:
            if asker.request(*list_filters(Spot(ifindex, egress))):
                return True
        except KernelError as error:
            if not says_gone(error):
                raise
    return False
