"""The schemas that hotswitch carries."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from hotswitch.ovsdb.schema import DatabaseSchema


@cache
def load(name: str) -> DatabaseSchema:
    """Return `Open_vSwitch` or `_Server`."""
    text = files(__name__).joinpath(f"{name}.ovsschema").read_text("utf-8")
    return DatabaseSchema.from_json(json.loads(text))
