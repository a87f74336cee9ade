"""A header that no one has heard of is matched and set like any other."""

from __future__ import annotations

import pytest

from hotswitch.headers.declaration import Checksum, Field, Header, Length, Select, Under
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import standard_registry
from tests.engines.fixture import Fixture
from tests.engines.frames import c_tag, ethernet
from tests.engines.harness import ReferenceHarness, observe

ODD = Header(
    name="odd",
    title="a header of odd widths",
    fields=(
        Field("kind", 3, settable=False),
        Field("size", 5, settable=False),
        Field("word", 13),
        Field("flag", 1),
        Field("wide", 26),
        Field("check", 16),
    ),
    under=(Under("ethertype", 0x88B6),),
    select=Select("odd_kind", by="kind"),
    length=Length("size", unit=1),
    checksum=Checksum("check"),
)
SHIFTED = Header(
    name="shifted",
    title="what follows at an odd offset",
    fields=(Field("a", 7), Field("b", 17)),
    under=(Under("odd_kind", 5),),
)
REGISTRY = Registry([*standard_registry().headers.values(), ODD, SHIFTED])


def odd(word: int, flag: int, wide: int, check: int, a: int = 0, b: int = 0) -> bytes:
    """An odd header of 8+3 bytes, then a shifted one."""
    number = 5 << 61 | 11 << 56 | word << 43 | flag << 42 | wide << 16 | check
    return number.to_bytes(8, "big") + b"\xaa\xbb\xcc" + (a << 17 | b).to_bytes(3, "big") + b"rest"


def frame(inner: bytes, *tags: object) -> bytes:
    made = ethernet(b"", *tags)  # type: ignore[arg-type]
    return made[:-2] + b"\x88\xb6" + inner if tags else made[:12] + b"\x88\xb6" + inner


BEFORE = frame(odd(0x1234, 1, 0x200_0001, 0x7000, 1, 0x10001))

FIXTURES = [
    Fixture(
        "match on all of it",
        ["0 5 odd.word=0x1234,odd.wide=0x2000001,shifted.a=1,shifted.b=0x10001 output:2"],
        [(1, BEFORE)],
        [(2, BEFORE)],
    ),
    Fixture(
        "match under masks",
        ["0 5 odd.word=0x1000/0x1000,odd.wide=1/1,shifted.b=0x10000/0x10000 output:2"],
        [(1, BEFORE)],
        [(2, BEFORE)],
    ),
    Fixture(
        "set odd widths: the checksum follows",
        ["0 5 odd set:odd.word=0x0234,set:odd.flag=0,output:2"],
        # The sum's first word loses 0x80, its second 0x400.
        [(1, BEFORE)],
        [(2, frame(odd(0x0234, 0, 0x200_0001, 0x7000 + 0x0480, 1, 0x10001)))],
    ),
    Fixture(
        "set at an odd offset: the checksum follows",
        ["0 5 odd set:shifted.b=0x10000,output:2"],
        # The last byte of `shifted` is at 13 in `odd`: the low byte of a word of the sum.
        [(1, BEFORE)],
        [(2, frame(odd(0x1234, 1, 0x200_0001, 0x7001, 1, 0x10000)))],
    ),
    Fixture(
        "behind a tag, copied to a register and back",
        ["0 5 vlan copy:odd.wide->metadata,goto:1", "1 1 metadata=0x2000001 output:2"],
        [(1, frame(odd(1, 0, 0x200_0001, 0), c_tag(5)))],
        [(2, frame(odd(1, 0, 0x200_0001, 0), c_tag(5)))],
    ),
    Fixture(
        "cut off",
        ["0 5 !odd,ethertype=0x88b6 output:2"],
        [(1, BEFORE[:24])],
        [(2, BEFORE[:24])],
        counters={"malformed": 1},
    ),
]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_reference(fixture: Fixture) -> None:
    seen = observe(ReferenceHarness(REGISTRY), fixture.setup(REGISTRY), fixture.frames)
    fixture.check(REGISTRY, seen)
