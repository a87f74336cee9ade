"""Memory back to the system: what was freed after much of it was in use."""

from __future__ import annotations

import ctypes

_libc = ctypes.CDLL(None)


def can_trim() -> bool:
    """Whether the C library has malloc_trim(3): glibc has."""
    return hasattr(_libc, "malloc_trim")


def trim() -> None:
    """Give back what can be given back."""
    _libc.malloc_trim(0)
