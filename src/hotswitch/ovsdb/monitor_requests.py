"""What a monitor asks for (RFC 7047 section 4.1.5; `where` is Open vSwitch's)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Flag, auto

from hotswitch.ovsdb.conditions import Condition, condition_from_json
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import Kind, Members
from hotswitch.ovsdb.schema import Column, DatabaseSchema, TableSchema
from hotswitch.ovsdb.values import UUID_INDEX, Json, Row


class Event(Flag):
    """What a monitor can be told of a row."""

    INITIAL = auto()
    INSERT = auto()
    DELETE = auto()
    MODIFY = auto()


EVERY_EVENT = Event.INITIAL | Event.INSERT | Event.DELETE | Event.MODIFY


@dataclass(frozen=True)
class Watched:
    """What a monitor sees of one table.

    `columns`: each with the events that show it. `events`: of any column. Rows that the
    condition doesn't match don't exist for the monitor.
    """

    table: TableSchema
    columns: tuple[tuple[Column, Event], ...]
    events: Event
    condition: Condition

    def shown(self, event: Event) -> tuple[Column, ...]:
        """Return the columns that an event shows."""
        return tuple(column for column, events in self.columns if event in events)

    def sees(self, row: Row | None) -> bool:
        """Whether the row is there, and matches."""
        return row is not None and self.condition.matches_any(row)

    def with_condition(self, condition: Condition) -> Watched:
        """Return this with another condition."""
        return replace(self, condition=condition)


def watched_from_json(
    schema: DatabaseSchema, json: Json, *, conditional: bool
) -> Mapping[str, Watched]:
    """Read `<monitor-requests>`; raise `OvsdbError` if they are bad.

    `conditional`: whether requests may have a `where`.
    """
    if not isinstance(json, dict):
        raise syntax_error(json, "monitor-requests must be object")
    watched = {}
    for name, requests in json.items():
        table = schema.table(name)
        parts = [
            _request(table, request, conditional)
            for request in (requests if isinstance(requests, list) else [requests])
        ]
        watched[name] = _join(table, parts)
    return watched


def _join(table: TableSchema, parts: list[tuple[Watched, Json]]) -> Watched:
    """Return several requests for one table as one."""
    columns: list[tuple[Column, Event]] = []
    events = Event(0)
    for part, columns_json in parts:
        for column, shown in part.columns:
            if any(column is other for other, _ in columns):
                raise syntax_error(columns_json, f"column {column.name} mentioned more than once")
            columns.append((column, shown))
        events |= part.events
    conditions = [part.condition for part, _ in parts]
    everything = any(not condition.clauses for condition in conditions)
    clauses = () if everything else tuple(c for cond in conditions for c in cond.clauses)
    return Watched(table, tuple(columns), events, Condition(clauses))


def _request(table: TableSchema, json: Json, conditional: bool) -> tuple[Watched, Json]:
    members = Members(json, f"table {table.name}")
    where = members.maybe("where", Kind.ARRAY) if conditional else None
    columns_json = members.maybe("columns", Kind.ARRAY)
    select = members.maybe("select", Kind.OBJECT)
    members.finish()
    events = EVERY_EVENT if select is None else _events(table, select)
    columns = tuple((column, events) for column in _columns(table, columns_json))
    condition = condition_from_json(table, where or [], None)
    return Watched(table, columns, events, condition), columns_json


def _columns(table: TableSchema, json: Json) -> list[Column]:
    if json is None:
        return [column for column in table.columns if column.index != UUID_INDEX]
    columns = []
    for name in json:
        if not isinstance(name, str):
            raise syntax_error(json, "array of column names expected")
        if name not in table.by_name:
            raise syntax_error(json, f"{name} is not a valid column name")
        if table.by_name[name] in columns:
            raise syntax_error(json, f"column {name} mentioned more than once")
        columns.append(table.by_name[name])
    return columns


def _events(table: TableSchema, json: Json) -> Event:
    members = Members(json, f"table {table.name} select")
    events = Event(0)
    for event in Event:
        name = (event.name or "").lower()
        if members.maybe(name, Kind.BOOLEAN) is not False:
            events |= event
    members.finish()
    return events


def conditions_from_json(
    watched: Mapping[str, Watched], schema: DatabaseSchema, json: Json
) -> dict[str, Condition]:
    """Read the requests of `monitor_cond_change`; raise `OvsdbError` if they are bad."""
    if not isinstance(json, dict):
        raise OvsdbError("syntax error", "monitor-cond-change-requests must be object")
    conditions = {}
    for name, requests in json.items():
        table = schema.table(name)
        if name not in watched:
            raise OvsdbError("syntax error", f"no table named {name} in monitor session")
        if not isinstance(requests, list):
            raise OvsdbError("syntax error", f"table {name} no monitor-cond-change JSON array")
        for request in requests:
            members = Members(request, f"table {name}")
            columns = members.maybe("columns", Kind.ARRAY)
            where = members.maybe("where", Kind.ARRAY)
            members.finish()
            if columns is not None:
                raise syntax_error(request, "changing columns is unsupported")
            conditions[name] = condition_from_json(table, where or [], None)
    return conditions
