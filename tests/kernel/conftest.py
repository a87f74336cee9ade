"""What the tests of `kernel` share: own namespaces and devices, a tiny assembler, compiled IR."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from hotswitch.kernel import link_actions, links, netns, pins
from tests.support import namespaces

_numbers = itertools.count()
T = TypeVar("T")


@pytest.fixture
def unique() -> Callable[[str], str]:
    """A function that makes names of at most 15 characters that no other test uses."""
    return lambda prefix: f"{prefix}{os.getpid() % 100000}x{next(_numbers)}"


@pytest.fixture
def namespace() -> Iterator[str]:
    """The name of an own network namespace."""
    with namespaces.namespace() as name:
        yield name


@pytest.fixture
def pin_directory(unique: Callable[[str], str]) -> Iterator[Path]:
    """An own directory in the bpffs."""
    path = pins.directory(unique("hskpins"))
    try:
        yield path
    finally:
        pins.remove(path)


@pytest.fixture
def inside(namespace: str) -> Iterator[str]:
    """Run the test inside an own network namespace; its name."""
    with netns.inside(namespace):
        yield namespace


@dataclass(frozen=True)
class Pair:
    """The two ends of a veth pair, both up, in one own namespace."""

    near: int
    far: int


def is_ready(index: int) -> bool:
    """Whether what is sent on the link goes out."""
    link = links.get_link(index)
    return link is not None and link.state == links.OperationalState.UP


@pytest.fixture
def pair(inside: str) -> Pair:
    """A veth pair in the test's own namespace, which the test runs in."""
    near = link_actions.create_veth("near", "far").index
    far = links.get_link("far")
    assert far is not None
    for index in (near, far.index):
        link_actions.set_up(index)
    # What is sent before is dropped without a word.
    for index in (near, far.index):
        wait_for(lambda index=index: is_ready(index))  # type: ignore[misc]
    return Pair(near, far.index)


def wait_for(condition: Callable[[], T | None], seconds: float = 5) -> T:
    """Poll until the condition gives something, which is returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return found
