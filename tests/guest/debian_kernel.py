"""Debian 12's own kernel, out of its package, which is fetched but not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """Fetch and unpack the newest package; its folder, which appears whole or not at all."""
    package = _newest()
    if not package:
        _run("apt-get", "update", "--quiet")
        package = _newest()
    if not package:
        raise NoKernelError("no package of Debian 12's kernel is known here")
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        # Root fetches as root: its private folders are closed to apt's own user.
        _run("apt-get", "-o", "APT::Sandbox::User=root", "download", package, folder=folder)
        (archive,) = folder.glob("*.deb")
        wanted = ["./boot/vmlinuz-*", *(f"*/{module}.ko" for module in _KNOWN)]
        unpacked = folder / package
        unpacked.mkdir()
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
        ) as files:
            unpack = ["tar", "--extract", "--wildcards", f"--directory={unpacked}", *wanted]
            subprocess.run(unpack, stdin=files.stdout, check=True)
        return _put(unpacked, cache / package)


def _put(unpacked: Path, target: Path) -> Path:
    """Give the folder its name; another process may have done so just now."""
    if not _is_complete(target):
        shutil.rmtree(target, ignore_errors=True)
    try:
        return unpacked.rename(target)
    except OSError:
        if not _is_complete(target):
            raise
        return target


def _newest() -> str:
    names = _run("apt-cache", "pkgnames", "linux-image-6.1.0-").split()
    found = [match for name in names if (match := _PACKAGE.fullmatch(name))]
    return max(found, key=lambda match: int(match[1]))[0] if found else ""


def _run(*command: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    except FileNotFoundError:
        raise NoKernelError(f"there is no {command[0]} here") from None
    if done.returncode:
        raise NoKernelError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
