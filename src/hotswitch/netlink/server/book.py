"""What the records of an earlier life say together."""

from __future__ import annotations

from collections.abc import Iterable

from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.records import Record


class Book:
    """What records say together."""

    def __init__(self, known: Iterable[Record]) -> None:
        self.datapaths: dict[str, kept.DatapathKept] = {}
        self.vports: dict[str, dict[int, kept.VportKept]] = {}
        self.flows: dict[str, dict[int, kept.FlowKept]] = {}
        self.answers: dict[bytes, kept.Answered] = {}
        self.cookies: dict[str, int] = {}
        """The highest that any flow was to have, by datapath."""
        self._conditional: dict[tuple[str, str, int], list[bytes]] = {}
        for record in known:
            self._read(record)

    def as_found(self, datapath: str) -> set[int]:
        """The vports of a datapath whose devices took all frames before."""
        known = self.vports.get(datapath, {}).values()
        return {each.number for each in known if not each.taken}

    def _read(self, record: Record) -> None:
        match record:
            case kept.DatapathKept():
                self.datapaths[record.name] = record
                self.vports.setdefault(record.name, {})
                self.flows.setdefault(record.name, {})
            case kept.DatapathGone(name):
                for each in (self.datapaths, self.vports, self.flows):
                    each.pop(name, None)
                self._was_there(name)
            case kept.Answered():
                self.answers.pop(record.identity, None)
                self.answers[record.identity] = record
                if record.flow is not None:
                    about = record.kind, *record.flow
                    self._conditional.setdefault(about, []).append(record.identity)
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
                self._was_there(record.datapath, "vport", record.number)
            case kept.FlowKept(datapath, cookie):
                flows[cookie] = record
                self.cookies[datapath] = max(cookie, self.cookies.get(datapath, 0))
            case kept.FlowGone(datapath, 0):
                flows.clear()
                self._was_there(datapath, "flow")
            case kept.FlowGone(datapath, cookie):
                flows.pop(cookie, None)
                self._was_there(datapath, "flow", cookie)

    def _was_there(self, datapath: str, kind: str = "", number: int = 0) -> None:
        """What is no more has been there, so what was answered of it holds.

        kind: flows or vports, else all that the datapath had, and it itself. number: of one.
        """
        if number:
            gone = [(kind, datapath, number)]
        else:
            gone = [each for each in self._conditional if each[1] == datapath]
            gone = [each for each in gone if not kind or each[0] == kind]
        for each in gone:
            for identity in self._conditional.pop(each, ()):
                self.answers[identity] = kept.unconditional(self.answers[identity])
