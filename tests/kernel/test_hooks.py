"""Programs on real devices: frames are sent and the program counts them, or drops them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hotswitch.kernel import link_actions, netlink
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import clsact, clsact_messages, tcx, xdp
from hotswitch.kernel.loader import link, load
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramType
from tests.kernel.code_for_bpf import compile_ir, counting, returning
from tests.kernel.conftest import Pair, wait_for

NEXT, DROP, XDP_PASS = -1, 2, 2
FRAME = bytes.fromhex("0200000000010200000000028888") + bytes(50)
LINKED = {verdict: link(compile_ir(counting(verdict))) for verdict in (-1, 2)}

HOOKS: list[tuple[ModuleType, ProgramType, int]] = [
    (tcx, ProgramType.SCHED_CLS, NEXT),
    (clsact, ProgramType.SCHED_CLS, NEXT),
    (xdp, ProgramType.XDP, XDP_PASS),
]


@pytest.fixture
def counts() -> Iterator[Map]:
    with Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as map_:
        yield map_


def counted(counts: Map) -> int:
    value = counts.lookup(bytes(4))
    assert value is not None
    return int(struct.unpack("<Q", value)[0])


def send(ifindex: int, frames: int = 1) -> None:
    with PacketSocket(ifindex) as sender:
        for _ in range(frames):
            sender.send(FRAME)


def quiet(pair: Pair) -> None:
    """No IPv6, so that nothing but the test's frames is on the wire."""
    for name in ("near", "far"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")


@pytest.mark.parametrize(("hook", "type_", "verdict"), HOOKS, ids=["tcx", "clsact", "xdp"])
def test_attach_replace_detach(
    hook: ModuleType, type_: ProgramType, verdict: int, pair: Pair, counts: Map
) -> None:
    quiet(pair)
    with (
        load(LINKED[verdict], {"counts": counts}, type_) as program,
        Program.load(type_, returning(verdict)) as other,
    ):
        before = counted(counts)
        attached = hook.attach(program, pair.near)
        assert attached.ifindex == pair.near
        send(pair.far, 3)
        wait_for(lambda: counted(counts) >= before + 3)
        attached.replace(other)
        after = counted(counts)
        with PacketSocket(pair.near) as receiver:
            send(pair.far, 2)
            assert wait_for(receiver.receive).data == FRAME
        assert counted(counts) == after
        attached.replace(program)
        attached.detach()
        send(pair.far)
        assert counted(counts) == after


@pytest.mark.parametrize("hook", [tcx, clsact, xdp], ids=lambda each: each.__name__[-6:])
def test_no_such_device(hook: ModuleType, inside: str) -> None:
    type_ = ProgramType.XDP if hook is xdp else ProgramType.SCHED_CLS
    with Program.load(type_, returning(0)) as program, pytest.raises(KernelError, match="attach"):
        hook.attach(program, 12345)


def test_an_attachment_knows_that_its_device_has_gone(inside: str) -> None:
    with (
        Program.load(ProgramType.SCHED_CLS, returning(-1)) as program,
        Program.load(ProgramType.XDP, returning(2)) as express,
    ):
        index = link_actions.create_veth("a", "b").index
        first, second, third = (
            tcx.attach(program, index),
            xdp.attach(express, index),
            tcx.attach(program, index, egress=True),
        )
        assert [each.ifindex for each in (first, second, third)] == [index] * 3
        link_actions.delete(index)
        assert [each.ifindex for each in (first, second, third)] == [0] * 3
        filtered = link_actions.create_veth("c", "d").index
        fourth = clsact.attach(program, filtered)
        link_actions.delete(filtered)
        assert fourth.ifindex == 0
        fourth.detach()  # no error
        for each in (first, second, third):
            each.detach()


def test_a_pinned_link_survives_its_process(pair: Pair, pin_directory: Path, inside: str) -> None:
    path = pin_directory / "link"
    script = f"""
from pathlib import Path
from hotswitch.kernel.hooks import tcx
from hotswitch.kernel.programs import Program, ProgramType
program = Program.load(ProgramType.SCHED_CLS, bytes.fromhex({returning(DROP).hex()!r}))
tcx.attach(program, {pair.near}).pin(Path({str(path)!r}))
tcx.attach(program, {pair.far})
"""
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    with BpfLink.from_pin(path) as again:
        info = again.info()
        assert info.ifindex == pair.near
        with Program.from_id(info.program_id) as program:
            assert program.test_run(FRAME).result == DROP
        again.detach()
    with BpfLink.from_pin(path) as again:
        assert again.ifindex == 0


def test_an_unpinned_link_goes_with_its_descriptor(pair: Pair) -> None:
    with Program.load(ProgramType.SCHED_CLS, returning(NEXT)) as program:
        attached = tcx.attach(program, pair.near)
        assert tcx.program_ids(pair.near) == [program.info().id]
        attached.close()
        assert tcx.program_ids(pair.near) == []


def test_programs_of_others_go_on_beside_ours(pair: Pair, counts: Map) -> None:
    with (
        load(LINKED[NEXT], {"counts": counts}, ProgramType.SCHED_CLS) as one,
        load(LINKED[NEXT], {"counts": counts}, ProgramType.SCHED_CLS) as another,
    ):
        quiet(pair)
        first, second = tcx.attach(one, pair.near), tcx.attach(another, pair.near)
        before = counted(counts)
        send(pair.far)
        wait_for(lambda: counted(counts) >= before + 2)
        first.detach()
        with pytest.raises(KernelError, match="exists"):
            tcx.attach(another, pair.near)  # the same program twice
        second.detach()


def test_generic_xdp(pair: Pair, counts: Map) -> None:
    with load(LINKED[XDP_PASS], {"counts": counts}, ProgramType.XDP) as program:
        attached = xdp.attach_generic(program, pair.near)
        with pytest.raises(KernelError, match="attach"):
            xdp.attach(program, pair.near)
        send(pair.far)
        wait_for(lambda: counted(counts) > 0)
        attached.detach()


def tc(*words: str) -> str:
    return subprocess.run(["tc", *words], check=True, capture_output=True, text=True).stdout


class TestClsactLeavesOthersAlone:
    """tc(8) plays the others."""

    @pytest.fixture
    def program(self) -> Iterator[Program]:
        with Program.load(ProgramType.SCHED_CLS, returning(NEXT)) as program:
            yield program

    def test_its_own_qdisc_goes_with_it(self, pair: Pair, program: Program) -> None:
        clsact.attach(program, pair.near).detach()
        assert "clsact" not in tc("qdisc", "show", "dev", "near")

    def test_another_ones_qdisc_stays(self, pair: Pair, program: Program) -> None:
        tc("qdisc", "add", "dev", "near", "clsact")
        attached = clsact.attach(program, pair.near)
        assert "hotswitch" in tc("filter", "show", "dev", "near", "ingress")
        attached.detach()
        assert "clsact" in tc("qdisc", "show", "dev", "near")
        assert tc("filter", "show", "dev", "near", "ingress") == ""

    @pytest.mark.parametrize("side", ["ingress", "egress"])
    def test_its_own_qdisc_stays_while_others_use_it(
        self, side: str, pair: Pair, program: Program
    ) -> None:
        attached = clsact.attach(program, pair.near)
        other = f"filter add dev near {side} prio 7 protocol all u32 match u32 0 0 classid 1:1"
        tc(*other.split())
        attached.detach()
        shown = tc("filter", "show", "dev", "near", side)
        assert "u32" in shown
        assert "hotswitch" not in shown

    def test_both_ways_out_are_apart(self, pair: Pair, program: Program) -> None:
        inwards = clsact.attach(program, pair.near)
        outwards = clsact.attach(program, pair.near, egress=True)
        assert "hotswitch" in tc("filter", "show", "dev", "near", "egress")
        outwards.detach()
        assert clsact.find(pair.near, egress=True) is None
        assert inwards.ifindex == pair.near
        assert clsact.find(pair.near) is not None
        inwards.detach()
        assert "clsact" not in tc("qdisc", "show", "dev", "near")

    def test_egress_sees_what_is_sent(self, pair: Pair, counts: Map) -> None:
        quiet(pair)
        with load(LINKED[DROP], {"counts": counts}, ProgramType.SCHED_CLS) as program:
            attached = clsact.attach(program, pair.near, egress=True)
            before = counted(counts)
            send(pair.far, 2)  # comes in
            assert counted(counts) == before
            with PacketSocket(pair.near) as sender, pytest.raises(KernelError, match="send"):
                sender.send(FRAME)  # the program drops it, and the sender is told
            assert counted(counts) == before + 1
            attached.detach()

    def test_anothers_filter_is_left_alone(self, pair: Pair, program: Program) -> None:
        """As when the device has gone, and its index is that of another hotswitch's device."""
        mine = clsact.attach(program, pair.near)
        tc("qdisc", "del", "dev", "near", "clsact")
        with Program.load(ProgramType.SCHED_CLS, returning(NEXT)) as other:
            theirs = clsact.attach(other, pair.near)
            assert mine.ifindex == 0
            mine.detach()
            with pytest.raises(KernelError, match="replace the filter"):
                mine.replace(program)
            assert theirs.ifindex == pair.near
            theirs.detach()

    def test_found_again_by_the_next_life(self, pair: Pair, program: Program) -> None:
        assert clsact.find(pair.near) is None
        clsact.attach(program, pair.near).close()
        with pytest.raises(KernelError, match="exists"):
            clsact.attach(program, pair.near)
        found = clsact.find(pair.near)
        assert found is not None
        found.replace(program)
        found.detach()
        assert clsact.find(pair.near) is None
        assert "clsact" not in tc("qdisc", "show", "dev", "near")
        with pytest.raises(KernelError, match="replace the filter"):
            found.replace(program)

    @pytest.mark.parametrize(
        ("kind", "unknown"),
        [("_IS_CLSACT", netlink.text(1, "unheard")), ("_FILTER", "unheard")],
    )
    def test_a_kernel_without_it_is_told_what_it_needs(
        self,
        kind: str,
        unknown: object,
        pair: Pair,
        program: Program,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(clsact_messages, kind, unknown)
        uncached = clsact_messages._runs.__wrapped__
        monkeypatch.setattr(clsact_messages, "_runs", uncached)
        with pytest.raises(KernelError, match=r"needs Linux 6\.6 or newer, or the mod") as caught:
            clsact.attach(program, pair.near)
        assert "\n" not in str(caught.value)
        assert "clsact" not in tc("qdisc", "show", "dev", "near")

    def test_a_program_of_the_wrong_type_changes_nothing(self, pair: Pair) -> None:
        with (
            Program.load(ProgramType.XDP, returning(2)) as express,
            pytest.raises(KernelError, match="attach"),
        ):
            clsact.attach(express, pair.near)
        assert "clsact" not in tc("qdisc", "show", "dev", "near")


def test_another_kind_of_pin_is_refused(
    pin_directory: Path, counts: Map, unique: Callable[[str], str]
) -> None:
    path = pin_directory / unique("m")
    counts.pin(path)
    with pytest.raises(KernelError, match="bpf-link expected, found bpf-map"):
        BpfLink.from_pin(path)
