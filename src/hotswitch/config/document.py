"""The reference of tables, columns and keys, as Markdown, from `columns` and the schema."""

from __future__ import annotations

from collections.abc import Iterator

from hotswitch.config import columns
from hotswitch.ovsdb.schema import DatabaseSchema, TableSchema

_INTERNAL = ("_uuid", "_version")


def reference(schema: DatabaseSchema) -> str:
    """All columns of all tables, then the keys of `other_config` that are acted on."""
    return "\n".join([*_tables(schema), *_keys()]) + "\n"


def use(table: str, column: str) -> str:
    """What hotswitch does with a column, in a few words."""
    if column in columns.ACTED_ON.get(table, ()):
        return "acted on"
    if column in columns.WRITTEN.get(table, ()):
        return "written"
    if column in columns.NOT_ACTED_ON.get(table, {}):
        return "kept, and said if set"
    return "kept"


def _tables(schema: DatabaseSchema) -> Iterator[str]:
    for name, table in schema.tables.items():
        yield from (f"### {name}", "", "| column | |", "|---|---|")
        for words, names in _by_use(name, table).items():
            yield f"| {', '.join(f'`{each}`' for each in names)} | {words} |"
        yield ""


def _by_use(name: str, table: TableSchema) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column in table.by_name:
        if column not in _INTERNAL:
            found.setdefault(use(name, column), []).append(column)
    return dict(sorted(found.items()))


def _keys() -> Iterator[str]:
    yield from (
        "### Keys of other_config that are acted on",
        "",
        "| table | key | |",
        "|---|---|---|",
    )
    for table, keys in columns.OTHER_CONFIG.items():
        for key, meaning in keys.items():
            yield f"| {table} | `{key}` | {meaning} |"
