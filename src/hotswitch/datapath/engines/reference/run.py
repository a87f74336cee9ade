"""One packet's way through the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import getrandbits

from hotswitch.datapath.engines.reference import tags
from hotswitch.datapath.engines.reference.flow_hash import flow_hash
from hotswitch.datapath.engines.reference.outcome import End, Outcome
from hotswitch.datapath.engines.reference.packet import Packet
from hotswitch.datapath.engines.reference.recorder import Recorder
from hotswitch.datapath.engines.reference.state import (
    Addresses,
    Entries,
    Meters,
    Ports,
    can_be_learned,
)
from hotswitch.datapath.engines.reference.write_back import write_back
from hotswitch.model import action as act
from hotswitch.model.entry import Entry
from hotswitch.model.port import Upcall


@dataclass(slots=True)
class State:
    """What packets meet. counts: by the names in `contract.Counters`. random: gives 32 bits."""

    addresses: Addresses
    ports: Ports = field(default_factory=Ports)
    entries: Entries = field(default_factory=Entries)
    meters: Meters = field(default_factory=Meters)
    counts: Counter[str] = field(default_factory=Counter)
    random: Callable[[], int] = field(default_factory=lambda: partial(getrandbits, 32))


_COUNTED = {
    End.MISSED: "missed",
    End.EXPIRED: "expired",
    End.LIMITED: "limited",
    End.ERROR: "errors",
}


def run(state: State, packet: Packet, now: int, recorder: Recorder) -> Outcome:
    """Take a packet through the tables, from table 0 on."""
    way = _Run(state, packet, now, recorder)
    end: End | None = None
    table = 0
    while end is None:
        recorder.table(table)
        entry = state.entries.find(table, way.packet, now)
        if entry is None:
            recorder.missed(table)
            end = End.MISSED
        else:
            recorder.entry(entry)
            end = way.actions(entry)
            table = way.next_table
    way.outcome.end = end
    way.count(end)
    return way.outcome


class _Run:
    """Carries out actions. One that ends the packet's way says why."""

    def __init__(self, state: State, packet: Packet, now: int, recorder: Recorder) -> None:
        self.state = state
        self.packet = packet
        self.now = now
        self.recorder = recorder
        self.outcome = Outcome()
        self.next_table = 0
        self.recirculated = 0

    def actions(self, entry: Entry) -> End | None:
        """Why the way ends, or None: it goes on in `next_table`."""
        before = self.recirculated
        end = self._list(entry, entry.actions)
        if self.recirculated > before:
            self.next_table = 0
            return None if self.recirculated <= act.MOST_RECIRCULATIONS else End.ERROR
        if end is None and entry.actions and isinstance(entry.actions[-1], act.GotoTable):
            self.next_table = entry.actions[-1].table
            return None
        return end or End.DONE

    def count(self, end: End) -> None:
        """Count what ends a packet's way, or a copy's."""
        if end in _COUNTED:
            self.state.counts[_COUNTED[end]] += 1

    def _list(self, entry: Entry, actions: act.Actions) -> End | None:
        """Why the way ends before the end of the list, or None."""
        for action in actions:
            self.recorder.action(action)
            end = self._action(entry, action)
            if end:
                return end
        return None

    def _aside(self, entry: Entry, actions: act.Actions) -> None:
        """Carry actions out with a copy; if it is looked up again, nothing follows."""
        write_back(self.packet)
        kept, before = self.packet.copy(), self.recirculated
        end = self._list(entry, actions)
        if self.recirculated == before:
            self.count(end or End.DONE)
            self.packet = kept

    def _action(self, entry: Entry, action: act.Action) -> End | None:
        packet = self.packet
        match action:
            case act.Output(act.IN_PORT):
                self._send(packet.in_port)
            case act.Output(port, hairpin=True):
                self._send(port)
            case act.Output(port):
                self._output(port)
            case act.OutputList(ports, hairpin):
                write_back(packet)
                for port in ports:
                    (self._send if hairpin else self._output)(port)
            case act.Drop():
                return End.DROP
            case act.ToHost():
                if self.state.ports.is_host(packet.in_port):
                    self.recorder.not_sent(packet.in_port, "the host sent it")
                    return End.DONE
                self.outcome.host = self._frame()
                return End.HOST
            case act.SetField(name, value, mask):
                self._write(name, value, mask)
            case act.CopyField(source, target, source_bit, target_bit, width):
                ones = (1 << width) - 1
                bits = self._read(source) >> source_bit & ones
                self._write(target, bits << target_bit, ones << target_bit)
            case act.PushVlan(ethertype):
                return None if tags.push_vlan(packet, ethertype) else End.ERROR
            case act.PopVlan():
                tags.pop_vlan(packet)
            case act.PushMpls(ethertype):
                return None if tags.push_mpls(packet, ethertype) else End.ERROR
            case act.PopMpls(ethertype):
                tags.pop_mpls(packet, ethertype)
            case act.DecrementTtl(name, spent):
                return self._decrement(entry, name, spent)
            case act.CopyToUser():
                self._copy(entry, action)
            case act.Learn(vlan):
                self._learn(self._read(vlan) & 0xFFF)
            case act.Lookup(vlan, target):
                port = self.state.addresses.port(
                    self._read(vlan) & 0xFFF, self._read("ethernet.dst")
                )
                self._write(target, port, -1)
            case act.Limit(meter):
                return None if self.state.meters.conforms(meter, self.now) else End.LIMITED
            case act.Clone(actions):
                self._aside(entry, actions)
            case act.Sample(probability, actions):
                if self.state.random() <= probability:
                    self._aside(entry, actions)
            case act.CheckLength(length, longer, otherwise):
                self._aside(entry, longer if len(self._frame()) > length else otherwise)
            case act.Truncate(length):
                packet.frame = bytearray(self._frame()[:length])
            case act.Hash(basis):
                self.packet.beside["dp_hash"] = flow_hash(packet, basis)
            case act.Recirculate(number):
                write_back(packet)
                self.packet = packet.again(number)
                self.state.counts["malformed"] += self.packet.malformed
                self.recirculated += 1
                self.recorder.recirculated(number)
            case act.NoteFlags():
                self.state.entries.note_flags(entry.key, self._read("tcp.flags"))
        return None

    def _read(self, name: str) -> int:
        return self.packet.read(name) or 0

    def _write(self, name: str, value: int, mask: int) -> None:
        before = self.packet.read(name)
        if before is None:
            self.recorder.absent(name)
            return
        after = before & ~mask | value
        self.packet.write(name, after)
        self.recorder.field(name, before, after)

    def _frame(self) -> bytes:
        write_back(self.packet)
        return bytes(self.packet.frame)

    def _output(self, port: int) -> None:
        if port == self.packet.in_port:
            self.recorder.not_sent(port, "it is the ingress port")
        else:
            self._send(port)

    def _send(self, port: int) -> None:
        ports = self.state.ports
        if ports.has_link(port):
            frame = self._frame()
            ports.count(port, tx_packets=1, tx_bytes=len(frame))
            self.outcome.outputs.append((port, frame))
            self.outcome.beside.append(self.packet.beside_now())
            self.recorder.sent(port, frame)
        elif ports.exists(port):
            ports.count(port, tx_dropped=1)
            self.recorder.not_sent(port, "it has no link")
        else:
            self.recorder.not_sent(port, "there is no such port")

    def _decrement(self, entry: Entry, name: str, spent: act.Actions) -> End | None:
        value = self.packet.read(name)
        if value is not None and value <= 1:
            if not spent:
                return End.EXPIRED
            self.count(End.EXPIRED)
            return self._list(entry, spent) or End.DONE
        self._write(name, self._read(name) - 1, -1)
        return None

    def _copy(self, entry: Entry, action: act.CopyToUser) -> None:
        frame = self._frame()
        upcall = Upcall(
            action.reason,
            entry.table,
            self.packet.in_port,
            entry.cookie,
            len(frame),
            frame[: action.length],
            tuple((name, self._read(name)) for name in action.fields),
        )
        self.outcome.copies.append(upcall)
        self.recorder.copied(upcall)

    def _learn(self, vlan: int) -> None:
        mac = self._read("ethernet.src")
        if not can_be_learned(mac):
            return
        before = self.state.addresses.port(vlan, mac)
        row = self.state.addresses.learn(vlan, mac, self.packet.in_port, self.now)
        if row is None:
            self.state.counts["not_learned"] += 1
            return
        if row.port != before:
            self.state.counts["moved" if before else "learned"] += 1
        self.recorder.learned(row)
