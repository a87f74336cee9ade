"""Files out of Debian's packages, which are fetched but not installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class NoPackageError(Exception):
    """It can't be had here."""


def fetch(
    package: str, patterns: Sequence[str], cache: Path, is_complete: Callable[[Path], bool]
) -> Path:
    """The folder of that name in `cache`, with the package's files that fit.

    It appears whole or not at all; one that is not complete is made anew. Raises NoPackageError.
    """
    target = cache / package
    if is_complete(target):
        return target
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        try:
            _download(package, folder)
        except NoPackageError:  # lists that are old name files that are gone
            run("apt-get", "update", "--quiet")
            _download(package, folder)
        (archive,) = folder.glob("*.deb")
        unpacked = folder / package
        unpacked.mkdir()
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
        ) as files:
            unpack = ["tar", "--extract", "--wildcards", f"--directory={unpacked}", *patterns]
            subprocess.run(unpack, stdin=files.stdout, check=True)
        return _put(unpacked, target, is_complete)


def _download(package: str, folder: Path) -> None:
    # Root fetches as root: its private folders are closed to apt's own user.
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", package, folder=folder)


def _put(unpacked: Path, target: Path, is_complete: Callable[[Path], bool]) -> Path:
    """Give the folder its name; another process may have done so just now."""
    if not is_complete(target):
        shutil.rmtree(target, ignore_errors=True)
    try:
        return unpacked.rename(target)
    except OSError:
        if not is_complete(target):
            raise
        return target


def run(*command: str, folder: Path | None = None) -> str:
    """What the command prints. Raises NoPackageError if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    except FileNotFoundError:
        raise NoPackageError(f"there is no {command[0]} here") from None
    if done.returncode:
        raise NoPackageError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
