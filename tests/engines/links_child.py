"""What is killed in test_kernel_links: a process that changes a port's links until its end."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.standard import standard_registry
from hotswitch.model.port import LinkLife
from tests.engines.fixture import read_entry
from tests.engines.kernel_harness import kernel_engine

REGISTRY = standard_registry()


def main(pins: str, seed: int, first: int, indexes: list[int]) -> None:
    """Build, then change."""
    dice = random.Random(seed)
    datapath = EntryDatapath(pins, REGISTRY, kernel_engine(pins, REGISTRY, pins, 16))
    texts = ("0 1 in_port=1 output:2", "0 1 in_port=2 output:1")
    datapath.change([PutEntry(read_entry(REGISTRY, text)) for text in texts])
    datapath.add_port("a", ifindex=first)
    port = datapath.add_port("vif", ifindex=indexes[0], incarnation=indexes[0])
    print("ready", flush=True)
    while True:
        chosen = dice.sample(indexes, dice.randint(1, len(indexes)))
        active, *standby = (LinkLife(index, index) for index in chosen)
        datapath.set_port(
            replace(
                port,
                ifindex=active.ifindex,
                incarnation=active.incarnation,
                standby=tuple(standby),
            )
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), [int(each) for each in sys.argv[4:]])
