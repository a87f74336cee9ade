"""A port with several links: which come and go, take over from each other, and have lives."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hotswitch.datapath.contract import DatapathError, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine, ports
from hotswitch.datapath.engines.kernel.spots import Place
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.links import Link, get_link
from hotswitch.model.port import Hook, LinkLife, Port, Side
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.engines.wires import Capture, Wire, wires
from tests.support.wait import until

REGISTRY = standard_registry()
FRAME = tcp4()
CROSS = ("0 1 in_port=1 output:2", "0 1 in_port=2 output:1")


def _life(name: str) -> EntryDatapath:
    return EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))


@contextmanager
def datapath_of(
    numbers: Sequence[int], *, xdp: bool = False
) -> Iterator[tuple[EntryDatapath, Mapping[int, Wire]]]:
    """A datapath whose ports 1 and 2 send to each other; and wires for its links."""
    name = f"links{os.getpid()}"
    with wires(numbers, xdp=xdp) as made:
        datapath = _life(name)
        try:
            datapath.change([PutEntry(read_entry(REGISTRY, text)) for text in CROSS])
            yield datapath, made
        finally:
            datapath.destroy()


def flipped(port: Port) -> Port:
    """The port with its last link as the one that frames leave by."""
    *rest, last = port.links
    return replace(port, ifindex=last.ifindex, incarnation=last.incarnation, standby=tuple(rest))


def engine_of(datapath: EntryDatapath) -> KernelEngine:
    engine = datapath._engine
    assert isinstance(engine, KernelEngine)
    return engine


def attached(ifindex: int) -> bool:
    """Whether any hotswitch takes what the link receives."""
    return clsact.find(ifindex) is not None or takes_by_tcx(ifindex)


def numbered(number: int) -> bytes:
    """A frame with a number in it."""
    return FRAME + number.to_bytes(4, "big")


@pytest.mark.parametrize("hook", [Hook.AUTO, Hook.XDP])
def test_nothing_is_lost_or_doubled_while_links_take_over_from_each_other(hook: Hook) -> None:
    with datapath_of((1, 2, 3), xdp=hook is Hook.XDP) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near, hook=hook)
        datapath.add_port("vif", ifindex=made[2].near, hook=hook, standby=(LinkLife(made[3].near),))
        engine = engine_of(datapath)
        before = engine.ports._attachments.at(2)
        stop = threading.Event()
        sent = [0]

        def send() -> None:
            while not stop.is_set():
                made[1].far.send(numbered(sent[0]))
                made[2 + sent[0] % 2].far.send(numbered(sent[0]))
                sent[0] += 1
                if not sent[0] % 8:
                    time.sleep(0.0002)

        capture = Capture(made)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            flips = 0
            while flips < 200 or sent[0] < 2000:
                datapath.set_port(flipped(datapath.ports()[2]))
                flips += 1
                capture.take()
        finally:
            stop.set()
            sender.join()
        assert engine.ports._attachments.at(2) == before
        wanted = Counter(numbered(number) for number in range(sent[0]))

        def arrived() -> bool:
            return len(capture.frames[1]) >= sent[0] and (
                len(capture.frames[2]) + len(capture.frames[3]) >= sent[0]
            )

        capture.wait(arrived, 5)
        assert Counter(capture.frames[1]) == wanted
        assert Counter(capture.frames[2] + capture.frames[3]) == wanted
        assert capture.frames[2]
        assert capture.frames[3]
        statistics = datapath.port_statistics()
        assert statistics[2].rx_packets == statistics[2].tx_packets == sent[0]
        assert statistics[2].tx_dropped == statistics[1].tx_dropped == 0


def test_another_link_takes_over_before_the_kernel_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks may have to wait for whoever changes devices, and frames were lost until then."""
    with datapath_of((1, 2, 3)) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near)
        datapath.add_port("vif", ifindex=made[2].near, standby=(LinkLife(made[3].near),))
        capture, usual = Capture(made), ports.get_links

        def asked(indexes: Sequence[int]) -> Mapping[int, Link]:
            made[1].far.send(FRAME)
            capture.wait(lambda: bool(capture.frames[3]), 5)
            return usual(indexes)

        monkeypatch.setattr(ports, "get_links", asked)
        datapath.set_port(flipped(datapath.ports()[2]))
        assert (capture.frames[2], capture.frames[3]) == ([], [FRAME])


def test_links_join_and_leave_a_port() -> None:
    with datapath_of((1, 2, 3, 4)) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near)
        port = datapath.add_port("vif", ifindex=made[2].near)
        capture = Capture(made)

        def crosses(wire: int, back: int) -> None:
            """What is sent into the wire comes out of 1; the answer by `back` only."""
            made[wire].far.send(FRAME)
            made[1].far.send(FRAME)
            assert capture.wait(lambda: bool(capture.frames[1] and capture.frames[back]), 5)
            assert {wire for wire, frames in capture.frames.items() if frames} == {1, back}
            for frames in capture.frames.values():
                frames.clear()

        crosses(2, 2)
        two, three, four = (LinkLife(made[wire].near) for wire in (2, 3, 4))
        datapath.set_port(replace(port, standby=(three, four)))
        for wire in (2, 3, 4):
            crosses(wire, 2)
        datapath.set_port(replace(port, ifindex=four.ifindex, standby=(three,)))
        assert not attached(two.ifindex)
        for wire in (3, 4):
            crosses(wire, 4)
        datapath.set_port(replace(port, ifindex=0, standby=(three, four)))
        made[3].far.send(FRAME)
        made[1].far.send(FRAME)
        assert capture.wait(lambda: bool(capture.frames[1]), 5)
        until(lambda: datapath.port_statistics()[2].tx_dropped == 1, "no link to leave by")
        datapath.delete_port(2)
        assert not any(attached(each.ifindex) for each in (two, three, four))


def test_what_fails_changes_nothing() -> None:
    with datapath_of((1, 2, 3)) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near)
        port = datapath.add_port("vif", ifindex=made[2].near)
        spots = engine_of(datapath).ports._attachments.at(2)
        nobody = LinkLife(999_999)
        with pytest.raises(DatapathError, match="999999"):
            datapath.set_port(
                replace(port, ifindex=made[3].near, standby=(LinkLife(made[2].near), nobody))
            )
        assert datapath.ports()[2] == port
        assert engine_of(datapath).ports._attachments.at(2) == spots
        assert not attached(made[3].near)
        capture = Capture(made)
        made[1].far.send(FRAME)
        assert capture.wait(lambda: bool(capture.frames[2]), 5)


@pytest.mark.parametrize("incarnations", [(7, 8), (0, 0), (0, 8), (7, 0)])
@pytest.mark.parametrize("promoted", [False, True])
def test_an_index_that_is_used_again_is_another_link(
    incarnations: tuple[int, int], promoted: bool
) -> None:
    before, after = incarnations
    with datapath_of((1,)) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near)
        index = _veth("old", 77)
        port = datapath.add_port("b", ifindex=index, incarnation=before)
        if promoted:
            until(lambda: takes_by_tcx(index), "a tcx link is there")
        link_actions.delete(index)
        assert _veth("new", 77) == index
        datapath.set_port(replace(port, incarnation=after))
        far = get_link("newfar")
        assert far is not None
        until(lambda: (link := get_link("new")) and link.carrier, "carrier")
        with PacketSocket(far.index) as outside:
            made[1].far.send(FRAME)
            until(lambda: (got := outside.receive()) and got.data == FRAME, "it leaves by it")
            outside.send(FRAME)
            capture = Capture(made)
            assert capture.wait(lambda: FRAME in capture.frames[1], 5)
        link_actions.delete(index)


def _veth(name: str, index: int) -> int:
    """A pair "name" and "namefar", up, the first with this index."""
    subprocess.run(
        f"ip link add {name} index {index} type veth peer name {name}far".split(), check=True
    )
    for each in (name, f"{name}far"):
        link = get_link(each)
        assert link is not None
        link_actions.set_up(link.index)
    return index


def test_another_life_without_a_change_of_links_keeps_all_attached() -> None:
    """What was not known becomes known: that is no reason to touch anything."""
    with datapath_of((1, 2)) as (datapath, made):
        port = datapath.add_port("a", ifindex=made[1].near)
        attached = engine_of(datapath).ports._attachments._attached
        before = attached.filters([1])
        assert before
        datapath.set_port(replace(port, incarnation=5))
        assert attached.filters([1]) == before


def test_a_port_changes_sides() -> None:
    """What the host sends comes in then, and what the link receives does not; and back."""
    with datapath_of((1, 2)) as (datapath, made):
        datapath.add_port("a", ifindex=made[1].near)
        port = datapath.add_port("b", ifindex=made[2].near)
        capture = Capture(made)
        with PacketSocket(made[2].near) as host:
            for side in (Side.HOST, Side.WIRE, Side.HOST):
                datapath.set_port(replace(port, side=side))
                sends, other = (host, made[2].far)[:: 1 if side is Side.HOST else -1]
                before = datapath.port_statistics()[2].rx_packets
                other.send(numbered(1))
                sends.send(numbered(2))
                assert capture.wait(lambda: bool(capture.frames[1]), 5)
                assert capture.frames[1].pop() == numbered(2)
                assert datapath.port_statistics()[2].rx_packets == before + 1
                made[1].far.send(numbered(3))
                until(lambda sends=sends: _hears(sends, numbered(3)), "it goes there")


def _hears(at: PacketSocket, frame: bytes) -> bool:
    heard = at.receive()
    return heard is not None and heard.data == frame


def test_a_later_life_keeps_the_links_that_live_on() -> None:
    name = f"links{os.getpid()}"
    with wires((1, 2, 3, 4)) as made:
        datapath = _life(name)
        try:
            datapath.change([PutEntry(read_entry(REGISTRY, text)) for text in CROSS])
            a = datapath.add_port("a", ifindex=made[1].near, incarnation=1)
            lives = [LinkLife(made[wire].near, (1 << 64) - wire) for wire in (2, 3, 4)]
            datapath.add_port(
                "vif", ifindex=lives[0].ifindex, incarnation=lives[0].incarnation,
                standby=tuple(lives[1:]),
            )  # fmt: skip
            datapath.close()
            datapath = _life(name)
            assert datapath.ports()[1] == a
            assert datapath.ports()[2].links == tuple(lives)
            capture = Capture(made)
            made[4].far.send(FRAME)
            assert capture.wait(lambda: bool(capture.frames[1]), 5)
            datapath.close()
            link_actions.delete(lives[0].ifindex)
            link_actions.delete(lives[2].ifindex)
            datapath = _life(name)
            had = lives[0].incarnation
            assert datapath.ports()[2] == Port(2, "vif", incarnation=had, standby=(lives[1],))
            capture = Capture({wire: made[wire] for wire in (1, 3)})
            made[3].far.send(FRAME)
            assert capture.wait(lambda: bool(capture.frames[1]), 5)
            datapath.set_port(flipped(datapath.ports()[2]))
            made[1].far.send(FRAME)
            assert capture.wait(lambda: bool(capture.frames[3]), 5)
        finally:
            datapath.destroy()
        assert not attached(lives[1].ifindex)


@pytest.mark.parametrize("seed", range(4))
def test_killed_while_links_join_leave_and_take_over(seed: int) -> None:
    """Whatever was going on: the port is one that was asked for, and nothing is left over."""
    name = f"links{os.getpid()}x{seed}"
    with wires((1, 2, 3, 4)) as made:
        indexes = [made[wire].near for wire in (2, 3, 4)]
        command = [
            sys.executable, "-m", "tests.engines.links_child", name, str(seed),
            *(str(index) for index in (made[1].near, *indexes)),
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            time.sleep(random.Random(seed).uniform(0.01, 1.5))
            child.kill()
        datapath = _life(name)
        try:
            links = [link.ifindex for link in datapath.ports()[2].links]
            assert 1 <= len(links) == len(set(links))
            # A port that was asked to have just these links still has.
            for index in indexes:
                assert attached(index) == (index in links)
            capture = Capture(made)
            capture.take()
            for frames in capture.frames.values():
                frames.clear()
            wire_of = {made[wire].near: wire for wire in made}
            for index in links:
                made[wire_of[index]].far.send(FRAME)
            made[1].far.send(FRAME)
            active = wire_of[links[0]]
            assert capture.wait(
                lambda: len(capture.frames[1]) == len(links) and bool(capture.frames[active]), 5
            )
            places = {spot.place for spot in engine_of(datapath).ports._attachments.at(2)}
            assert places == {Place.INGRESS}
        finally:
            datapath.destroy()
        assert not any(attached(index) for index in (made[1].near, *indexes))
