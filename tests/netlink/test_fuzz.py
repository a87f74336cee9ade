"""A short run over the fuzzer's corpus: `python -m tests.long.netlink` is the long one."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest

from tests.netlink.fuzzing import Target
from tests.netlink.shapes import SHAPES, shaped
from tests.netlink.test_junk import REQUESTS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
"""Inputs that once broke something, or that reach far."""
_OF_EACH = 90


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found(path: Path) -> None:
    target = Target()
    for _ in range(2):  # what it makes the first time is there then
        target.take(path.read_bytes())


def test_recorded_requests_and_what_is_near_them() -> None:
    target = Target()
    chance = random.Random(11)
    near = [shaped(each, chance) for each in SHAPES for _ in range(_OF_EACH)]
    for data in [*REQUESTS, *near]:
        target.take(data)


def test_nothing_is_left_of_what_was_refused() -> None:
    """As many objects after many as after few: a leak would grow with each."""
    target = Target()
    refused = [each[:-1] for each in REQUESTS if len(each) > 30]
    counts = []
    for _ in range(4):
        for data in refused[:100]:
            target.take(data)
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[-1] - counts[1] < 200, counts
