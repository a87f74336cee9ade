"""Random changes of one live engine: after each, it does what the reference engine does."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pytest

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.headers.standard import standard_registry
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Hook
from hotswitch.model.text import read_actions, read_match
from tests.engines.frames import c_tag, tcp4, tcp6, udp4
from tests.engines.harness import ReferenceHarness, Setup, install
from tests.engines.kernel_harness import KernelHarness, kernel_harness

REGISTRY = standard_registry()
Statistics: TypeAlias = Mapping[EntryKey, EntryStatistics]
_MATCHES = (
    "any", "in_port=1", "in_port=2", "ipv4", "!ipv4", "!vlan", "vlan,ipv4", "!vlan,in_port=1",
    "ipv4.dst=10.0.0.2", "ipv4.dst=10.0.0.0/24", "ipv4.dst=10.0.0.0/16", "ipv4.dst=10.0.0.0/8",
    "ipv4.dst=10.0.0.0/9", "ipv4.src=10.0.0.1", "ipv4.src=10.0.0.0/8", "ipv4.src=10.0.0.0/30",
    "ethernet.src=02:00:00:00:00:0a", "ethernet.dst=02:00:00:00:00:0b", "tcp", "tcp.dst=80",
    "udp.dst=53", "ip_protocol=6", "ip_protocol=17", "reg0=1", "reg0=0/1", "ipv6.dst=fd00::/16",
    "in_port=1,ipv4.dst=10.0.0.0/8", "in_port=1,ipv4.dst=10.0.0.0/16",
    "in_port=1,ipv4.dst=10.0.0.0/24", "vlan.vid=5",
)  # fmt: skip
_ACTIONS = (
    "output:1", "output:2", "output:3", "drop", "outputs:1+2+3", "outputs:1+2", "none",
    "set:ipv4.ttl=9,output:2", "set:ipv4.ttl=8,output:3", "set:reg0=1,goto:1", "goto:1",
    "decrement_ttl:ipv4.ttl,output:1", "push_vlan,set:vlan.vid=5,output:3", "pop_vlan,output:2",
)  # fmt: skip
_FRAMES = (tcp4(), udp4(), tcp6(), tcp4(c_tag(5)), udp4(dst="10.0.9.9"), tcp4(dst="10.200.0.1"))


@pytest.fixture(scope="module", params=[Hook.TCX, Hook.XDP])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=request.param) as made:
        yield made


def _changes(dice: random.Random, known: dict[EntryKey, Entry]) -> list[Change]:
    """Some puts, deletes, replacements; few priorities, so that they tie."""
    changes: list[Change] = []
    for _ in range(dice.choice((1, 1, 2, 5))):
        if known and dice.random() < 0.4:
            key = dice.choice(list(known))
            del known[key]
            changes.append(DeleteEntry(key))
            continue
        text = dice.choice(_ACTIONS)
        table = 0 if "goto" in text or dice.random() < 0.7 else 1
        match = read_match(REGISTRY, dice.choice(_MATCHES))
        # A longer prefix often has a higher priority: then a trie is worth it.
        bits = sum(term.mask.bit_count() for term in match if term.field == "ipv4.dst")
        priority = dice.choice((1, 1, 2, bits, bits + 1))
        entry = Entry(table, priority, match, read_actions(REGISTRY, text), dice.randrange(9))
        known[entry.key] = entry
        changes.append(PutEntry(entry))
    return changes


@pytest.mark.parametrize("seed", range(3))
def test_changes(seed: int, harness: KernelHarness) -> None:
    dice = random.Random(seed)
    reference = ReferenceHarness(REGISTRY)
    install(harness.datapath, Setup())
    known: dict[EntryKey, Entry] = {}
    for step in range(12):
        others = _changes(dice, dict(known))
        changes = _changes(dice, known)
        expected = reference.datapath.change(changes)
        for asked in dice.sample((changes, others), dice.randrange(3)):
            # The compiler works ahead, sometimes on what does not come.
            compilation = harness.datapath.prepare(asked)
            if compilation is not None and dice.random() < 0.5:
                compilation.result()
        found = harness.datapath.change(changes)
        assert _counted(found) == _counted(expected), f"step {step}"
        traffic = [(dice.choice((1, 2)), frame) for frame in _FRAMES]
        assert harness.send(traffic) == reference.send(traffic), f"step {step}"
        statistics = harness.datapath.entry_statistics()
        assert _counted(statistics) == _counted(reference.datapath.entry_statistics()), step


def _counted(statistics: Statistics) -> dict[EntryKey, tuple[int, int]]:
    return {key: (each.packets, each.bytes) for key, each in statistics.items()}
