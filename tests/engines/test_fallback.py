"""Frames leave by a port's other link while the first does not work; nobody tells the switch."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from hotswitch.datapath.engines.kernel import ports, programs
from hotswitch.kernel import link_actions, link_state, netns
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.links import get_link
from hotswitch.model.port import Hook, LinkLife
from tests.engines.fallback import FRAME, falls_back, goes_to, is_usable, numbered, vif
from tests.engines.wires import Capture, wires
from tests.support.namespaces import namespace
from tests.support.wait import until

UNREAD = 2000
"""Frames that a socket has room for."""


@pytest.mark.parametrize("far_end", [False, True])
@pytest.mark.parametrize("entry", ["0 1 in_port=1 output:2", "0 1 in_port=1 outputs:1+2"])
@pytest.mark.parametrize("hook", [Hook.AUTO, Hook.XDP])
def test_frames_take_the_other_link_and_come_back(hook: Hook, entry: str, far_end: bool) -> None:
    with vif(entry, hook=hook) as (_, made):
        falls_back(made, far_end=far_end)


def test_a_link_that_is_deleted() -> None:
    with vif() as (datapath, made):
        before = datapath.ports()[2]
        link_actions.delete(made[2].near)
        left = {number: wire for number, wire in made.items() if number != 2}
        assert goes_to(left, 3)
        # That memory may be another link's by now, also one that works.
        for number in range(8):
            link_actions.set_up(link_actions.create_veth(f"new{number}", f"other{number}").index)
        assert goes_to(left, 3)
        assert datapath.ports()[2] == before


def test_the_next_best_of_many_links_is_taken() -> None:
    with vif(links=(2, 3, 4)) as (datapath, made):
        port = datapath.ports()[2]
        link_actions.set_up(made[2].near, up=False)
        assert goes_to(made, 3)
        datapath.set_port(replace(port, standby=port.standby[::-1]))
        assert goes_to(made, 4)


def test_a_port_that_has_one_link_left_has_no_other() -> None:
    with vif() as (datapath, made):
        port = datapath.ports()[2]
        datapath.set_port(replace(port, standby=()))
        link_actions.set_up(made[2].near, up=False)
        made[1].far.send(FRAME)
        capture = Capture({3: made[3]})
        until(lambda: datapath.port_statistics()[2].tx_packets == 1, "it is sent")
        link_actions.set_up(made[2].near)
        until(lambda: is_usable(made[2].near), "it is up again")
        assert goes_to(made, 2)
        assert capture.frames[3] == []


@pytest.mark.parametrize("hook", [Hook.AUTO, Hook.XDP])
def test_nothing_is_lost_when_a_link_is_set_down_and_deleted(hook: Hook) -> None:
    """Under traffic, while the port flips as the daemon has it flip, and before."""
    with vif(hook=hook) as (datapath, made):
        stop, sent = threading.Event(), [0]

        def send() -> None:
            while not stop.is_set():
                while sent[0] - len(capture.frames[2]) - len(capture.frames[3]) > UNREAD:
                    time.sleep(0.001)
                    if stop.is_set():
                        return
                made[1].far.send(numbered(sent[0]))
                sent[0] += 1
                if not sent[0] % 8:
                    time.sleep(0.0002)

        capture = Capture(made)
        two, three = datapath.ports()[2].links
        active = datapath.ports()[2]
        waiting = replace(active, ifindex=three.ifindex, standby=(two,))
        sender = threading.Thread(target=send)
        sender.start()
        try:
            for _ in range(10):
                link_actions.set_up(two.ifindex, up=False)
                capture.take()
                datapath.set_port(waiting)
                link_actions.set_up(two.ifindex)
                until(lambda: is_usable(two.ifindex), "it is up again")
                datapath.set_port(active)
                capture.take()
            time.sleep(0.01)
            capture.take()  # what its other end has received goes with it
            link_actions.set_up(two.ifindex, up=False)
            capture.take()
            wire = made[2]
            rest = Capture({number: each for number, each in made.items() if number != 2})
            rest.frames = {number: capture.frames[number] for number in rest.frames}
            link_actions.delete(two.ifindex)
            rest.take()
            datapath.set_port(replace(waiting, standby=()))
        finally:
            stop.set()
            sender.join()
        assert wire
        wanted = Counter(numbered(number) for number in range(sent[0]))

        def arrived() -> Counter[bytes]:
            return Counter(capture.frames[2] + capture.frames[3])

        rest.wait(lambda: arrived() == wanted, 5)
        assert arrived() == wanted
        assert capture.frames[2]
        assert capture.frames[3]


def test_without_access_to_the_kernels_memory_links_are_as_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "PROBE_READ_KERNEL", False)
    monkeypatch.setattr(ports, "link_states", lambda indexes: {})
    with vif() as (datapath, made):
        port = datapath.ports()[2]
        assert goes_to(made, 2)
        link_actions.set_up(made[2].near, up=False)
        assert not goes_to(made, 3)
        datapath.set_port(replace(port, ifindex=made[3].near, standby=(LinkLife(made[2].near),)))
        assert goes_to(made, 3)


def test_links_are_found_in_the_kernels_memory() -> None:
    with wires((1, 2)) as made:
        indexes = [wire.near for wire in made.values()]
        found = link_state.link_states([*indexes, 999_999])
        assert list(found) == indexes
        assert len({each.state for each in found.values()}) == 2
        assert link_state.link_states([]) == {}


def test_other_ends_in_another_namespace_are_handed_their_frames() -> None:
    """There the kernel hands frames straight over, if the link works that it is told."""
    with vif() as (datapath, made), namespace() as other:
        ends = {}
        descriptor = netns.open_namespace(other)
        for name in ("one", "two"):
            near = link_actions.create_veth(name, f"{name}far", peer_namespace=descriptor)
            with netns.inside(other):
                far = get_link(f"{name}far")
                assert far is not None
                link_actions.set_up(far.index)
                ends[near.index] = PacketSocket(far.index)
            link_actions.set_up(near.index)
            until(partial(is_usable, near.index), f"{name} is up")
        os.close(descriptor)
        one, two = ends
        port = replace(datapath.ports()[2], ifindex=one, standby=(LinkLife(two),))
        datapath.set_port(port)

        def arrives(index: int) -> bool:
            made[1].far.send(FRAME)
            return bool(until(lambda: (got := ends[index].receive()) and got.data == FRAME, "it"))

        assert arrives(one)
        link_actions.set_up(one, up=False)
        assert arrives(two)
        link_actions.set_up(one)
        until(partial(is_usable, one), "it is up again")
        assert arrives(one)
        for each in ends.values():
            each.close()
