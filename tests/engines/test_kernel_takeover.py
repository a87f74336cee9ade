"""A datapath's process is killed at any moment; the next one finds what was in force."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import pytest

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.kernel import pins
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.probe import TCX
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Hook
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4
from tests.engines.harness import PORTS
from tests.engines.kernel_harness import kernel_engine
from tests.engines.takeover_child import ADDRESS, METER, REGISTRY, STEADY, changes
from tests.engines.test_clsact import has_clsact
from tests.engines.wires import Wire, wires
from tests.support.wait import until

FRAME = tcp4()


def _live_and_die(name: str, seed: int, made: dict[int, Wire], hook: Hook) -> tuple[int, int, int]:
    """How many changes were in force, how many had begun, and frames sent by ports 2 and 3."""
    arguments = [name, str(seed), hook.value, *(str(made[port].near) for port in PORTS)]
    command = [sys.executable, "-m", "tests.engines.takeover_child", *arguments]
    life = random.Random(seed).uniform(0.2, 2.5)
    sent = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout and child.stdout.readline() == "ready\n"
        end = time.monotonic() + life
        while time.monotonic() < end:
            for port in (2, 3):
                made[port].far.send(FRAME)
            sent += 1
            time.sleep(0.001)
        child.kill()
        said = child.stdout.read().splitlines()
    done = sum(line.startswith("done") for line in said)
    begun = sum(line.startswith("begin") for line in said)
    for _ in range(50):  # while nobody is there
        for port in (2, 3):
            made[port].far.send(FRAME)
    return done, begun, sent + 50


@pytest.mark.parametrize(
    ("seed", "hook"), [(1, Hook.TCX), (2, Hook.TCX), (3, Hook.TCX), (4, Hook.XDP)]
)
def test_killed_at_any_moment(seed: int, hook: Hook) -> None:
    name = f"takeover{os.getpid()}x{seed}"
    directory = pins.directory("hotswitch", name)
    with wires(PORTS, xdp=hook is Hook.XDP) as made:
        datapath = None
        try:
            done, begun, sent = _live_and_die(name, seed, dict(made), hook)
            engine = kernel_engine(name, REGISTRY, name, 16)
            assert isinstance(engine, KernelEngine)
            datapath = EntryDatapath(name, REGISTRY, engine)
            _check_entries(datapath, seed, done, begun)
            assert {port.number: port.ifindex for port in datapath.ports().values()} == {
                port: made[port].near for port in PORTS
            }
            assert datapath.addresses() == [ADDRESS]
            assert datapath.meters() == {METER.number: METER}
            _check_counts(datapath, sent)
            _check_pins(engine)
            # It goes on as if nothing had been.
            datapath.change([DeleteEntry(key) for key in datapath.entries()])
            datapath.change([PutEntry(read_entry(REGISTRY, "0 9 any output:1"))])
            made[3].far.send(FRAME)
            until(lambda: datapath.port_statistics()[1].tx_packets >= 1, "a frame is forwarded")
        finally:
            if datapath is None:
                datapath = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
            datapath.destroy()
    assert not directory.exists()


def _check_entries(datapath: EntryDatapath, seed: int, done: int, begun: int) -> None:
    """All changes that were done are there; of one that had begun, each entry is old or new."""
    batches = list(islice(changes(seed), begun))
    before: dict[EntryKey, Entry] = {
        entry.key: entry for entry in (read_entry(REGISTRY, text) for text in STEADY)
    }
    for batch in batches[:done]:
        _apply(before, batch)
    after = dict(before)
    for batch in batches[done:]:
        _apply(after, batch)
    found = datapath.entries()
    for key in {*before, *after, *found}:
        assert found.get(key) in (before.get(key), after.get(key)), key


def _apply(entries: dict[EntryKey, Entry], batch: list[Change]) -> None:
    for change in batch:
        if isinstance(change, PutEntry):
            entries[change.entry.key] = change.entry
        else:
            del entries[change.key]


def _check_counts(datapath: EntryDatapath, sent: int) -> None:
    """What the steady entries and their ports counted, through all that happened."""
    keys = [read_entry(REGISTRY, text).key for text in STEADY[:2]]

    def counts() -> list[int]:
        statistics, ports = datapath.entry_statistics(), datapath.port_statistics()
        return [*(statistics[key].packets for key in keys), *(ports[n].rx_packets for n in (3, 2))]

    until(lambda: counts() == [sent] * 4, f"each of them has counted {sent}")
    assert datapath.counters().missed == datapath.counters().errors == 0


def _check_pins(engine: KernelEngine) -> None:
    wanted = {f"{name}_{number}" for name, number in engine.store.generations.items()}
    found = {path.name for path in pins.listing(engine.directory)}
    assert {each for each in found if not each.startswith(("link_", "clsact_"))} == wanted


class _Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize("after", [0, 1, 5, 12])
def test_killed_while_its_pins_are_removed(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """A deletion that is broken off is no datapath that can't be taken over."""
    name = f"deleted{os.getpid()}"
    directory = pins.directory("hotswitch", name)
    with wires((1, 2)) as made:
        first = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
        for number, wire in made.items():
            first.add_port(f"port{number}", number=number, ifindex=wire.near)
        first.change([PutEntry(read_entry(REGISTRY, text)) for text in STEADY])
        unlink, left = Path.unlink, iter(range(after))

        def unlink_some(path: Path, *, missing_ok: bool = False) -> None:
            if next(left, None) is None:
                raise _Killed
            unlink(path, missing_ok=missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", unlink_some)
            with pytest.raises(_Killed):
                first.destroy()
        assert pins.listing(directory)
        second = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
        assert not any(port.ifindex for port in second.ports().values())
        second.destroy()
    assert not directory.exists()


@pytest.mark.skipif(not TCX, reason="this kernel has no tcx")
def test_killed_between_link_and_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the filter that a port began with is replaced: it goes, its clsact with the port."""
    name = f"promoted{os.getpid()}"

    def life() -> EntryDatapath:
        return EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))

    with wires((1, 2)) as made:
        first = life()
        ended = threading.Event()

        def end(_: object, new: object) -> None:
            ended.set()
            raise _Killed

        with monkeypatch.context() as patch:
            patch.setattr(pins, "rename", end)
            first.add_port("port1", number=1, ifindex=made[1].near)
            assert ended.wait(20)
        assert has_clsact(made[1].near)
        second = life()
        assert [port.ifindex for port in second.ports().values()] == [made[1].near]
        assert clsact.find(made[1].near) is None
        second.destroy()
        assert not has_clsact(made[1].near)
