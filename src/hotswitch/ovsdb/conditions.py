"""Conditions on rows (RFC 7047 section 5.1, `<condition>`)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

import msgspec

from hotswitch.ovsdb.atoms import IntegerType, RealType
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import read_triple
from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.types import Type
from hotswitch.ovsdb.values import UUID_INDEX, Datum, Json, Row, Symbols, Uuid


def _includes(field: Datum, argument: Datum) -> bool:
    if len(argument) == 1:
        return argument[0] in field
    return set(argument) <= set(field)


def _excludes(field: Datum, argument: Datum) -> bool:
    return set(argument).isdisjoint(field)


def _ordered(compare: Callable[[Datum, Datum], bool]) -> Callable[[Datum, Datum], bool]:
    """An empty optional scalar is neither less nor greater than anything."""
    return lambda field, argument: bool(field) and compare(field, argument)


FUNCTIONS: Mapping[str, Callable[[Datum, Datum], bool]] = {
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    "==": operator.eq,
    "!=": operator.ne,
    ">=": _ordered(operator.ge),
    ">": _ordered(operator.gt),
    "includes": _includes,
    "excludes": _excludes,
}


class Clause(msgspec.Struct, frozen=True):
    """One comparison of a column; without a column, true or false by itself."""

    column: Column | None
    function: str
    argument: Datum

    def matches(self, row: Row) -> bool:
        """Whether the row satisfies this clause."""
        if self.column is None:
            return self.function == "true"
        return FUNCTIONS[self.function](row[self.column.index], self.argument)


class Condition(msgspec.Struct, frozen=True):
    """Clauses, all of which must hold in operations, and any of which in monitors."""

    clauses: tuple[Clause, ...] = ()

    def matches_all(self, row: Row) -> bool:
        """Whether every clause holds; true if there is none."""
        for clause in self.clauses:  # noqa: SIM110, half of the time that a generator takes
            if not clause.matches(row):
                return False
        return True

    def matches_any(self, row: Row) -> bool:
        """Whether some clause holds; true if there is none."""
        return not self.clauses or any(clause.matches(row) for clause in self.clauses)

    @property
    def always(self) -> bool:
        """Whether `matches_any` is true for every row."""
        return not self.clauses or any(clause.function == "true" for clause in self.clauses)

    @property
    def uuid(self) -> Uuid | None:
        """The only row that can match, where a clause names it."""
        for clause in self.clauses:
            if clause.function == "==" and clause.column and clause.column.index == UUID_INDEX:
                return Uuid(clause.argument[0])
        return None

    def equal_columns(self) -> dict[Column, Datum]:
        """Return the columns that must equal a datum."""
        return {
            clause.column: clause.argument
            for clause in self.clauses
            if clause.column is not None and clause.function == "=="
        }


def condition_from_json(table: TableSchema, json: Json, symbols: Symbols | None) -> Condition:
    """Read an array of `<condition>`; raise `OvsdbError` if it is bad."""
    if not json:
        return _EVERYTHING
    return Condition(tuple([_clause_from_json(table, clause, symbols) for clause in json]))


_EVERYTHING = Condition()


def _clause_from_json(table: TableSchema, json: Json, symbols: Symbols | None) -> Clause:
    if json is True or json is False:
        return Clause(None, "true" if json else "false", ())
    name, function, argument = read_triple(json, "condition")
    column = table.column(name, json)
    if function not in FUNCTIONS:
        raise OvsdbError("unknown function", f"No function named {function}.")
    return Clause(column, function, _argument_type(column, function, json).read(argument, symbols))


def _argument_type(column: Column, function: str, json: Json) -> Type:
    """Return the type that a function's argument has."""
    type_ = column.type
    if function in ("==", "!="):
        return type_
    if function == "includes":
        return type_ if type_.is_scalar else type_.optional
    if function == "excludes":
        return type_ if type_.is_scalar else type_.unlimited
    single = type_.is_scalar or type_.is_optional_scalar
    if not single or not isinstance(type_.key, IntegerType | RealType):
        raise syntax_error(
            json,
            f'Type mismatch: "{function}" operator may not be applied to column '
            f"{column.name} of type {type_.english()}.",
        )
    return type_.single
