"""Actions carried out in user space, as the reference engine does: for EXECUTE, and for copies of
packets that a program can't do it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.parse import parse
from hotswitch.model.action import Actions, Recirculate, SetField, walk
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Match
from hotswitch.model.port import Upcall
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.actions import Translated, actions_of
from hotswitch.netlink.asides import ByDaemon
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.checksums import layer_4
from hotswitch.netlink.errors import declared
from hotswitch.netlink.server.own_datapath import OwnDatapath
from hotswitch.netlink.server.room import Room

_FIRST = 0xFFFF
_CARRIED_OUT = (1 << 64) - 1
"""The priority and the cookie of an entry with actions to carry out; no flow has them."""
_MARK = "reg15"
_MARKED = Match.of({_MARK: 1})
_UNMARK = SetField(_MARK, 0)
"""It is only for a packet that comes in, not for one that is looked up again."""
_DEEPEST = 3
"""How often what is carried out can lead to copies that are again carried out."""
_KEPT = 256
_USUAL = 1514
"""Bytes of a frame; longer ones may be too long for a link."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An engine that begins with some actions. generations: of the ports and flows that it has."""

    generations: tuple[int, int]
    engine: ReferenceEngine
    translated: Translated


class Carrying:
    """Carries actions out."""

    def __init__(self, room: Room, clock: Clock) -> None:
        self._room = room
        self._clock = clock
        self._ready: dict[tuple[str, int, int], _Ready] = {}

    def carry_out(
        self,
        own: OwnDatapath,
        in_port: int,
        frame: bytes,
        translated: Translated,
        beside: Mapping[str, int],
    ) -> Iterator[tuple[Upcall, Attributes | None]]:
        """Carry actions out with a frame; the copies for user space, as they are made.

        Each with the action that asked for it; None: an entry that the packet met has. Raises
        NetlinkError for actions that can't be carried out, before anything is.
        """
        engine = self._engine(own, translated.actions)
        return self._process(own, engine, in_port, frame, translated, dict(beside), _DEEPEST)

    def go_on(
        self, own: OwnDatapath, upcall: Upcall, what: ByDaemon, depth: int = _DEEPEST
    ) -> Iterator[tuple[Upcall, Attributes | None]]:
        """The same for a copy that was handed to user space for that."""
        try:
            ready = self._prepared(own, upcall, what)
        except HotswitchError:
            own.lost += 1  # what its flow led to has changed meanwhile
            return
        beside = dict(upcall.fields)
        yield from self._process(
            own, ready.engine, upcall.in_port, upcall.frame, ready.translated, beside, depth
        )

    def _process(
        self,
        own: OwnDatapath,
        engine: ReferenceEngine,
        in_port: int,
        frame: bytes,
        translated: Translated,
        beside: Mapping[str, int],
        depth: int,
    ) -> Iterator[tuple[Upcall, Attributes | None]]:
        done = engine.process(in_port, frame, beside={**beside, _MARK: 1})
        for (number, out), fields in zip(done.outputs, done.beside, strict=True):
            self._send(own, number, out, fields)
        for copy in done.copies:
            if copy.cookie != _CARRIED_OUT:
                yield copy, None
                continue
            asked = translated.upcalls[copy.reason - 1]
            if not isinstance(asked, ByDaemon):
                yield copy, asked
            elif depth:
                yield from self._deeper(own, copy, asked, depth - 1)
            else:
                own.lost += 1

    def _deeper(
        self, own: OwnDatapath, copy: Upcall, what: ByDaemon, depth: int
    ) -> Iterator[tuple[Upcall, Attributes | None]]:
        translated = actions_of(self._room.registry, what.actions, what.known)
        engine = self._engine(own, translated.actions)
        beside = dict(copy.fields)
        yield from self._process(own, engine, copy.in_port, copy.frame, translated, beside, depth)

    def _prepared(self, own: OwnDatapath, upcall: Upcall, what: ByDaemon) -> _Ready:
        """What many copies of one flow have in common is made once. Raises HotswitchError."""
        place = own.name, upcall.cookie, upcall.reason
        generations = own.generation, own.flows.generation
        ready = self._ready.get(place)
        if ready is None or ready.generations != generations:
            translated = actions_of(self._room.registry, what.actions, what.known)
            ready = _Ready(generations, self._engine(own, translated.actions), translated)
            if len(self._ready) >= _KEPT:
                self._ready.clear()
            self._ready[place] = ready
        return ready

    def _engine(self, own: OwnDatapath, actions: Actions) -> ReferenceEngine:
        """One that does this with packets that are marked, and then what the datapath does."""
        engine = ReferenceEngine(self._room.registry, self._clock)
        scratch = EntryDatapath(own.name, self._room.registry, engine)
        engine.put_ports(list(own.datapath.ports().values()))
        entries = [Entry(0, _FIRST, _MARKED, (_UNMARK, *actions), _CARRIED_OUT)]
        entries += looked_up_again(own, actions)
        try:
            scratch.change([PutEntry(entry) for entry in entries])
        except HotswitchError as error:
            raise declared(error) from error
        return engine

    def _send(self, own: OwnDatapath, number: int, frame: bytes, beside: Mapping[str, int]) -> None:
        """beside: the fields beside the packet that are not 0."""
        port = own.datapath.ports().get(number)
        vport = own.vports.get(ports.from_model(number))
        if port is None or vport is None or not port.ifindex:
            return
        outside = self._room.outside
        key = tunnel_keys.outer_headers(beside) if vport.tunnel_port else None
        if key is None:
            priority, mark = beside.get("priority", 0), beside.get("skb_mark", 0)
            long = len(frame) > _USUAL
            where = layer_4(parse(self._room.registry, frame)) if long else None
            outside.send(port.ifindex, frame, priority, mark, where)
        else:
            outside.send_in_tunnel(port.ifindex, frame, key)


def looked_up_again(own: OwnDatapath, actions: Actions) -> list[Entry]:
    """The entries that packets may come to that these actions have looked up again."""
    wanted, left = set[int](), _ids(actions)
    found: dict[EntryKey, Entry] = {}
    while left - wanted:
        wanted |= left
        for entry in own.datapath.entries().values():
            terms = [term for term in entry.key.match if term.field == "recirc_id"]
            if all(any(number & each.mask == each.value for number in wanted) for each in terms):
                found[entry.key] = entry
                left |= _ids(entry.actions)
    return list(found.values())


def _ids(actions: Actions) -> set[int]:
    return {each.id for each in walk(actions) if isinstance(each, Recirculate)}
