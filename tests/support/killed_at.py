"""hotswitchd, which kills itself at a given step: `python -m tests.support.killed_at OPTIONS…`.

It counts when SIGUSR2 comes. A step is a return from a function by which the kernel or a file is
changed; at the step whose number is in the file $KILLED_AT, it is killed, and `$KILLED_AT.step`
says where. `$KILLED_AT.counts` is there as soon as it counts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from hotswitch.app.daemon import main
from hotswitch.kernel.syscall import Command

_CHANGES = {
    Command.MAP_UPDATE,
    Command.MAP_DELETE,
    Command.PIN,
    Command.MAP_LOOKUP_AND_DELETE,
    Command.MAP_UPDATE_BATCH,
    Command.MAP_DELETE_BATCH,
    Command.LINK_CREATE,
    Command.LINK_UPDATE,
    Command.LINK_DETACH,
}
"""What they do outlasts the process."""

Arguments = Mapping[str, Any]


def _always(_: Arguments) -> str:
    return "-"


def _of_bpf(given: Arguments) -> str:
    """The command, if it changes anything."""
    command = Command(given["command"])
    return command.name if command in _CHANGES else ""


def _of_rtnetlink(given: Arguments) -> str:
    """What for, if it changes anything: every fourth kind of message asks (linux/rtnetlink.h)."""
    return "" if given["kind"] % 4 == 2 else given["attempt"]


_STEPS: Mapping[tuple[str, str], Callable[[Arguments], str]] = {
    ("kernel/netlink.py", "request"): _of_rtnetlink,
    ("kernel/netlink.py", "requests"): _always,
    ("kernel/pins.py", "remove"): _always,
    ("kernel/pins.py", "rename"): _always,
    ("kernel/syscall.py", "call"): _of_bpf,
    ("kernel/tap.py", "create_tap"): _always,
    ("netlink/server/journal_file.py", "append"): _always,
    ("netlink/server/journal_file.py", "rewrite"): _always,
    ("ovsdb/log_file.py", "_write"): _always,
    ("ovsdb/log_file.py", "_truncate"): _always,
    ("ovsdb/log_file.py", "install"): _always,
    ("ports/link_id_file.py", "_write"): _always,
    ("ports/link_id_file.py", "_write_all"): _always,
    ("ports/vnics_file.py", "save"): _always,
}
"""By file and function, what tells of its arguments what was changed, or nothing."""


class _Counter:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._left = 0
        self._known: dict[CodeType, Callable[[Arguments], str] | None] = {}

    def begin(self, *_: object) -> None:
        self._left = int(self._file.read_text())
        sys.setprofile(self.count)
        self._file.with_suffix(".counts").touch()

    def count(self, frame: FrameType, event: str, _: object) -> None:
        if not self._left or event != "return":
            return
        code = frame.f_code
        if code not in self._known:
            self._known[code] = _STEPS.get((_place(code), code.co_name))
        told = self._known[code]
        if told and (what := told(frame.f_locals)):
            self._left -= 1
            if not self._left:
                where = f"{_place(code)} {code.co_name}: {what}"
                self._file.with_suffix(".step").write_text(where)
                os.kill(os.getpid(), signal.SIGKILL)


def _place(code: CodeType) -> str:
    return code.co_filename.rpartition("/hotswitch/")[2]


if __name__ == "__main__":
    counter = _Counter(Path(os.environ["KILLED_AT"]))
    threading.setprofile(counter.count)
    signal.signal(signal.SIGUSR2, counter.begin)
    main()
