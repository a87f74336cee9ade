"""The brackets in a piece of JSON text, without a look at each of them.

What finds the end of a long message needs to know only how many brackets each piece of it closes
and opens; so strings, and brackets that close again within the piece, go by a few calls for all.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PIECE = 1 << 12
"""Bytes to skim at once."""

DEEPEST = 32
"""Levels that a piece may rise above those that it begins and ends with, and not be seen to."""

_PLAIN = bytes(each for each in range(0x20, 0x100) if each != ord("\\"))
_BESIDE_BRACKETS = b"-+.,:0123456789eEtrufalsn "
_LEFT = re.compile(rb"([]}]*+)([{[]*+)")


class Skimmed(NamedTuple):
    """What a piece closes that it has not opened, then opens and does not close; and whether it
    ends in a string."""

    closes: int
    opens: int
    in_string: bool


def skim(piece: bytes, in_string: bool) -> Skimmed | None:
    """Skim a piece that begins in a string or not; None if it takes a closer look.

    It does if there is an escape or a control character in it, or what can't stand in JSON.
    """
    if piece.translate(None, _PLAIN):
        return None
    parts = piece.split(b'"')
    outside = b"".join(parts[in_string::2])
    left = outside.translate(None, _BESIDE_BRACKETS)
    for _ in range(DEEPEST // 2):  # each round takes away two levels at most
        before = len(left)
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == before:
            break
    found = _LEFT.fullmatch(left)
    if found is None:
        return None
    ends_in_string = in_string ^ (len(parts) % 2 == 0)
    return Skimmed(len(found[1]), len(found[2]), ends_in_string)
