"""What hypervisors say, understood or refused; no device is needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.guests.errors import GuestError
from hotswitch.guests.place import Place, read_place
from hotswitch.guests.qemu import place_named
from hotswitch.guests.xen_call import Call, read_call
from hotswitch.guests.xen_interface import read_interface

_VLANS = st.integers(0, 4095)
_NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,14}", fullmatch=True)


@given(_NAMES, st.none() | _VLANS, st.lists(_VLANS, max_size=4))
def test_a_place_is_read_back(bridge: str, tag: int | None, trunks: list[int]) -> None:
    written = bridge + (f".{tag}" if tag is not None else "")
    written += "".join(f":{each}" for each in trunks)
    assert read_place(written) == Place(bridge, tag, tuple(trunks))


@given(st.text(max_size=20))
def test_any_other_text_is_a_place_or_refused(text: str) -> None:
    try:
        place = read_place(text)
    except GuestError:
        return
    assert place.bridge and not any(each.isspace() for each in place.bridge)
    assert all(0 <= each <= 4095 for each in (*place.trunks, place.tag or 0))


@pytest.mark.parametrize(
    ("program", "variable", "bridge"),
    [
        ("/etc/qemu-ifup", "", None),
        ("/etc/qemu-ifup", "br1", "br1"),
        ("/etc/qemu-ifup.br0", "br1", "br0"),
        ("/usr/bin/hotswitch-ifdown.br-lan", "", "br-lan"),
        ("/home/me/bridge.sh", "", None),
    ],
)
def test_the_name_of_a_script(program: str, variable: str, bridge: str | None) -> None:
    place = place_named(program, {"HOTSWITCH_BRIDGE": variable})
    assert (place.bridge if place else None) == bridge


_ENVIRONMENT = {"XENBUS_PATH": "backend/vif/7/1", "vif": "vif7.1", "INTERFACE": "vif7.1-emu"}


@pytest.mark.parametrize(
    ("arguments", "comes", "device"),
    [
        (["online", "type_if=vif"], True, "vif7.1"),
        (["type_if=vif", "offline"], False, "vif7.1"),
        (["online"], True, "vif7.1"),
        (["online", "vif=other0"], True, "other0"),
        (["add", "type_if=tap"], True, "vif7.1-emu"),
        (["remove", "type_if=tap"], False, "vif7.1-emu"),
    ],
)
def test_what_xl_calls_with(arguments: list[str], comes: bool, device: str) -> None:
    call = read_call(arguments, _ENVIRONMENT)
    assert call and (call.comes, call.device, call.path) == (comes, device, "backend/vif/7/1")


@pytest.mark.parametrize("arguments", [["add", "type_if=vif"], ["online", "type_if=tap"]])
def test_calls_that_say_nothing_new(arguments: list[str]) -> None:
    assert read_call(arguments, _ENVIRONMENT) is None


class _Values(dict[str, str]):
    """A store with these values."""

    def read(self, path: str) -> str:
        return self.get(path, "")

    def write(self, values: object) -> None:
        raise AssertionError("reading must not write")


def test_an_interface_of_which_little_is_said() -> None:
    """As of a guest whose folders are half gone."""
    call = Call(True, False, "backend/vif/7/1", "vif7.1", "vif7.1-emu")
    interface = read_interface(_Values(), call, "xenbr0")
    assert (interface.vif, interface.tap, interface.place) == ("vif7.1", "", Place("xenbr0"))
    assert interface.metadata == {} and interface.mtu == 0
    assert read_interface(_Values(), call, "").place is None
