"""Skimming a piece of JSON text says what counting each bracket says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotswitch.ovsdb.jsonrpc import Framer, Request, encode
from hotswitch.ovsdb.skimming import DEEPEST, Skimmed, skim

_ENDS = {ord("]"): ord("["), ord("}"): ord("{")}


def _counted(piece: bytes, in_string: bool) -> tuple[Skimmed, int]:
    """The same bracket by bracket, and how far it rises above where it begins and ends."""
    depth = lowest = highest = 0
    for each in piece:
        if each == ord('"'):
            in_string = not in_string
        elif not in_string and each in b"[{":
            depth += 1
        elif not in_string and each in b"]}":
            depth -= 1
        lowest, highest = min(lowest, depth), max(highest, depth)
    return Skimmed(-lowest, depth - lowest, in_string), highest - max(0, depth)


@given(st.text(alphabet='[]{}[]{}",a1 ').map(str.encode), st.booleans())
@example(b"]]}{[", False)
@example(b'a[b"]{"}{', True)
@example(b"[" * 100 + b"]" * 100, False)
def test_what_is_skimmed_is_what_is_counted(piece: bytes, in_string: bool) -> None:
    skimmed = skim(piece, in_string)
    if skimmed is not None:
        counted, rise = _counted(piece, in_string)
        assert skimmed == counted
        assert rise <= DEEPEST


def test_pieces_of_messages_are_skimmed() -> None:
    """Else it would be right, and of no use."""
    wait = {"op": "wait", "where": [["_uuid", "==", ["uuid", "x{y"]]], "rows": [{"ports": "é"}]}
    piece = encode(Request("transact", [wait] * 10, 1))
    assert skim(piece, False) == Skimmed(0, 0, False)
    assert skim(piece[:-1], False) == Skimmed(0, 1, False)


def test_what_takes_a_closer_look_is_not_skimmed() -> None:
    for piece in (b'"\\""', b"[\n]", b'{"a": \x01}', b"[}", b"[x]", b"[" * 80 + b"]" * 80):
        assert skim(piece, False) is None


@pytest.mark.parametrize("size", [100, 4_001, 40_000, 1 << 20])
def test_long_messages_survive_any_cut(size: int) -> None:
    texts = ["x", "]]", '"', "\\", "{", "é", "\n", "plain"]
    some = [[{"b": each, "c": [1, None, {}]}] for each in texts]
    sent = [Request("a", [*some, *some[-1:] * 2_000, *some] * 2, each) for each in (1, 2, 3)]
    data = b"".join(map(encode, sent))
    framer = Framer()
    pieces = [data[each : each + size] for each in range(0, len(data), size)]
    assert [each for piece in pieces for each in framer.feed(piece)] == sent
