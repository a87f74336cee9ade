"""Remotes, and other settings of the server, that a column of a database holds. No I/O in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.remotes import DEFAULT_BACKOFF, Column, Options, RemoteError, parse_column
from hotswitch.ovsdb.schema import TableSchema
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.values import Json, Row, Uuid

Status = Callable[[str], tuple[bool, Mapping[str, str]] | None]
"""Of a remote's name: whether it is connected, and what its `status` says; None if unknown."""


def expand(databases: Databases, names: Mapping[str, Options]) -> dict[str, Options]:
    """Put in the place of each `db:…` what that column says. Raises RemoteError."""
    result: dict[str, Options] = {}
    for name, options in names.items():
        column = parse_column(name)
        if column is None:
            result.setdefault(name, options)
            continue
        for text, each in _remotes(databases, column, name):
            if not text.startswith(("db:", "pfd:")):  # these are for the command line only
                result.setdefault(text, each)
    return result


def text_of(databases: Databases, name: str) -> str:
    """Return `name`, or what the column says if it is `db:…`; "" if that says nothing.

    Raises RemoteError.
    """
    column = parse_column(name)
    if column is None:
        return name
    database, table = _find(databases, column, name)
    index = table.by_name[column.column].index
    for row in database.table(table.name).values():
        for member in row[index]:
            if isinstance(member, str) and member:
                return member
    return ""


def tls_of(databases: Databases, tls: Tls) -> Tls | None:
    """Return the settings with what the columns say in place of each `db:…`; None if incomplete.

    If the authority is named by a column, its table may have columns for the rest, too:
    bootstrap_ca_cert, ssl_protocols and ssl_ciphers. Raises RemoteError.
    """
    key, certificate, authority = (text_of(databases, name) for name in names_of(tls))
    if not (key and certificate):
        return None
    return Tls(
        key,
        certificate,
        authority,
        tls.bootstrap or bool(_beside(databases, tls.authority, "bootstrap_ca_cert")),
        tls.protocols or str(_beside(databases, tls.authority, "ssl_protocols") or ""),
        tls.ciphers or str(_beside(databases, tls.authority, "ssl_ciphers") or ""),
    )


def names_of(tls: Tls | None) -> tuple[str, ...]:
    """Return those settings that may be `db:…`."""
    return (tls.private_key, tls.certificate, tls.authority) if tls else ()


def _beside(databases: Databases, name: str, other: str) -> Any:
    """Return what another column says in the row that `name` is about, or None."""
    column = parse_column(name)
    if column is None:
        return None
    database, table = _find(databases, column, name)
    rows = database.table(table.name).values()
    return next((_one(table, row, other) for row in rows), None)


def watched_tables(databases: Databases, names: Iterable[str]) -> set[tuple[str, str]]:
    """Return the databases and tables whose changes can change what `expand` returns."""
    watched = set()
    for name in names:
        column = parse_column(name)
        if column is None:
            continue
        watched.add((column.database, column.table))
        storage = databases.get(column.database)
        table = storage and storage.database.schema.tables.get(column.table)
        if table and column.column in table.by_name:
            reference = _referenced(table, column)
            if reference is not None:
                watched.add((column.database, reference))
    return watched


def status_record(databases: Databases, name: str, status: Status) -> tuple[str, Json] | None:
    """Return the database and the record that brings `status` and `is_connected` up to date.

    For remotes in rows of their own (Manager). None if nothing changes, or there are none.
    """
    column = parse_column(name)
    if column is None:
        return None
    try:
        database, table = _find(databases, column, name)
    except RemoteError:
        return None
    rows = {}
    target = _referenced(table, column)
    if target is None:
        return None
    schema = database.schema.tables[target]
    for uuid, row in _rows(database, table, column, target):
        text = _one(schema, row, "target")
        state = status(text) if isinstance(text, str) else None
        connected, words = state if state is not None else (False, {})
        words = {**words, **_without_effect(schema, row)}
        wanted: dict[str, Json] = {}
        if "is_connected" in schema.by_name and _one(schema, row, "is_connected") != connected:
            wanted["is_connected"] = connected
        if "status" in schema.by_name:
            now = tuple(sorted(words.items()))
            if row[schema.by_name["status"].index] != now:
                wanted["status"] = ["map", [list(each) for each in now]]
        if wanted:
            rows[uuid] = wanted
    return (column.database, {target: rows}) if rows else None


def _remotes(databases: Databases, column: Column, name: str) -> Iterable[tuple[str, Options]]:
    database, table = _find(databases, column, name)
    target = _referenced(table, column)
    if target is not None:
        schema = database.schema.tables[target]
        for _, row in _rows(database, table, column, target):
            text = _one(schema, row, "target")
            if isinstance(text, str):
                yield text, _options(schema, row)
        return
    index = table.by_name[column.column].index
    for row in database.table(table.name).values():
        for member in row[index]:
            if isinstance(member, str):
                yield member, Options()


def _find(databases: Databases, column: Column, name: str) -> tuple[Database, TableSchema]:
    storage = databases.get(column.database)
    if storage is None:
        raise RemoteError(f'"{name}": no database named {column.database}')
    table = storage.database.schema.tables.get(column.table)
    if table is None:
        raise RemoteError(f'"{name}": no table named {column.table}')
    if column.column not in table.by_name:
        raise RemoteError(f'"{name}": table "{column.table}" has no column "{column.column}"')
    return storage.database, table


def _referenced(table: TableSchema, column: Column) -> str | None:
    """Return the table of the rows that the column refers to, or None."""
    key, _ = table.by_name[column.column].type.references
    return key.table if key is not None else None


def _rows(
    database: Database, table: TableSchema, column: Column, target: str
) -> Iterable[tuple[Uuid, Row]]:
    index = table.by_name[column.column].index
    targets = database.table(target)
    for row in list(database.table(table.name).values()):
        for uuid in row[index]:
            if uuid in targets:
                yield uuid, targets[uuid]


def _one(schema: TableSchema, row: Row, name: str) -> Any:
    """Return the first value of a column, None if there is no such column or no value."""
    column = schema.by_name.get(name)
    datum = row[column.index] if column else ()
    return datum[0] if datum else None


def _without_effect(schema: TableSchema, row: Row) -> Mapping[str, str]:
    """What `status` says of settings of a remote that nothing here follows."""
    settings = schema.by_name.get("other_config")
    keys = [f"other_config:{key}" for key, _ in row[settings.index]] if settings else []
    if _one(schema, row, "connection_mode") == "in-band":
        keys.insert(0, "connection_mode")
    return {"not_acted_on": "; ".join(keys)} if keys else {}


def _options(schema: TableSchema, row: Row) -> Options:
    backoff = _one(schema, row, "max_backoff")
    return Options(
        probe=_one(schema, row, "inactivity_probe"),
        backoff=DEFAULT_BACKOFF if backoff is None else backoff,
        read_only=bool(_one(schema, row, "read_only")),
        role=str(_one(schema, row, "role") or ""),
    )
