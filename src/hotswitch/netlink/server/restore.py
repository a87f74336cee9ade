"""After a restart: datapaths that forward are taken over, with what the memory says of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath, DeleteEntry
from hotswitch.model.entry import EntryKey
from hotswitch.model.port import LinkLife
from hotswitch.netlink import ports
from hotswitch.netlink.families.vport import LOCAL
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.book import Book
from hotswitch.netlink.server.ending import give_back
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.local_device import make_again
from hotswitch.netlink.server.outside import Device
from hotswitch.netlink.server.own_datapath import MISS, OwnDatapath, Vport
from hotswitch.netlink.server.records import Record
from hotswitch.netlink.server.room import Room

_log = logging.getLogger(__name__)


class _LocalDeviceError(HotswitchError):
    """A datapath is without its own device."""


class Restorer:
    """Fills a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._outside = room.outside

    def restore(self, known: Iterable[Record]) -> list[kept.Answered]:
        """Take over what forwards; the answers that still hold. Raises HotswitchError."""
        book = Book(known)
        there = dict(self._outside.datapaths())
        for name, datapath in there.items():
            own = None
            if name in book.datapaths:
                try:
                    own = self._restored(book, name, datapath)
                except _LocalDeviceError as error:
                    _log.warning("netlink: datapath %s ends: %s", name, error)
            else:
                _log.warning("netlink: datapath %s is not known any more and ends", name)
            if own is None:
                self._end(datapath, book.as_found(name))
            else:
                self._room.add(own)
        answers = [each for each in book.answers.values() if self._holds(each)]
        # Another vport may get the number, another datapath the name.
        about_names = [each for each in answers if each.flow and each.kind != "flow"]
        self._room.keep(*map(kept.unconditional, about_names))
        return [kept.unconditional(each) for each in answers]

    def _end(self, datapath: Datapath, as_found: Collection[int]) -> None:
        """End a datapath of which nothing is known, with the devices that were made for it."""
        links = [link for port in datapath.ports().values() for link in port.links]
        give_back(self._outside, datapath.ports(), as_found)
        datapath.destroy()
        self._delete_made(links)

    def _delete_made(self, links: Iterable[LinkLife]) -> None:
        """Delete those of these links' devices that were made here."""
        for link in links:
            device = self._outside.by_port(link.ifindex)
            if device is not None and device.made:
                self._outside.delete_made(device)

    def _restored(self, book: Book, name: str, datapath: Datapath) -> OwnDatapath:
        record = book.datapaths[name]
        device = self._outside.made_device(name) or self._remade(name, record.number, datapath)
        own = OwnDatapath(
            name, device.index, datapath, record.features, record.pids, received=record.received
        )
        for vport in book.vports[name].values():
            self._restore_vport(own, vport)
        there = dict(datapath.ports())
        for number in there.keys() - {ports.to_model(each) for each in own.vports}:
            _log.warning(
                "netlink: datapath %s: port %s is not known any more and ends",
                name,
                there[number].name,
            )
            give_back(self._outside, {number: there[number]})
            datapath.delete_port(number)
            self._delete_made(there[number].links)
        if LOCAL not in own.vports:
            raise _LocalDeviceError(f"its own device {name} is not its port")
        self._restore_flows(own, book.flows[name])
        own.flows.next_cookie = book.cookies.get(name, 0) + 1
        return own

    def _remade(self, name: str, number: int, datapath: Datapath) -> Device:
        if ports.LOCAL_IN_MODEL not in datapath.ports():
            raise _LocalDeviceError(f"its own device {name} has gone, and so has its port")
        try:
            device = make_again(self._outside, name, number, datapath)
        except HotswitchError as error:
            raise _LocalDeviceError(
                f"its own device {name} has gone and can't be made again: {error}"
            ) from error
        _log.warning("netlink: datapath %s: its own device had gone and is made again", name)
        return device

    def _restore_vport(self, own: OwnDatapath, record: kept.VportKept) -> None:
        port = own.datapath.ports().get(ports.to_model(record.number))
        if port is None or not port.ifindex:
            return
        device = self._outside.by_port(port.ifindex)
        if device is not None:
            own.vports[record.number] = Vport(
                record.number, record.kind, device.name, device.index, record.pids, record.taken,
                device.tunnel_port,
            )  # fmt: skip
            if record.taken and not device.promiscuous:
                self._outside.take(device)  # it was let go, but the vport not removed

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
            _log.warning(
                "netlink: datapath %s: %d flows are not known any more and end",
                own.name,
                len(strays),
            )
            own.datapath.change([DeleteEntry(key) for key in strays])

    def _holds(self, answered: kept.Answered) -> bool:
        if answered.flow is None:
            return True
        name, number = answered.flow
        own = self._room.by_name(name)
        there = own is not None
        if own is not None and answered.kind == "flow":
            there = own.flows.by_cookie(number) is not None
        elif own is not None and answered.kind == "vport":
            there = number in own.vports
        return there is not answered.gone
