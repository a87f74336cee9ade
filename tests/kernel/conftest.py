"""What the tests of `kernel` share: own namespaces and devices, a tiny assembler, compiled IR."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotswitch.kernel import pins

_numbers = itertools.count()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """A function that makes names of at most 15 characters that no other test uses."""
    return lambda prefix: f"{prefix}{os.getpid() % 100000}x{next(_numbers)}"


@pytest.fixture
def namespace(unique: Callable[[str], str]) -> Iterator[str]:
    """The name of an own network namespace."""
    name = unique("hsk")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def pin_directory(unique: Callable[[str], str]) -> Iterator[Path]:
    """An own directory in the bpffs."""
    path = pins.directory(unique("hskpins"))
    try:
        yield path
    finally:
        pins.remove(path)
