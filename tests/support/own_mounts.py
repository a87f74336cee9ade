"""Places of its own for a test process: what it pins and names goes with it, however it ends."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 1 << 14, 1 << 18
_NAMESPACES, _PINS = "/run/netns", "/sys/fs/bpf"


def take() -> None:
    """Give this thread, and what it starts, its own named network namespaces and its own bpffs."""
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result: int, what: str) -> None:
        if result:
            raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

    must(libc.unshare(_CLONE_NEWNS), "unshare")
    must(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "make / private")
    Path(_NAMESPACES).mkdir(exist_ok=True)
    must(libc.mount(b"none", _NAMESPACES.encode(), b"tmpfs", 0, None), f"mount {_NAMESPACES}")
    must(libc.mount(b"none", _PINS.encode(), b"bpf", 0, None), f"mount {_PINS}")
