"""XDP: one program at a device's driver, or in the stack's receive path (generic).

The program must be loaded with expected_attach_type AttachType.XDP or NONE.
"""

from __future__ import annotations

from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.programs import AttachType, Program

_GENERIC = 2
_NATIVE = 4


def attach(program: Program, ifindex: int) -> BpfLink:
    """Attach in the driver. Raises KernelError: EOPNOTSUPP if the driver can't, EBUSY if taken."""
    return BpfLink.create(program, ifindex, AttachType.XDP, _NATIVE)


def attach_generic(program: Program, ifindex: int) -> BpfLink:
    """Attach in the stack, on any device; slow. Raises KernelError."""
    return BpfLink.create(program, ifindex, AttachType.XDP, _GENERIC)
