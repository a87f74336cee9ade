"""A tcx link takes a filter's place; the filter's clsact stays until the port goes.

To remove it while the port is there would lose what is sent to the device meanwhile.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from socket import if_indextoname

import pytest

from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel.qdiscs import MARK
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import link_actions, pins
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.probe import TCX
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.engines.test_clsact import has_clsact
from tests.engines.wires import wires
from tests.support.wait import until

pytestmark = pytest.mark.skipif(not TCX, reason="this kernel has no tcx")

REGISTRY = standard_registry()


@pytest.fixture
def life() -> Callable[[], EntryDatapath]:
    name = f"promotion{os.getpid()}"
    return lambda: EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))


@pytest.fixture
def device() -> Iterator[int]:
    with wires((1,)) as made:
        yield made[1].near


def wait_for_promotion(device: int) -> None:
    until(
        lambda: takes_by_tcx(device) and clsact.find(device) is None,
        "a tcx link has the filter's place",
    )


def promoted(datapath: EntryDatapath, device: int) -> None:
    datapath.add_port("port1", number=1, ifindex=device)
    wait_for_promotion(device)
    assert has_clsact(device)


def test_it_goes_with_the_port(life: Callable[[], EntryDatapath], device: int) -> None:
    datapath = life()
    promoted(datapath, device)
    datapath.delete_port(1)
    assert not has_clsact(device)
    promoted(datapath, device)
    datapath.destroy()
    assert not has_clsact(device)


def test_a_later_life_knows_of_it(life: Callable[[], EntryDatapath], device: int) -> None:
    first = life()
    promoted(first, device)
    first.close()
    second = life()
    assert has_clsact(device)
    second.delete_port(1)
    assert not has_clsact(device)
    second.destroy()


def test_what_others_made_stays(life: Callable[[], EntryDatapath], device: int) -> None:
    subprocess.run(["tc", "qdisc", "add", "dev", if_indextoname(device), "clsact"], check=True)
    datapath = life()
    promoted(datapath, device)
    datapath.destroy()
    assert has_clsact(device)


def test_no_mark_stays_for_a_device_that_has_gone(
    life: Callable[[], EntryDatapath], device: int
) -> None:
    datapath = life()
    directory = pins.directory("hotswitch", f"promotion{os.getpid()}")

    def marks() -> list[str]:
        return [each.name for each in pins.listing(directory) if each.name.startswith(MARK)]

    link = link_actions.create_veth("gone1", "gone2")
    datapath.add_port("gone1", number=2, ifindex=link.index)
    wait_for_promotion(link.index)
    assert marks() == [f"clsact_{link.index}"]
    link_actions.delete(link.index)
    datapath.delete_port(2)
    assert marks() == []
    datapath.destroy()
