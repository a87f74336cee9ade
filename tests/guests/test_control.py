"""What a script says when it can't ask the daemon."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from hotswitch.guests.control import Control, with_daemon
from hotswitch.guests.errors import AbsentError, GuestError, RefusedError

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


def _ask(control: Control) -> Any:
    return control.call("port/show", {"name": "tap7"})


def test_answers(tmp_path: Path) -> None:
    for number, (answer, expected) in enumerate(
        (
            (b'{"id": 0, "result": {"a": [1]}, "error": null}', {"a": [1]}),
            (b'{"id": 0, "result": null, "error": "no such port"}', RefusedError("no such port")),
            (b'{"id": 0, "resu', AbsentError("lost the daemon at")),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        thread = _answering(folder / "ctl.sock", answer)
        environment = {"HOTSWITCH_RUN_DIR": str(folder)}
        if isinstance(expected, GuestError):
            with pytest.raises(type(expected), match=str(expected)):
                with_daemon(environment, _ask)
        else:
            assert with_daemon(environment, _ask) == expected
        thread.join()


def test_a_daemon_is_awaited(tmp_path: Path) -> None:
    """The first one ends in the middle of its answer, and the next one knows."""
    begun: list[Control] = []
    threads: list[threading.Thread] = []

    def ask(control: Control) -> Any:
        begun.append(control)
        if len(begun) == 1:
            (tmp_path / "ctl.sock").unlink()
            threads.append(_answering(tmp_path / "ctl.sock", b'{"result": 7, "error": null}'))
        return _ask(control)

    threads.append(_answering(tmp_path / "ctl.sock", b'{"resu'))
    assert with_daemon({"HOTSWITCH_RUN_DIR": str(tmp_path)}, ask, patience=20) == 7
    assert len(begun) == 2
    for thread in threads:
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
