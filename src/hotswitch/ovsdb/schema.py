"""Database, table and column schemas (RFC 7047 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec

from hotswitch.ovsdb.atoms import UuidType
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import Kind, Members
from hotswitch.ovsdb.types import Type, type_from_json, type_to_json
from hotswitch.ovsdb.values import Atom, Json, Row, Uuid, as_integer, is_identifier

ROWS_MAX = 2**32 - 1

_NAMES_EXPECTED = "array of distinct column names expected"
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+").fullmatch


@dataclass(frozen=True, eq=False)
class Column:
    """One column; `index` is its place in the rows of its table.

    An `ephemeral` column isn't written to the log.
    """

    name: str
    type: Type
    mutable: bool = True
    ephemeral: bool = False
    index: int = -1


@dataclass(frozen=True, eq=False)
class TableSchema:
    """One table; `columns` begin with `_uuid` and `_version`.

    `mutable` is only kept: Open vSwitch reads it too, and lets such a table be changed
    (ovsdb/table.c); what can't be changed is a column that isn't `mutable`.
    Rows of a table that `is_root` live until they are deleted, those of others while
    something refers to them strongly. `indexes` are the columns that no two rows have equal.
    """

    name: str
    columns: tuple[Column, ...]
    mutable: bool = True
    is_root: bool = True
    max_rows: int = ROWS_MAX
    indexes: tuple[tuple[Column, ...], ...] = ()
    by_name: Mapping[str, Column] = field(init=False, repr=False)
    #: A row in which nothing is set.
    default: Row = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        object.__setattr__(self, "default", tuple(column.type.default for column in self.columns))

    def column(self, name: str, json: Json) -> Column:
        """Return a column, or raise the error that `json` names an unknown one."""
        column = self.by_name.get(name)
        if column is None:
            raise syntax_error(json, f"No column {name} in table {self.name}.", "unknown column")
        return column

    def columns_from_json(self, json: Json) -> tuple[Column, ...]:
        """Return the columns that an array names; all of them for None."""
        if json is None:
            return self.columns
        if not isinstance(json, list):
            raise syntax_error(json, _NAMES_EXPECTED)
        found: dict[str, Column] = {}
        for name in json:
            if not isinstance(name, str) or name in found:
                raise syntax_error(json, _NAMES_EXPECTED)
            if name not in self.by_name:
                raise syntax_error(json, f"{name} is not a valid column name")
            found[name] = self.by_name[name]
        return tuple(found.values())

    @cached_property
    def strong(self) -> tuple[Reference, ...]:
        """The strong references that rows of this table can have."""
        return tuple(reference for reference in self._references if not reference.weak)

    @cached_property
    def weak(self) -> tuple[Reference, ...]:
        """The weak references that rows of this table can have."""
        return tuple(reference for reference in self._references if reference.weak)

    @cached_property
    def _references(self) -> tuple[Reference, ...]:
        return tuple(
            Reference(column, base.table, base.weak, part if column.type.is_map else None)
            for column in self.columns
            for part, base in enumerate(column.type.references)
            if base is not None and base.table is not None
        )

    @cached_property
    def bad_defaults(self) -> Mapping[str, OvsdbError]:
        """The columns whose default violates their constraints: an insert must set them."""
        bad = {}
        for column in self.columns:
            try:
                column.type.check(column.type.default)
            except OvsdbError as error:
                bad[column.name] = error
        return bad


@dataclass(frozen=True)
class Reference:
    """A place for references: all atoms of a set, or `part` 0 or 1 of a map's pairs."""

    column: Column
    table: str
    weak: bool
    part: int | None

    @cached_property
    def index(self) -> int:
        """The column's place in a row."""
        return self.column.index

    def target(self, member: Atom) -> Uuid:
        """Return the row that a member of the column's datum refers to."""
        return Uuid(member if self.part is None else member[self.part])


@dataclass(frozen=True, eq=False)
class DatabaseSchema:
    """One database. `version` and `cksum` are "" if the schema doesn't give them."""

    name: str
    version: str
    cksum: str
    tables: Mapping[str, TableSchema]

    @staticmethod
    def from_json(json: Json) -> DatabaseSchema:
        """Read a `<database-schema>`; raise `OvsdbError` if it is bad."""
        members = Members(json, "database schema")
        name = members.take("name", Kind.IDENTIFIER)
        version = members.maybe("version", Kind.STRING)
        cksum = members.maybe("cksum", Kind.STRING)
        tables = members.take("tables", Kind.OBJECT)
        members.finish()
        if version is not None and not _VERSION(version):
            raise syntax_error(json, f'schema version "{version}" not in format x.y.z')
        # Schemas older than `isRoot` know no garbage collection.
        rooted = any(isinstance(t, dict) and t.get("isRoot") is True for t in tables.values())
        read = {}
        for table, table_json in tables.items():
            _check_name(json, table)
            read[table] = _table_from_json(table, table_json, rooted=rooted)
        return DatabaseSchema(name, version or "", cksum or "", _resolve(read))

    def to_json(self) -> Json:
        """Return the `<database-schema>` in its shortest form."""
        result: dict[str, Json] = {"name": self.name}
        if self.version:
            result["version"] = self.version
        if self.cksum:
            result["cksum"] = self.cksum
        all_root = all(table.is_root for table in self.tables.values())
        result["tables"] = {
            name: _table_to_json(table, all_root) for name, table in self.tables.items()
        }
        return result

    @cached_property
    def encoded(self) -> bytes:
        """The `<database-schema>` as JSON text, as every client asks for it."""
        return msgspec.json.encode(self.to_json())

    def table(self, name: str) -> TableSchema:
        """Return a table; raise `OvsdbError` if there is none of this name."""
        table = self.tables.get(name)
        if table is None:
            raise OvsdbError("syntax error", f"no table named {name}")
        return table


def _check_name(json: Json, name: str) -> None:
    if name.startswith("_"):
        raise syntax_error(json, 'names beginning with "_" are reserved')
    if not is_identifier(name):
        raise syntax_error(json, "name must be a valid id")


def _table_from_json(name: str, json: Json, *, rooted: bool) -> TableSchema:
    members = Members(json, f"table schema for table {name}")
    columns_json = members.take("columns", Kind.OBJECT)
    mutable = members.maybe("mutable", Kind.BOOLEAN)
    max_rows = as_integer(members.maybe("maxRows", Kind.INTEGER))
    is_root = members.maybe("isRoot", Kind.BOOLEAN)
    indexes = members.maybe("indexes", Kind.ARRAY)
    members.finish()
    if max_rows is not None and max_rows <= 0:
        raise syntax_error(json, "maxRows must be at least 1")
    if not columns_json:
        raise syntax_error(json, "table must have at least one column")
    uuid = Type(UuidType())
    columns = [Column("_uuid", uuid, mutable=False), Column("_version", uuid, False, True)]
    for column, column_json in columns_json.items():
        _check_name(json, column)
        columns.append(_column_from_json(column, column_json))
    table = TableSchema(
        name,
        tuple(replace(column, index=index) for index, column in enumerate(columns)),
        mutable is not False,
        is_root is True or not rooted,
        min(max_rows or ROWS_MAX, ROWS_MAX),
    )
    return replace(table, indexes=tuple(_index(json, table, index) for index in indexes or ()))


def _index(json: Json, table: TableSchema, index_json: Json) -> tuple[Column, ...]:
    if index_json is None:
        raise syntax_error(index_json, _NAMES_EXPECTED)
    index = table.columns_from_json(index_json)
    if not index:
        raise syntax_error(json, "index must have at least one column")
    for column in index:
        if column.ephemeral:
            raise syntax_error(
                json, f"ephemeral columns (such as {column.name}) may not be indexed"
            )
    return index


def _column_from_json(name: str, json: Json) -> Column:
    members = Members(json, f"schema for column {name}")
    mutable = members.maybe("mutable", Kind.BOOLEAN)
    ephemeral = members.maybe("ephemeral", Kind.BOOLEAN)
    type_ = type_from_json(members.take("type", Kind.STRING, Kind.OBJECT))
    members.finish()
    # A weak reference changes when its row goes, so it can't be immutable.
    weak = any(base is not None and base.weak for base in type_.references)
    return Column(name, type_, mutable is not False or weak, ephemeral is True)


def _resolve(tables: dict[str, TableSchema]) -> dict[str, TableSchema]:
    """Check the tables that columns refer to; keep what the log needs for its replay."""
    resolved = {}
    for name, table in tables.items():
        columns = []
        for column in table.columns:
            kept = column
            for part, base in zip(("key", "value"), column.type.references, strict=True):
                if base is None or base.table is None:
                    continue
                target = tables.get(base.table)
                if target is None:
                    raise OvsdbError(
                        "syntax error",
                        f"column {column.name} {part} refers to undefined table {base.table}",
                    )
                # Without the reference a replay would collect the row.
                if not base.weak and not target.is_root:
                    kept = replace(kept, ephemeral=False)
            columns.append(kept)
        indexes = tuple(tuple(columns[column.index] for column in index) for index in table.indexes)
        resolved[name] = replace(table, columns=tuple(columns), indexes=indexes)
    return resolved


def _table_to_json(table: TableSchema, all_root: bool) -> Json:
    result: dict[str, Json] = {}
    if not table.mutable:
        result["mutable"] = False
    if table.is_root != all_root:
        result["isRoot"] = table.is_root
    result["columns"] = {
        column.name: _column_to_json(column)
        for column in table.columns
        if not column.name.startswith("_")
    }
    if table.max_rows != ROWS_MAX:
        result["maxRows"] = table.max_rows
    if table.indexes:
        result["indexes"] = [[column.name for column in index] for index in table.indexes]
    return result


def _column_to_json(column: Column) -> Json:
    result: dict[str, Json] = {}
    if not column.mutable:
        result["mutable"] = False
    if column.ephemeral:
        result["ephemeral"] = True
    result["type"] = type_to_json(column.type)
    return result
