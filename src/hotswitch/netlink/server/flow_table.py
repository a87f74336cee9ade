"""The flows of a datapath, found by identity, by cookie and by match."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hotswitch.model.entry import EntryKey
from hotswitch.model.match import Mask
from hotswitch.netlink.actions import Upcall
from hotswitch.netlink.nested import Encoded

_HOLES = 64
_Counted = TypeVar("_Counted")


@dataclass(frozen=True, slots=True)
class Shown:
    """What answers say of a flow, as the payloads of attributes. key: without what is masked."""

    whole_key: Encoded
    key: Encoded
    mask: Encoded
    actions: Encoded


@dataclass(slots=True, eq=False)
class Flow:
    """A flow.

    cookie: its place among all flows, and in its entry. identity: what clients call it by
    (`ufid.identity`); named: that is a UFID. key: its entry's. request: the message that made it;
    actions: the payload of its actions, if they have been set since.
    upcalls: its userspace actions; None: not looked at yet. form: what it has in common with
    others (`known_forms`), if that is known.
    """

    cookie: int
    identity: bytes
    named: bool
    key: EntryKey
    request: bytes
    actions: bytes | None = None
    upcalls: tuple[Upcall, ...] | None = None
    shown: Shown | None = None
    form: object = None


class FlowTable:
    """All flows of one datapath. forms: how many there are of each form."""

    def __init__(self) -> None:
        self.generation = 0
        self.next_cookie = 1
        self.forms: Counter[object] = Counter()
        self._masks: Counter[Mask] = Counter()
        self._by_identity: dict[bytes, Flow] = {}
        self._by_key: dict[EntryKey, Flow] = {}
        self._by_cookie: dict[int, Flow] = {}
        self._order: list[int] = []  # all cookies, and some of flows that are no more

    def take_cookie(self) -> int:
        """A cookie that no flow has had before."""
        self.next_cookie += 1
        return self.next_cookie - 1

    def put(self, flow: Flow) -> None:
        """Add a flow, or let it take the place of the one with its cookie."""
        before = self._by_cookie.get(flow.cookie)
        if before is not None:
            self._uncount(before)
        if flow.form is not None:
            self.forms[flow.form] += 1
        self._masks[flow.key.match.mask] += 1
        self._by_identity[flow.identity] = flow
        self._by_key[flow.key] = flow
        if flow.cookie not in self._by_cookie:
            self._enter(flow.cookie)
        self._by_cookie[flow.cookie] = flow
        self.next_cookie = max(self.next_cookie, flow.cookie + 1)

    def add(self, flows: Sequence[Flow]) -> None:
        """Add flows of known forms, whose identities, keys and cookies are new, by cookie."""
        self.forms.update([flow.form for flow in flows])
        self._masks.update([flow.key.match.mask for flow in flows])
        self._by_identity.update([(flow.identity, flow) for flow in flows])
        self._by_key.update([(flow.key, flow) for flow in flows])
        self._by_cookie.update([(flow.cookie, flow) for flow in flows])
        self._order.extend([flow.cookie for flow in flows])

    def delete(self, flow: Flow) -> None:
        """Delete a flow."""
        self._uncount(flow)
        del self._by_identity[flow.identity]
        del self._by_key[flow.key]
        del self._by_cookie[flow.cookie]
        if len(self._order) > 2 * len(self._by_cookie) + _HOLES:
            self._order = sorted(self._by_cookie)

    def clear(self) -> None:
        """Delete all. Cookies go on."""
        self.forms.clear()
        self._masks.clear()
        self._by_identity.clear()
        self._by_key.clear()
        self._by_cookie.clear()
        self._order.clear()

    def find(self, identity: bytes) -> Flow | None:
        """The flow that clients call so."""
        return self._by_identity.get(identity)

    def by_key(self, key: EntryKey) -> Flow | None:
        """The flow with this match."""
        return self._by_key.get(key)

    def by_cookie(self, cookie: int) -> Flow | None:
        """The flow with this cookie."""
        return self._by_cookie.get(cookie)

    def since(self, cookie: int) -> Iterator[Flow]:
        """Those with this cookie or a higher one, by cookie."""
        for place in range(bisect_left(self._order, cookie), len(self._order)):
            flow = self._by_cookie.get(self._order[place])
            if flow is not None:
                yield flow

    def _uncount(self, flow: Flow) -> None:
        if flow.form is not None:
            _take(self.forms, flow.form)
        _take(self._masks, flow.key.match.mask)

    def _enter(self, cookie: int) -> None:
        if not self._order or cookie > self._order[-1]:
            self._order.append(cookie)
        elif self._order[bisect_left(self._order, cookie)] != cookie:
            insort(self._order, cookie)

    def masks(self) -> int:
        """How many different masks there are."""
        return len(self._masks)

    def __len__(self) -> int:
        return len(self._by_cookie)

    def __iter__(self) -> Iterator[Flow]:
        """Each as it is when it is its turn; they may change meanwhile."""
        for cookie in list(self._by_cookie):
            flow = self._by_cookie.get(cookie)
            if flow is not None:
                yield flow


def _take(counts: Counter[_Counted], which: _Counted) -> None:
    counts[which] -= 1
    if not counts[which]:
        del counts[which]


def batched(flows: Iterable[Flow], size: int) -> Iterator[list[Flow]]:
    """The flows, so many at a time."""
    group: list[Flow] = []
    for flow in flows:
        group.append(flow)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
