"""A port is made for one device, whatever is in its way; with a daemon that answers as told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hotswitch.guests.control import Control
from hotswitch.guests.errors import GuestError, RefusedError
from hotswitch.guests.plug import only_bridge, plug

_WANTED = {"name": "tap7", "bridge": "br0", "tag": 10}


def _port(index: int, bridge: str = "br0", tag: int | None = 10) -> dict[str, Any]:
    """The port with a device of this index, whose incarnation is the index too."""
    link = {"device": "tap7", "ifindex": index, "incarnation": str(index)}
    return {"bridge": bridge, "tag": tag, "links": [link] if index else [], "error": ""}


class _Told(Control):
    """answers: for each look at the port, what it sees; none: it is not there."""

    def __init__(self, *answers: dict[str, Any] | None, refusal: str = "") -> None:
        self._answers = list(answers)
        self._refusal = refusal
        self.times_added = 0

    def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        if method == "port/add":
            assert parameters == _WANTED
            self.times_added += 1
            if self._refusal:
                raise RefusedError(self._refusal)
            return {}
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if method == "port/show" and answer is None:
            raise RefusedError("there is no port tap7")
        return answer


def test_it_has_the_device_that_is_meant() -> None:
    control = _Told(_port(8))
    assert plug(control, _WANTED, 8) == "8"
    assert control.times_added == 1


def test_another_ones_port_is_in_the_way() -> None:
    """Its device has gone, the daemon notices, and at last the new one is there."""
    control = _Told(_port(7), _port(7), _port(0), None, _port(8))
    assert plug(control, _WANTED, 8) == "8"
    assert control.times_added == 5


def test_a_refusal_is_told_when_there_is_no_port() -> None:
    """Once more it is tried: what was in the way may have gone between question and look."""
    control = _Told(None, refusal="there is no bridge br0")
    with pytest.raises(RefusedError, match="no bridge br0"):
        plug(control, _WANTED, 8)
    assert control.times_added == 2


def test_patience_ends() -> None:
    for control, said in (
        (_Told(_port(7), refusal="tap7 is already a port"), "already a port"),
        (_Told(_port(0)), "does not get its device"),
    ):
        moments = iter([0.0, 1.0, 4.9, 5.1])
        with pytest.raises(GuestError, match=said):
            plug(control, _WANTED, 8, lambda moments=moments: next(moments))
        assert control.times_added == 3


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (_port(8, "br1"), "a port of bridge br1"),
        (_port(8, tag=None), "without tag and not with tag 10"),
    ],
)
def test_a_port_elsewhere_is_no_port_here(port: dict[str, Any], said: str) -> None:
    with pytest.raises(GuestError, match=said):
        plug(_Told(port, refusal="it is there"), _WANTED, 8)


def test_the_only_bridge() -> None:
    def answer(*names: str, refused: tuple[str, ...] = ()) -> Any:
        return [{"name": each, "error": "no"} for each in refused] + [
            {"name": each, "error": ""} for each in names
        ]

    assert only_bridge(_Told(answer("br0")), "") == "br0"
    assert only_bridge(_Told(answer("br0", refused=("a/b",))), "") == "br0"
    assert only_bridge(_Told(answer(refused=("a/b",))), "") == "a/b"  # whose refusal says why
    for names in ((), ("br0", "br1")):
        with pytest.raises(GuestError, match="no bridge is named"):
            only_bridge(_Told(answer(*names)), "set BRIDGE")
