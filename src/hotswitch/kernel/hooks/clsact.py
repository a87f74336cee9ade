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
from pathlib import Path
from typing import NamedTuple

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.netlink import NetlinkSocket
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


class ClsactAttachment:
    """Our filter on a device, with the program that it runs.

    A filter like it with another program is not this one: the device that had the index before may
    have gone, and another hotswitch may have the one that has it now.
    """

    def __init__(self, ifindex: int, parent: int, program_id: int) -> None:
        self._ifindex = ifindex
        self._parent = parent
        self._program_id = program_id

    @property
    def ifindex(self) -> int:
        """The device's index, or 0 once the filter or the device has gone."""
        return self._ifindex if self._name() else 0

    @property
    def program_id(self) -> int:
        """The program that it runs."""
        return self._program_id

    def _name(self) -> bytes:
        """The filter's name, or nothing once it has gone."""
        found = _ours(self._ifindex, self._parent)
        return found.name if found and found.program == self._program_id else b""

    def replace(self, program: Program) -> None:
        """Run another program from now on; no packet misses both. Raises KernelError."""
        name = self._name()
        if not name:
            raise KernelError(f"replace the filter on the device {self._ifindex}", errno.ENOENT)
        _put(program, self._ifindex, self._parent, name, netlink.REPLACE)
        self._program_id = program.info().id

    def detach(self) -> None:
        """Take our filter off, and the qdisc if it was made for it. Raises KernelError.

        It is no error if they have gone.
        """
        attempt = f"detach from the device {self._ifindex}"
        name = self._name()
        if not name:
            return
        body = _filter(self._ifindex, self._parent)
        _request(_RTM_DELTFILTER, 0, body, attempt, may_be_gone=True)
        if name == _NAME_WITH_QDISC and not _filters(self._ifindex):
            _request(_RTM_DELQDISC, 0, _qdisc(self._ifindex), attempt, may_be_gone=True)

    def pin(self, path: Path) -> None:
        """Nothing: a filter outlives the process anyway. `find` finds it again."""

    def close(self) -> None:
        """Nothing: the filter stays."""


def attach(program: Program, ifindex: int, *, egress: bool = False) -> ClsactAttachment:
    """Attach at the device's ingress or egress.

    Raises KernelError: EEXIST if ours is there already.
    """
    attempt = f"attach to the device {ifindex}"
    made = True
    try:
        _request(_RTM_NEWQDISC, netlink.CREATE | netlink.EXCLUSIVE, _qdisc(ifindex), attempt)
    except KernelError as error:
        if error.errno != errno.EEXIST:
            raise _explained(error) from None
        made = False
    parent = _parent(egress)
    try:
        name = _NAME_WITH_QDISC if made else _NAME
        _put(program, ifindex, parent, name, netlink.CREATE | netlink.EXCLUSIVE)
    except KernelError as error:
        if made and not _filters(ifindex):
            _request(_RTM_DELQDISC, 0, _qdisc(ifindex), attempt, may_be_gone=True)
        raise _explained(error) from None
    return ClsactAttachment(ifindex, parent, program.info().id)


def _explained(error: KernelError) -> KernelError:
    """ENOENT: the kernel knows no such kind of queueing discipline, or of filter."""
    if error.errno != errno.ENOENT:
        return error
    return KernelError(error.attempt, error.errno, remedy=_NO_CLSACT)


def find(ifindex: int, *, egress: bool = False) -> ClsactAttachment | None:
    """A hotswitch's filter on the device, if there is one. Raises KernelError."""
    parent = _parent(egress)
    found = _ours(ifindex, parent)
    return ClsactAttachment(ifindex, parent, found.program) if found else None


def _parent(egress: bool) -> int:
    return _EGRESS if egress else _INGRESS


class _Filter(NamedTuple):
    """program: its id."""

    handle: int
    priority: int
    name: bytes
    program: int


def _put(program: Program, ifindex: int, parent: int, name: bytes, flags: int) -> None:
    options = netlink.nested(
        _TCA_OPTIONS,
        netlink.u32(_TCA_BPF_FD, program.fd),
        netlink.attribute(_TCA_BPF_NAME, name + b"\0"),
        netlink.u32(_TCA_BPF_FLAGS, _DIRECT_ACTION),
    )
    body = _filter(ifindex, parent) + netlink.text(_TCA_KIND, _FILTER) + options
    _request(_RTM_NEWTFILTER, flags, body, f"attach to the device {ifindex}")


def _ours(ifindex: int, parent: int) -> _Filter | None:
    """A hotswitch's filter there."""
    names = (_NAME, _NAME_WITH_QDISC)
    for each in _filters(ifindex, parent):
        if (each.handle, each.priority) == (_HANDLE, _PRIORITY) and each.name in names:
            return each
    return None


def _filters(ifindex: int, *parents: int) -> list[_Filter]:
    """The filters at these parents of the device's clsact, or at both."""
    found = []
    for parent in parents or (_INGRESS, _EGRESS):
        body = _message.pack(socket.AF_UNSPEC, ifindex, 0, parent, 0)
        attempt = f"list the filters of the device {ifindex}"
        for message in _request(_RTM_GETTFILTER, netlink.DUMP, body, attempt, may_be_gone=True):
            _, _, handle, _, info = _message.unpack_from(message.body)
            options = netlink.attributes(message.body[_message.size :]).get(_TCA_OPTIONS, b"")
            told = netlink.attributes(options)
            name = told.get(_TCA_BPF_NAME, b"").rstrip(b"\0")
            program = int.from_bytes(told.get(_TCA_BPF_ID, b""), sys.byteorder)
            if handle:  # the kernel also lists each priority once, as handle 0
                found.append(_Filter(handle, info >> 16, name, program))
    return found


def _filter(ifindex: int, parent: int) -> bytes:
    info = _PRIORITY << 16 | _ALL_PROTOCOLS
    return _message.pack(socket.AF_UNSPEC, ifindex, _HANDLE, parent, info)


def _qdisc(ifindex: int) -> bytes:
    body = _message.pack(socket.AF_UNSPEC, ifindex, _CLSACT_HANDLE, _CLSACT, 0)
    return body + netlink.text(_TCA_KIND, _QDISC)


def _request(
    kind: int, flags: int, body: bytes, attempt: str, *, may_be_gone: bool = False
) -> list[netlink.Message]:
    with NetlinkSocket(netlink.ROUTE) as asker:
        try:
            return asker.request(kind, flags, body, attempt)
        except KernelError as error:
            # EINVAL: the device has no clsact.
            if may_be_gone and (netlink.is_gone(error) or error.errno == errno.EINVAL):
                return []
            raise
