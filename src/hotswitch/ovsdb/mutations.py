"""Mutations of columns (RFC 7047 section 5.1, `<mutation>`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec

from hotswitch.ovsdb.atoms import IntegerType, RealType, violation
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.members import read_triple
from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.sets import distinct, subtract, subtract_keys, union
from hotswitch.ovsdb.types import UNLIMITED, Type
from hotswitch.ovsdb.values import INTEGER_MAX, INTEGER_MIN, Atom, Datum, Json, Symbols


def _divide(x: int, y: int) -> int:
    """Divide as C does: towards zero."""
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


_INTEGER: Mapping[str, Callable[[int, int], int]] = {
    "+=": lambda x, y: x + y,
    "-=": lambda x, y: x - y,
    "*=": lambda x, y: x * y,
    "/=": _divide,
    "%=": lambda x, y: x - _divide(x, y) * y,
}
_REAL: Mapping[str, Callable[[float, float], float]] = {
    "+=": lambda x, y: x + y,
    "-=": lambda x, y: x - y,
    "*=": lambda x, y: x * y,
    "/=": lambda x, y: x / y,
}
MUTATORS = (*_INTEGER, "insert", "delete")


class Mutation(msgspec.Struct, frozen=True):
    """One change of one column. `by_key`: a delete from a map, whatever the values."""

    column: Column
    mutator: str
    argument: Datum
    by_key: bool = False

    def apply(self, datum: Datum) -> Datum:
        """Return the new datum; raise `OvsdbError` if the column can't have it."""
        type_ = self.column.type
        if self.mutator == "insert":
            result = union(datum, self.argument, is_map=type_.is_map)
        elif self.mutator == "delete":
            remove = subtract_keys if self.by_key else subtract
            result = remove(datum, self.argument)
        else:
            return self._calculate(datum)
        if not type_.holds(result):
            raise violation(f"Attempted to store {len(result)} elements in {type_.english()}.")
        return result

    def _calculate(self, datum: Datum) -> Datum:
        base = self.column.type.key
        atoms = [self._number(atom) for atom in datum]
        for atom in atoms:
            base.check(atom)
        try:
            return distinct(atoms)
        except OvsdbError:
            raise violation(f'Result of "{self.mutator}" operation contains duplicates.') from None

    def _number(self, atom: Atom) -> Atom:
        argument = self.argument[0]
        if self.mutator in ("/=", "%=") and argument == 0:
            raise OvsdbError("domain error", "Division by zero.")
        if isinstance(self.column.type.key, IntegerType):
            integer = _INTEGER[self.mutator](atom, argument)
            if INTEGER_MIN <= integer <= INTEGER_MAX:
                return integer
        else:
            real = _REAL[self.mutator](atom, argument)
            if math.isfinite(real):
                return real
        raise OvsdbError("range error", f'Result of "{self.mutator}" operation is out of range.')


def mutations_from_json(
    table: TableSchema, json: Json, symbols: Symbols | None
) -> tuple[Mutation, ...]:
    """Read an array of `<mutation>`; raise `OvsdbError` if it is bad."""
    return tuple([_mutation_from_json(table, mutation, symbols) for mutation in json])


def _mutation_from_json(table: TableSchema, json: Json, symbols: Symbols | None) -> Mutation:
    name, mutator, argument = read_triple(json, "mutation")
    column = table.column(name, json)
    if not column.mutable:
        raise syntax_error(
            json,
            f"Cannot mutate immutable column {column.name} in table {table.name}.",
            "constraint violation",
        )
    if mutator not in MUTATORS:
        raise OvsdbError("unknown mutator", f"No mutator named {mutator}.")
    type_ = _argument_type(column, mutator, json)
    try:
        return Mutation(column, mutator, type_.read(argument, symbols))
    except OvsdbError:
        if mutator != "delete" or not type_.is_map:
            raise
    keys = Type(type_.key, None, 0, UNLIMITED)
    return Mutation(column, mutator, keys.read(argument, symbols), by_key=True)


def _argument_type(column: Column, mutator: str, json: Json) -> Type:
    """Return the type that a mutator's argument has."""
    type_ = column.type
    if mutator == "insert" and not type_.is_scalar:
        return type_.optional
    if mutator == "delete" and not type_.is_scalar:
        return type_.unlimited
    if mutator in _INTEGER and not type_.is_map:
        known = {IntegerType: _INTEGER, RealType: _REAL}.get(type(type_.key), {})
        if mutator in known:
            return type_.operand
    raise syntax_error(
        json,
        f'Type mismatch: "{mutator}" operator may not be applied to column '
        f"{column.name} of type {type_.english()}.",
    )
