"""A world of its own for the measurements: namespaces that go with their first process."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def run_inside(module: str, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
    """Run a module of this checkout as the first process of new namespaces; its exit code.

    When that process ends, the kernel ends all others in there and takes network namespaces,
    devices, programs and files away. It ends with us, however we end. /proc stays the machine's,
    because the kernel's own threads are seen only there.
    """
    libc = ctypes.CDLL(None)
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    world = subprocess.Popen(
        [*unshare, sys.executable, "-m", module, *arguments],
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        start_new_session=True,
        pass_fds=descriptors,
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return world.wait()
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left behind", file=sys.stderr)
        return 130
    finally:
        world.kill()
        world.wait()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
