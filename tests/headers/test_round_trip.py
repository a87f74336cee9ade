"""What is built is read back, for all stacks of headers; and nothing that is read raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.build import build
from hotswitch.headers.checksum import internet_checksum
from hotswitch.headers.parse import PARSE_LIMIT, parse, write_fields
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from tests.headers.stacks import Stack, stacks

REGISTRY = Registry(BUILT_IN)


def expected_layers(stack: Stack) -> tuple[list[tuple[str, int]], bool]:
    """(layer, index in the stack) of what can be recorded, and whether the limit cuts it off."""
    found: list[tuple[str, int]] = []
    seen: dict[str, int] = {}
    for index, (name, _) in enumerate(stack):
        header = REGISTRY.headers[name]
        offset = len(build(REGISTRY, stack[:index]))
        if offset + header.size > PARSE_LIMIT:
            return found, True
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= header.repeat:
            found.append((name if seen[name] == 1 else f"{name}{seen[name]}", index))
    return found, False


def next_is_optional(stack: Stack) -> bool:
    """Whether what the limit cuts off first is optional."""
    offsets = [len(build(REGISTRY, stack[:index])) for index in range(len(stack))]
    headers = [REGISTRY.headers[name] for name, _ in stack]
    return next(
        header.optional
        for header, offset in zip(headers, offsets, strict=True)
        if offset + header.size > PARSE_LIMIT
    )


@given(stacks(REGISTRY))
def test_every_stack_is_read_back(drawn: tuple[Stack, bytes]) -> None:
    stack, payload = drawn
    frame = build(REGISTRY, stack, payload)
    parsed = parse(REGISTRY, frame)
    expected, cut = expected_layers(stack)
    assert list(parsed.layers) == [name for name, _ in expected]
    # A message that an option can follow may end here, and its absence is no fault.
    assert parsed.malformed == (cut and not next_is_optional(stack))
    if not cut:
        assert frame[parsed.end :] == payload
    for name, index in expected:
        placed = parsed.layers[name]
        given_values = stack[index][1]
        for field, value in given_values.items():
            if field == "options":
                start = placed.offset + REGISTRY.layers[name].header.size
                assert frame[start : start + len(value)] == value
            else:
                assert placed.values[field] == value


@given(stacks(REGISTRY))
def test_fields_written_back_are_the_same_bytes(drawn: tuple[Stack, bytes]) -> None:
    frame = build(REGISTRY, *drawn)
    for name, placed in parse(REGISTRY, frame).layers.items():
        header = REGISTRY.layers[name].header
        fixed = write_fields(header, placed.values)
        assert fixed == frame[placed.offset : placed.offset + header.size]


@given(stacks(REGISTRY))
def test_every_ipv4_header_sums_to_zero(drawn: tuple[Stack, bytes]) -> None:
    frame = build(REGISTRY, *drawn)
    placed = parse(REGISTRY, frame).layers.get("ipv4")
    if placed:
        assert internet_checksum(frame[placed.offset : placed.offset + placed.length]) == 0


@given(stacks(REGISTRY), st.data())
def test_damaged_frames_never_raise(drawn: tuple[Stack, bytes], data: st.DataObject) -> None:
    frame = bytearray(build(REGISTRY, *drawn))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    check_consistent(bytes(frame[: data.draw(st.integers(0, len(frame)))]))


@given(st.binary(max_size=400))
def test_random_bytes_never_raise(frame: bytes) -> None:
    check_consistent(frame)


def check_consistent(frame: bytes) -> None:
    """What is read is in the frame, in order, without gaps between what is recorded once."""
    parsed = parse(REGISTRY, frame)
    end = 0
    for name, placed in parsed.layers.items():
        header = REGISTRY.layers[name].header
        assert placed.offset >= end
        end = placed.offset + placed.length
        assert placed.offset + header.size <= PARSE_LIMIT
        assert end <= len(frame)
    assert end <= parsed.end <= len(frame)
    assert bool(parsed.layers) == (len(frame) >= 14)
