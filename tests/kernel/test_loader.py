"""Linking of compiled objects; what is linked is loaded and run."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel.error import LinkError
from hotswitch.kernel.loader import Linked, link, load, programs, resolve
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import ProgramType
from tests.kernel.code_for_bpf import compile_ir, counting

FRAME = bytes(64)

COUNTER = counting(7)

CALLS = """
define internal i64 @twice(i64 %x) noinline {
  %y = call i64 @next(i64 %x)
  %z = add i64 %y, %x
  ret i64 %z
}
define internal i64 @next(i64 %x) noinline {
  %y = xor i64 %x, 21
  ret i64 %y
}
define i32 @main(ptr %context) section "tc" {
  %length = load i32, ptr %context
  %wide = zext i32 %length to i64
  %r = call i64 @twice(i64 %wide)
  %n = trunc i64 %r to i32
  ret i32 %n
}
"""

LOOP = """
define internal i64 @step(i64 %index, ptr %sum) noinline {
  %old = load i64, ptr %sum
  %new = add i64 %old, %index
  store i64 %new, ptr %sum
  ret i64 0
}
define i32 @main(ptr %context) section "tc" {
  %sum = alloca i64
  store i64 0, ptr %sum
  %n = call i64 inttoptr (i64 181 to ptr)(i32 10, ptr @step, ptr %sum, i64 0)
  %result = load i64, ptr %sum
  %r = trunc i64 %result to i32
  ret i32 %r
}
"""


def run(linked: Linked, maps: Mapping[str, Map | int] = MappingProxyType({})) -> int:
    with load(linked, maps, ProgramType.SCHED_CLS, name="test") as program:
        return program.test_run(FRAME).result


def test_one_object_is_loaded_with_other_maps() -> None:
    linked = link(compile_ir(COUNTER))
    assert linked.maps == ("counts",)
    key = bytes(4)
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as first,
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as second,
    ):
        assert run(linked, {"counts": first}) == 7
        assert run(linked, {"counts": second.fd}) == 7
        assert run(linked, {"counts": second.fd}) == 7
        assert first.lookup(key) == struct.pack("<Q", 1)
        assert second.lookup(key) == struct.pack("<Q", 2)


def test_calls_of_functions_in_another_section() -> None:
    linked = link(compile_ir(CALLS))
    assert [each.name for each in linked.functions] == ["main", "twice", "next"]
    assert run(linked) == (64 ^ 21) + 64


def test_calls_within_one_section() -> None:
    linked = link(compile_ir(CALLS.replace('section "tc"', "")), "main")
    assert linked.functions[0].name == "main"
    assert linked.functions[0].start == 0
    assert run(linked) == (64 ^ 21) + 64


def test_a_function_pointer_for_bpf_loop() -> None:
    assert run(link(compile_ir(LOOP))) == sum(range(10))


def test_each_program_of_an_object_gets_only_what_it_reaches() -> None:
    text = CALLS + 'define i32 @other(ptr %c) section "xdp" { ret i32 3 }'
    compiled = compile_ir(text)
    assert sorted(programs(compiled)) == ["main", "other"]
    with pytest.raises(LinkError, match="2 programs"):
        link(compiled)
    with pytest.raises(LinkError, match="no function third"):
        link(compiled, "third")
    other = link(compiled, "other")
    assert [each.name for each in other.functions] == ["other"]
    assert run(other) == 3


@pytest.mark.parametrize(
    "data",
    [
        "@data = constant [4 x i64] [i64 1, i64 2, i64 3, i64 4]",
        "@data = global [4 x i64] zeroinitializer",
        "@data = global [4 x i64] [i64 1, i64 2, i64 3, i64 4]",
    ],
)
def test_data_sections_are_refused(data: str) -> None:
    text = f"""{data}
    define i32 @main(ptr %context) section "tc" {{
      %i = load i32, ptr %context
      %w = zext i32 %i to i64
      %p = getelementptr i64, ptr @data, i64 %w
      %v = load i64, ptr %p
      %r = trunc i64 %v to i32
      ret i32 %r
    }}"""
    with pytest.raises(LinkError, match="data of its own"):
        link(compile_ir(text))


def test_a_call_of_what_is_not_there_is_refused() -> None:
    text = """declare i32 @absent(i32)
    define i32 @main(ptr %context) section "tc" {
      %r = call i32 @absent(i32 1)
      ret i32 %r
    }"""
    with pytest.raises(LinkError, match="calls absent"):
        link(compile_ir(text))


def test_a_missing_map_is_named() -> None:
    with pytest.raises(LinkError, match="the map counts"):
        resolve(link(compile_ir(COUNTER)), {})


@pytest.mark.parametrize("cut", [0, 3, 20, 64, 100, 200])
def test_what_is_no_object_is_refused(cut: int) -> None:
    with pytest.raises(LinkError):
        link(compile_ir(COUNTER)[:cut])


COMPILED = compile_ir(CALLS + COUNTER.replace("@main", "@other"))


@given(st.lists(st.tuples(st.integers(0, len(COMPILED) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_object_is_linked_or_refused(damage: list[tuple[int, int]]) -> None:
    broken = bytearray(COMPILED)
    for position, value in damage:
        broken[position] = value
    for entry in ("main", "other"):
        with contextlib.suppress(LinkError):
            linked = link(bytes(broken), entry)
            assert len(linked.instructions) % 8 == 0
            resolve(linked, dict.fromkeys(linked.maps, 3))
