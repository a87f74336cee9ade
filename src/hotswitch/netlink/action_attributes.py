"""The model's actions to those of Netlink messages: the way back from `actions.py`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
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
    pairs: list[tuple[Name, Any]] = []
    labelled = known.get("ethertype") in MPLS
    outer: dict[str, int] = {}
    place = 0
    while place < len(actions):
        action = actions[place]
        match action:
            case act.SetField(field) if field.startswith(tunnel_keys.OUT):
                settings = _run_of_outer_headers(registry, actions, place)
                outer |= settings
                key = tunnel_keys.set_key_of(outer) if settings else None
                if key is None:
                    raise _unsayable(action)
                pairs.append(("set", Attributes(tunnel=key)))
                place += len(settings)
                continue
            case act.SetField():
                run = _run_of_sets(actions, place)
                pairs.append(("set_masked", _set(registry, run)))
                place += len(run)
                continue
            case act.PushVlan(ethertype):
                pcp, _, vid = _pushed(registry, actions, place, _PUSHED_TAG)
                tci = pcp << 13 | TAG_PRESENT | vid
                pairs.append(("push_vlan", PushVlan.value(ethertype, tci)))
                place += len(_PUSHED_TAG)
            case act.PushMpls(ethertype):
                values = _pushed(registry, actions, place, _PUSHED_LABEL)
                fields = dict(zip(_PUSHED_LABEL, values, strict=True))
                entry = gather(
                    registry, label_fields(0), fields | {"mpls.bottom": int(not labelled)}
                )
                pairs.append(("push_mpls", PushMpls.value(entry, ethertype)))
                place += len(_PUSHED_LABEL)
                labelled = True
            case act.PopMpls(ethertype):
                pairs.append(("pop_mpls", ethertype))
                labelled = ethertype in MPLS
            case act.CopyToUser(reason, length, fields) if _of_key(fields) in ((), BESIDE, COPIED):
                if not 1 <= reason <= len(upcalls) or length < MINIMUM_LENGTH:
                    raise _unsayable(action)
                if isinstance(upcall := upcalls[reason - 1], ByDaemon):
                    pairs.append(("clone", upcall.actions))
                    place += 1
                    continue
                if length != EVERYTHING:
                    pairs.append(("trunc", length))
                pairs.append(("userspace", upcall))
            case act.Truncate(length):
                output = actions[place + 1 : place + 2]
                if not output or not isinstance(output[0], act.Output):
                    raise NetlinkError(f"{action} has to be followed by an output")
                pairs.append(("trunc", length))
            case act.NoteFlags():
                pass  # every flow does
            case act.OutputList(ports, hairpin):
                pairs += [_plain(act.Output(port, hairpin), known) for port in ports]
            case _ if lists := act.lists_in(action):
                inner = [attributes_of(registry, each, upcalls, known) for each in lists]
                pairs.append(_nesting(action, inner))
            case _:
                pairs.append(_plain(action, known))
        place += 1
    return Attributes(pairs)


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
