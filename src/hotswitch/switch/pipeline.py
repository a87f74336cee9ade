"""A bridge as the tables of a pipeline. Pure: the same bridge gives the same entries.

`docs/bridge.md` has the picture. A frame keeps the tag that it came in with for as long as it
can: access to access and trunk to trunk change no byte of it. Three registers go with it:

- `VLAN` (reg0): the VLAN that it is in;
- `PORT` (reg1): the port of its destination, 0 if unknown;
- `FORM` (reg2): PLAIN in VLAN 0 without a tag, TAGGED with the tag of its VLAN (in VLAN 0: a
  priority tag), BARE in another VLAN without a tag.

A known destination costs four lookups: port, destination, egress, source. Therefore learning
comes last, and reserved group addresses, which are never learned, are looked for only
on the way to flooding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from hotswitch.datapath.limits import STANDARD
from hotswitch.model.action import (
    Action,
    Actions,
    CopyField,
    Drop,
    GotoTable,
    Learn,
    Limit,
    Lookup,
    Output,
    OutputList,
    PopVlan,
    PushVlan,
    SetField,
)
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Match
from hotswitch.model.port import Hook, Meter, Side
from hotswitch.ports.members import Member
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.floods import Floods, Members
from hotswitch.switch.reserved import RESERVED
from hotswitch.switch.vlans import PortVlans, port_vlans

INGRESS, PRIORITY_TAG, EGRESS, UNKNOWN, STORM, FLOOD = range(6)
TABLES: Mapping[int, str] = {
    INGRESS: "ingress",
    PRIORITY_TAG: "priority tag",
    EGRESS: "egress",
    UNKNOWN: "unknown destination",
    STORM: "storm limit",
    FLOOD: "flood",
}
VLAN, PORT, FORM = "reg0", "reg1", "reg2"
PLAIN, TAGGED, BARE = range(3)

LOCAL_PORT = 255
"""The local port's number: out of the way of those that people ask for."""

_WIDTHS = {"in_port": 32, VLAN: 32, PORT: 32, FORM: 32, "ethernet.dst": 48}
_WIDTHS |= {"vlan": 1, "vlan.vid": 12, "vlan.pcp": 3}

_LEARN = Learn(VLAN)
_LOOK_UP = (Lookup(VLAN, PORT), GotoTable(EGRESS))
_PUSH = (PushVlan(), CopyField(VLAN, "vlan.vid", width=_WIDTHS["vlan.vid"]))


def entries(bridge: DesiredBridge, numbers: Mapping[str, int]) -> dict[EntryKey, Entry]:
    """All entries of a bridge whose ports have these numbers.

    A port without a number is left out. The local port, named like the bridge, is a trunk
    of all VLANs unless the bridge says otherwise.
    """
    ports = {numbers[port.name]: port for port in all_ports(bridge) if port.name in numbers}
    result: dict[EntryKey, Entry] = {}
    for number, port in ports.items():
        result.update(port_entries(number, port))
    floods = Floods().having({}, {number: port_vlans(port) for number, port in ports.items()})
    limited = any(port.storm_limit for port in ports.values())
    result.update(common_entries(bridge.forward_reserved, limited))
    result.update(flood_entries(floods, floods.vlans))
    result.update(trunk_entries(floods))
    return result


def common_entries(forward_reserved: bool, limited: bool) -> dict[EntryKey, Entry]:
    """What is there whatever the ports are. limited: some port has a storm limit."""
    found = [*_priority_tag(), *_unknown(forward_reserved, STORM if limited else FLOOD)]
    if limited:
        found.append(_entry(STORM, 0, {}, GotoTable(FLOOD)))
    return {each.key: each for each in found}


def meters(bridge: DesiredBridge, numbers: Mapping[str, int]) -> dict[int, Meter]:
    """A meter for each port with a storm limit, under the port's number."""
    found = (meter_of(numbers[port.name], port) for port in all_ports(bridge))
    return {meter.number: meter for meter in found if meter}


def meter_of(number: int, port: DesiredPort) -> Meter | None:
    """The meter of a port with a storm limit.

    After a pause a tenth of a second's worth may come at once.
    """
    if not port.storm_limit:
        return None
    return Meter(number, port.storm_limit, burst=max(1, port.storm_limit // 10))


def all_ports(bridge: DesiredBridge) -> tuple[DesiredPort, ...]:
    """The bridge's ports sorted by name, the local one first: its first internal port."""
    return (
        local_port(bridge),
        *(port for name, port in sorted(bridge.ports.items()) if name != bridge.name),
    )


def local_port(bridge: DesiredBridge) -> DesiredPort:
    """The bridge's local port, which is there whether it is told of or not.

    That of a bridge with a facade has the facade's device as it is, address and hook.
    """
    given = bridge.local
    if bridge.facade:
        return replace(
            given,
            kind=PortKind.SYSTEM,
            side=Side.HOST,
            links=(Member(bridge.facade, metadata=given.members[0].metadata),),
            mac=0,
            hook=Hook.AUTO,
        )
    return given if given.kind is PortKind.INTERNAL else replace(given, kind=PortKind.INTERNAL)


def port_of(bridge: DesiredBridge, name: str) -> DesiredPort | None:
    """The bridge's port of this name, the local one too."""
    return local_port(bridge) if name == bridge.name else bridge.ports.get(name)


@lru_cache(maxsize=65536)
def port_entries(number: int, port: DesiredPort) -> Mapping[EntryKey, Entry]:
    """What is there for one port alone, whatever the others are."""
    vlans = port_vlans(port)
    found = [*_ingress(number, vlans), *_egress(number, vlans)]
    if port.storm_limit:
        found.append(_entry(STORM, 1, {"in_port": number}, Limit(number), GotoTable(FLOOD)))
    return {each.key: each for each in found}


def _ingress(port: int, vlans: PortVlans) -> Iterator[Entry]:
    """The VLAN that a frame is in, by its port and tag; what a port does not take is missed."""
    if vlans.native == 0:
        yield _entry(INGRESS, 2, {"in_port": port, "vlan": 0}, *_LOOK_UP)
        yield _entry(INGRESS, 1, {"in_port": port, "vlan.vid": 0}, GotoTable(PRIORITY_TAG))
    elif vlans.native is not None:
        yield _entry(
            INGRESS, 2, {"in_port": port, "vlan": 0}, *_be_in(vlans.native, BARE), *_LOOK_UP
        )
        yield _entry(
            INGRESS,
            1,
            {"in_port": port, "vlan.vid": 0},
            _set("vlan.vid", vlans.native),
            *_be_in(vlans.native, TAGGED),
            *_LOOK_UP,
        )
    by_tag = (CopyField("vlan.vid", VLAN, width=_WIDTHS["vlan.vid"]), _set(FORM, TAGGED), *_LOOK_UP)
    if vlans.tagged is None:
        yield _entry(INGRESS, 0, {"in_port": port, "vlan": 1}, *by_tag)
    else:
        for vlan in sorted(vlans.tagged):
            yield _entry(INGRESS, 1, {"in_port": port, "vlan.vid": vlan}, *by_tag)


def _priority_tag() -> Iterator[Entry]:
    """In VLAN 0 a priority tag stays only if there is a priority in it."""
    yield _entry(PRIORITY_TAG, 1, {"vlan.pcp": 0}, PopVlan(), *_LOOK_UP)
    yield _entry(PRIORITY_TAG, 0, {}, _set(FORM, TAGGED), *_LOOK_UP)


def _egress(port: int, vlans: PortVlans) -> Iterator[Entry]:
    """To a known destination. That the port carries the VLAN is known: it was learned there."""
    output = Output(port)
    pop: Actions = (_LEARN, PopVlan(), output)
    push: Actions = (_LEARN, *_PUSH, output)
    if vlans.is_access:
        tagless = BARE if vlans.bare else PLAIN
        yield _entry(EGRESS, 0, {PORT: port, FORM: tagless}, _LEARN, output)
        yield _entry(EGRESS, 0, {PORT: port, FORM: TAGGED}, *pop)
        return
    yield _entry(EGRESS, 0, {PORT: port, FORM: PLAIN}, _LEARN, output)
    yield _entry(EGRESS, 0, {PORT: port, FORM: TAGGED}, _LEARN, output)
    yield _entry(EGRESS, 0, {PORT: port, FORM: BARE}, *push)
    if vlans.bare is not None:
        bare = {PORT: port, VLAN: vlans.bare}
        yield _entry(EGRESS, 1, {**bare, FORM: TAGGED}, *pop)
        if vlans.bare:
            yield _entry(EGRESS, 1, {**bare, FORM: BARE}, _LEARN, output)


def _unknown(forward_reserved: bool, following: int) -> Iterator[Entry]:
    """To no known port: drop what must not pass a bridge, learn from the rest."""
    for form in (PLAIN, TAGGED, BARE):
        yield _entry(EGRESS, 0, {PORT: 0, FORM: form}, GotoTable(UNKNOWN))
    if not forward_reserved:
        for address in RESERVED:
            yield _entry(UNKNOWN, 1, {"ethernet.dst": address}, Drop())
    yield _entry(UNKNOWN, 0, {}, _LEARN, GotoTable(following))


def trunk_entries(floods: Floods) -> dict[EntryKey, Entry]:
    """To all ports of a VLAN that no port names: trunks of all carry it."""
    entry = _entry(FLOOD, 0, {FORM: TAGGED}, *_to(floods.everywhere))
    return {entry.key: entry}


def flood_entries(floods: Floods, vlans: Iterable[int]) -> dict[EntryKey, Entry]:
    """To all ports of these VLANs; of those that need no entries there are none."""
    return {each.key: each for vlan in vlans for each in _flood(floods, vlan)}


def _flood(floods: Floods, vlan: int) -> Iterator[Entry]:
    bare, tagged = floods.bare.get(vlan, ()), floods.tagged.get(vlan, ())
    has_native = vlan in floods.native
    if vlan == 0:
        plain = tuple(sorted({*floods.zero}.intersection(bare))) if bare else ()
        carrying = _without(floods.zero, plain)
        yield _entry(FLOOD, 1, {VLAN: 0, FORM: PLAIN}, *_to(floods.zero))
    elif bare or tagged or has_native:
        plain = bare
        both = tuple(sorted({*tagged, *floods.everywhere})) if tagged else floods.everywhere
        carrying = _without(both, plain)
    else:
        return
    without, with_tag = _to(plain), _to(carrying)
    popped: Actions = (PopVlan(), *without) if plain else ()
    yield _entry(FLOOD, 1, {VLAN: vlan, FORM: TAGGED}, *with_tag, *popped)
    if has_native:
        pushed: Actions = (*_PUSH, *with_tag) if carrying else ()
        yield _entry(FLOOD, 1, {VLAN: vlan, FORM: BARE}, *without, *pushed)


def _without(ports: Members, others: Members) -> Members:
    """The same object if nothing is left out: what is the same is not looked at again."""
    return tuple(sorted({*ports}.difference(others))) if others else ports


def _to(ports: tuple[int, ...]) -> Actions:
    most = STANDARD.ports
    return tuple(OutputList(ports[at : at + most]) for at in range(0, len(ports), most))


def _be_in(vlan: int, form: int) -> Actions:
    return (_set(VLAN, vlan), _set(FORM, form))


def _set(field: str, value: int) -> SetField:
    return SetField(field, value, (1 << _WIDTHS[field]) - 1)


def _entry(table: int, priority: int, exact: Mapping[str, int], *actions: Action) -> Entry:
    """An entry in the form that `datapath.check` leaves as it is: masks of full width."""
    match = Match.of({name: (value, (1 << _WIDTHS[name]) - 1) for name, value in exact.items()})
    return Entry(table, priority, match, actions)
