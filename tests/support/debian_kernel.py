"""Debian 12's own kernel, out of its package, which is fetched but not installed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian_package
from tests.support.debian_package import NoPackageError

_PACKAGE = re.compile(r"linux-image-6\.1\.0-(\d+)-amd64")

MODULES = (
    *("virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio", "virtio_pci"),
    *("9pnet", "netfs", "fscache", "9p", "9pnet_virtio"),
    *("veth", "sch_ingress", "cls_bpf"),
    *("llc", "stp", "bridge", "garp", "mrp", "8021q"),
)
"""What is needed to see the host's files, and to forward; those that others need come first."""

NETWORK_MODULES = (*MODULES[:5], "failover", "net_failover", "virtio_net")
"""What is needed for a network interface."""

_KNOWN = tuple(dict.fromkeys(MODULES + NETWORK_MODULES))


class NoKernelError(Exception):
    """There is none to be had here."""


@dataclass(frozen=True)
class Kernel:
    """A kernel's image and its modules, in the order in which they can be loaded."""

    image: Path
    modules: tuple[Path, ...]


def debian_kernel(cache: Path, names: Sequence[str] = MODULES) -> Kernel:
    """Take it from the folder `cache`, or put it there first. Raises NoKernelError."""
    complete = [each for each in sorted(cache.glob("linux-image-*")) if _is_complete(each)]
    folder = complete[-1] if complete else _fetch(cache)
    (image,) = folder.glob("boot/vmlinuz-*")
    modules = _modules(folder)
    return Kernel(image, tuple(modules[name] for name in names))


def _modules(folder: Path) -> Mapping[str, Path]:
    return {path.stem: path for path in folder.glob("lib/modules/**/*.ko")}


def _is_complete(folder: Path) -> bool:
    """Whether it is there, with all that this version wants of it."""
    return _modules(folder).keys() >= set(_KNOWN)


def _fetch(cache: Path) -> Path:
    """Fetch and unpack the newest package; its folder."""
    try:
        package = _newest()
        if not package:
            debian_package.run("apt-get", "update", "--quiet")
            package = _newest()
        if not package:
            raise NoKernelError("no package of Debian 12's kernel is known here")
        wanted = ["./boot/vmlinuz-*", *(f"*/{module}.ko" for module in _KNOWN)]
        return debian_package.fetch(package, wanted, cache, _is_complete)
    except NoPackageError as error:
        raise NoKernelError(str(error)) from error


def _newest() -> str:
    names = debian_package.run("apt-cache", "pkgnames", "linux-image-6.1.0-").split()
    found = [match for name in names if (match := _PACKAGE.fullmatch(name))]
    return max(found, key=lambda match: int(match[1]))[0] if found else ""
