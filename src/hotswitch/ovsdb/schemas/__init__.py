"""The schemas that hotswitch carries."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from hotswitch.ovsdb.schema import DatabaseSchema


@cache
def load(name: str) -> DatabaseSchema:
    """Return `Open_vSwitch` or `_Server`."""
    # importlib.resources would do as well, but takes 3 MiB of memory.
    text = Path(__file__).with_name(f"{name}.ovsschema").read_bytes()
    return DatabaseSchema.from_json(msgspec.json.decode(text))
