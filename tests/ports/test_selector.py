from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel.links import Link
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.selector import (
    By,
    Finder,
    Selector,
    read_incarnation,
    read_selector,
    show_incarnation,
)

CARD = Link(
    3,
    "eth0",
    alternative_names=("uplink", "tap0"),
    permanent_address=0x525400123456,
    bus="pci/0000:00:03.0",
    driver="virtio_net",
    id=7,
)
TAP = Link(4, "tap0", kind="tun")
OTHER = Link(5, "eth1", driver="virtio_net")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name=eth0", [CARD]),
        ("name=uplink", [CARD]),
        ("name=tap0", [TAP]),
        ("alternative-name=tap0", [CARD]),
        ("permanent-address=52:54:0:12:34:56", [CARD]),
        ("bus=pci/0000:00:03.0", [CARD]),
        ("driver=virtio_net", [CARD, OTHER]),
        (" id = 007 ", [CARD]),
        ("id=8", []),
        ("id=2147483647", []),
        ("name=eth9", []),
    ],
)
def test_links_are_found(text: str, found: list[Link]) -> None:
    selector = read_selector(text)
    assert Finder([CARD, TAP, OTHER]).find(selector) == found
    assert all(selector.fits(link) for link in found)
    assert read_selector(str(selector)) == selector


@pytest.mark.parametrize(
    "text",
    ["", "tap0", "name=", "name", "nam=x", "permanent-address=52:54", "id=x", "id=-1", "id=²",
     "id=2147483648", "id=" + "9" * 120, "name=a\nb", "name=" + "x" * 128, "=x", "bus=\ud800" * 70],
)  # fmt: skip
def test_what_selects_nothing_is_refused(text: str) -> None:
    with pytest.raises(PortTextError):
        read_selector(text)


@given(st.text() | st.builds("{}={}".format, st.sampled_from(By), st.text()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        selector = read_selector(text)
    except PortTextError:
        return
    assert isinstance(selector, Selector) and read_selector(str(selector)) == selector


@given(st.integers(1, (1 << 64) - 1))
def test_incarnations_round_trip(incarnation: int) -> None:
    assert read_incarnation(show_incarnation(incarnation)) == incarnation


@pytest.mark.parametrize("text", ["", "0", "x", "-1", "1" * 17, "1_0", "0x"])
def test_what_is_no_incarnation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        read_incarnation(text)
