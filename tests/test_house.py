"""The package as a whole."""

from __future__ import annotations

import re

import hotswitch


def test_the_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", hotswitch.__version__)
