"""What hooks have in common: where a program can be, and what it is when it is there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from hotswitch.kernel.programs import Program


class Spot(NamedTuple):
    """A device's ingress or egress."""

    ifindex: int
    egress: bool = False


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
