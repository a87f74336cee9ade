"""The bpffs: found, mounted, and what is pinned in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotswitch.kernel import pins
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map

SCRIPT = """
import sys
from pathlib import Path
from hotswitch.kernel import pins
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
map_ = Map.create(MapType.ARRAY, key_size=4, value_size=4, max_entries=1)
map_.pin(pins.directory(sys.argv[1]) / "from-inside")
print(pins.root())
"""


def make() -> Map:
    return Map.create(MapType.ARRAY, key_size=4, value_size=4, max_entries=1)


def run(*words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(
        words, check=True, env=environment, capture_output=True, text=True
    ).stdout.strip()


def test_the_root_is_a_bpffs() -> None:
    assert pins.is_bpffs(pins.root())
    assert not pins.is_bpffs(Path("/proc"))
    assert not pins.is_bpffs(Path("/no/such/thing"))


def test_list_and_remove(pin_directory: Path) -> None:
    below = pins.directory(pin_directory.name, "below", "it")
    with make() as map_:
        for path in (pin_directory / "b", pin_directory / "a", below / "c"):
            map_.pin(path)
    assert pins.listing(pin_directory) == [pin_directory / "a", pin_directory / "b"]
    os.close(pins.get(pin_directory / "a"))
    pins.remove(pin_directory / "a")
    assert pins.listing(pin_directory) == [pin_directory / "b"]
    pins.remove(pin_directory)
    assert not pin_directory.exists()
    assert pins.listing(pin_directory) == []
    pins.remove(pin_directory)
    with pytest.raises(KernelError, match="No such file"):
        pins.get(pin_directory / "a")


@pytest.mark.parametrize("name", ["", ".", "..", "a.b", "a/b", "a\0b"])
def test_names_that_a_bpffs_does_not_take(name: str) -> None:
    with pytest.raises(KernelError, match="can't be the name of a pin"):
        pins.directory(name)


def test_a_private_sys_still_pins_where_others_see_it(namespace: str, pin_directory: Path) -> None:
    """`ip netns exec` mounts a /sys of its own, without a bpffs."""
    name = pin_directory.name
    used = run("ip", "netns", "exec", namespace, sys.executable, "-c", SCRIPT, name)
    assert used != "/sys/fs/bpf"
    with Map.from_pin(pin_directory / "from-inside") as map_:
        assert map_.max_entries == 1


def nested(*commands: str) -> str:
    """Run a script below a process 1 of its own, with mounts of its own."""
    script = "; ".join(commands)
    return run("unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script)


def test_with_no_bpffs_anywhere_one_is_mounted(pin_directory: Path, tmp_path: Path) -> None:
    """All of them share their mounts, so it is mounted in the usual place."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    used = nested("umount -a -t bpf", f"{sys.executable} {file} {pin_directory.name}", "true")
    assert used == "/sys/fs/bpf"
    assert pins.listing(pin_directory) == []


@pytest.mark.parametrize("has_other", [True, False])
def test_none_of_those_above_may_be_inspected(
    has_other: bool, pin_directory: Path, tmp_path: Path
) -> None:
    """A process with mounts of its own, below a process 1 that has more privileges."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    less = "setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace"
    program = f"{sys.executable} {file} {pin_directory.name}"
    used = nested(
        "umount -a -t bpf",
        f"{less} sleep 60 & other=$!" if has_other else "true",
        f"unshare --mount {less} {program} 2>&1",
        f"ls /sys/fs/bpf/{pin_directory.name}" if has_other else "true",
        "kill $other" if has_other else "true",
    )
    if has_other:
        assert used.startswith("no bpffs was mounted: mounted one at /proc/self/fd/")
        assert "of process" in used and used.endswith("from-inside")
    else:
        assert "may be private" in used and used.endswith("/sys/fs/bpf")
    assert pins.listing(pin_directory) == []


def test_with_none_above_one_is_mounted_above(pin_directory: Path, tmp_path: Path) -> None:
    """A process with mounts of its own, below a process 1 that has no bpffs."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    used = nested(
        "umount -a -t bpf",
        f"unshare --mount {sys.executable} {file} {pin_directory.name}",
        f"ls /sys/fs/bpf/{pin_directory.name}",
    )
    assert used.split() == ["/proc/1/root/sys/fs/bpf", "from-inside"]
    assert pins.listing(pin_directory) == []
