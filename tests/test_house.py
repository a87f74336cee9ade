"""The package as a whole."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Collection
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


def test_no_files_import_each_other_in_a_circle() -> None:
    """Not even for types alone, or within a function."""
    files = {_module(path): path for path in HOUSE.rglob("*.py")}
    circles = graphlib.TopologicalSorter(
        {module: _imported(path, files) for module, path in files.items()}
    )
    circles.prepare()  # raises CycleError, with the circle


def _module(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, files: Collection[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = (f"{node.module}.{each.name}" for each in node.names)
            found |= {each if each in files else node.module for each in whole}
    return found & set(files)


def test_the_page_on_the_architecture_names_each_folder() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`((?:[\w-]+/)+)`", page)
    folders = [f"{each.parent.relative_to(HOUSE)}/" for each in HOUSE.glob("*/**/__init__.py")]
    folders += [f"{each.parent.relative_to(ROOT)}/" for each in ROOT.glob("bench/**/__init__.py")]
    assert len(folders) > 30
    assert [each for each in folders if not any(name.startswith(each) for name in named)] == []


def test_the_pages_of_docs_are_linked_and_their_links_lead_somewhere() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert [page.name for page in pages[1:] if f"](docs/{page.name})" not in readme] == []
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


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
