"""May these actions follow one another, and stand in each other?"""

from __future__ import annotations

from hotswitch.datapath.check_action import ActionChecks
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.registry import Registry
from hotswitch.model.action import (
    CANNOT_BE_UNDONE,
    Actions,
    CopyToUser,
    DecrementTtl,
    Drop,
    GotoTable,
    Output,
    OutputList,
    Recirculate,
    ToHost,
    Truncate,
    lists_in,
    walk,
    with_lists,
)

_LAST = frozenset({Drop, ToHost, GotoTable, Recirculate})
_INSIDE = -1
_NOT_INSIDE = frozenset({ToHost, GotoTable})
_BEHIND_TRUNCATE = (Output, OutputList, CopyToUser, Truncate, Drop)


class ActionsCheck:
    """Checks an entry's actions against one registry, each and in their order."""

    def __init__(self, registry: Registry) -> None:
        self._checks = ActionChecks(registry).by_kind
        self._latest: tuple[int, int, Actions, Actions] = (-1, 0, (), ())

    def actions(self, table: int, actions: Actions) -> Actions:
        """The actions in normal form: the same tuple, if they are. Raises DatapathError."""
        if (table, id(actions)) == self._latest[:2]:
            return self._latest[2]
        normal = self._normal(table, actions)
        # The tuple is kept, so nothing else has its identity.
        self._latest = table, id(actions), normal, actions
        return normal

    def _normal(self, table: int, actions: Actions) -> Actions:
        count = len(actions) if not any(map(lists_in, actions)) else sum(1 for _ in walk(actions))
        if count > STANDARD.actions:
            raise DatapathError(
                f"{count} actions are too many", remedy=f"at most {STANDARD.actions}"
            )
        return self._list(table, actions, final=True)

    def _list(self, table: int, actions: Actions, *, final: bool) -> Actions:
        """final: nothing is done with the packet after these actions. table: -1 within others."""
        last = len(actions) - 1
        changed = truncated = False
        checks = self._checks
        result = []
        for position, action in enumerate(actions):
            kind = type(action)
            check = checks.get(kind)
            if check is None:
                raise DatapathError(f"{action!r} is not an action")
            normal = check(action)
            if inner := lists_in(normal):
                ends = final and (kind is DecrementTtl or position == last)
                checked = tuple(self._list(_INSIDE, each, final=ends) for each in inner)
                if any(new is not old for new, old in zip(checked, inner, strict=True)):
                    normal = with_lists(normal, checked)
            changed |= normal is not action
            result.append(normal)
            if kind in _LAST and position != last:
                raise DatapathError(f"an action after {kind.__name__}", remedy="put it last")
            if table == _INSIDE and kind in _NOT_INSIDE:
                raise DatapathError(f"{kind.__name__} within another action")
            if not final and isinstance(action, CANNOT_BE_UNDONE):
                raise DatapathError(
                    f"{kind.__name__} with a copy of a packet that goes on",
                    remedy="nothing can follow it",
                )
            if truncated and not isinstance(action, _BEHIND_TRUNCATE):
                raise DatapathError(f"{kind.__name__} behind Truncate", remedy="only outputs are")
            truncated |= kind is Truncate
            if kind is GotoTable and action.table <= table:  # type: ignore[union-attr]
                raise DatapathError(
                    f"GotoTable from table {table} to {action.table}",  # type: ignore[union-attr]
                    remedy="a packet only goes to tables with higher numbers",
                )
        return tuple(result) if changed else actions
