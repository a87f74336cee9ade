"""Takes JSON objects and arrays apart, and says what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.values import Json, as_integer


def _is_identifier(value: Json) -> bool:
    return type(value) is str and value.isascii() and value.isidentifier()


class Kind(Enum):
    """A form that a member may have.

    whole: the JSON type all of whose values have this form, or None.
    accepts: whether a value of another type has it.
    """

    ANY = None, lambda value: True
    ARRAY = list, lambda value: False
    BOOLEAN = bool, lambda value: False
    IDENTIFIER = None, _is_identifier
    INTEGER = None, lambda value: as_integer(value) is not None
    NUMBER = int, lambda value: type(value) is float
    OBJECT = dict, lambda value: False
    STRING = str, lambda value: False

    def __init__(self, whole: type | None, accepts: Callable[[Json], bool]) -> None:
        self.whole = whole
        self.accepts = accepts


class Members:
    """The members of one object, each to be taken once.

    `name` says in errors what is being read. Errors are syntax errors with the object.
    """

    def __init__(self, json: Json, name: str) -> None:
        self.json = json
        self._name = name
        if not isinstance(json, dict):
            raise OvsdbError("syntax error", f"Parsing {name} failed: Object expected.")
        self._taken: list[str] = []
        self._failed = False

    def error(self, message: str) -> OvsdbError:
        """Return the error that says `message` of this object."""
        self._failed = True
        return syntax_error(self.json, f"Parsing {self._name} failed: {message}")

    def take(self, name: str, kind: Kind, *others: Kind) -> Json:
        """Return a member of one of these kinds, which must be there."""
        try:
            value = self.json[name]
        except KeyError:
            raise self.error(f"Required '{name}' member is missing.") from None
        if (
            type(value) is not kind.whole
            and not kind.accepts(value)
            and not any(type(value) is each.whole or each.accepts(value) for each in others)
        ):
            raise self.error(f"Type mismatch for member '{name}'.")
        self._taken.append(name)
        return value

    def maybe(self, name: str, kind: Kind, *others: Kind) -> Json:
        """Return a member of one of these kinds, or None if there is none."""
        return self.take(name, kind, *others) if name in self.json else None

    def finish(self) -> None:
        """Refuse the members that nobody has taken, unless there was an error before."""
        if self._failed or len(self._taken) == len(self.json):
            return
        unknown = [name for name in self.json if name not in self._taken]
        others = len(unknown) - 1
        if others > 0:
            plural = "s" if others > 1 else ""
            raise self.error(
                f"Member '{unknown[0]}' and {others} other member{plural} "
                "are present but not allowed here."
            )
        raise self.error(f"Member '{unknown[0]}' is present but not allowed here.")


def read_triple(json: Json, what: str) -> tuple[str, str, Json]:
    """A column's name, what to do with it, and with which value: a condition, a mutation.

    Raises OvsdbError.
    """
    match json:
        case [str(column), str(function), argument]:
            return column, function, argument
    raise syntax_error(json, f"Parse error in {what}.")
