"""The datapaths of one daemon: which there are, what is in them, and how that is known again."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath, DeleteEntry, PutEntry
from hotswitch.headers.registry import Registry
from hotswitch.kernel import links
from hotswitch.kernel.error import KernelError
from hotswitch.model.action import CopyToUser
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import ANY
from hotswitch.netlink import ports
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.vport import INTERNAL, LOCAL
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.flow_table import Flow, FlowTable
from hotswitch.netlink.server.outside import Device, Memory, Outside
from hotswitch.netlink.server.records import Record

FLOW_PRIORITY = 1
MISS = Entry(0, 0, ANY, (CopyToUser(),))
"""What takes packets that no flow matches to user space. Its cookie, 0, is no flow's."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Vport:
    """A vport. index: its device's number; name: of its device, as it was when last looked at.

    pids: who gets its misses. taken: the device was made to take all frames for it.
    """

    number: int
    kind: int
    name: str
    index: int
    pids: tuple[int, ...] = (0,)
    taken: bool = False


@dataclass(slots=True, eq=False)
class OwnDatapath:
    """A datapath that clients of this server have made.

    number: its local port's device's. received, missed: packets, of ports and of miss entries
    that are no more. lost: misses that nobody took.
    """

    name: str
    number: int
    datapath: Datapath
    features: int = 0
    pids: tuple[int, ...] = ()
    vports: dict[int, Vport] = field(default_factory=dict)
    flows: FlowTable = field(default_factory=FlowTable)
    generation: int = 0
    received: int = 0
    missed: int = 0
    lost: int = 0

    def record(self) -> kept.DatapathKept:
        """What to know of it after a restart."""
        return kept.DatapathKept(self.name, self.features, self.pids, self.received)

    def vport_record(self, vport: Vport) -> kept.VportKept:
        """What to know of a vport."""
        return kept.VportKept(
            self.name, vport.number, vport.kind, vport.name, vport.pids, vport.taken
        )

    def flow_record(self, flow: Flow) -> kept.FlowKept:
        """What to know of a flow."""
        return kept.FlowKept(
            self.name, flow.cookie, flow.identity, flow.named, flow.request, flow.actions
        )

    def by_name(self, name: str) -> Vport | None:
        """The vport whose device has this name."""
        return next((each for each in self.vports.values() if each.name == name), None)

    @property
    def wants_misses(self) -> bool:
        """Whether anybody has said to take packets that no flow matches."""
        return any(self.pids) or any(any(each.pids) for each in self.vports.values())

    def hear_misses(self) -> None:
        """Let misses come to user space, if anybody wants them. Raises HotswitchError."""
        there = MISS.key in self.datapath.entries()
        if self.wants_misses and not there:
            self.datapath.change([PutEntry(MISS)])
        elif there and not self.wants_misses:
            last = self.datapath.change([DeleteEntry(MISS.key)])
            self.missed += last[MISS.key].packets


class Room:
    """All datapaths, by number."""

    def __init__(
        self, registry: Registry, outside: Outside, memory: Memory, generation: int
    ) -> None:
        self.registry = registry
        self.outside = outside
        self.generation = generation
        self._first_generation = generation
        self._memory = memory
        self.datapaths: dict[int, OwnDatapath] = {}

    def keep(self, *records: Record) -> None:
        """Know these after a restart."""
        if records:
            self._memory.append(records)

    def add(self, own: OwnDatapath) -> None:
        """Add a datapath."""
        own.generation = own.flows.generation = self._first_generation
        self.datapaths[own.number] = own
        self.generation += 1

    def by_name(self, name: str) -> OwnDatapath | None:
        """The datapath of this name."""
        return next((each for each in self.datapaths.values() if each.name == name), None)

    def find(self, number: int) -> OwnDatapath:
        """The datapath of this number. Raises NetlinkError."""
        found = self.datapaths.get(number)
        if found is None:
            raise NetlinkError(f"there is no datapath {number}", errno=errno.ENODEV)
        return found

    def vport(self, name: str) -> tuple[OwnDatapath, Vport] | None:
        """The vport whose device has this name, and its datapath."""
        for own in self.datapaths.values():
            vport = own.by_name(name)
            if vport is not None:
                return own, vport
        return None

    def by_link(self, index: int) -> tuple[OwnDatapath, Vport] | None:
        """The vport that has taken the link of this index, and its datapath."""
        for own in self.datapaths.values():
            for number, port in own.datapath.ports().items():
                if any(link.ifindex == index for link in port.links):
                    return own, own.vports[ports.from_model(number)]
        return None

    # After a restart

    def restore(self, known: Iterable[Record]) -> list[kept.Answered]:
        """Take over what forwards; the answers that still hold. Raises HotswitchError."""
        book = Book(known)
        there = dict(self.outside.datapaths())
        for name, datapath in there.items():
            own = None
            if name in book.datapaths:
                own = self._restored(book, name, datapath)
            if own is None:
                _log.warning("netlink: datapath %s is not known any more and ends", name)
                self._end(datapath)
            else:
                self.add(own)
        answers = [each for each in book.answers.values() if self._holds(each)]
        return [kept.unconditional(each) for each in answers]

    def _end(self, datapath: Datapath) -> None:
        """End a datapath of which nothing is known, with the devices that were made for it."""
        indexes = [link.ifindex for port in datapath.ports().values() for link in port.links]
        datapath.destroy()
        for index in indexes:
            device = self.outside.by_port(index)
            if device is not None and device.port != device.index:
                self.outside.delete_internal(device)

    def _restored(self, book: Book, name: str, datapath: Datapath) -> OwnDatapath | None:
        device = self.outside.internal(name)
        if device is None:
            return None
        record = book.datapaths[name]
        own = OwnDatapath(
            name, device.index, datapath, record.features, record.pids, received=record.received
        )
        for vport in book.vports[name].values():
            self._restore_vport(own, vport)
        for number in set(datapath.ports()) - {ports.to_model(each) for each in own.vports}:
            datapath.delete_port(number)
        if LOCAL not in own.vports:
            return None
        self._restore_flows(own, book.flows[name])
        own.flows.next_cookie = book.cookies.get(name, 0) + 1
        return own

    def _restore_vport(self, own: OwnDatapath, record: kept.VportKept) -> None:
        port = own.datapath.ports().get(ports.to_model(record.number))
        if port is None or not port.ifindex:
            return
        device = self.outside.by_port(port.ifindex)
        if device is not None:
            own.vports[record.number] = Vport(
                record.number, record.kind, device.name, device.index, record.pids, record.taken
            )

    def _restore_flows(self, own: OwnDatapath, known: dict[int, kept.FlowKept]) -> None:
        strays: list[EntryKey] = []
        for entry in own.datapath.entries().values():
            record = known.get(entry.cookie)
            if record is not None:
                own.flows.put(
                    Flow(
                        entry.cookie,
                        record.identity,
                        record.named,
                        entry.key,
                        record.request,
                        record.actions,
                    )
                )
            elif entry.key != MISS.key:
                strays.append(entry.key)
        if strays:
            own.datapath.change([DeleteEntry(key) for key in strays])

    def _holds(self, answered: kept.Answered) -> bool:
        if answered.flow is None:
            return True
        name, cookie = answered.flow
        own = self.by_name(name)
        there = own is not None and own.flows.by_cookie(cookie) is not None
        return there is not answered.gone

    def records(self) -> Iterator[Record]:
        """All that there is to know of datapaths, vports and flows."""
        for own in self.datapaths.values():
            yield own.record()
            for vport in own.vports.values():
                yield own.vport_record(vport)
            for flow in own.flows:
                yield own.flow_record(flow)


class Book:
    """What records say together."""

    def __init__(self, known: Iterable[Record]) -> None:
        self.datapaths: dict[str, kept.DatapathKept] = {}
        self.vports: dict[str, dict[int, kept.VportKept]] = {}
        self.flows: dict[str, dict[int, kept.FlowKept]] = {}
        self.answers: dict[bytes, kept.Answered] = {}
        self.cookies: dict[str, int] = {}
        """The highest that any flow was to have, by datapath."""
        self._conditional: dict[tuple[str, int], list[bytes]] = {}
        for record in known:
            self._read(record)

    def _read(self, record: Record) -> None:
        match record:
            case kept.DatapathKept():
                self.datapaths[record.name] = record
                self.vports.setdefault(record.name, {})
                self.flows.setdefault(record.name, {})
            case kept.DatapathGone(name):
                for each in (self.datapaths, self.vports, self.flows):
                    each.pop(name, None)
                self._was_there(name, 0)
            case kept.Answered():
                self.answers.pop(record.identity, None)
                self.answers[record.identity] = record
                if record.flow is not None:
                    self._conditional.setdefault(record.flow, []).append(record.identity)
            case _ if record.datapath in self.datapaths:
                self._read_inside(record)

    def _read_inside(
        self, record: kept.VportKept | kept.VportGone | kept.FlowKept | kept.FlowGone
    ) -> None:
        vports, flows = self.vports[record.datapath], self.flows[record.datapath]
        match record:
            case kept.VportKept():
                vports[record.number] = record
            case kept.VportGone():
                vports.pop(record.number, None)
            case kept.FlowKept(datapath, cookie):
                flows[cookie] = record
                self.cookies[datapath] = max(cookie, self.cookies.get(datapath, 0))
            case kept.FlowGone(datapath, 0):
                flows.clear()
                self._was_there(datapath, 0)
            case kept.FlowGone(datapath, cookie):
                flows.pop(cookie, None)
                self._was_there(datapath, cookie)

    def _was_there(self, datapath: str, cookie: int) -> None:
        """A flow (0: all) that is no more has been there, so what was answered of it holds."""
        gone = [each for each in self._conditional if each[0] == datapath]
        for each in gone if not cookie else [(datapath, cookie)]:
            for identity in self._conditional.pop(each, ()):
                self.answers[identity] = kept.unconditional(self.answers[identity])


def check_name(name: str) -> None:
    """Raise NetlinkError for what no device is called."""
    try:
        links.check_name(name)
        name.encode()
    except (KernelError, UnicodeEncodeError):
        raise NetlinkError("no device can have this name", path=("name",)) from None


def is_internal(vport: Vport) -> bool:
    """Whether its device was made for it."""
    return vport.kind == INTERNAL


def device_of(outside: Outside, vport: Vport) -> Device | None:
    """Its device, by its name."""
    return outside.internal(vport.name) if is_internal(vport) else outside.device(vport.name)


def declared(error: HotswitchError, number: int = errno.EINVAL) -> NetlinkError:
    """An error from below as an answer has it, with the kernel's own errno where there is one."""
    if isinstance(error, NetlinkError):
        return error
    below: BaseException | None = error
    while below is not None:
        found = getattr(below, "errno", 0)
        if found:
            return NetlinkError(str(error), errno=found)
        below = below.__cause__
    return NetlinkError(str(error), errno=number)
