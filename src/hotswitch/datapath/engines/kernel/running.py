"""The programs that run, and those that are to run next."""

from __future__ import annotations

from collections.abc import Iterator, Set
from concurrent.futures import Future
from contextlib import contextmanager

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import Shape, looks_up_again
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import AGAIN, SKB, Context
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.journal import Journal
from hotswitch.datapath.engines.kernel.programs import CONTEXTS, Compiled, Compiler
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel.programs import Program

_NUMBERS = 99_999
NAME = "hotswitch_"
"""A program's name, with its number behind it (at most 15 bytes)."""


class Next:
    """Programs that are loaded, but that no packet comes to yet."""

    def __init__(self, number: int, homes: Homes) -> None:
        self.number = number
        self.homes = homes
        self.programs: list[tuple[Compiled, Program]] = []


class Running:
    """The programs of one datapath, one for each hook.

    homes: where the running ones find entries, or None: there are none.
    """

    def __init__(
        self, flow: Flow, store: MapStore, journal: Journal, hooks: Set[str], compiler: Compiler
    ) -> None:
        self._flow = flow
        self._store = store
        self._journal = journal
        self._hooks = hooks
        self._compiler = compiler
        self.number = 0
        self.homes: Homes | None = None
        self.loaded: dict[str, Compiled] = {}

    def contexts(self, shape: Shape) -> list[Context]:
        """The hooks that there must be programs for; one more where packets are looked up again."""
        wanted = {*self._hooks, AGAIN.name} if looks_up_again(shape) else self._hooks
        return [context for context in CONTEXTS.values() if context.name in wanted]

    def ask(self, shape: Shape) -> Future[object] | None:
        """Begin to compile a shape; None if all is there."""
        return self._compiler.prepare(shape, self.contexts(shape))

    def compiled(self, shape: Shape) -> list[Compiled]:
        """The code of a shape, when it is ready. Raises CompileError."""
        futures = [self._compiler.ask(shape, context) for context in self.contexts(shape)]
        return [future.result() for future in futures]

    def uses(self, name: str) -> bool:
        """Whether the programs that run use the map of this name, as far as is known."""
        if self.homes is None:
            return False
        return not self.loaded or any(name in each.linked.maps for each in self.loaded.values())

    def reload(self) -> None:
        """Let the same code run with the maps that are in use now. Raises KernelError."""
        if self.homes is None:
            self._journal.write()
            return
        with self.next(self.homes) as following:
            self.swap(following)
        self.alone()

    @contextmanager
    def next(self, homes: Homes) -> Iterator[Next]:
        """Load programs with the maps in use now, and note that they may run.

        Raises CompileError, KernelError; then nothing has changed.
        """
        compiled = self.compiled(homes.shape)
        for each in compiled:
            for name in sorted(each.linked.maps):
                self._store.get(name)
        following = Next(self.number % _NUMBERS + 1, homes)
        before = self._journal.programs
        try:
            maps = self._store.known()
            for each in compiled:
                program = each.load(maps, f"{NAME}{following.number}")
                following.programs.append((each, program))
            self._journal.programs = (*before, (following.number, homes.shape))
            self._journal.write()
            yield following
        except BaseException:
            if self.number != following.number:
                self._journal.programs = before
            raise
        finally:
            for _, program in following.programs:
                program.close()

    def swap(self, following: Next) -> None:
        """Let the program arrays point there: from one packet to the next. Raises KernelError."""
        for compiled, program in following.programs:
            array = self._store.get(compiled.context.programs)
            array.update(bytes(4), program.fd.to_bytes(4, "little"))
            self.loaded[compiled.context.name] = compiled
        self.number = following.number
        self.homes = following.homes

    def alone(self) -> None:
        """Note that what ran before runs no more. Raises KernelError."""
        removals = []
        if self.homes is not None:
            self._journal.programs = ((self.number, self.homes.shape),)
            if AGAIN.programs in self._store.known() and not looks_up_again(self.homes.shape):
                self._store.get(AGAIN.programs).delete(bytes(4))
                self.loaded.pop(AGAIN.name, None)
            removals = [
                self._store.give_up(name)
                for name in self._store.known()
                if name.startswith(memory.DIRECT + "_") and name not in self.homes.maps
            ]
        self._journal.write()
        for remove in removals:
            remove()

    def running_number(self) -> int:
        """The number of the program that runs at tcx, or 0. Raises KernelError."""
        array = self._store.known().get(SKB.programs)
        identity = int.from_bytes(array.lookup(bytes(4)) or b"", "little") if array else 0
        if not identity:
            return 0
        with Program.from_id(identity) as program:
            number = program.info().name.removeprefix(NAME)
        return int(number) if number.isdecimal() else 0
