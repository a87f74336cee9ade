"""docs/headers.md is true: its example runs, its tables are the declarations'."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from hotswitch.headers.document import reference
from hotswitch.headers.registry import FieldKind, Registry

PAGE = Path(__file__).parents[2] / "docs" / "headers.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declaration, use = blocks("python")
    (announcement,) = blocks("toml")
    package = tomllib.loads(announcement)
    points = package["project"]["entry-points"]["hotswitch.headers"]
    assert package["project"].keys() >= {"name", "version"}
    assert package["tool"]["setuptools"]["py-modules"] == ["tally_header"]
    (tmp_path / "tally_header.py").write_text(declaration)
    info = tmp_path / "tally_header-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tally-header\nVersion: 1\n")
    lines = [f"{name} = {target}\n" for name, target in points.items()]
    (info / "entry_points.txt").write_text("[hotswitch.headers]\n" + "".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tally_header", raising=False)
    names: dict[str, object] = {}
    exec(compile(use, str(PAGE), "exec"), names)
    assert {"frame", "parsed", "match", "actions"} <= set(names)


def test_the_tables_are_current(registry: Registry) -> None:
    _, begun, rest = PAGE.read_text().partition("<!-- python -m hotswitch.headers -->\n")
    table, ended, _ = rest.partition("<!-- end -->")
    assert begun and ended
    assert table == reference(registry), "run python -m hotswitch.headers and paste it in"


def test_the_tables_name_every_field(registry: Registry) -> None:
    text = reference(registry)
    for info in registry.fields():
        if info.kind is FieldKind.HEADER:
            assert f"| `{info.name.partition('.')[2]}` |" in text
        elif info.kind is not FieldKind.PRESENCE:
            assert f"| `{info.name}` |" in text
