"""clsact that was made for a filter, and stays when a tcx link has taken the filter's place.

To make one or to remove it, the kernel stops a device's queues for a moment, and drops what is sent
there meanwhile (qdisc_graft in net/sched/sch_api.c). So it goes when the port does, not before. A
mark among the datapath's pins says that it is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from hotswitch.kernel import pins
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.hooks.clsact import ClsactAttachment

MARK = "clsact_"
"""What the marks' names begin with."""


class Qdiscs:
    """Those of one datapath, by the indexes of their devices. All raise KernelError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def give_way(self, filter_: ClsactAttachment) -> None:
        """Take a filter off, and keep the qdisc that was made for it."""
        if filter_.has_own_qdisc():
            pins.mark(self._mark(filter_.spot.ifindex))
        filter_.detach(keep_qdisc=True)

    def remove(self, indexes: Set[int]) -> None:
        """Remove those of these devices, unless somebody else's filter is in them."""
        kept = [index for index in indexes if pins.is_there(self._mark(index))]
        clsact.remove_empty(kept)
        self.forget(kept)

    def forget(self, indexes: Iterable[int]) -> None:
        """They have gone with their devices."""
        for index in indexes:
            pins.remove(self._mark(index))

    def kept(self) -> set[int]:
        """The devices where there is one, as far as is known."""
        names = [path.name for path in pins.listing(self._directory)]
        return {int(name.removeprefix(MARK)) for name in names if name.startswith(MARK)}

    def _mark(self, index: int) -> Path:
        return self._directory / f"{MARK}{index}"
