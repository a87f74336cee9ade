"""Whether this kernel has entry programs that other processes' datapaths have loaded.

Which programs there are can be asked for without the kernel's lock of network devices; which are
attached to a device can't, and others may keep that lock for long. So devices are asked only where
there can be an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, tcx
from hotswitch.kernel.maps import Map
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program, ProgramInfo, next_program_id

ENTRY = "hotswitch_entry"
"""What entry programs are called."""


class OtherSwitches:
    """Looks only at programs that have come since the last time: the kernel counts them up."""

    def __init__(self) -> None:
        self._last = 0
        self._entries: dict[int, frozenset[int]] = {}
        self._own: set[int] = set()

    def exclude(self, array: int) -> None:
        """Programs that use the map of this id are this process's."""
        self._own.add(array)

    def programs(self) -> Iterator[int]:
        """The ids of those that are still there. Raises KernelError if that can't be told."""
        while (number := next_program_id(self._last)) is not None:
            self._last = number
            info = program_info(number)
            if info and info.name == ENTRY:
                self._entries[number] = frozenset(info.map_ids)
        for number, arrays in list(self._entries.items()):
            if not arrays.isdisjoint(self._own):
                continue
            if program_info(number):
                yield number
            else:
                del self._entries[number]


OTHER_SWITCHES = OtherSwitches()
"""Those beside this process."""


def has_other_port(ifindex: int) -> bool:
    """Whether a device is a port of another process's datapath, at either side. Raises KernelError.

    What that has left behind counts only while it leads on.
    """
    others = set(OTHER_SWITCHES.programs())
    if not others:
        return False
    there: set[int] = set()
    for egress in (False, True):
        if TCX:
            there.update(tcx.program_ids(ifindex, egress=egress))
        if found := clsact.find(ifindex, egress=egress):
            there.add(found.program_id)
    return any(
        leads_on(info.map_ids) for number in there & others if (info := program_info(number))
    )


def leads_on(map_ids: Sequence[int]) -> bool:
    """Whether an entry program's array still has a pipeline to jump to. Raises KernelError."""
    for number in map_ids:
        with Map.from_id(number) as programs:
            if programs.lookup(bytes(4)):
                return True
    return False


def program_info(number: int) -> ProgramInfo | None:
    """What the kernel says of the program with this id; None if it has gone."""
    try:
        with Program.from_id(number) as program:
            return program.info()
    except KernelError:
        return None
