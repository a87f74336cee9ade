"""What requests about flows ask of a datapath, before it is done."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.model.action import Actions, Limit, walk
from hotswitch.model.entry import NOTHING, Entry, EntryKey, EntryStatistics
from hotswitch.model.match import Match
from hotswitch.netlink import tunnel_keys
from hotswitch.netlink.actions import Translated, actions_of, noting_flags
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.flags import CREATE, EXCLUSIVE
from hotswitch.netlink.flows import match_of
from hotswitch.netlink.known import known_in_match
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.flow_answers import FlowAnswers, counted, find, says_key
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.known_forms import KnownForms
from hotswitch.netlink.server.own_datapath import FLOW_PRIORITY, OwnDatapath, check_tunnel_ports
from hotswitch.netlink.server.request import Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.ufid import identity

Last = Mapping[EntryKey, EntryStatistics]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request asks of the datapath, before it is done.

    flow: the flow that it adds, changes or deletes, None: all. before: what is to be kept before
    the change, so that nothing forwards of which nothing is known. done: takes it into the books
    and says what there is to answer, given the last statistics of deleted entries.
    """

    own: OwnDatapath
    flow: Flow | None
    changes: tuple[Change, ...]
    before: tuple[kept.Record, ...]
    done: Callable[[Last], Outcome]
    foreseen: Outcome | None = None
    """What will be answered, as far as it is known before: for flows that are new, and, with the
    statistics until now, for those that are deleted in a transaction."""
    familiar: bool = False
    """Whether there is a flow of that form, so that nothing has to be compiled."""


class FlowPlans:
    """Makes plans. The methods of `by_command` raise NetlinkError.

    What is wrong with a request is found in the kernel's order (ovs_flow_cmd_new, _set, _del): key
    and mask, actions, the datapath, the flow.
    """

    def __init__(self, room: Room, answers: FlowAnswers, forms: KnownForms) -> None:
        self._room = room
        self._answers = answers
        self._forms = forms
        self.by_command: Mapping[str, Callable[[Request], Plan]] = {
            "new": self.plan_new,
            "set": self.plan_set,
            "del": self.plan_delete,
        }

    def plan_new(self, request: Request) -> Plan:
        """Add a flow or, if that is allowed, change one."""
        said = request.attributes
        match = match_of(self._room.registry, said["key"], said.get("mask"))
        translated = self._checked(request, match, said["actions"])
        own, name = self._room.find(request.message.datapath), identity(said)
        key = EntryKey(0, FLOW_PRIORITY, match)
        flow = own.flows.find(name) or own.flows.by_key(key)
        if flow is not None:
            if request.message.flags & (CREATE | EXCLUSIVE):
                raise NetlinkError("there is such a flow already", errno=errno.EEXIST)
            if not _is_meant(flow, name, match):
                raise NetlinkError("it is another flow's identity, or key", errno=errno.ENOENT)
            return self._plan_actions(own, flow, request, said["actions"])
        form = None
        limited = any(isinstance(action, Limit) for action in walk(translated.actions))
        if not limited and not any(tunnel_keys.ports_said(said["actions"])):
            form = self._forms.learn(request.data, key, translated)
        return self._plan_added(
            own,
            Flow(
                own.flows.take_cookie(), name, "ufid" in said, key, request.data,
                upcalls=translated.upcalls, form=form,
            ),
            translated.actions,
            said,
        )  # fmt: skip

    def _plan_added(self, own: OwnDatapath, flow: Flow, actions: Actions, said: Attributes) -> Plan:
        entry = Entry(0, FLOW_PRIORITY, flow.key.match, actions, flow.cookie)
        outcome = self._answers.outcome(own, flow, NOTHING, said)

        def done(_: Last) -> Outcome:
            own.flows.put(flow)
            own.flows.generation += 1
            return outcome

        familiar = flow.form in own.flows.forms
        records = (own.flow_record(flow),)
        return Plan(own, flow, (PutEntry(entry),), records, done, outcome, familiar)

    def plan_set(self, request: Request) -> Plan:
        """Change a flow's actions, or forget what it has counted, or both."""
        said = request.attributes
        actions = said.get("actions")
        if says_key(said):
            match = match_of(self._room.registry, said["key"], said.get("mask"))
            if actions is not None:
                self._checked(request, match, actions)
        own, flow = find(self._room, request)
        return self._plan_actions(own, flow, request, actions)

    def plan_delete(self, request: Request) -> Plan:
        """Delete a flow, or all."""
        said = request.attributes
        if "key" not in said and "ufid" not in said:
            return self._plan_flush(self._room.find(request.message.datapath))
        own, flow = find(self._room, request)

        def done(last: Last) -> Outcome:
            own.flows.delete(flow)
            own.flows.generation += 1
            records = (kept.FlowGone(own.name, flow.cookie),)
            return self._answers.outcome(own, flow, last[flow.key], said, records)

        foreseen = None
        if "transaction" in said:
            foreseen = self._answers.outcome(own, flow, counted(own, flow), said)
        return Plan(own, flow, (DeleteEntry(flow.key),), (), done, foreseen)

    def _plan_flush(self, own: OwnDatapath) -> Plan:
        def done(_: Last) -> Outcome:
            own.flows.clear()
            own.flows.generation += 1
            return Outcome(records=(kept.FlowGone(own.name, 0),))

        return Plan(own, None, tuple(DeleteEntry(flow.key) for flow in own.flows), (), done)

    def _plan_actions(
        self, own: OwnDatapath, flow: Flow, request: Request, actions: Attributes | None
    ) -> Plan:
        said = request.attributes
        clears = "clear" in said
        if actions is None and not clears:
            return Plan(
                own,
                flow,
                (),
                (),
                lambda _: self._answers.outcome(own, flow, counted(own, flow), said),
            )
        entry = own.datapath.entries()[flow.key]
        changed = None
        if actions is not None:
            translated = self._actions(own, actions, flow.key.match)
            entry = Entry(0, FLOW_PRIORITY, flow.key.match, translated.actions, flow.cookie)
            payload = ACTION.encode(actions)
            changed = Flow(
                flow.cookie, flow.identity, flow.named, flow.key, flow.request, payload,
                translated.upcalls,
            )  # fmt: skip
        changes: tuple[Change, ...] = (PutEntry(entry),)
        if clears:
            changes = (DeleteEntry(flow.key), *changes)

        def done(_: Last) -> Outcome:
            if changed is not None:
                own.flows.put(changed)
                own.flows.generation += 1
            now = changed or flow
            records = (own.flow_record(now),) if changed else ()
            return self._answers.outcome(own, now, counted(own, now), said, records)

        return Plan(own, flow, changes, (), done)

    def _checked(self, request: Request, match: Match, actions: Attributes) -> Translated:
        """The actions for packets that match, checked before anybody asks whether there is such a
        datapath."""
        own = self._room.datapaths.get(request.message.datapath)
        return self._actions(own, actions, match)

    def _actions(self, own: OwnDatapath | None, attributes: Attributes, match: Match) -> Translated:
        registry = self._room.registry
        known = known_in_match(registry, match)
        if own is not None and not own.has_tunnels(known.get("in_port")):
            known["tunnel"] = 0
        translated = actions_of(registry, attributes, known)
        for action in walk(translated.actions):
            if isinstance(action, Limit) and not (own and action.meter in own.datapath.meters()):
                raise NetlinkError(f"there is no meter {action.meter}", path=("actions",))
        if own is not None:
            check_tunnel_ports(own, attributes)
        return translated._replace(actions=noting_flags(translated.actions, known))


def _is_meant(flow: Flow, name: bytes, match: Match) -> bool:
    """Whether a request with this identity and match may change a flow (ovs_flow_cmp): its masked
    key has to be the flow's, and the identity too if that is a key."""
    if not flow.named:
        return flow.identity == name
    return _values(flow.key.match) == _values(match)


def _values(match: Match) -> dict[str, int]:
    return {term.field: term.value for term in match if term.value}
