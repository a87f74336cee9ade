"""The operations of `transact` (RFC 7047 section 5.2), with Open vSwitch's extensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from hotswitch.ovsdb.conditions import Condition, condition_from_json
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import Kind, Members
from hotswitch.ovsdb.mutations import mutations_from_json
from hotswitch.ovsdb.rows import row_from_json, row_to_json, values_from_json
from hotswitch.ovsdb.transaction import TableView, Transaction
from hotswitch.ovsdb.values import (
    UUID_INDEX,
    VERSION_INDEX,
    Json,
    Uuid,
    as_integer,
    new_uuid,
    parse_uuid,
)


class UnsatisfiedWaitError(Exception):
    """A `wait` must be tried again after the next change."""


@dataclass
class Execution:
    """One transaction being executed.

    `elapsed`: milliseconds since it was first tried. `timeout`: the shortest of its waits, in
    milliseconds, or None.
    """

    transaction: Transaction
    elapsed: int
    owns_lock: Callable[[str], bool]
    timeout: int | None = None

    def view(self, members: Members) -> TableView:
        """Return the table that the operation names."""
        name = members.take("table", Kind.IDENTIFIER)
        view = self.transaction.view(name)
        if view is None:
            raise members.error(f"No table named {name}.")
        return view

    def condition(self, view: TableView, where: Json) -> Condition:
        """Return the condition of an operation."""
        return condition_from_json(view.schema, where, self.transaction.symbols)


def _insert(execution: Execution, members: Members) -> Json:
    view = execution.view(members)
    uuid_json = members.maybe("uuid", Kind.STRING)
    name = members.maybe("uuid-name", Kind.IDENTIFIER)
    row_json = members.take("row", Kind.OBJECT)
    symbols = execution.transaction.symbols
    uuid = None if uuid_json is None else _chosen_uuid(view, uuid_json)
    if name is not None:
        uuid = symbols.define(name, uuid)
        if uuid is None:
            raise syntax_error(
                name,
                'This "uuid-name" appeared on an earlier "insert" operation.',
                "duplicate uuid-name",
            )
    elif uuid is None:
        uuid = new_uuid()
    row = row_from_json(view.schema, row_json, symbols)
    row[UUID_INDEX] = (uuid,)
    row[VERSION_INDEX] = (new_uuid(),)
    view.put(uuid, tuple(row))
    return {"uuid": ["uuid", uuid]}


def _chosen_uuid(view: TableView, json: str) -> Uuid:
    uuid = parse_uuid(json)
    if uuid is None:
        raise syntax_error(json, "bad uuid")
    if view.known(uuid):
        raise syntax_error(
            json,
            f'This UUID would duplicate a UUID already present within the "{view.schema.name}" '
            "table or deleted from this table within the same transaction.",
            "duplicate uuid",
        )
    return uuid


def _select(execution: Execution, members: Members) -> Json:
    view = execution.view(members)
    where = members.take("where", Kind.ARRAY)
    columns_json = members.maybe("columns", Kind.ARRAY)
    sort_json = members.maybe("sort", Kind.ARRAY)
    condition = execution.condition(view, where)
    columns = view.schema.columns_from_json(columns_json)
    sort = () if sort_json is None else view.schema.columns_from_json(sort_json)
    rows = [row for _, row in view.query(condition)]
    if all(column.index != UUID_INDEX for column in columns):
        # Without their UUIDs rows can be equal; each such row is returned once.
        distinct = {tuple([row[column.index] for column in columns]): row for row in rows}
        rows = list(distinct.values())
    if sort:
        rows.sort(key=lambda row: [(len(row[c.index]), row[c.index]) for c in sort])
    return {"rows": [row_to_json(columns, row) for row in rows]}


def _update(execution: Execution, members: Members) -> Json:
    view = execution.view(members)
    where = members.take("where", Kind.ARRAY)
    row_json = members.take("row", Kind.OBJECT)
    values = values_from_json(view.schema, row_json, execution.transaction.symbols)
    for column in values:
        if not column.mutable:
            raise syntax_error(
                members.json,
                f"Cannot update immutable column {column.name} in table {view.schema.name}.",
                "constraint violation",
            )
    rows = view.query(execution.condition(view, where))
    for uuid, row in rows:
        changed = list(row)
        for column, datum in values.items():
            # What is equal stays the same object, which makes comparing rows cheap.
            if changed[column.index] != datum:
                changed[column.index] = datum
        view.put(uuid, tuple(changed))
    return {"count": len(rows)}


def _mutate(execution: Execution, members: Members) -> Json:
    view = execution.view(members)
    where = members.take("where", Kind.ARRAY)
    mutations_json = members.take("mutations", Kind.ARRAY)
    mutations = mutations_from_json(view.schema, mutations_json, execution.transaction.symbols)
    rows = view.query(execution.condition(view, where))
    if mutations:
        for uuid, row in rows:
            changed = list(row)
            for mutation in mutations:
                index = mutation.column.index
                changed[index] = mutation.apply(changed[index])
            view.put(uuid, tuple(changed))
    return {"count": len(rows)}


def _delete(execution: Execution, members: Members) -> Json:
    where = members.take("where", Kind.ARRAY)
    view = execution.view(members)
    rows = view.query(execution.condition(view, where))
    for uuid, _ in rows:
        view.delete(uuid)
    return {"count": len(rows)}


def _wait(execution: Execution, members: Members) -> Json:
    timeout_json = members.maybe("timeout", Kind.INTEGER)
    where = members.take("where", Kind.ARRAY)
    columns_json = members.maybe("columns", Kind.ARRAY)
    until = members.take("until", Kind.STRING)
    rows_json = members.take("rows", Kind.ARRAY)
    view = execution.view(members)
    condition = execution.condition(view, where)
    columns = view.schema.columns_from_json(columns_json)
    timeout = _timeout(execution, timeout_json)
    if until not in ("==", "!="):
        raise syntax_error(until, '"until" must be "==" or "!="')
    places = [column.index for column in columns]
    symbols = execution.transaction.symbols
    expected = set()
    for row_json in rows_json:
        given = values_from_json(view.schema, row_json, symbols)
        expected.add(tuple([given.get(each, view.schema.default[each.index]) for each in columns]))
    actual = {tuple([row[place] for place in places]) for _, row in view.query(condition)}
    if (actual == expected) != (until == "=="):
        _unsatisfied(execution.elapsed, timeout)
    return {}


def _timeout(execution: Execution, json: Json) -> int | None:
    """Return a wait's timeout in milliseconds, and note it if it is the shortest."""
    timeout = as_integer(json)
    if timeout is not None:
        if timeout < 0:
            raise syntax_error(json, "timeout must be nonnegative")
        if execution.timeout is None or timeout < execution.timeout:
            execution.timeout = timeout
    return timeout


def _unsatisfied(elapsed: int, timeout: int | None) -> NoReturn:
    if timeout is None or elapsed < timeout:
        raise UnsatisfiedWaitError
    if elapsed:
        raise OvsdbError("timed out", f'"wait" timed out after {elapsed} ms')
    raise OvsdbError("timed out", '"where" clause test failed')


def _commit(execution: Execution, members: Members) -> Json:
    if members.take("durable", Kind.BOOLEAN):
        execution.transaction.durable = True
    return {}


def _abort(execution: Execution, members: Members) -> Json:
    raise OvsdbError("aborted", "aborted by request")


def _comment(execution: Execution, members: Members) -> Json:
    execution.transaction.comments.append(members.take("comment", Kind.STRING))
    return {}


def _assert(execution: Execution, members: Members) -> Json:
    lock = members.take("lock", Kind.IDENTIFIER)
    if not execution.owns_lock(lock):
        raise OvsdbError("not owner", f"Asserted lock {lock} not held.")
    return {}


@dataclass(frozen=True)
class Operation:
    """How to execute one operation; `reads`: it is allowed where nothing may be written."""

    execute: Callable[[Execution, Members], Json]
    reads: bool = False


OPERATIONS: Mapping[str, Operation] = {
    "insert": Operation(_insert),
    "select": Operation(_select, reads=True),
    "update": Operation(_update),
    "mutate": Operation(_mutate),
    "delete": Operation(_delete),
    "wait": Operation(_wait, reads=True),
    "commit": Operation(_commit),
    "abort": Operation(_abort, reads=True),
    "comment": Operation(_comment, reads=True),
    "assert": Operation(_assert, reads=True),
}


def execute(execution: Execution, json: Json, name: str) -> tuple[Json, str, bool]:
    """Execute one operation; return its result, its `op`, and whether it only reads.

    `name` says in errors which operation it is. Raises `OvsdbError` and `UnsatisfiedWaitError`.
    """
    members = Members(json, name)
    op = members.take("op", Kind.IDENTIFIER)
    operation = OPERATIONS.get(op)
    if operation is None:
        raise members.error(f'No operation "{op}"')
    try:
        result = operation.execute(execution, members)
    except (OvsdbError, UnsatisfiedWaitError):
        # A member that shouldn't be there comes before anything else that is wrong.
        members.finish()
        raise
    members.finish()
    return result, op, operation.reads
