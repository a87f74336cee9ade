"""Start the demo in namespaces of its own, so that everything in it goes with it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_NEEDED = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "iperf3": "iperf3",
    "brctl": "bridge-utils",
}


def main() -> int:
    """The exit code."""
    if os.geteuid():
        print(
            "demo: it makes network namespaces and loads programs into the kernel (run it as root: "
            "sudo make demo)",
            file=sys.stderr,
        )
        return 1
    missing = [package for program, package in _NEEDED.items() if not shutil.which(program)]
    if missing:
        print(f"demo: missing (apt-get install {' '.join(missing)})", file=sys.stderr)
        return 1
    return _run_inside()


def _run_inside() -> int:
    """Run the demo as the first process of a world of its own.

    When that process ends, the kernel ends all others in there and takes the network namespaces,
    devices, programs and the run directory away. It ends with us, however we end.
    """
    libc = ctypes.CDLL(None)
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    world = subprocess.Popen(
        [*unshare, sys.executable, "-m", "demo.story"],
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        start_new_session=True,
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return world.wait()
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left behind")
        return 130
    finally:
        world.kill()
        world.wait()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
