"""The entry program at each port's links.

The kernel takes about 12 ms to attach a tcx link or to detach one, and 0.1 ms for a clsact filter.
So a port forwards through a filter at once, and a thread puts a tcx link, which nobody else can
take away, in its place; and what a port leaves only lets packets pass from then on, until another
thread takes it off (`leftovers`).
"""

from __future__ import annotations

import enum
import errno
import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.calm import CALM
from hotswitch.datapath.engines.kernel.entry_programs import EntryPrograms
from hotswitch.datapath.engines.kernel.leftovers import LEFTOVERS, PREFIX
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import pins
from hotswitch.kernel.bpf_link import LINK_TYPE_TCX, BpfLink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, tcx, xdp
from hotswitch.kernel.hooks.clsact import ClsactAttachment
from hotswitch.kernel.hooks.hook import Attachment
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program

_log = logging.getLogger(__name__)
_LINK = "link_"
LINK_PINS = (_LINK, PREFIX)
"""What the names of links' pins begin with."""


class Place(enum.StrEnum):
    """Where on a link's way packets are taken."""

    INGRESS = "tcx"
    EGRESS = "egress"
    XDP = "xdp"


class Spot(NamedTuple):
    """A place at a link."""

    place: Place
    ifindex: int


class PortSpot(NamedTuple):
    """A place at a link of the port with this number."""

    number: int
    spot: Spot


class Attachments:
    """What is attached where, by port number and spot."""

    def __init__(self, directory: Path, store: MapStore) -> None:
        self._directory = directory
        self._programs = EntryPrograms(store)
        self._at: dict[int, dict[Spot, Attachment]] = {}
        self._worker = ThreadPoolExecutor(1, "hotswitch-attach")
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._filtered: list[tuple[PortSpot, ClsactAttachment]] = []

    def at(self, number: int) -> Set[Spot]:
        """Where a port is attached, as far as is known here."""
        return set(self._at.get(number, ()))

    def holds(self, number: int, spot: Spot) -> bool:
        """Ask the kernel whether it still is. Raises KernelError."""
        return self._at[number][spot].ifindex == spot.ifindex

    def restore(self, wanted: Iterable[PortSpot]) -> None:
        """Open what an earlier life attached and is wanted, and take off the rest.

        What has gone with its link is not there afterwards. Raises KernelError.
        """
        paths = {self._path(each): each for each in wanted}
        filters = self._filters([each.spot for each in paths.values()])
        for path, each in paths.items():
            attachment = self._open(path, each.spot.ifindex, filters.get(each.spot))
            if attachment is None:
                continue
            if attachment.ifindex != each.spot.ifindex:
                pins.remove(path)
                attachment.close()
                continue
            self._note(each, attachment)
        self._promote_later()
        for path in pins.listing(self._directory):
            if path.name.startswith(LINK_PINS) and path not in paths:
                self._leave(BpfLink.from_pin(path), path)

    @staticmethod
    def _open(path: Path, ifindex: int, left: ClsactAttachment | None) -> Attachment | None:
        unfinished = _unfinished(path)
        if unfinished.exists():  # that life ended between a link and the filter before it
            clsact.detach_all([left] if left else [])
            clsact.remove_empty([ifindex])
            pins.rename(unfinished, path)
        elif not path.exists():
            return left
        elif left:
            left.detach()
        return BpfLink.from_pin(path)

    def _filters(self, spots: Iterable[Spot]) -> Mapping[Spot, ClsactAttachment]:
        """The filters that this life or an earlier one of the same datapath left there."""
        return {
            spot: found
            for spot, found in _all_filters(spots).items()
            if self._programs.is_ours(found.program_id)
        }

    def attach(self, wanted: Sequence[PortSpot]) -> Mapping[PortSpot, KernelError]:
        """Attach ports to links where they are not; those that could not be, and why."""
        if not wanted:
            return {}
        CALM.disturb()
        failed: dict[PortSpot, KernelError] = {}
        slow: list[PortSpot] = []
        by_filter: list[PortSpot] = []
        for each in wanted:
            try:
                if each.spot.place is Place.XDP:
                    slow.append(each)
                else:
                    self._refuse_what_has_a_link(each.spot)
                    by_filter.append(each)
            except KernelError as error:
                failed[each] = error
        unfiltered = self._filter(by_filter) if by_filter else {}
        for each, why in unfiltered.items():
            if TCX and why.errno != errno.EBUSY:
                slow.append(each)
            else:
                failed[each] = why
        for each in slow:
            try:
                self._attach_link(each)
            except KernelError as error:
                failed[each] = error
        self._promote_later()
        return failed

    def _refuse_what_has_a_link(self, spot: Spot) -> None:
        """Raise KernelError if another hotswitch has a tcx link there."""
        if TCX:
            others = tcx.program_ids(spot.ifindex, egress=spot.place is Place.EGRESS)
            self._programs.refuse_what_is_taken(spot.ifindex, others)

    def _filter(self, wanted: Sequence[PortSpot]) -> Mapping[PortSpot, KernelError]:
        """Attach by filters; those that could not be, and why: EBUSY if the device is taken."""
        failed: dict[PortSpot, KernelError] = {}
        program = self._programs.get(SKB)
        made = clsact.attach_all(program, [_clsact_spot(each.spot) for each in wanted])
        for each, result in zip(wanted, made, strict=True):
            if isinstance(result, KernelError):
                failed[each] = result
            else:
                self._note(each, result)
        left = [each for each, error in failed.items() if error.errno == errno.EEXIST]
        filters = _all_filters([each.spot for each in left])
        for each in left:
            try:
                if self._take_over(each, filters.get(each.spot)):
                    del failed[each]
            except KernelError as error:
                failed[each] = error
        return failed

    def _take_over(self, each: PortSpot, left: ClsactAttachment | None) -> bool:
        """Let a filter that is left of this datapath be the port's, if there is one.

        Raises KernelError if it is that of another hotswitch.
        """
        if not left:
            return False
        if not self._programs.is_ours(left.program_id):
            self._programs.refuse_what_is_taken(each.spot.ifindex, [left.program_id])
            return False
        left.replace(self._programs.get(SKB))
        self._note(each, left)
        return True

    def _attach_link(self, each: PortSpot) -> None:
        """Attach by XDP, or by tcx where a filter can't be."""
        place, ifindex = each.spot
        link: BpfLink
        if place is not Place.XDP:
            link = tcx.attach(self._programs.get(SKB), ifindex, egress=place is Place.EGRESS)
        else:
            program = self._programs.get(XDP)
            try:
                link = xdp.attach(program, ifindex)
            except KernelError:
                link = xdp.attach_generic(program, ifindex)
        path = self._path(each)
        try:
            pins.remove(path)
            link.pin(path)
        except KernelError:
            link.detach()
            raise
        self._note(each, link)

    def _note(self, each: PortSpot, attachment: Attachment) -> None:
        self._at.setdefault(each.number, {})[each.spot] = attachment
        if TCX and isinstance(attachment, ClsactAttachment):
            self._filtered.append((each, attachment))

    def _promote_later(self) -> None:
        """Have the filters that are new replaced by tcx links, when `calm` lets."""
        if self._filtered:
            CALM.disturb()
            program, now = self._programs.get(SKB), time.monotonic()
            self._worker.submit(self._promote_all, self._filtered, program, now)
            self._filtered = []

    def _promote_all(
        self,
        filtered: Iterable[tuple[PortSpot, ClsactAttachment]],
        program: Program,
        since: float,
    ) -> None:
        for each, attachment in filtered:
            # Many have gone by now where devices come and go all the time.
            if self._is_at(each, attachment):
                if not CALM.wait(self._closing, since):
                    return
                self._promote(each, attachment, program)

    def _promote(self, each: PortSpot, attachment: ClsactAttachment, program: Program) -> None:
        """Put a tcx link in the place of a port's filter."""
        if not self._is_at(each, attachment):
            return
        try:
            egress = each.spot.place is Place.EGRESS
            link = tcx.attach(program, each.spot.ifindex, egress=egress)
        except KernelError as error:
            # Mostly the device has gone; else the filter goes on.
            _log.debug("port %s keeps its filter: %s", each.number, error)
            return
        with self._changing:
            try:
                # Without a filter the index is another device's by now.
                if self._is_at(each, attachment) and attachment.ifindex:
                    path = self._path(each)
                    link.pin(_unfinished(path))
                    self._at[each.number][each.spot] = link
                    try:
                        attachment.detach()
                    finally:
                        pins.rename(_unfinished(path), path)
                    return
            except KernelError as error:
                _log.debug("port %s keeps its filter: %s", each.number, error)
                if not self._is_at(each, attachment):
                    return
        link.close()

    def _is_at(self, each: PortSpot, attachment: Attachment) -> bool:
        return self._at.get(each.number, {}).get(each.spot) is attachment

    def forget_lost(self, numbers: Iterable[int]) -> None:
        """Know no more that these ports are attached where their filters have gone.

        A device loses its filters on its way to another namespace, even if it comes back at once,
        and anybody can take its clsact away. Raises KernelError.
        """
        with self._changing:
            filters = {
                PortSpot(number, spot): attachment
                for number in numbers
                for spot, attachment in self._at.get(number, {}).items()
                if isinstance(attachment, ClsactAttachment)
            }
            there = _all_filters([each.spot for each in filters])
            for each, attachment in filters.items():
                now = there.get(each.spot)
                if now is None or now.program_id != attachment.program_id:
                    del self._at[each.number][each.spot]

    def detach(self, leaving: Collection[PortSpot], *, ended: bool = False) -> None:
        """Detach ports from links: they take no packet there that comes from now on.

        ended: the links have gone, and what is there now under their indexes is others'. Raises
        KernelError.
        """
        CALM.disturb()
        filters: list[ClsactAttachment] = []
        with self._changing:
            for each in leaving:
                attachment = self._at[each.number].pop(each.spot)
                if not self._at[each.number]:
                    del self._at[each.number]
                if not isinstance(attachment, BpfLink):
                    if isinstance(attachment, ClsactAttachment) and not ended:
                        filters.append(attachment)
                elif ended:
                    pins.remove(self._path(each))
                    attachment.close()
                else:
                    self._leave(attachment, self._path(each))
            clsact.detach_all(filters)

    def _leave(self, link: BpfLink, path: Path) -> None:
        """Let a link take no more packets. Raises KernelError.

        First it is no port's any more: a successor would take it over as it is.
        """
        info = link.info()
        if not info.ifindex or info.type != LINK_TYPE_TCX:
            pins.remove(path)
            link.detach()
            return
        pin = path.with_name(f"{PREFIX}{info.id}")
        pins.rename(path, pin)
        try:
            link.replace(self._programs.passing())
        except KernelError:  # the device has gone
            pins.remove(pin)
            link.detach()
            return
        LEFTOVERS.add(link, pin)

    def sweep(self, ifindex: int) -> None:
        """Take off what a life left at a link that ended before noting it. Raises KernelError.

        (A link's pin, `restore` has removed.)
        """
        spots = [Spot(place, ifindex) for place in (Place.INGRESS, Place.EGRESS)]
        clsact.detach_all(list(self._filters(spots).values()))
        clsact.remove_empty([ifindex])

    def close(self) -> None:
        """Let go; all stays attached."""
        self.end()
        LEFTOVERS.leave(self._directory)

    def end(self) -> None:
        """Let go for good: what was left is still taken off, and then the pins may go."""
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)
        for spots in self._at.values():
            for attachment in spots.values():
                attachment.close()
        self._programs.close()
        self._at.clear()

    def _path(self, each: PortSpot) -> Path:
        return self._directory / f"{_LINK}{each.number}_{each.spot.place}_{each.spot.ifindex}"


def _unfinished(path: Path) -> Path:
    """The pin of a link until it is alone at its place."""
    return path.with_name(f"{path.name}_new")


def _clsact_spot(spot: Spot) -> clsact.Spot:
    return clsact.Spot(spot.ifindex, spot.place is Place.EGRESS)


def _all_filters(spots: Iterable[Spot]) -> Mapping[Spot, ClsactAttachment]:
    """Any hotswitch's filters there."""
    asked = [spot for spot in spots if spot.place is not Place.XDP]
    found = clsact.find_all([_clsact_spot(spot) for spot in asked])
    return {spot: left for spot, left in zip(asked, found, strict=True) if left}
