"""Network namespaces of a test's own, which go with it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hotswitch.kernel import netns

_numbers = itertools.count()


@contextmanager
def namespace() -> Iterator[str]:
    """The name of a new one, of at most 15 characters."""
    name = f"hst{os.getpid() % 100000}x{next(_numbers)}"
    netns.create(name)
    try:
        yield name
    finally:
        netns.delete(name)


@contextmanager
def inside_namespace() -> Iterator[str]:
    """The same; the calling thread is in it until the end."""
    with namespace() as name, netns.inside(name):
        yield name
