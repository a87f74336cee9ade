"""Subjects that are only the kernel: a wire, a bare redirect program, the Linux bridge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bench import lab, programs
from bench.subjects.subject import Running
from hotswitch.kernel.programs import ProgramType


@contextmanager
def direct(name: str) -> Iterator[Running]:
    """One veth pair, nothing in between."""
    yield Running(lab.direct_pair(name))


@contextmanager
def linux_bridge(name: str) -> Iterator[Running]:
    """The kernel's bridge as it comes: learning, no VLANs."""
    pair = lab.switched_pair(name)
    lab.ip(pair.switch, "link add br0 type bridge")
    for near in lab.NEAR:
        lab.ip(pair.switch, f"link set {near} master br0")
    lab.ip(pair.switch, "link set br0 up")
    yield Running(pair, (pair.switch, lab.NEAR[0]))


def redirect(
    type_: ProgramType, helper: int = programs.REDIRECT
) -> Callable[[str], AbstractContextManager[Running]]:
    """A bare redirect program at both links."""

    @contextmanager
    def start(name: str) -> Iterator[Running]:
        pair = lab.switched_pair(name)
        if type_ is ProgramType.XDP:
            take_redirected(pair)
        with programs.redirecting(pair.switch, type_, helper):
            yield Running(pair, (pair.switch, lab.NEAR[0]))

    return start


def take_redirected(pair: lab.Pair) -> None:
    """Make the hosts' links fit for XDP in between.

    A veth takes frames that XDP redirects to it with GRO on. And no XDP program sees that a
    checksum is still to be computed, so the hosts must not leave that to the link.
    """
    for host in (pair.first, pair.second):
        lab.offload(host.namespace, host.link, "gro", True)
        lab.offload(host.namespace, host.link, "tx", False)
