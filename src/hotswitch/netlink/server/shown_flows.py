"""What answers say of flows, as it was said of one that is alike: thousands are listed so."""

from __future__ import annotations

from dataclasses import dataclass

from hotswitch.model.match import Mask, Match
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.server.alike import ByLikeness, free_fields, layout
from hotswitch.netlink.server.flow_table import Flow, Shown

KEPT = 4096
"""Kinds of flows of which it is known what is said, at most."""
_PASSED_OVER = frozenset({"transaction"})


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """Mask and actions of flows that are alike, and the key without what differs.

    matched: the mask of the match. copies: the place of a value in the match, and how far from the
    key's low end it goes.
    """

    matched: Mask
    key: int
    size: int
    copies: tuple[tuple[int, int], ...]
    mask: Encoded
    actions: Encoded

    def of(self, match: Match) -> Shown:
        """Of the flow with this match."""
        values, key = match.values, self.key
        for place, left in self.copies:
            key |= values[place] << left
        shown = Encoded(key.to_bytes(self.size, "big"))
        return Shown(shown, shown, self.mask, self.actions)


class ShownFlows:
    """What was said of flows."""

    def __init__(self) -> None:
        self._forms: ByLikeness[_Form] = ByLikeness(KEPT)

    def find(self, flow: Flow) -> Shown | None:
        """What there is to say of a flow, if that is known."""
        if flow.shown is not None:
            return flow.shown
        if not flow.named or flow.actions is not None:
            return None
        form = self._forms.find(flow.request)
        match = flow.key.match
        return form.of(match) if form is not None and form.matched == match.mask else None

    def learn(self, flow: Flow, shown: Shown) -> None:
        """Know what was found out of this flow, and so of those that are like it."""
        form = _form(flow, shown)
        if form is None:
            flow.shown = shown
        else:
            same, known = form
            self._forms.put(flow.request, same, known)


def _form(flow: Flow, shown: Shown) -> tuple[int, _Form] | None:
    """The bits that those alike share, and what is said of them; None: there are none alike."""
    if not flow.named or flow.actions is not None:
        return None
    asked = layout(flow.request, _PASSED_OVER)
    if asked is None:
        return None
    match, places = flow.key.match, free_fields(shown.key, 0, len(shown.key))
    key, copies = int.from_bytes(shown.key, "big"), []
    for place, term in enumerate(match.terms):
        if term.field not in asked.fields:
            continue
        if term.field not in places:
            return None
        left = 8 * (len(shown.key) - places[term.field][1])
        key &= ~(term.mask << left)
        copies.append((place, left))
    return asked.same, _Form(
        match.mask, key, len(shown.key), tuple(copies), shown.mask, shown.actions
    )
