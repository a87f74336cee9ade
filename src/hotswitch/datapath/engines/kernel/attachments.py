"""The entry program at each port's links.

The kernel takes about 12 ms to attach a tcx link (it waits for an RCU grace period), and 0.4 ms for
a clsact filter. So a port forwards through a filter at once, and a thread puts a tcx link, which
nobody else can take away, in its place.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Iterable, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.entry_programs import EntryPrograms
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import pins
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, tcx, xdp
from hotswitch.kernel.hooks.hook import Attachment
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program

_log = logging.getLogger(__name__)
_QUIET = 1.0
"""Seconds without a new port before links take filters' places: it makes others wait too."""


class Place(enum.StrEnum):
    """Where on a link's way packets are taken."""

    INGRESS = "tcx"
    EGRESS = "egress"
    XDP = "xdp"


class Spot(NamedTuple):
    """A place at a link."""

    place: Place
    ifindex: int


class Attachments:
    """What is attached where, by port number and spot."""

    def __init__(self, directory: Path, store: MapStore) -> None:
        self._directory = directory
        self._programs = EntryPrograms(store)
        self._at: dict[int, dict[Spot, Attachment]] = {}
        self._worker = ThreadPoolExecutor(1, "hotswitch-attach")
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._quiet_from = 0.0

    def at(self, number: int) -> Set[Spot]:
        """Where a port is attached, as far as is known here."""
        return set(self._at.get(number, ()))

    def holds(self, number: int, spot: Spot) -> bool:
        """Ask the kernel whether it still is. Raises KernelError."""
        return self._at[number][spot].ifindex == spot.ifindex

    def restore(self, wanted: Iterable[tuple[int, Spot]]) -> None:
        """Open what an earlier life attached and is wanted, and take off the rest.

        What has gone with its link is not there afterwards. Raises KernelError.
        """
        paths = {self._path(number, spot): (number, spot) for number, spot in wanted}
        for path, (number, spot) in paths.items():
            attachment = self._open(path, spot)
            if attachment is None:
                continue
            if attachment.ifindex != spot.ifindex:
                pins.remove(path)
                attachment.close()
                continue
            self._note(number, spot, attachment)
        for path in pins.listing(self._directory):
            if path.name.startswith("link_") and path not in paths:
                pins.remove(path)

    def _open(self, path: Path, spot: Spot) -> Attachment | None:
        left = None if spot.place is Place.XDP else self._filter(spot)
        if not path.exists():
            return left
        if left:  # that life ended between a link and the filter before it
            left.detach()
        return BpfLink.from_pin(path)

    def _filter(self, spot: Spot) -> clsact.ClsactAttachment | None:
        """The filter that this life or an earlier one of the same datapath left there."""
        found = clsact.find(spot.ifindex, egress=spot.place is Place.EGRESS)
        return found if found and self._programs.is_ours(found.program_id) else None

    def attach(self, number: int, spot: Spot) -> None:
        """Attach a port to a link where it is not. Raises KernelError; then it is not."""
        if spot.place is not Place.XDP:
            egress = spot.place is Place.EGRESS
            self._programs.refuse_what_is_taken(spot.ifindex, egress=egress)
        attachment = self._attach(spot)
        path = self._path(number, spot)
        try:
            pins.remove(path)
            attachment.pin(path)
        except KernelError:
            attachment.detach()
            raise
        self._note(number, spot, attachment)

    def _attach(self, spot: Spot) -> Attachment:
        ifindex = spot.ifindex
        if spot.place is Place.XDP:
            program = self._programs.get(XDP)
            try:
                return xdp.attach(program, ifindex)
            except KernelError:
                return xdp.attach_generic(program, ifindex)
        program = self._programs.get(SKB)
        left = self._filter(spot)
        if left:
            left.replace(program)
            return left
        egress = spot.place is Place.EGRESS
        try:
            return clsact.attach(program, ifindex, egress=egress)
        except KernelError:
            if TCX:
                return tcx.attach(program, ifindex, egress=egress)
            raise

    def _note(self, number: int, spot: Spot, attachment: Attachment) -> None:
        self._at.setdefault(number, {})[spot] = attachment
        if TCX and isinstance(attachment, clsact.ClsactAttachment):
            self._quiet_from = time.monotonic() + _QUIET
            program = self._programs.get(SKB)
            self._worker.submit(self._promote, number, spot, attachment, program)

    def _promote(self, number: int, spot: Spot, attachment: Attachment, program: Program) -> None:
        """Put a tcx link in the place of a port's filter."""
        while (left := self._quiet_from - time.monotonic()) > 0:
            if self._closing.wait(left):
                return
        with self._changing:
            at = self._at.get(number, {})
            if at.get(spot) is not attachment:
                return
            try:
                link = tcx.attach(program, spot.ifindex, egress=spot.place is Place.EGRESS)
                if not attachment.ifindex:  # the index is another device's by now
                    link.close()
                    return
                link.pin(self._path(number, spot))
                at[spot] = link
                attachment.detach()
            except KernelError as error:
                # Mostly the device has gone; else the filter goes on.
                _log.debug("port %s keeps its filter: %s", number, error)

    def detach(self, number: int, spot: Spot, *, ended: bool = False) -> None:
        """Detach a port from a link. Raises KernelError.

        ended: the link has gone, and what is there now under its index is another one's.
        """
        with self._changing:
            attachment = self._at[number].pop(spot)
            if not self._at[number]:
                del self._at[number]
            pins.remove(self._path(number, spot))
            if ended:
                attachment.close()
            else:
                attachment.detach()

    def sweep(self, ifindex: int) -> None:
        """Take off what a life left at a link that ended before noting it. Raises KernelError.

        (A link's pin, `restore` has removed.)
        """
        for place in (Place.INGRESS, Place.EGRESS):
            left = self._filter(Spot(place, ifindex))
            if left:
                left.detach()

    def close(self) -> None:
        """Let go; all stays attached."""
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)
        for spots in self._at.values():
            for attachment in spots.values():
                attachment.close()
        self._programs.close()
        self._at.clear()

    def _path(self, number: int, spot: Spot) -> Path:
        return self._directory / f"link_{number}_{spot.place}_{spot.ifindex}"
