"""A port with two links, of which either may fail."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import get_link
from hotswitch.model.port import Hook, LinkLife
from hotswitch.ports import members
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4
from tests.engines.kernel_harness import kernel_engine
from tests.engines.wires import Capture, Wire, wires
from tests.support.wait import until

REGISTRY = standard_registry()
FRAME = tcp4()


def numbered(number: int) -> bytes:
    """A frame with a number in it."""
    return FRAME + number.to_bytes(4, "big")


@contextmanager
def vif(
    entry: str = "0 1 in_port=1 output:2", *, hook: Hook = Hook.AUTO, links: Sequence[int] = (2, 3)
) -> Iterator[tuple[EntryDatapath, Mapping[int, Wire]]]:
    """Port 1, whose frames go to port 2, which has these links, the first of which is active."""
    name = f"fallback{os.getpid()}"
    with wires((1, *links), xdp=hook is Hook.XDP) as made:
        datapath = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
        try:
            datapath.change([PutEntry(read_entry(REGISTRY, entry))])
            datapath.add_port("a", ifindex=made[1].near, hook=hook)
            first, *others = (LinkLife(made[wire].near) for wire in links)
            datapath.add_port("vif", ifindex=first.ifindex, hook=hook, standby=tuple(others))
            yield datapath, made
        finally:
            datapath.destroy()


def goes_to(made: Mapping[int, Wire], wire: int) -> bool:
    """Whether what is sent into wire 1 comes out of this one, and of no other."""
    capture = Capture({number: each for number, each in made.items() if number != 1})
    capture.take()
    for frames in capture.frames.values():
        frames.clear()
    made[1].far.send(FRAME)
    return capture.wait(lambda: capture.frames[wire] == [FRAME], 5) and not any(
        frames for number, frames in capture.frames.items() if number != wire
    )


def far(wire: int) -> int:
    link = get_link(f"far{wire}")
    assert link is not None
    return link.index


def near(wire: int) -> int:
    link = get_link(f"near{wire}")
    assert link is not None
    return link.index


def is_usable(index: int) -> bool:
    link = get_link(index)
    return link is not None and members.is_usable(link)


def falls_back(made: Mapping[int, Wire], *, far_end: bool) -> None:
    """Set one end of the first link down and up again: frames take the other one meanwhile."""
    index = (far if far_end else near)(2)
    assert goes_to(made, 2)
    for _ in range(2):
        link_actions.set_up(index, up=False)
        with suppress(KernelError):  # a socket says once that its link has gone down
            made[2].far.receive()
        assert goes_to(made, 3)
        link_actions.set_up(index)
        until(lambda: is_usable(made[2].near), "it is up again")
        assert goes_to(made, 2)
