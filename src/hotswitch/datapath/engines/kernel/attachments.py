"""The entry program at each port's link: one small program that never changes, and jumps into the
pipeline's.

The kernel takes about 12 ms to attach a tcx link (it waits for an RCU grace period), and 0.4 ms for
a clsact filter. So a port forwards through a filter at once, and a thread puts a tcx link, which
nobody else can take away, in its place.
"""

from __future__ import annotations

import errno
import logging
import struct
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hotswitch.compiler.targets.bpf.hook import SKB, XDP, Context
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import pins
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, tcx, xdp
from hotswitch.kernel.hooks.hook import Attachment
from hotswitch.kernel.maps import Map
from hotswitch.kernel.probe import TCX
from hotswitch.kernel.programs import Program, ProgramType

_log = logging.getLogger(__name__)
_ENTRY = "hotswitch_entry"
_QUIET = 1.0
"""Seconds without a new port before links take filters' places: it makes others wait too."""
_TYPES = {SKB.name: ProgramType.SCHED_CLS, XDP.name: ProgramType.XDP}


def entry_instructions(context: Context, programs: Map) -> bytes:
    """Tail-call the hook's pipeline; without one, let the packet pass."""
    pass_on = context.pass_on - (1 << 32) if context.pass_on >> 31 else context.pass_on
    return b"".join(
        struct.pack("<BBhi", *each)
        for each in (
            (0x18, 0x12, 0, programs.fd),  # r2 = the program array
            (0x00, 0x00, 0, 0),
            (0xB7, 0x03, 0, 0),  # r3 = its element
            (0x85, 0x00, 0, 12),  # bpf_tail_call
            (0xB4, 0x00, 0, pass_on),  # w0 = pass
            (0x95, 0x00, 0, 0),
        )
    )


def _leads_on(map_ids: Sequence[int]) -> bool:
    """Whether an entry program's array still has a pipeline to jump to."""
    for number in map_ids:
        with Map.from_id(number) as programs:
            if programs.lookup(bytes(4)):
                return True
    return False


class Attachments:
    """What is attached where, by port number and hook."""

    def __init__(self, directory: Path, store: MapStore) -> None:
        self._directory = directory
        self._store = store
        self._entry: dict[str, Program] = {}
        self._at: dict[tuple[int, str], tuple[int, Attachment]] = {}
        self._worker = ThreadPoolExecutor(1, "hotswitch-attach")
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._quiet_from = 0.0

    def restore(self, ports: dict[int, int]) -> dict[int, int]:
        """Open what an earlier life pinned. ports: number -> ifindex as it was noted.

        Returns number -> ifindex as it is: 0 where the link has gone.
        """
        found: dict[int, int] = {}
        for number, ifindex in ports.items():
            for context in (SKB, XDP):
                attachment = self._open(number, context, ifindex)
                if attachment is None:
                    continue
                if attachment.ifindex != ifindex or not ifindex:
                    self._forget(number, context, attachment)
                    continue
                self._at[number, context.name] = (ifindex, attachment)
                if context is SKB:
                    found[number] = ifindex
                    self._promote(number, ifindex)
        for path in pins.listing(self._directory):
            kind, _, rest = path.name.partition("_")
            if kind == "link" and int(rest.partition("_")[0]) not in ports:
                pins.remove(path)
        return {number: found.get(number, 0) for number in ports}

    def _open(self, number: int, context: Context, ifindex: int) -> Attachment | None:
        path = self._path(number, context)
        left = clsact.find(ifindex) if context is SKB and ifindex else None
        if not path.exists():
            return left
        if left:  # that life ended between a link and the filter before it
            left.detach()
        return BpfLink.from_pin(path)

    def put(self, number: int, context: Context, ifindex: int) -> None:
        """Attach a port's hook to a link; 0: to none. Raises KernelError."""
        known = self._at.get((number, context.name))
        if known and known[0] == ifindex and known[1].ifindex == ifindex:
            return
        if known:
            self._remove(number, context)
        if not ifindex:
            return
        if context is SKB:
            self._refuse_what_is_taken(ifindex)
        attachment = self._attach(context, ifindex)
        pins.remove(self._path(number, context))
        attachment.pin(self._path(number, context))
        self._at[number, context.name] = (ifindex, attachment)
        if context is SKB:
            self._promote(number, ifindex)

    def _refuse_what_is_taken(self, ifindex: int) -> None:
        """Raise KernelError if another hotswitch's datapath takes this device's packets."""
        ours = self._store.get(SKB.programs).id
        for number in (*(tcx.program_ids(ifindex) if TCX else ()), *clsact.program_ids(ifindex)):
            with Program.from_id(number) as program:
                info = program.info()
            if info.name == _ENTRY and ours not in info.map_ids and _leads_on(info.map_ids):
                raise KernelError(
                    f"attach to the device {ifindex}",
                    errno.EBUSY,
                    remedy="it is a port of another hotswitch: delete it there first",
                )

    def _promote(self, number: int, ifindex: int) -> None:
        """Put a tcx link in the place of a port's filter, in the background."""
        _, attachment = self._at[number, SKB.name]
        if not TCX or isinstance(attachment, BpfLink):
            return
        program = self._entry_program(SKB)

        def work() -> None:
            while (left := self._quiet_from - time.monotonic()) > 0:
                if self._closing.wait(left):
                    return
            with self._changing:
                if self._at.get((number, SKB.name)) != (ifindex, attachment):
                    return
                try:
                    link = tcx.attach(program, ifindex)
                    link.pin(self._path(number, SKB))
                    self._at[number, SKB.name] = (ifindex, link)
                    attachment.detach()
                except KernelError as error:
                    # Mostly the device has gone; else the filter goes on.
                    _log.debug("port %s keeps its filter: %s", number, error)

        self._quiet_from = time.monotonic() + _QUIET
        self._worker.submit(work)

    def delete(self, number: int) -> None:
        """Detach a port from all hooks. Raises KernelError."""
        for context in (XDP, SKB):
            if (number, context.name) in self._at:
                self._remove(number, context)

    def has(self, number: int, context: Context) -> bool:
        """Whether the port is attached there."""
        return (number, context.name) in self._at

    def close(self) -> None:
        """Let go; all stays attached."""
        self._closing.set()
        self._worker.shutdown(cancel_futures=True)
        for _, attachment in self._at.values():
            attachment.close()
        for program in self._entry.values():
            program.close()
        self._at.clear()
        self._entry.clear()

    def _attach(self, context: Context, ifindex: int) -> Attachment:
        program = self._entry_program(context)
        if context is XDP:
            try:
                return xdp.attach(program, ifindex)
            except KernelError:
                return xdp.attach_generic(program, ifindex)
        left = clsact.find(ifindex)
        if left:
            left.replace(program)
            return left
        try:
            return clsact.attach(program, ifindex)
        except KernelError:
            if TCX:
                return tcx.attach(program, ifindex)
            raise

    def _entry_program(self, context: Context) -> Program:
        if context.name not in self._entry:
            self._entry[context.name] = Program.load(
                _TYPES[context.name],
                entry_instructions(context, self._store.get(context.programs)),
                name=_ENTRY,
            )
        return self._entry[context.name]

    def _remove(self, number: int, context: Context) -> None:
        with self._changing:
            _, attachment = self._at.pop((number, context.name))
            self._forget(number, context, attachment)

    def _forget(self, number: int, context: Context, attachment: Attachment) -> None:
        pins.remove(self._path(number, context))
        if attachment.ifindex:
            attachment.detach()
        else:
            attachment.close()

    def _path(self, number: int, context: Context) -> Path:
        return self._directory / f"link_{number}_{context.name}"
