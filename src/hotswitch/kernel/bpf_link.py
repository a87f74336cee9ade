"""BPF links: a program's attachment that lives as long as its descriptor or its pin."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hotswitch.kernel import syscall
from hotswitch.kernel.bpf_object import BpfObject
from hotswitch.kernel.programs import Program
from hotswitch.kernel.syscall import Command, bpf

LINK_TYPE_TCX = 11


class _CreateAttributes(ctypes.Structure):
    _fields_ = (
        ("program_fd", ctypes.c_uint32),
        ("ifindex", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


class _UpdateAttributes(ctypes.Structure):
    _fields_ = (
        ("link_fd", ctypes.c_uint32),
        ("program_fd", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("old_program_fd", ctypes.c_uint32),
    )


class _DetachAttributes(ctypes.Structure):
    _fields_ = (("link_fd", ctypes.c_uint32),)


class _Info(ctypes.Structure):
    """`struct bpf_link_info` with its `tcx` member; `xdp` is the same without attach_type."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("program_id", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("ifindex", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
    )


@dataclass(frozen=True, slots=True)
class BpfLinkInfo:
    """What the kernel says about a link; ifindex is 0 once it is detached or its device gone."""

    id: int
    type: int
    program_id: int
    ifindex: int


class BpfLink(BpfObject):
    """An attachment of a program to a device, by tcx or XDP; unpinned it ends when closed."""

    @classmethod
    def create(cls, program: Program, ifindex: int, attach_type: int, flags: int = 0) -> Self:
        """Attach `program`. Raises KernelError."""
        attributes = _CreateAttributes(program.fd, ifindex, attach_type, flags)
        return cls(bpf(Command.LINK_CREATE, attributes, f"attach to the device {ifindex}"))

    @classmethod
    def from_pin(cls, path: Path) -> Self:
        """Open the link pinned at `path`. Raises KernelError."""
        return cls(syscall.open_pin(path, "bpf-link"))

    def info(self) -> BpfLinkInfo:
        """Ask the kernel about it. Raises KernelError."""
        info = _Info()
        syscall.read_info(self.fd, info, "read about a link")
        return BpfLinkInfo(info.id, info.type, info.program_id, info.ifindex)

    @property
    def ifindex(self) -> int:
        """The device's index, or 0 once it has gone. Raises KernelError."""
        return self.info().ifindex

    def replace(self, program: Program) -> None:
        """Run another program from now on; no packet misses both. Raises KernelError."""
        attributes = _UpdateAttributes(self.fd, program.fd)
        bpf(Command.LINK_UPDATE, attributes, "replace the program of a link")

    def detach(self) -> None:
        """Detach now, whoever else holds the link, and close. Raises KernelError."""
        bpf(Command.LINK_DETACH, _DetachAttributes(self.fd), "detach a link")
        self.close()


def is_attached(path: Path) -> bool:
    """Whether the link pinned there is still at a device. Raises KernelError."""
    with BpfLink.from_pin(path) as link:
        return link.ifindex != 0
