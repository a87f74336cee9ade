"""tcx: a list of programs at a device's ingress and egress, Linux 6.6 and newer.

The program sees the skb before the protocols do, behind packet sockets. Several programs run in
order while they return TCX_NEXT (-1), so others' programs go on beside ours.
"""

from __future__ import annotations

import ctypes

from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.programs import AttachType, Program
from hotswitch.kernel.syscall import Command, bpf

_MOST = 64
"""Programs at one hook (include/linux/bpf_mprog.h, BPF_MPROG_MAX)."""


class _QueryAttributes(ctypes.Structure):
    """`query` in `union bpf_attr`."""

    _fields_ = (
        ("target_ifindex", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("query_flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("program_ids", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("rest", ctypes.c_uint64 * 4),
    )


def program_ids(ifindex: int, *, egress: bool = False) -> list[int]:
    """The programs at the device's ingress or egress, in their order. Raises KernelError."""
    found = (ctypes.c_uint32 * _MOST)()
    attributes = _QueryAttributes(
        ifindex, _type(egress), program_ids=ctypes.addressof(found), count=_MOST
    )
    bpf(Command.QUERY, attributes, f"list the programs at the device {ifindex}")
    return list(found[: attributes.count])


def attach(program: Program, ifindex: int, *, egress: bool = False) -> BpfLink:
    """Attach behind all programs at the device's ingress or egress. Raises KernelError."""
    return BpfLink.create(program, ifindex, _type(egress))


def _type(egress: bool) -> AttachType:
    return AttachType.TCX_EGRESS if egress else AttachType.TCX_INGRESS
