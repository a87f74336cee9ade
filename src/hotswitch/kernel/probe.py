"""What this kernel can do, found by trying."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.error import KernelError, VerifierError
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import AttachType, Program, ProgramType

_CAP_NET_ADMIN = 12
_NO_DEVICE = 0x7FFFFFFF
_RETURN_ZERO = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
_UNKNOWN_HELPER = ("invalid func", "unknown func", "cannot use helper")


@dataclass(frozen=True)
class Feature:
    """Something that a kernel has or lacks; `version` is the first mainline one that has it."""

    name: str
    version: str
    probe: Callable[[], bool]

    def __bool__(self) -> bool:
        return _has(self)

    def need(self) -> None:
        """Raise KernelError if the kernel lacks it."""
        if not self:
            raise KernelError(
                f"this kernel has no {self.name}", remedy=f"needs Linux {self.version} or newer"
            )


@cache
def _has(feature: Feature) -> bool:
    """Probe once. Without privilege the answer is no, whatever the kernel has."""
    try:
        return feature.probe()
    except KernelError:
        return False


def _tcx() -> bool:
    with Program.load(ProgramType.SCHED_CLS, _RETURN_ZERO, name="probe") as program:
        try:
            BpfLink.create(program, _NO_DEVICE, AttachType.TCX_INGRESS).close()
        except KernelError as error:
            # EINVAL: no such attach type. A known one gets as far as the device.
            return error.errno == errno.ENODEV
    return True


def _helper(number: int, type_: ProgramType = ProgramType.SCHED_CLS) -> Callable[[], bool]:
    def probe() -> bool:
        code = struct.pack("<BBhi", 0x85, 0, 0, number) + _RETURN_ZERO
        try:
            Program.load(type_, code, name="probe").close()
        except VerifierError as error:
            # A known helper is refused for its arguments instead.
            return bool(error.log) and not any(text in error.log for text in _UNKNOWN_HELPER)
        return True

    return probe


def _map(type_: MapType, key_size: int, value_size: int) -> Callable[[], bool]:
    def probe() -> bool:
        size = 4096 if type_ == MapType.RINGBUF else 1
        Map.create(type_, key_size=key_size, value_size=value_size, max_entries=size).close()
        return True

    return probe


def _lookup_and_delete() -> bool:
    with Map.create(MapType.HASH, key_size=4, value_size=4, max_entries=1) as map_:
        map_.lookup_and_delete(bytes(4))
    return True


def _live_frames() -> bool:
    with Program.load(ProgramType.XDP, _RETURN_ZERO, name="probe") as program:
        program.test_run(bytes(64), flags=2)  # returns XDP_ABORTED: the frame is dropped
    return True


TCX = Feature("tcx", "6.6", _tcx)
BPF_LOOP = Feature("bpf_loop", "5.17", _helper(181))
XDP_LOAD_BYTES = Feature("bpf_xdp_load_bytes", "5.18", _helper(189, ProgramType.XDP))
XDP_STORE_BYTES = Feature("bpf_xdp_store_bytes", "5.18", _helper(190, ProgramType.XDP))
RING_BUFFER = Feature("BPF ring buffer", "5.8", _map(MapType.RINGBUF, 0, 0))
RING_BUFFER_DYNPTR = Feature("bpf_ringbuf_reserve_dynptr", "5.19", _helper(198))
LOOKUP_AND_DELETE = Feature("lookup and delete in hash maps", "5.14", _lookup_and_delete)
PROBE_READ_KERNEL = Feature("bpf_probe_read_kernel", "5.5", _helper(113))
LIVE_FRAMES = Feature("XDP test run with live frames", "5.18", _live_frames)

FEATURES = (
    TCX,
    BPF_LOOP,
    XDP_LOAD_BYTES,
    XDP_STORE_BYTES,
    RING_BUFFER,
    RING_BUFFER_DYNPTR,
    LOOKUP_AND_DELETE,
    PROBE_READ_KERNEL,
    LIVE_FRAMES,
)


NEEDED = (RING_BUFFER, BPF_LOOP)
"""What no program does without; the newest of them makes `_OLDEST`."""

_OLDEST = "5.17"


def _may_administer_networks() -> bool:
    """Whether CAP_NET_ADMIN (include/uapi/linux/capability.h) is effective."""
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_NET_ADMIN & 1)


def why_unusable() -> KernelError | None:
    """Return why this process can't forward with BPF, or None if it can."""
    try:
        Map.create(MapType.HASH, key_size=4, value_size=4, max_entries=1, name="probe").close()
        Program.load(ProgramType.SCHED_CLS, _RETURN_ZERO, name="probe").close()
        if not _may_administer_networks():
            raise KernelError("set up links", errno.EPERM)
        for feature in NEEDED:
            feature.need()
    except KernelError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return KernelError(
                "no privilege for BPF", remedy="needs root or CAP_BPF and CAP_NET_ADMIN"
            )
        if error.errno == errno.ENOSYS:
            return KernelError(
                "this kernel has no BPF", remedy=f"needs Linux {_OLDEST} or newer, with BPF"
            )
        return error
    return None
