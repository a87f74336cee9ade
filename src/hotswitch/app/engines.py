"""Which engine forwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry

EngineMaker: TypeAlias = Callable[[str, Registry, Path, int], Engine]
"""Makes an engine from a bridge's name, the headers, a folder for pins (which need not exist), and
the address table's size; it takes over what is pinned there. Raises HotswitchError."""


def kernel_engine(name: str, registry: Registry, pins: Path, address_limit: int) -> Engine:
    """Programs in the kernel."""
    from hotswitch.datapath.engines.kernel import KernelEngine  # it loads the compiler

    return KernelEngine(name, registry, pins, address_limit)


ENGINES: Mapping[str, EngineMaker] = {"auto": kernel_engine, "kernel": kernel_engine}
"""By the name that a person gives."""
