"""Taking off what an earlier life left and nobody can take over."""

from __future__ import annotations

from pathlib import Path

from hotswitch.compiler.targets.bpf.hook import SKB
from hotswitch.datapath.engines.kernel.entry_programs import leads_nowhere, leads_to
from hotswitch.datapath.engines.kernel.qdiscs import Qdiscs
from hotswitch.kernel import pins
from hotswitch.kernel.hooks import clsact, hook
from hotswitch.kernel.links import list_links
from hotswitch.kernel.maps import Map


def abandon(directory: Path) -> None:
    """Remove all pins of a datapath, and its filters, which stay at their devices without pins.

    So do those that lead nowhere any more, whose ever they were. In the thread's network
    namespace. Raises KernelError.
    """
    left = pins.listing(directory)
    if not left:
        return
    arrays = set()
    for path in left:
        if path.name.rpartition("_")[0] == SKB.programs:
            with Map.from_pin(path) as programs:
                arrays.add(programs.id)
    indexes = [link.index for link in list_links()]
    spots = [hook.Spot(index, egress) for index in indexes for egress in (False, True)]
    clsact.detach_all(
        [
            each
            for each in clsact.find_all(spots)
            if each and (leads_to(each.program_id, arrays) or leads_nowhere(each.program_id))
        ]
    )
    qdiscs = Qdiscs(directory)
    qdiscs.remove(qdiscs.kept())
    for path in left:
        pins.remove(path)
