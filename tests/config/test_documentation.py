"""docs/database.md is true: its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from hotswitch.config import columns
from hotswitch.config.document import reference, use
from tests.config.tables import SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "database.md"
SOURCES = Path(columns.__file__).parent


def test_the_tables_are_current() -> None:
    _, begun, rest = PAGE.read_text().partition("<!-- python -m hotswitch.config -->\n")
    table, ended, _ = rest.partition("<!-- end -->")
    assert begun and ended
    assert table == reference(SCHEMA), "run python -m hotswitch.config and paste it in"


def test_every_column_that_is_named_exists() -> None:
    for named in (columns.ACTED_ON, columns.WRITTEN, columns.NOT_ACTED_ON):
        for table, names in named.items():
            assert set(names) <= set(SCHEMA.tables[table].by_name)


def test_every_key_that_is_acted_on_is_read() -> None:
    sources = "\n".join(path.read_text() for path in SOURCES.glob("read*.py"))
    for keys in columns.OTHER_CONFIG.values():
        for key in keys:
            assert f'"{key}"' in sources


def test_all_that_is_written_is_in_the_list() -> None:
    sayings = ("interface_columns.py", "other_columns.py")  # what is, not what is wanted
    sources = "\n".join((SOURCES / name).read_text() for name in sayings)
    written = set(re.findall(r'^ +(?:\*\*\(\{)?"([a-z_]+)":', sources, re.MULTILINE))
    listed = {column for names in columns.WRITTEN.values() for column in names}
    columns_of_all = {name for table in SCHEMA.tables.values() for name in table.by_name}
    assert written & columns_of_all - {"statistics", "error"} <= listed


def test_a_column_has_one_use() -> None:
    assert use("Port", "qos") == "kept, and said if set"
    assert use("Interface", "external_ids") == use("QoS", "queues") == "kept"
    for table in SCHEMA.tables:
        acted, written = set(columns.ACTED_ON.get(table, ())), set(columns.WRITTEN.get(table, ()))
        ignored = set(columns.NOT_ACTED_ON.get(table, {}))
        assert not acted & written and not acted & ignored and not written & ignored
