"""A Netlink server that takes any flow for good, and gives back what it was given.

So ovs-dpctl can be asked how it writes what no engine can do, and what it makes of a text.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hotswitch.app.paths import RunDirectory
from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH as KERNEL_DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.server.journal_file import JournalFile
from hotswitch.netlink.server.listing import Listed
from hotswitch.netlink.server.request import Handlers, Outcome, Request
from hotswitch.netlink.server.serve import NetlinkServer
from tests.clients import shim
from tests.netlink.asked import new_datapath
from tests.netlink.outside import World

DATAPATH = "parrot"


class Parrot:
    """Use it as a context manager. flows: what it was given, or is to give."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.flows: list[Attributes] = []
        self._folder = folder
        self._environment = shim.environment(shim.build(folder, "ovs-dpctl"), folder)
        self._world = World(registry)
        made = self._world.client().ask(KERNEL_DATAPATH, "new", new_datapath(DATAPATH))
        self._number = made.datapath
        handlers = Handlers({"new": self._new}, {"get": lambda _: self})
        server = self._world.server
        families: Any = server._dispatch._handlers  # those of listings, too
        families[FLOW.name] = handlers
        server._flows._plans.by_command = {}  # what is changed without handlers

    def __enter__(self) -> Parrot:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        files = RunDirectory(self._folder)
        self._journal = JournalFile(files.netlink_journal)
        self._server = NetlinkServer(files.netlink, self._world.server, self._journal)
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._journal.close()

    def dpctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ovs-dpctl, however it ends."""
        line = [*self._environment, "timeout", "20", "ovs-dpctl", *words]
        return subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def shown(self, flows: Sequence[Attributes], *options: str) -> list[str]:
        """The lines of `ovs-dpctl dump-flows` for these flows."""
        self.flows[:] = flows
        done = self.dpctl("dump-flows", *options, DATAPATH)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def read(self, flows: Sequence[tuple[str, str]]) -> list[Attributes]:
        """What `ovs-dpctl add-flows` sends for texts of keys and actions; it must take all."""
        self.flows.clear()
        texts = self._folder / "flows"
        texts.write_text("".join(f"{match} {actions}\n" for match, actions in flows))
        done = self.dpctl("add-flows", DATAPATH, str(texts))
        assert done.returncode == 0 and "ovs-dpctl: " not in done.stderr, done.stderr
        assert len(self.flows) == len(flows)
        return list(self.flows)

    # What it answers

    def _new(self, request: Request) -> Outcome:
        self.flows.append(request.attributes)
        return Outcome(request.attributes, self._number)

    @property
    def generation(self) -> int:
        return 1

    def listed(self, place: int) -> Iterator[Listed]:
        for position, flow in enumerate(self.flows):
            if position >= place:
                yield Listed(position, flow, self._number)

    async def _start(self) -> None:
        self._server.start()

    def _run(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(20)
