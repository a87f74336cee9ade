"""The Internet checksum: 16-bit one's complement sums (RFC 1071) and their update (RFC 1624)."""

from __future__ import annotations


def internet_checksum(data: bytes) -> int:
    """The checksum of `data`, in which the checksum field itself is zero.

    An odd last byte counts as if a zero byte followed (RFC 1071, 1).
    """
    return ~_fold(_sum(data)) & 0xFFFF


def update(checksum: int, old: bytes, new: bytes) -> int:
    """The checksum after `old` has become `new` (equally long, at an even place in the sum).

    RFC 1624, equation 3: HC' = ~(~HC + Σ~m + Σm'). The result is 0 only where the folded sum is
    0xffff, so what is updated to the same bytes keeps its checksum (0xffff becomes 0, its equal).
    Raises ValueError for lengths that differ.
    """
    if len(old) != len(new):
        raise ValueError("what is replaced and what replaces it are equally long")
    inverted = sum(~word & 0xFFFF for word in _words(old))
    return ~_fold((~checksum & 0xFFFF) + inverted + _sum(new)) & 0xFFFF


def _words(data: bytes) -> list[int]:
    padded = data + b"\0" if len(data) % 2 else data
    return [padded[at] << 8 | padded[at + 1] for at in range(0, len(padded), 2)]


def _sum(data: bytes) -> int:
    return sum(_words(data))


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
