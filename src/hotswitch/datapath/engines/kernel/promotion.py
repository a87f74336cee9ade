"""Filters replaced by tcx links, which nobody else can take away, when there is time for that."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hotswitch.compiler.targets.bpf.hook import SKB
from hotswitch.datapath.engines.kernel.attached import Attached
from hotswitch.datapath.engines.kernel.calm import CALM
from hotswitch.datapath.engines.kernel.entry_programs import EntryPrograms
from hotswitch.datapath.engines.kernel.qdiscs import Qdiscs
from hotswitch.datapath.engines.kernel.spots import Place, PortSpot, unfinished
from hotswitch.kernel import pins
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import tcx
from hotswitch.kernel.hooks.clsact import ClsactAttachment
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program

_log = logging.getLogger(__name__)


class Promotion:
    """Of the filters of one datapath, whose links are pinned in `directory`."""

    def __init__(
        self, directory: Path, programs: EntryPrograms, attached: Attached, qdiscs: Qdiscs
    ) -> None:
        self._directory = directory
        self._qdiscs = qdiscs
        self._programs = programs
        self._attached = attached
        self._worker = ThreadPoolExecutor(1, "hotswitch-attach")
        self._closing = threading.Event()

    def begin(self) -> None:
        """Have the filters that are new replaced by links, when `calm` lets. Raises KernelError."""
        filters = self._attached.take_new_filters()
        if filters and TCX:
            CALM.disturb()
            self._worker.submit(self._all, filters, self._programs.get(SKB), time.monotonic())

    def close(self) -> None:
        """Return when nothing is replaced any more."""
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)

    def _all(
        self,
        filters: Iterable[tuple[PortSpot, ClsactAttachment]],
        program: Program,
        since: float,
    ) -> None:
        for each, attachment in filters:
            # Many have gone by now where devices come and go all the time.
            if self._attached.holds(each, attachment):
                if not CALM.wait(self._closing, since):
                    return
                self._one(each, attachment, program)

    def _one(self, each: PortSpot, attachment: ClsactAttachment, program: Program) -> None:
        """Put a tcx link in the place of a port's filter."""
        attached = self._attached
        if not attached.holds(each, attachment):
            return
        try:
            egress = each.spot.place is Place.EGRESS
            link = tcx.attach(program, each.spot.ifindex, egress=egress)
        except KernelError as error:
            # Mostly the device has gone; else the filter goes on.
            _log.debug("port %s keeps its filter: %s", each.number, error)
            return
        with attached.changing:
            try:
                # Without a filter the index is another device's by now.
                if attached.holds(each, attachment) and attachment.ifindex:
                    pin = each.pin(self._directory)
                    link.pin(unfinished(pin))
                    attached.put(each, link)
                    try:
                        self._qdiscs.give_way(attachment)
                    finally:
                        pins.rename(unfinished(pin), pin)
                    return
            except KernelError as error:
                _log.debug("port %s keeps its filter: %s", each.number, error)
                if not attached.holds(each, attachment):
                    return
        link.close()
