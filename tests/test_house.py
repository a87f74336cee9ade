"""The package as a whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import hotswitch

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "hotswitch"


def test_the_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", hotswitch.__version__)


@pytest.mark.parametrize(
    "room", sorted(HOUSE.rglob("__init__.py")), ids=lambda path: path.parent.name
)
def test_each_room_says_what_it_is(room: Path) -> None:
    assert ast.get_docstring(ast.parse(room.read_text()))


def test_the_page_on_the_architecture_names_what_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    there = [f"/{path.relative_to(ROOT)}/" for path in ROOT.glob("[a-z]*/**/*")]
    there += [f"/{path.name}/" for path in ROOT.iterdir()]
    named = re.findall(r"`((?:[\w-]+/)*[\w-]+\.py|(?:[\w-]+/)+)`", page)
    assert len(named) > 80
    missing = [
        each for each in named if not any(path.endswith(f"/{each.rstrip('/')}/") for path in there)
    ]
    assert missing == []
