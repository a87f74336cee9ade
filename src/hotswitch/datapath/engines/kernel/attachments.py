"""The entry program at each port's links.

The kernel takes about 12 ms to attach a tcx link or to detach one, and 0.1 ms for a clsact filter.
So a port forwards through a filter at once, and a thread puts a tcx link, which nobody else can
take away, in its place; and what a port leaves only lets packets pass from then on, until another
thread takes it off (`leftovers`).
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path

from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.attached import Attached
from hotswitch.datapath.engines.kernel.calm import CALM
from hotswitch.datapath.engines.kernel.entry_programs import EntryPrograms
from hotswitch.datapath.engines.kernel.filters import Filters, find
from hotswitch.datapath.engines.kernel.leftovers import LEFTOVERS, PREFIX
from hotswitch.datapath.engines.kernel.other_switches import OTHER_SWITCHES
from hotswitch.datapath.engines.kernel.promotion import Promotion
from hotswitch.datapath.engines.kernel.qdiscs import Qdiscs
from hotswitch.datapath.engines.kernel.spots import LINK_PINS, Place, PortSpot, Spot, unfinished
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import pins
from hotswitch.kernel.bpf_link import LINK_TYPE_TCX, BpfLink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, tcx, xdp
from hotswitch.kernel.hooks.clsact import ClsactAttachment
from hotswitch.kernel.hooks.hook import Attachment
from hotswitch.kernel.probe import TCX


class Attachments:
    """What is attached where, by port number and spot."""

    def __init__(self, directory: Path, store: MapStore) -> None:
        self._directory = directory
        self._programs = EntryPrograms(store)
        self._attached = Attached()
        self._filters = Filters(self._programs, self._attached)
        self._qdiscs = Qdiscs(directory)
        self._promotion = Promotion(directory, self._programs, self._attached, self._qdiscs)

    def at(self, number: int) -> Set[Spot]:
        """Where a port is attached, as far as is known here."""
        return self._attached.spots(number)

    def holds(self, number: int, spot: Spot) -> bool:
        """Ask the kernel whether it still is. Raises KernelError."""
        return self._attached[PortSpot(number, spot)].ifindex == spot.ifindex

    def restore(self, wanted: Iterable[PortSpot]) -> None:
        """Open what an earlier life attached and is wanted, and take off the rest.

        What has gone with its link is not there afterwards. Raises KernelError.
        """
        paths = {each.pin(self._directory): each for each in wanted}
        filters = self._filters.ours([each.spot for each in paths.values()])
        for path, each in paths.items():
            attachment = self._open(path, filters.get(each.spot))
            if attachment is None:
                continue
            if attachment.ifindex != each.spot.ifindex:
                pins.remove(path)
                attachment.close()
                continue
            self._attached.put(each, attachment)
        self._promotion.begin()
        for path in pins.listing(self._directory):
            if path.name.startswith(LINK_PINS) and path not in paths:
                self._leave(BpfLink.from_pin(path), path)
        self._qdiscs.remove(self._qdiscs.kept() - {each.spot.ifindex for each in paths.values()})

    def _open(self, path: Path, left: ClsactAttachment | None) -> Attachment | None:
        """What an earlier life attached; left: its filter, if that is still there."""
        new = unfinished(path)
        if not new.exists() and not path.exists():
            return left
        if left:  # that life ended between a link and the filter before it
            self._qdiscs.give_way(left)
        if new.exists():
            pins.rename(new, path)
        return BpfLink.from_pin(path)

    def attach(self, wanted: Sequence[PortSpot]) -> Mapping[PortSpot, KernelError]:
        """Attach ports to links where they are not; those that could not be, and why."""
        if not wanted:
            return {}
        CALM.disturb()
        failed: dict[PortSpot, KernelError] = {}
        slow: list[PortSpot] = []
        by_filter: list[PortSpot] = []
        are_others = _are_there_others()
        for each in wanted:
            try:
                if each.spot.place is Place.XDP:
                    slow.append(each)
                else:
                    if are_others or self._attached.is_elsewhere(each.spot):
                        self._refuse_what_has_a_link(each.spot)
                    by_filter.append(each)
            except KernelError as error:
                failed[each] = error
        for each, why in self._filters.attach(by_filter).items():
            if TCX and why.errno != errno.EBUSY:
                slow.append(each)
            else:
                failed[each] = why
        for each in slow:
            try:
                self._attach_link(each)
            except KernelError as error:
                failed[each] = error
        self._promotion.begin()
        return failed

    def _refuse_what_has_a_link(self, spot: Spot) -> None:
        """Raise KernelError if another datapath has a tcx link there."""
        if not TCX:
            return
        others = tcx.program_ids(spot.ifindex, egress=spot.place is Place.EGRESS)
        self._programs.refuse_what_is_taken(spot.ifindex, others)

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
        path = each.pin(self._directory)
        try:
            pins.remove(path)
            link.pin(path)
        except KernelError:
            link.detach()
            raise
        self._attached.put(each, link)

    def forget_lost(self, numbers: Iterable[int]) -> None:
        """Know no more that these ports are attached where their filters have gone.

        A device loses its filters on its way to another namespace, even if it comes back at once,
        and anybody can take its clsact away. Raises KernelError.
        """
        with self._attached.changing:
            filters = self._attached.filters(numbers)
            there = find([each.spot for each in filters])
            for each, attachment in filters.items():
                now = there.get(each.spot)
                if now is None or now.program_id != attachment.program_id:
                    self._attached.take(each)

    def detach(self, leaving: Collection[PortSpot], *, ended: bool = False) -> None:
        """Detach ports from links: they take no packet there that comes from now on.

        ended: the links have gone, and what is there now under their indexes is others'. Raises
        KernelError.
        """
        CALM.disturb()
        filters: list[ClsactAttachment] = []
        with self._attached.changing:
            for each in leaving:
                attachment = self._attached.take(each)
                if not isinstance(attachment, BpfLink):
                    if isinstance(attachment, ClsactAttachment) and not ended:
                        filters.append(attachment)
                elif ended:
                    pins.remove(each.pin(self._directory))
                    attachment.close()
                else:
                    self._leave(attachment, each.pin(self._directory))
            clsact.detach_all(filters)
            indexes = {each.spot.ifindex for each in leaving}
            if ended:
                self._qdiscs.forget(indexes)
            else:
                self._qdiscs.remove(indexes)

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
        clsact.detach_all(list(self._filters.ours(spots).values()))
        clsact.remove_empty([ifindex])
        self._qdiscs.forget([ifindex])

    def close(self) -> None:
        """Let go; all stays attached."""
        self.end()
        LEFTOVERS.leave(self._directory)

    def end(self) -> None:
        """Let go for good: what was left is still taken off, and then the pins may go."""
        self._promotion.close()
        for attachment in self._attached.clear():
            attachment.close()
        self._programs.close()


def _are_there_others() -> bool:
    """Whether another hotswitch can have tcx links; where that can't be told, too."""
    try:
        return any(True for _ in OTHER_SWITCHES.programs())
    except KernelError:
        return True
