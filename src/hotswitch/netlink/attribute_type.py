"""What every kind of payload of an attribute can do. The kinds are in `types.py`, `nested.py`."""

from __future__ import annotations

from typing import Any, Protocol


class AttributeType(Protocol):
    """A kind of payload."""

    @property
    def text(self) -> str:
        """What it is, for people: "u32", "be16", "struct ovs_key_ipv4"."""

    def decode(self, data: bytes, start: int, end: int, depth: int) -> Any:
        """The value in data[start:end]. Raises NetlinkError. `depth` counts nests down."""

    def encode(self, value: Any, depth: int) -> bytes:
        """The payload of a value. Raises NetlinkError."""
