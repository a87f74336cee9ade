"""Debian 12's own kernel, out of its package, which is fetched but not installed."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = re.compile(r"linux-image-6\.1\.0-(\d+)-amd64")

MODULES = (
    *("virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio", "virtio_pci"),
    *("9pnet", "netfs", "fscache", "9p", "9pnet_virtio"),
    *("veth", "sch_ingress", "cls_bpf"),
)
"""What is needed to see the host's files, and to forward; those that others need come first."""


class NoKernelError(Exception):
    """There is none to be had here."""


@dataclass(frozen=True)
class Kernel:
    """A kernel's image and its modules, in the order of `MODULES`."""

    image: Path
    modules: tuple[Path, ...]


def debian_kernel(cache: Path) -> Kernel:
    """Take it from the folder `cache`, or put it there first. Raises NoKernelError."""
    if not (found := sorted(cache.glob("linux-image-*"))):
        found = [_fetch(cache)]
    (image,) = found[-1].glob("boot/vmlinuz-*")
    modules = {path.stem: path for path in found[-1].glob("lib/modules/**/*.ko")}
    return Kernel(image, tuple(modules[name] for name in MODULES))


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
        wanted = ["./boot/vmlinuz-*", *(f"*/{module}.ko" for module in MODULES)]
        unpacked = folder / package
        unpacked.mkdir()
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
        ) as files:
            unpack = ["tar", "--extract", "--wildcards", f"--directory={unpacked}", *wanted]
            subprocess.run(unpack, stdin=files.stdout, check=True)
        return unpacked.rename(cache / package)


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
