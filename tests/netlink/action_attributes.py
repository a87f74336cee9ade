"""The model's actions to those of Netlink messages: the way back from `hotswitch.netlink.actions`,
by which tests see that nothing is lost on the way there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from hotswitch.headers.registry import Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.actions import EVERYTHING, MINIMUM_LENGTH, Upcall
from hotswitch.netlink.asides import ByDaemon
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.actions import Hash, PushMpls, PushVlan
from hotswitch.netlink.families.keys import KEY, TAG_PRESENT
from hotswitch.netlink.known import Known
from hotswitch.netlink.places import BESIDE, COPIED, MPLS, NUMBER, PLACES, gather, label_fields
from hotswitch.netlink.types import Masked, Structure

_PUSHED_TAG = ("vlan.pcp", "vlan.dei", "vlan.vid")
_PUSHED_LABEL = ("mpls.label", "mpls.traffic_class", "mpls.ttl")


def attributes_of(
    registry: Registry, actions: Actions, upcalls: Sequence[Upcall], known: Known
) -> Attributes:
    """The actions as Netlink messages have them (the set OVS_ACTION_ATTR).

    `actions_of` gives the same actions again, for the same `known`. Raises NetlinkError, naming
    the action, for what Netlink can't say.
    """
    return _Writing(registry, actions, upcalls, known).attributes()


def flagged(upcall: Attributes) -> Attributes:
    """A userspace action as a message has it: `actions` is a flag there."""
    return Attributes((name, True if name == "actions" else value) for name, value in upcall)


class _Writing:
    """One list of actions on its way into attributes.

    The method of an action appends what stands for it, and returns how many of the actions, from
    `place` on, that says.
    """

    def __init__(
        self, registry: Registry, actions: Actions, upcalls: Sequence[Upcall], known: Known
    ) -> None:
        self._registry = registry
        self._actions = actions
        self._place = 0
        self._upcalls = upcalls
        self._known = known
        self._pairs: list[tuple[Name, Any]] = []
        self._labelled = known.get("ethertype") in MPLS
        self._outer: dict[str, int] = {}
        self._by_kind: Mapping[type, Callable[[Any], int]] = {
            act.SetField: self._set_field,
            act.PushVlan: self._push_vlan,
            act.PushMpls: self._push_mpls,
            act.PopMpls: self._pop_mpls,
            act.CopyToUser: self._copy_to_user,
            act.Truncate: self._truncate,
            act.NoteFlags: self._note_flags,
            act.OutputList: self._output_list,
        }

    def attributes(self) -> Attributes:
        while self._place < len(self._actions):
            action = self._actions[self._place]
            write = self._by_kind.get(type(action), self._other)
            self._place += write(action)
        return Attributes(self._pairs)

    def _set_field(self, action: act.SetField) -> int:
        if action.field.startswith(tunnel_keys.OUT):
            return self._set_outer(action)
        run = _run_of_sets(self._actions, self._place)
        self._pairs.append(("set_masked", _set(self._registry, run)))
        return len(run)

    def _set_outer(self, action: act.SetField) -> int:
        settings = _run_of_outer_headers(self._registry, self._actions, self._place)
        self._outer |= settings
        key = tunnel_keys.set_key_of(self._outer) if settings else None
        if key is None:
            raise _unsayable(action)
        self._pairs.append(("set", Attributes(tunnel=key)))
        return len(settings)

    def _push_vlan(self, action: act.PushVlan) -> int:
        pcp, _, vid = _pushed(self._registry, self._actions, self._place, _PUSHED_TAG)
        tci = pcp << 13 | TAG_PRESENT | vid
        self._pairs.append(("push_vlan", PushVlan.value(action.ethertype, tci)))
        return 1 + len(_PUSHED_TAG)

    def _push_mpls(self, action: act.PushMpls) -> int:
        values = _pushed(self._registry, self._actions, self._place, _PUSHED_LABEL)
        fields = dict(zip(_PUSHED_LABEL, values, strict=True))
        fields["mpls.bottom"] = int(not self._labelled)
        entry = gather(self._registry, label_fields(0), fields)
        self._pairs.append(("push_mpls", PushMpls.value(entry, action.ethertype)))
        self._labelled = True
        return 1 + len(_PUSHED_LABEL)

    def _pop_mpls(self, action: act.PopMpls) -> int:
        self._pairs.append(("pop_mpls", action.ethertype))
        self._labelled = action.ethertype in MPLS
        return 1

    def _copy_to_user(self, action: act.CopyToUser) -> int:
        if (
            _of_key(action.fields) not in ((), BESIDE, COPIED)
            or not 1 <= action.reason <= len(self._upcalls)
            or action.length < MINIMUM_LENGTH
        ):
            raise _unsayable(action)
        upcall = self._upcalls[action.reason - 1]
        if isinstance(upcall, ByDaemon):
            self._pairs.append(("clone", upcall.actions))
            return 1
        if action.length != EVERYTHING:
            self._pairs.append(("trunc", action.length))
        self._pairs.append(("userspace", flagged(upcall)))
        return 1

    def _truncate(self, action: act.Truncate) -> int:
        output = self._actions[self._place + 1 : self._place + 2]
        if not output or not isinstance(output[0], act.Output):
            raise NetlinkError(f"{action} has to be followed by an output")
        self._pairs.append(("trunc", action.length))
        return 1

    def _note_flags(self, _: act.NoteFlags) -> int:
        return 1  # every flow does

    def _output_list(self, action: act.OutputList) -> int:
        outputs = (act.Output(port, action.hairpin) for port in action.ports)
        self._pairs += [_plain(each, self._known) for each in outputs]
        return 1

    def _other(self, action: Action) -> int:
        if lists := act.lists_in(action):
            inner = [
                attributes_of(self._registry, each, self._upcalls, self._known) for each in lists
            ]
            self._pairs.append(_nesting(action, inner))
        else:
            self._pairs.append(_plain(action, self._known))
        return 1


def _nesting(action: Action, inner: Sequence[Attributes]) -> tuple[Name, Any]:
    match action:
        case act.Clone():
            return "clone", inner[0]
        case act.Sample(probability):
            return "sample", Attributes(probability=probability, actions=inner[0])
        case act.CheckLength(length):
            return "check_pkt_len", Attributes(
                length=length, if_less_equal=inner[1], if_greater=inner[0]
            )
        case act.DecrementTtl("ipv4.ttl" | "ipv6.hop_limit"):
            return "dec_ttl", Attributes(actions=inner[0])
    raise _unsayable(action)


def _plain(action: Action, known: Known) -> tuple[Name, Any]:
    match action:
        case act.Output(act.IN_PORT) if "in_port" in known:
            return "output", ports.from_model(known["in_port"])
        case act.Output(port, hairpin) if (
            port <= act.MAXIMUM_PORT
            and port != known.get("in_port")
            and hairpin == ("in_port" not in known)
        ):
            return "output", ports.from_model(port)
        case act.PopVlan():
            return "pop_vlan", True
        case act.Limit(meter):
            return "meter", meter
        case act.Drop(reason):
            return "drop", reason
        case act.Hash(basis):
            return "hash", Hash.value(0, basis)
        case act.Recirculate(number):
            return "recirc", number
    raise _unsayable(action)


class _Stands(NamedTuple):
    """Where a field stands: in a member of a key attribute, so many bits from its low end."""

    attribute: str
    member: str
    shift: int


@functools.lru_cache(maxsize=4)
def _stand(registry: Registry) -> Mapping[str, _Stands]:
    found = {}
    places = {**PLACES, "mpls": {NUMBER: label_fields(0)}}
    for attribute, in_members in places.items():
        for member, fields in in_members.items():
            shift = 0
            for field in reversed(fields):
                if attribute not in _BESIDE:
                    found[field] = _Stands(attribute, member, shift)
                    shift += registry.field(field).width
    return MappingProxyType(found)


_BESIDE = frozenset(
    {
        "in_port",
        "dp_hash",
        "recirc_id",
        "ct_state",
        "ct_zone",
        "ct_mark",
        "ethertype",
    }
)


def _run_of_sets(actions: Actions, start: int) -> list[act.SetField]:
    """The settings from `start` on that go into one attribute."""
    run: list[act.SetField] = []
    for action in actions[start:]:
        if not isinstance(action, act.SetField):
            break
        if run and (_layer(action) != _layer(run[0]) or action.field in (e.field for e in run)):
            break
        run.append(action)
    return run


def _of_key(fields: tuple[str, ...]) -> tuple[str, ...]:
    """Without what goes with a copy for its egress port."""
    out = tunnel_keys.OUT_FIELDS
    return fields[: -len(out)] if fields[-len(out) :] == out else fields


def _run_of_outer_headers(registry: Registry, actions: Actions, start: int) -> dict[str, int]:
    """What the settings of outer headers from `start` on set, wholly and in the order of theirs."""
    found: dict[str, int] = {}
    allowed = list(tunnel_keys.OUT_FIELDS)
    for action in actions[start:]:
        match action:
            case act.SetField(field, value, mask) if field in allowed:
                if mask & registry.field(field).mask != registry.field(field).mask:
                    break
                del allowed[: allowed.index(field) + 1]
                found[field] = value
            case _:
                break
    return found


def _layer(action: act.SetField) -> str:
    layer = action.field.partition(".")[0]
    return "tcp_flags" if action.field == "tcp.flags" else layer


def _set(registry: Registry, run: list[act.SetField]) -> Attributes:
    stand = _stand(registry)
    values: dict[str, int] = {}
    masks: dict[str, int] = {}
    for action in run:
        where = stand.get(action.field)
        if where is None:
            raise _unsayable(action)
        mask = action.mask & registry.field(action.field).mask
        values[where.member] = values.get(where.member, 0) | action.value << where.shift
        masks[where.member] = masks.get(where.member, 0) | mask << where.shift
    name = stand[run[0].field].attribute
    return Attributes(((name, Masked(_value(name, values), _value(name, masks))),))


def _value(name: str, numbers: Mapping[str, int]) -> Any:
    kind = KEY.by_name[name].type
    if isinstance(kind, Structure):
        return kind.value(**(dict.fromkeys(kind.members, 0) | dict(numbers)))
    return (numbers[NUMBER],) if name == "mpls" else numbers[NUMBER]


def _pushed(
    registry: Registry, actions: Actions, place: int, fields: tuple[str, ...]
) -> tuple[int, ...]:
    """What is set right behind a push, all of it."""
    wanted = actions[place + 1 : place + 1 + len(fields)]
    values = []
    for field, action in zip(fields, wanted, strict=False):
        match action:
            case act.SetField(name, value, mask) if name == field:
                whole = registry.field(field).mask
                if mask & whole == whole and not (field == "vlan.dei" and value):
                    values.append(value)
    if len(values) != len(fields):
        raise NetlinkError(f"{actions[place]} has to be followed by settings of all it pushes")
    return tuple(values)


def _unsayable(action: Action) -> NetlinkError:
    return NetlinkError(f"Netlink has no action for {action}")
