"""The wires carry frames as they are, and nothing else; tried with a mere redirect."""

import pytest
from hypothesis import given, settings

from hotswitch.headers.standard import standard_registry
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.hooks import tcx
from hotswitch.kernel.hooks import xdp as hook_xdp
from hotswitch.kernel.programs import Program, ProgramType
from tests.engines import strategies
from tests.engines.fixtures import FIXTURES
from tests.engines.wires import Capture, can_arrive, wires
from tests.kernel.code_for_bpf import EXIT, instruction, set_register


def redirect(near: int, other: int, *, xdp: bool = False) -> BpfLink:
    """Every frame that comes in at `near` goes out at `other`."""
    call_redirect = instruction(0x85, immediate=23)
    code = set_register(1, other) + set_register(2, 0) + call_redirect + EXIT
    kind, hook = (ProgramType.XDP, hook_xdp) if xdp else (ProgramType.SCHED_CLS, tcx)
    with Program.load(kind, code) as program:
        attached: BpfLink = hook.attach(program, near)
        return attached


@pytest.mark.parametrize("xdp", [False, True], ids=["tcx", "xdp"])
def test_all_frames_of_fixtures_are_carried(xdp: bool) -> None:
    sent = {frame for each in FIXTURES.values() for _, frame in each.frames if can_arrive(frame)}
    _carry(sorted(sent) + sorted(sent, reverse=True), xdp)


@settings(max_examples=3)
@given(strategies.scenes(standard_registry(), on_wires=True))
def test_random_frames_are_carried(scene: tuple[object, list[tuple[int, bytes]]]) -> None:
    _carry([frame for _, frame in scene[1]])


def _carry(frames: list[bytes], xdp: bool = False) -> None:
    with wires((1, 2), xdp=xdp) as made, redirect(made[1].near, made[2].near, xdp=xdp):
        capture = Capture(made)
        for frame in frames:
            made[1].far.send(frame)
        assert capture.wait(lambda: len(capture.frames[2]) >= len(frames), 5)
        assert capture.frames == {1: [], 2: frames}


def test_a_frame_that_linux_drops() -> None:
    with wires((1, 2)) as made, redirect(made[1].near, made[2].near):
        capture = Capture(made)
        short, marker = bytes(12) + b"\x81\0" + bytes(5), bytes(60)
        assert not can_arrive(short)
        for frame in (short, marker):
            made[1].far.send(frame)
        assert capture.wait(lambda: bool(capture.frames[2]), 5)
        assert capture.frames[2] == [marker]
