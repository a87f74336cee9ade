"""Ports attached by clsact filters, which are quick to have, and found again by a later life."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence

from hotswitch.compiler.targets.bpf.hook import SKB
from hotswitch.datapath.engines.kernel.attached import Attached
from hotswitch.datapath.engines.kernel.entry_programs import EntryPrograms
from hotswitch.datapath.engines.kernel.spots import Place, PortSpot, Spot
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, hook
from hotswitch.kernel.hooks.clsact import ClsactAttachment


class Filters:
    """The filters of one datapath."""

    def __init__(self, programs: EntryPrograms, attached: Attached) -> None:
        self._programs = programs
        self._attached = attached

    def attach(self, wanted: Sequence[PortSpot]) -> Mapping[PortSpot, KernelError]:
        """Attach by filters; those that could not be, and why: EBUSY if the device is taken.

        Raises KernelError if the kernel can't even be asked.
        """
        if not wanted:
            return {}
        failed: dict[PortSpot, KernelError] = {}
        program = self._programs.get(SKB)
        made = clsact.attach_all(program, [_clsact_spot(each.spot) for each in wanted])
        for each, result in zip(wanted, made, strict=True):
            if isinstance(result, KernelError):
                failed[each] = result
            else:
                self._attached.put(each, result)
        left = [each for each, error in failed.items() if error.errno == errno.EEXIST]
        there = find([each.spot for each in left])
        for each in left:
            try:
                if self._take_over(each, there.get(each.spot)):
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
        self._attached.put(each, left)
        return True

    def ours(self, spots: Iterable[Spot]) -> Mapping[Spot, ClsactAttachment]:
        """Those there that this life or an earlier one of the same datapath left."""
        return {
            spot: found
            for spot, found in find(spots).items()
            if self._programs.is_ours(found.program_id)
        }


def find(spots: Iterable[Spot]) -> Mapping[Spot, ClsactAttachment]:
    """Any hotswitch's filters there. Raises KernelError."""
    asked = [spot for spot in spots if spot.place is not Place.XDP]
    found = clsact.find_all([_clsact_spot(spot) for spot in asked])
    return {spot: left for spot, left in zip(asked, found, strict=True) if left}


def _clsact_spot(spot: Spot) -> hook.Spot:
    return hook.Spot(spot.ifindex, spot.place is Place.EGRESS)
