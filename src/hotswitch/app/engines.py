"""Which engine forwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry

if TYPE_CHECKING:
    from hotswitch.datapath.engines.kernel import Compiler


@dataclass(frozen=True, slots=True)
class EngineKind:
    """A kind of engine that a person can choose.

    make: from a bridge's name, the headers, a folder for pins (which need not exist), the
        address table's size, and how many bytes packets on their way to user space have room for
        (0: the usual); the engine takes over what is pinned there. Raises HotswitchError.
    why_unusable: why there can't be one on this machine, or None.
    has_other_port: whether the link of this index is a port of another daemon's. Raises
        HotswitchError.
    """

    make: Callable[[str, Registry, Path, int, int], Engine]
    why_unusable: Callable[[], HotswitchError | None]
    has_other_port: Callable[[int], bool] = lambda ifindex: False


def _kernel_engine(
    name: str, registry: Registry, pins: Path, address_limit: int, copies_size: int
) -> Engine:
    from hotswitch.datapath.engines.kernel import KernelEngine  # it loads the compiler

    return KernelEngine(name, registry, pins, address_limit, _compiler(registry), copies_size)


@cache
def _compiler(registry: Registry) -> Compiler:
    """One for all bridges: they mostly have the same shape."""
    from hotswitch.datapath.engines.kernel import Compiler

    return Compiler(registry)


def _why_no_kernel() -> HotswitchError | None:
    from hotswitch.kernel.probe import why_unusable

    return why_unusable()


def _has_other_port(ifindex: int) -> bool:
    from hotswitch.datapath.engines.kernel.other_switches import has_other_port

    return has_other_port(ifindex)


_KERNEL = EngineKind(_kernel_engine, _why_no_kernel, _has_other_port)

ENGINES: Mapping[str, EngineKind] = {"auto": _KERNEL, "kernel": _KERNEL}
"""By the name that a person gives; `auto` is the fastest that there is."""
