"""Programs: loading, refusals, test runs, statistics."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from hotswitch.kernel import maps as maps_module
from hotswitch.kernel import programs as programs_module
from hotswitch.kernel.btf import SourceLine
from hotswitch.kernel.error import KernelError, VerifierError
from hotswitch.kernel.loader import link, load
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import (
    XDP_LIVE_FRAMES,
    Program,
    ProgramType,
    enable_statistics,
)
from tests.kernel.code_for_bpf import (
    EXIT,
    compile_ir,
    counting,
    instruction,
    returning,
    set_register,
)

FRAME = bytes(range(64))

# r1 is the context; skb->data and skb->data_end are at 76 and 80.
FIRST_BYTE = (
    instruction(0x61, 2, 1, 76)  # r2 = data
    + instruction(0x61, 3, 1, 80)  # r3 = data_end
    + instruction(0xBF, 4, 2)  # r4 = r2
    + instruction(0x07, 4, immediate=2)  # r4 += 2
    + set_register(0, 0)
    + instruction(0x2D, 4, 3, 3)  # if r4 > r3 goto out
    + instruction(0x71, 0, 2, 1)  # r0 = the second byte
    + set_register(5, 0xEE)
    + instruction(0x73, 2, 5, 0)  # the first byte = r5
    + EXIT
)


def test_a_test_run_gives_result_and_frame() -> None:
    with Program.load(ProgramType.SCHED_CLS, FIRST_BYTE, name="first") as program:
        run = program.test_run(FRAME)
        assert run.result == 1
        assert run.data == b"\xee" + FRAME[1:]
        assert program.test_run(FRAME, repeat=100).duration >= 0
        with pytest.raises(KernelError, match="frame of 13 bytes"):
            program.test_run(FRAME[:13])
        with pytest.raises(KernelError) as caught:
            program.test_run(FRAME, room=10)
        assert caught.value.errno == errno.ENOSPC


def test_a_test_run_takes_and_gives_the_context() -> None:
    mark = instruction(0x61, 0, 1, 8) + instruction(0x62, 1, 0, 8, 77) + EXIT  # skb->mark
    context = bytearray(192)
    struct.pack_into("<I", context, 8, 55)
    with Program.load(ProgramType.SCHED_CLS, mark) as program:
        run = program.test_run(FRAME, context=bytes(context))
        assert run.result == 55
        assert struct.unpack_from("<I", run.context, 8) == (77,)


def test_live_frames_are_really_run() -> None:
    linked = link(compile_ir(counting(1)))
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as counts,
        load(linked, {"counts": counts}, ProgramType.XDP) as program,
    ):
        program.test_run(FRAME, repeat=1000, flags=XDP_LIVE_FRAMES, batch_size=64)
        assert counts.lookup(bytes(4)) == struct.pack("<Q", 1000)


def test_the_verifier_says_why() -> None:
    with pytest.raises(VerifierError) as caught:
        Program.load(ProgramType.SCHED_CLS, EXIT, name="bad")
    assert "R0 !read_ok" in caught.value.log
    assert caught.value.reason == "R0 !read_ok"
    assert str(caught.value) == "load the program bad: Permission denied: R0 !read_ok"


@pytest.mark.parametrize("code", [b"", bytes(8), b"\xff" * 64, returning(0)[:8]])
def test_garbage_is_refused(code: bytes) -> None:
    with pytest.raises(VerifierError, match="load the program"):
        Program.load(ProgramType.XDP, code)


def test_the_log_quotes_lines_of_source() -> None:
    lines = [SourceLine(0, 12, "table 0: drop", "pipeline"), SourceLine(1, 13, "return")]
    with pytest.raises(VerifierError) as caught:
        Program.load(
            ProgramType.SCHED_CLS,
            set_register(1, 0) + EXIT,
            functions={0: "main"},
            lines=lines,
        )
    assert "; table 0: drop @ pipeline:12" in caught.value.log or "; table 0: drop" in (
        caught.value.log
    )
    with Program.load(
        ProgramType.SCHED_CLS, returning(5), functions={0: "ma in"}, lines=lines
    ) as program:
        assert program.test_run(FRAME).result == 5


def test_a_log_can_be_asked_for() -> None:
    with Program.load(ProgramType.SCHED_CLS, returning(0), log_level=1) as program:
        assert "processed 2 insns" in program.log
    with Program.load(ProgramType.SCHED_CLS, returning(0)) as program:
        assert program.log == ""


def test_what_the_kernel_says_about_a_program() -> None:
    with Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as map_:
        code = struct.pack("<BBhiiI", 0x18, 0x11, 0, map_.fd, 0, 0) + returning(3)
        with Program.load(ProgramType.SCHED_CLS, code, name="a-name-too-long-for-it") as program:
            info = program.info()
            assert info.name == "a_name_too_long"
            assert info.map_ids == (map_.id,)
            assert info.type == ProgramType.SCHED_CLS
            assert len(info.tag) == 16
            assert info.verified_instructions == 3
            assert info.translated_length == len(program.instructions()) == len(code)
            with Program.from_id(info.id) as again:
                assert again.info() == info
    with pytest.raises(KernelError, match="open the program 4294967295"):
        Program.from_id(0xFFFFFFFF)


def test_statistics_are_counted_while_asked_for() -> None:
    with Program.load(ProgramType.SCHED_CLS, returning(0)) as program:
        descriptor = enable_statistics()
        try:
            program.test_run(FRAME, repeat=10)
            assert program.info().run_count == 10
            assert program.info().run_time > 0
        finally:
            os.close(descriptor)


def test_pin_and_open_again(pin_directory: Path) -> None:
    with Program.load(ProgramType.SCHED_CLS, returning(9)) as program:
        program.pin(pin_directory / "program")
    with Program.from_pin(pin_directory / "program") as again:
        assert again.test_run(FRAME).result == 9
    with pytest.raises(KernelError, match="bpf-map expected, found bpf-prog"):
        Map.from_pin(pin_directory / "program")


def test_a_signal_during_verification_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known, left = programs_module.call, [2]

    def call(command: int, attributes: object) -> int:
        if left[0]:
            left[0] -= 1
            return -errno.EAGAIN
        return known(command, attributes)  # type: ignore[arg-type]

    monkeypatch.setattr(programs_module, "call", call)
    with Program.load(ProgramType.SCHED_CLS, returning(1)) as program:
        assert program.test_run(FRAME).result == 1


def test_no_privilege_is_said_in_one_line() -> None:
    """In a child without capabilities, and where nobody may use BPF without them."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        text = "nothing was refused"
        try:
            os.setgid(65534)
            os.setuid(65534)
            maps_module.Map.create(MapType.LPM_TRIE, key_size=8, value_size=8, max_entries=1)
        except KernelError as error:
            text = str(error)
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        assert pipe.read() == (
            "create the map lpm_trie (LPM_TRIE, 1 entries): Operation not permitted "
            "(needs root or CAP_BPF and CAP_NET_ADMIN)"
        )
    os.waitpid(child, 0)
