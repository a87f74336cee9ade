"""What maps, programs and links have in common: a descriptor, and perhaps a name in a bpffs."""

from __future__ import annotations

import os
from pathlib import Path

from hotswitch.base.closing import Closing
from hotswitch.kernel import syscall


class BpfObject(Closing):
    """An open object of bpf(2). It lives until nobody has it open, pinned or in use."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def pin(self, path: Path) -> None:
        """Give it a name in a bpffs, so that it outlives the process. Raises KernelError."""
        syscall.pin(self.fd, path)

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
