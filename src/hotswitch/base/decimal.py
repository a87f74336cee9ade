"""Numbers as people write them."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"-?[0-9]{1,40}")


def read_decimal(text: str) -> int:
    """A whole number in ASCII digits; blanks around it don't count.

    Raises ValueError.

    Python's own `int` takes any script's digits, and underscores, which other readers of the same
    text refuse or take for something else. More than 40 digits are none that anybody means.
    """
    bare = text.strip()
    if not _NUMBER.fullmatch(bare):
        raise ValueError("a whole number is expected")
    return int(bare)
