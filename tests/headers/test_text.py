from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.field_text import TextError, read_value, show_value
from hotswitch.headers.registry import FieldInfo, Registry
from hotswitch.headers.standard import BUILT_IN

REGISTRY = Registry(BUILT_IN)
FIELDS = sorted(REGISTRY.fields(), key=lambda info: info.name)


@st.composite
def masked(draw: st.DrawFn) -> tuple[FieldInfo, int, int]:
    info = draw(st.sampled_from(FIELDS))
    some = st.integers(0, info.mask)
    prefix = st.integers(0, info.width).map(lambda ones: info.mask >> ones ^ info.mask)
    mask = draw(st.one_of(st.just(info.mask), prefix, some))
    return info, draw(some) & mask, mask


@given(masked())
def test_what_is_shown_is_read_back(drawn: tuple[FieldInfo, int, int]) -> None:
    info, value, mask = drawn
    text = show_value(info, value, mask)
    assert read_value(info, text) == (value, mask)
    assert not set(text) & set(", ")


@given(st.sampled_from(FIELDS), st.text(max_size=20))
def test_any_text_is_read_or_refused(info: FieldInfo, text: str) -> None:
    try:
        value, mask = read_value(info, text)
    except TextError as error:
        assert str(error).startswith(info.name)
        assert "\n" not in str(error)
    else:
        assert 0 <= mask <= info.mask and value & ~mask == 0


@pytest.mark.parametrize(
    ("field", "text", "value", "mask"),
    [
        ("ipv4.src", "10.1.2.3", 0x0A010203, 0xFFFFFFFF),
        ("ipv4.src", "10.1.2.3/8", 0x0A000000, 0xFF000000),
        ("ipv4.src", "10.1.2.3/255.0.0.255", 0x0A000003, 0xFF0000FF),
        ("ipv4.src", "10.1.2.3/0xff", 3, 0xFF),
        ("ipv4.src", "10.1.2.3/0", 0, 0),
        ("ipv6.dst", "fd00::1/7", 0xFC << 120, 0xFE << 120),
        ("ethernet.dst", "1:0:5e:00:00:01/01:00:00:00:00:00", 1 << 40, 1 << 40),
        ("ethertype", "0x0800", 0x0800, 0xFFFF),
        ("ethertype", "2048", 0x0800, 0xFFFF),
        ("vlan.vid", "10", 10, 0xFFF),
        ("vlan.vid", "0x10/0xf0", 0x10, 0xF0),
        ("tcp.flags", "0b10/0b11", 2, 3),
    ],
)
def test_reads(field: str, text: str, value: int, mask: int) -> None:
    assert read_value(REGISTRY.field(field), text) == (value, mask)


@pytest.mark.parametrize(
    ("field", "value", "mask", "text"),
    [
        ("ipv4.src", 0x0A000000, 0xFF000000, "10.0.0.0/8"),
        ("ipv4.src", 0, 0, "0.0.0.0/0"),
        ("ipv4.src", 3, 0xFF, "0.0.0.3/0.0.0.255"),
        ("ipv4.src", 0x0A000001, -1, "10.0.0.1"),
        ("ipv6.dst", 0xFD << 120, 0xFFFF << 112, "fd00::/16"),
        ("ethernet.dst", 1 << 40, 1 << 40, "01:00:00:00:00:00/01:00:00:00:00:00"),
        ("vlan.vid", 16, 0xF0, "0x10/0xf0"),
        ("vlan.vid", 16, 0xFFF, "16"),
        ("ethertype", 0x86DD, 0xFFFF, "0x86dd"),
    ],
)
def test_shows(field: str, value: int, mask: int, text: str) -> None:
    assert show_value(REGISTRY.field(field), value, mask) == text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("vlan.vid", "4096"),
        ("vlan.vid", "-1"),
        ("vlan.vid", ""),
        ("vlan.vid", "ten"),
        ("vlan.vid", "1_0"),
        ("vlan.vid", "1/"),
        ("vlan.vid", "1/2/3"),
        ("vlan.vid", "9" * 5000),
        ("vlan.vid", "٣"),
        ("ethernet.src", "aa:bb:cc:dd:ee"),
        ("ethernet.src", "+1:00:00:00:00:00"),
        ("ipv4.src", "10.0.0.256"),
        ("ipv4.src", "10.0.0.0/33"),
        ("ipv4.src", "10.0.0.0/-1"),
        ("ipv6.src", "fe80::1%eth0"),
        ("ipv6.src", "10.0.0.1"),
    ],
)
def test_refuses_in_one_line_with_the_fields_name(field: str, text: str) -> None:
    with pytest.raises(TextError) as caught:
        read_value(REGISTRY.field(field), text)
    message = str(caught.value)
    assert message.startswith(field) and "\n" not in message and len(message) < 160
