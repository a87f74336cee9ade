"""The entry program: a small one that never changes, and jumps into the pipeline's."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Set

from hotswitch.compiler.targets.bpf.hook import SKB, XDP, Context
from hotswitch.datapath.engines.kernel.other_switches import (
    ENTRY,
    OTHER_SWITCHES,
    leads_on,
    program_info,
)
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramInfo, ProgramType

_PASSING = "hotswitch_left"
_TYPES = {SKB.name: ProgramType.SCHED_CLS, XDP.name: ProgramType.XDP}


def entry_instructions(context: Context, programs: Map) -> bytes:
    """Tail-call the hook's pipeline; without one, let the packet pass."""
    return _instructions(
        (0x18, 0x12, 0, programs.fd),  # r2 = the program array
        (0x00, 0x00, 0, 0),
        (0xB7, 0x03, 0, 0),  # r3 = its element
        (0x85, 0x00, 0, 12),  # bpf_tail_call
        (0xB4, 0x00, 0, _signed(context.pass_on)),  # w0 = pass
        (0x95, 0x00, 0, 0),
    )


def _instructions(*parts: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("<BBhi", *each) for each in parts)


def _signed(verdict: int) -> int:
    return verdict - (1 << 32) if verdict >> 31 else verdict


class EntryPrograms:
    """Those of one datapath, one for each type of program."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self._loaded: dict[str, Program] = {}
        OTHER_SWITCHES.exclude(store.get(SKB.programs).id)

    def get(self, context: Context) -> Program:
        """Load it, once. Raises KernelError."""
        if context.name not in self._loaded:
            programs = self._store.get(context.programs)
            OTHER_SWITCHES.exclude(programs.id)
            code = entry_instructions(context, programs)
            self._loaded[context.name] = Program.load(_TYPES[context.name], code, name=ENTRY)
        return self._loaded[context.name]

    def is_ours(self, program_id: int) -> bool:
        """Whether this program, of this life or an earlier one, leads into our skb pipeline."""
        return leads_to(program_id, {self._store.get(SKB.programs).id})

    def passing(self) -> Program:
        """One that lets every packet pass, for tcx. Raises KernelError."""
        if _PASSING not in self._loaded:
            code = _instructions((0xB4, 0x00, 0, _signed(SKB.pass_on)), (0x95, 0x00, 0, 0))
            self._loaded[_PASSING] = Program.load(ProgramType.SCHED_CLS, code, name=_PASSING)
        return self._loaded[_PASSING]

    def refuse_what_is_taken(self, ifindex: int, attached: Iterable[int]) -> None:
        """Raise KernelError if one of the programs there is that of another hotswitch's datapath.

        attached: their ids.
        """
        for number in attached:
            info = program_info(number)
            if info and info.name == ENTRY and self._is_anothers(info):
                raise KernelError(
                    f"attach to the device {ifindex}",
                    errno.EBUSY,
                    remedy="it is a port of another hotswitch: delete it there first",
                )

    def _is_anothers(self, info: ProgramInfo) -> bool:
        return self._store.get(SKB.programs).id not in info.map_ids and leads_on(info.map_ids)

    def close(self) -> None:
        """Let go; what is attached stays."""
        for program in self._loaded.values():
            program.close()
        self._loaded.clear()


def leads_to(program_id: int, arrays: Set[int]) -> bool:
    """Whether this program jumps into one of the program arrays with these ids."""
    info = program_info(program_id)
    return info is not None and not arrays.isdisjoint(info.map_ids)


def leads_nowhere(program_id: int) -> bool:
    """Whether this is an entry program without a pipeline to jump to. Raises KernelError."""
    info = program_info(program_id)
    return info is not None and info.name == ENTRY and not leads_on(info.map_ids)
