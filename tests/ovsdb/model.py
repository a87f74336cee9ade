"""The database as RFC 7047 describes it, as simply as it can be said: slow, whole copies, no JSON
beyond what comes in. What the server does is compared with it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Datum = frozenset[Any]
"""A value of any column: a set of atoms; a map's atoms are pairs; a scalar has one."""

Row = dict[str, Datum]
Content = dict[str, dict[str, Row]]
LAST = (1 << 63) - 1


class ModelError(Exception):
    """The error with which an operation must fail; at the end any of `tags` will do."""

    def __init__(self, *tags: str) -> None:
        super().__init__(*tags)
        self.tags = frozenset(tags)


@dataclass(frozen=True, slots=True)
class Kind:
    """A column: its atoms, or pairs with `value`; how many; integers' range; references."""

    key: str
    value: str = ""
    low: int = 1
    high: int = 1
    range: tuple[int, int] = (-LAST - 1, LAST)
    table: str = ""
    strong: bool = True
    mutable: bool = True
    ephemeral: bool = False

    @property
    def is_scalar(self) -> bool:
        return (self.low, self.high) == (1, 1) and not self.value

    def to_json(self) -> Any:
        """The column's schema."""
        key: dict[str, Any] = {"type": self.key}
        if self.key == "integer":
            key |= {"minInteger": self.range[0], "maxInteger": self.range[1]}
        if self.table:
            key |= {"refTable": self.table, "refType": "strong" if self.strong else "weak"}
        type_: dict[str, Any] = {"key": key, "min": self.low, "max": self.high}
        if self.value:
            type_["value"] = self.value
        return {"type": type_, "mutable": self.mutable, "ephemeral": self.ephemeral}

    def default(self) -> Datum:
        zeros = {"integer": 0, "string": "", "boolean": False, "uuid": "0" * 8 + "-0000" * 3}
        zeros["uuid"] += "-" + "0" * 12
        return frozenset([zeros[self.key]] if self.low else [])

    def check(self, datum: Datum) -> Datum:
        """The datum, if it is one of this kind."""
        if not self.low <= len(datum) <= self.high:
            raise ModelError("constraint violation")
        return self.check_atoms(datum)

    def check_atoms(self, datum: Datum) -> Datum:
        """The datum, if each of its atoms is one of this kind."""
        if self.key == "integer" and any(
            not self.range[0] <= atom <= self.range[1] for atom in datum
        ):
            raise ModelError("constraint violation")
        return datum


@dataclass(frozen=True, slots=True)
class TableKind:
    """A table: its columns, whether its rows stay by themselves, how many, which are unique."""

    columns: dict[str, Kind]
    is_root: bool
    max_rows: int
    index: tuple[str, ...]

    def to_json(self) -> Any:
        """The table's schema."""
        columns = {name: kind.to_json() for name, kind in self.columns.items()}
        found = {"columns": columns, "isRoot": self.is_root, "maxRows": self.max_rows}
        return found | ({"indexes": [list(self.index)]} if self.index else {})


class Model:
    """Tables of rows; a transaction works on a copy, which then takes their place."""

    def __init__(self, tables: dict[str, TableKind]) -> None:
        self.tables = tables
        self.content: Content = {name: {} for name in tables}

    def transact(self, operations: list[dict[str, Any]]) -> list[Any]:
        """The operations' results, the last perhaps a ModelError; then nothing has changed."""
        work = copy.deepcopy(self.content)
        results: list[Any] = []
        for operation in operations:
            try:
                results.append(getattr(self, operation["op"])(work, operation))
            except ModelError as error:
                return [*results, error]
        try:
            self.settle(work)
        except ModelError as error:
            return [*results, error]
        self.content = work
        return results

    # Operations: rows and conditions have data in them, not JSON.

    def insert(self, work: Content, operation: dict[str, Any]) -> str:
        table, uuid = operation["table"], operation["uuid"]
        kinds = self.tables[table].columns
        if uuid in work[table] or uuid in self.content[table]:
            raise ModelError("duplicate uuid")
        given = {name: kinds[name].check(each) for name, each in operation["row"].items()}
        row = {name: kind.default() for name, kind in kinds.items()} | given
        for name, kind in kinds.items():
            kind.check(row[name])
        work[table][uuid] = row
        return uuid

    def select(self, work: Content, operation: dict[str, Any]) -> list[Row]:
        """Distinct rows, as Open vSwitch has it."""
        found: list[Row] = []
        for row in self._found(work, operation).values():
            part = {name: row[name] for name in operation["columns"]}
            if part not in found:
                found.append(part)
        return found

    def update(self, work: Content, operation: dict[str, Any]) -> int:
        kinds = self.tables[operation["table"]].columns
        row = {name: kinds[name].check(each) for name, each in operation["row"].items()}
        if not all(kinds[name].mutable for name in row):
            raise ModelError("constraint violation")
        found = self._found(work, operation)
        for each in found.values():
            each.update(row)
        return len(found)

    def mutate(self, work: Content, operation: dict[str, Any]) -> int:
        kinds = self.tables[operation["table"]].columns
        for name, mutator, argument in operation["mutations"]:
            if not kinds[name].mutable:
                raise ModelError("constraint violation")
            if mutator in ("insert", "delete"):
                kinds[name].check_atoms(argument)
        found = self._found(work, operation)
        for row in found.values():
            for name, mutator, argument in operation["mutations"]:
                row[name] = kinds[name].check(_mutated(kinds[name], row[name], mutator, argument))
        return len(found)

    def delete(self, work: Content, operation: dict[str, Any]) -> int:
        found = self._found(work, operation)
        for uuid in found:
            del work[operation["table"]][uuid]
        return len(found)

    def wait(self, work: Content, operation: dict[str, Any]) -> None:
        kinds = self.tables[operation["table"]].columns
        for row in operation["rows"]:
            for name, each in row.items():
                kinds[name].check(each)
        found = {frozenset(each.items()) for each in self.select(work, operation)}
        wanted = {frozenset(each.items()) for each in operation["rows"]}
        if (found == wanted) != (operation["until"] == "=="):
            raise ModelError("timed out")

    def abort(self, _: Content, __: dict[str, Any]) -> None:
        raise ModelError("aborted")

    def _found(self, work: Content, operation: dict[str, Any]) -> dict[str, Row]:
        rows = work[operation["table"]]
        kinds = self.tables[operation["table"]].columns
        for name, _, argument in operation["where"]:
            kinds[name].check_atoms(argument)
        return {
            uuid: row
            for uuid, row in rows.items()
            if all(_holds(row, clause) for clause in operation["where"])
        }

    # The end of a transaction

    def settle(self, work: Content) -> None:
        """Collect what nothing refers to, forget who has gone, and check what must hold."""
        wrong: set[str] = set()
        for _, _, target, uuid in self._references(work, strong=True):
            if uuid not in work[target]:
                raise ModelError("referential integrity violation")
        while gone := self._garbage(work):
            for table, uuid in gone:
                del work[table][uuid]
        for row, name, target, uuid in list(self._references(work, strong=False)):
            if uuid not in work[target]:
                row[name] = row[name] - {uuid}
        for table, kind in self.tables.items():
            rows = work[table].values()
            if len(rows) > kind.max_rows:
                wrong.add("constraint violation")
            if any(
                len(row[name]) < each.low for row in rows for name, each in kind.columns.items()
            ):
                wrong.add("constraint violation")
            keys = [tuple(row[name] for name in kind.index) for row in rows]
            if kind.index and len(set(keys)) < len(keys):
                wrong.add("constraint violation")
        if wrong:
            raise ModelError(*wrong)

    def _garbage(self, work: Content) -> list[tuple[str, str]]:
        kept = {(target, uuid) for _, _, target, uuid in self._references(work, strong=True)}
        return [
            (table, uuid)
            for table, rows in work.items()
            if not self.tables[table].is_root
            for uuid in rows
            if (table, uuid) not in kept
        ]

    def _references(self, work: Content, *, strong: bool) -> list[tuple[Row, str, str, str]]:
        return [
            (row, name, kind.table, uuid)
            for table, rows in work.items()
            for name, kind in self.tables[table].columns.items()
            if kind.table and kind.strong is strong
            for row in rows.values()
            for uuid in row[name]
        ]


def _holds(row: Row, clause: tuple[str, str, Any]) -> bool:
    name, function, argument = clause
    value = row[name]
    match function:
        case "==":
            return bool(value == argument)
        case "!=":
            return bool(value != argument)
        case "includes":
            return bool(argument <= value)
        case "excludes":
            return not argument & value
    (left,), (right,) = value, argument
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
        function
    ]


def _mutated(kind: Kind, value: Datum, mutator: str, argument: Datum) -> Datum:
    if mutator == "insert":
        if not kind.value:
            return value | argument
        known = {key for key, _ in value}
        return value | {pair for pair in argument if pair[0] not in known}
    if mutator == "delete":
        return value - argument
    (left,), (right,) = value, argument
    if mutator in ("/=", "%=") and right == 0:
        raise ModelError("domain error")
    if mutator == "+=":
        result = left + right
    elif mutator == "-=":
        result = left - right
    elif mutator == "*=":
        result = left * right
    else:  # as in C: towards zero, and the remainder has the dividend's sign
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        result = quotient if mutator == "/=" else left - quotient * right
    if not -LAST - 1 <= result <= LAST:
        raise ModelError("range error")
    return frozenset([result])
