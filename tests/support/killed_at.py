"""hotswitchd, which kills itself at a given step: `python -m tests.support.killed_at OPTIONS…`.

It counts when SIGUSR2 comes. A step is a call of a function that asks the kernel for something or
writes a file, or the return from it; at the step whose number is in the file $KILLED_AT, it is
killed, and `$KILLED_AT.step` says where. `$KILLED_AT.counts` is there as soon as it counts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType

from hotswitch.app.daemon import main

_PLACES = {
    "kernel/link_actions.py": (),
    "kernel/map_batches.py": (),
    "kernel/netlink.py": ("request", "requests"),
    "kernel/pins.py": ("remove", "rename"),
    "kernel/syscall.py": ("bpf", "call", "pin"),
    "ovsdb/log_file.py": (),
    "ports/link_id_file.py": (),
    "ports/vnics_file.py": ("save",),
}
"""Which functions of which files; none: all."""


class _Counter:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._left = 0
        self._known: dict[CodeType, bool] = {}

    def begin(self, *_: object) -> None:
        self._left = int(self._file.read_text())
        sys.setprofile(self.count)
        self._file.with_suffix(".counts").touch()

    def count(self, frame: FrameType, event: str, _: object) -> None:
        if not self._left or event not in ("call", "return"):
            return
        code = frame.f_code
        if code not in self._known:
            self._known[code] = _is_step(code)
        if self._known[code]:
            self._left -= 1
            if not self._left:
                where = code.co_filename.partition("/hotswitch/")[2]
                self._file.with_suffix(".step").write_text(f"{event} {where} {code.co_name}")
                os.kill(os.getpid(), signal.SIGKILL)


def _is_step(code: CodeType) -> bool:
    names = _PLACES.get(code.co_filename.rpartition("/hotswitch/")[2])
    return names is not None and (not names or code.co_name in names)


if __name__ == "__main__":
    counter = _Counter(Path(os.environ["KILLED_AT"]))
    threading.setprofile(counter.count)
    signal.signal(signal.SIGUSR2, counter.begin)
    main()
