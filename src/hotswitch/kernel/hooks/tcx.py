"""tcx: a list of programs at a device's ingress and egress, Linux 6.6 and newer.

The program sees the skb before the protocols do, behind packet sockets. Several programs run in
order while they return TCX_NEXT (-1), so others' programs go on beside ours.
"""

from __future__ import annotations

from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.programs import AttachType, Program


def attach(program: Program, ifindex: int) -> BpfLink:
    """Attach behind all programs at the device's ingress. Raises KernelError."""
    return BpfLink.create(program, ifindex, AttachType.TCX_INGRESS)


def attach_egress(program: Program, ifindex: int) -> BpfLink:
    """Attach behind all programs at the device's egress. Raises KernelError."""
    return BpfLink.create(program, ifindex, AttachType.TCX_EGRESS)
