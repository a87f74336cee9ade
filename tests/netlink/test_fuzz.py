"""A short run over the fuzzer's corpus: `python -m tests.long.netlink` is the long one."""

from __future__ import annotations

import gc
import random
from pathlib import Path

import pytest

from tests.netlink.fuzzing import Target
from tests.netlink.test_junk import REQUESTS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
"""Inputs that once broke something, or that reach far."""
_SHAPES = 600


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found(path: Path) -> None:
    Target().take(path.read_bytes())


def test_recorded_requests_and_what_is_near_them() -> None:
    target = Target()
    chance = random.Random(11)
    for data in [*REQUESTS, *(_near(chance) for _ in range(_SHAPES))]:
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


def _near(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(REQUESTS))
    match chance.randrange(7):
        case 0:  # cut off
            del data[chance.randrange(len(data)) :]
        case 1:  # another length than it says
            data[:4] = chance.randrange(1 << 32).to_bytes(4, "little")
        case 2:  # an attribute's length is wrong
            at = 24 + 4 * chance.randrange(max(1, (len(data) - 24) // 4))
            data[at : at + 2] = chance.randrange(1 << 16).to_bytes(2, "little")
        case 3:  # an unknown family, command or attribute
            data[chance.choice((4, 16, 26)) % len(data)] = chance.randrange(256)
        case 4:  # attributes in another order
            half = 24 + (len(data) - 24) // 8 * 4
            data[24:] = data[half:] + data[24:half]
        case 5:  # nested to the limit and beyond
            inner = b""
            for _ in range(chance.randrange(1, 60)):
                inner = (len(inner) + 4).to_bytes(2, "little") + b"\x03\x00" + inner
            data += inner
            data[:4] = len(data).to_bytes(4, "little")
        case 6:  # longer
            data += bytes(chance.randrange(200))
    return bytes(data)
