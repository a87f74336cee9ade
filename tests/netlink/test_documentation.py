"""docs/netlink.md is true: its examples run, its tables are the codec's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hotswitch.netlink.document import limits, reference, syntax

PAGE = Path(__file__).parents[2] / "docs" / "netlink.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_examples_run() -> None:
    assert len(BLOCKS) == 6
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "done" in names


@pytest.mark.parametrize(
    ("words", "text"), [("", reference()), (" limits", limits()), (" syntax", syntax())]
)
def test_the_tables_are_current(words: str, text: str) -> None:
    start = f"<!-- python -m hotswitch.netlink{words} -->\n"
    _, begun, rest = PAGE.read_text().partition(start)
    table, ended, _ = rest.partition("<!-- end -->")
    assert begun and ended
    assert table == text, f"run python -m hotswitch.netlink{words} and paste it in"
