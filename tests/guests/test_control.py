"""What a script says when it can't ask the daemon."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from hotswitch.guests.control import Control, connect
from hotswitch.guests.errors import GuestError, RefusedError

_NOBODY = 65534


def _answering(path: Path, answer: bytes) -> threading.Thread:
    """A daemon that gives one client this answer, in two parts."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(answer[:5])
            client.sendall(answer[5:])

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_answers(tmp_path: Path) -> None:
    for number, (answer, expected) in enumerate(
        (
            (b'{"id": 0, "result": {"a": [1]}, "error": null}', {"a": [1]}),
            (b'{"id": 0, "result": null, "error": "no such port"}', RefusedError("no such port")),
            (b'{"id": 0, "resu', GuestError("lost the daemon at")),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        thread = _answering(folder / "ctl.sock", answer)
        with connect({"HOTSWITCH_RUN_DIR": str(folder)}) as control:
            if isinstance(expected, GuestError):
                with pytest.raises(type(expected), match=str(expected)):
                    control.call("port/show", {"name": "tap7"})
            else:
                assert control.call("port/show", {"name": "tap7"}) == expected
        thread.join()


def test_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="start it: hotswitchd --run-dir"):
        Control(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be nobody")
def test_not_allowed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "ctl.sock"))
        listener.listen()
        (tmp_path / "ctl.sock").chmod(0o600)
        os.seteuid(_NOBODY)
        try:
            with pytest.raises(GuestError, match="for root and the daemon's group"):
                Control(str(tmp_path))
        finally:
            os.seteuid(0)


def test_a_daemon_that_hangs(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "ctl.sock"))
        listener.listen()
        with (
            Control(str(tmp_path), timeout=1) as control,
            pytest.raises(GuestError, match="does not answer"),
        ):
            control.call("bridge/list", {})
