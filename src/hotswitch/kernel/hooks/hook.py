"""What every hook does: attach a program to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hotswitch.kernel.programs import Program


class Attachment(Protocol):
    """A program on a device."""

    @property
    def ifindex(self) -> int:
        """The device's index, or 0 once it has gone."""

    def replace(self, program: Program) -> None:
        """Run another program from now on; no packet misses both. Raises KernelError."""

    def detach(self) -> None:
        """Take the program off the device. Raises KernelError."""

    def pin(self, path: Path) -> None:
        """Make the attachment outlive the process. Raises KernelError."""

    def close(self) -> None:
        """Let go; what is pinned stays attached."""


class Attach(Protocol):
    """A hook's `attach` function. Raises KernelError."""

    def __call__(self, program: Program, ifindex: int) -> Attachment: ...
