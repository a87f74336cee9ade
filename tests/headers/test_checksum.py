from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.checksum import internet_checksum, update


def test_the_example_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@given(st.binary(max_size=60), st.data())
def test_updating_gives_what_computing_anew_gives(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data) // 2)) * 2
    stop = draw.draw(st.integers(start, len(data)))
    if stop < len(data) and (stop - start) % 2:
        stop += 1
    new = draw.draw(st.binary(min_size=stop - start, max_size=stop - start))
    changed = data[:start] + new + data[stop:]
    updated = update(internet_checksum(data), data[start:stop], new)
    anew = internet_checksum(changed)
    # 0 and 0xffff are the same number; of all zeros only a new computation knows.
    assert updated % 0xFFFF == anew % 0xFFFF
    if any(changed):
        assert updated == anew or start == stop


@given(st.integers(0, 0xFFFF), st.binary(min_size=2, max_size=20))
def test_the_equation_itself(checksum: int, pair: bytes) -> None:
    half = len(pair) // 2
    old, new = pair[:half], pair[half : 2 * half]
    total = (~checksum & 0xFFFF) + sum(
        (255 - was << 8 | 255) + (now << 8) if at % 2 == 0 else now - was
        for at, (was, now) in enumerate(zip(old, new, strict=True))
    )
    assert (update(checksum, old, new) + total) % 0xFFFF == 0
    assert 0 <= update(checksum, old, new) <= 0xFFFF


def test_the_same_bytes_keep_the_checksum_but_never_give_ffff() -> None:
    assert update(0x1234, b"\1\2", b"\1\2") == 0x1234
    assert update(0xFFFF, b"\1\2", b"\1\2") == 0
    assert update(0, b"\1\2", b"\1\2") == 0


def test_refuses_different_lengths() -> None:
    with pytest.raises(ValueError, match="equally long"):
        update(0, b"\0\0", b"\0\0\0\0")
