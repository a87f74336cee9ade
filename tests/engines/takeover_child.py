"""What is killed in test_kernel_takeover: a process that changes a datapath until its end.

Each change is reported before it begins and when it is in force.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.standard import standard_registry
from hotswitch.model.action import Output, SetField
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Match
from hotswitch.model.port import Address, Hook, Meter
from tests.engines.fixture import read_entry
from tests.engines.harness import PORTS
from tests.engines.kernel_harness import kernel_engine

REGISTRY = standard_registry()
STEADY = (
    "0 100 in_port=3 output:2",
    "0 90 in_port=2 limit:1,output:3",
    "0 50 in_port=2 drop",  # in the shade of the one before
)
ADDRESS = Address(5, 0x02000000000A, 1, static=True)
METER = Meter(1, 1_000_000_000, 1_000_000)
_FIELDS = (
    ("in_port", -1), ("reg0", -1), ("ethernet.src", -1), ("ethernet.src", 0xFFFF),
    ("ipv4.dst", 0xFFFFFFFF), ("ipv4.dst", 0xFFFFFF00), ("ipv4.dst", 0xFFFF0000),
)  # fmt: skip


def changes(seed: int) -> Iterator[list[Change]]:
    """An endless stream; it makes new masks and templates, and outgrows maps."""
    dice = random.Random(seed)
    known: dict[EntryKey, Entry] = {}
    while True:
        batch: list[Change] = []
        touched: set[EntryKey] = set()
        # The second entry's actions change all the time.
        ttl = dice.randrange(1, 99)
        steady = read_entry(REGISTRY, f"0 90 in_port=2 set:ipv4.ttl={ttl},limit:1,output:3")
        if dice.random() < 0.5:
            steady = read_entry(REGISTRY, STEADY[1])
        batch.append(PutEntry(steady))
        for _ in range(dice.choice((1, 3, 300))):
            if known and dice.random() < 0.2:
                key = dice.choice(list(known))
                if key not in touched:
                    touched.add(key)
                    del known[key]
                    batch.append(DeleteEntry(key))
                continue
            name, mask = dice.choice(_FIELDS)
            width = REGISTRY.field(name).width
            mask &= (1 << width) - 1
            value = (0x7F000000 | dice.randrange(4000)) << (8 if mask == 0xFFFFFF00 else 0)
            actions = [Output(dice.randrange(1, 4))]
            extra = [SetField(f"reg{dice.randrange(4)}", 1, 0xFFFFFFFF)] * dice.randrange(2)
            match = Match.of({name: (value & mask, mask)})
            entry = Entry(0, mask.bit_count(), match, (*extra, *actions), dice.randrange(99))
            if entry.key not in touched:
                touched.add(entry.key)
                known[entry.key] = entry
                batch.append(PutEntry(entry))
        yield batch


def main(pins: str, seed: int, links: list[int], hook: Hook) -> None:
    """Build, then change."""
    datapath = EntryDatapath(pins, REGISTRY, kernel_engine(pins, REGISTRY, pins, 16))
    for number, ifindex in zip(PORTS, links, strict=True):
        datapath.add_port(f"port{number}", number=number, ifindex=ifindex, hook=hook)
    datapath.put_meter(METER)
    datapath.put_address(ADDRESS)
    datapath.change([PutEntry(read_entry(REGISTRY, text)) for text in STEADY])
    print("ready", flush=True)
    for number, batch in enumerate(changes(seed)):
        print("begin", number, flush=True)
        datapath.change(batch)
        print("done", number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(each) for each in sys.argv[4:]], Hook(sys.argv[3]))
