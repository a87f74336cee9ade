"""An emulated machine that runs one command on the host's files, which it can't change."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import process
from tests.support.debian_kernel import Kernel

_DONE = "the command ended with"

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
while read module; do insmod /modules/$module; done </modules/order
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /host
for each in proc sysfs:sys devtmpfs:dev tmpfs:run; do
    mount -t ${each%:*} none /host/${each#*:}
done
cp /command /host/run/command
exec switch_root /host /bin/busybox sh /run/command
"""

_COMMAND = f"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
export HOME=/run/tmp TMPDIR=/run/tmp
ip link set lo up
mount -t bpf none /sys/fs/bpf
mkdir /run/netns /run/tmp
COMMAND </dev/null 2>&1
echo "{_DONE} $?"
busybox poweroff -f
"""


@dataclass(frozen=True)
class Outcome:
    """What the command printed and whether it succeeded.

    seconds: from power on to off. processor: what of the host's processors it used of them.
    """

    output: str
    succeeded: bool
    seconds: float
    processor: float


def run(kernel: Kernel, command: Sequence[str], timeout: float) -> Outcome:
    """Boot, run a command as root, power off."""
    with tempfile.TemporaryDirectory() as name:
        initial = Path(name, "initial")
        todo = _COMMAND.replace("COMMAND", shlex.join(command))
        make_initial(initial, kernel, {"init": _INIT, "command": todo})
        began, used = time.monotonic(), _used()
        emulator = process.start(
            _emulator(kernel, initial),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = emulator.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            emulator.kill()
            output, _ = emulator.communicate()
            raise AssertionError(f"the machine ran for {timeout} s and said: {output}") from error
        finally:
            process.stop(emulator)
    succeeded = f"{_DONE} 0" in output.splitlines()
    return Outcome(output, succeeded, time.monotonic() - began, _used() - used)


def _used() -> float:
    """Processor seconds of all children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _emulator(kernel: Kernel, initial: Path) -> list[str]:
    # A q35 has clocks of several kinds: with a microvm's one, boots hang on a busy host.
    machine = "-accel tcg -machine q35 -cpu max -smp 1 -m 768 -nodefaults -no-user-config"
    files = "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"
    return [
        *("qemu-system-x86_64", *machine.split()),
        *("-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel.image), "-initrd", str(initial)),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"),
        *("-fsdev", files, "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
    ]


def make_initial(target: Path, kernel: Kernel, scripts: Mapping[str, str]) -> None:
    """The initial RAM disk: busybox, modules with their order, scripts by name."""
    root = target.with_name("root")
    for name in ("bin", "proc", "host", "modules"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    for script, text in scripts.items():
        (root / script).write_text(text)
        (root / script).chmod(0o755)
    for path in kernel.modules:
        (root / "modules" / path.name).write_bytes(path.read_bytes())
    order = "".join(f"{path.name}\n" for path in kernel.modules)
    (root / "modules/order").write_text(order)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    with target.open("wb") as archive:
        pack = ["cpio", "--create", "--format=newc", "--quiet"]
        subprocess.run(pack, cwd=root, input=names.encode(), stdout=archive, check=True)
