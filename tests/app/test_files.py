"""The tree of files of a running daemon, as shell scripts meet it, through the kernel's FUSE."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage
from tests.support import process
from tests.support.daemon import REFERENCE, Daemon, environment
from tests.support.hosts import daemon_with_hosts
from tests.support.room import Room
from tests.support.wait import until

_TRY = """
import errno, os, sys
action, path, text = sys.argv[1:4]
try:
    if action == "write":
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        print("opened", file=sys.stderr)
        os.write(descriptor, text.encode(errors="surrogateescape"))
    elif action == "read":
        os.read(os.open(path, os.O_RDONLY), 4096)
    elif action == "rename":
        os.rename(path, text)
    else:
        getattr(os, action)(path)
except OSError as error:
    print(errno.errorcode[error.errno])
else:
    print("done")
"""


class Tree:
    """The files of a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.root = daemon.run_dir / "sys"

    def shell(self, script: str) -> str:
        """Run a script in the tree's root; what it printed."""
        return self.daemon.room.run("sh", "-ec", f"cd {self.root}; {script}").stdout

    def read(self, path: str) -> str:
        return self.shell(f"cat '{path}'")

    def names(self, path: str) -> set[str]:
        return set(self.shell(f"ls '{path}'").split())

    def attempt(self, action: str, path: str, text: str = "") -> str:
        """What comes of a system call: `done`, or the error's name."""
        line = [sys.executable, "-c", _TRY, action, str(self.root / path), text]
        return self.daemon.room.run(*line).stdout.strip()


@pytest.fixture
def tree(daemon: Daemon) -> Tree:
    daemon.do("bridge add br0")
    for device in ("tap0", "far"):
        peer = [] if device == "tap0" else ["peer", "tap0"]
        if peer:
            daemon.room.run("ip", "link", "add", device, "type", "veth", *peer)
    daemon.do("port add tap0 bridge br0")
    daemon.do("port add tap1 bridge br0 --absent-ok")
    return Tree(daemon)


PORT = "bridges/br0/ports/tap0"


def test_there_is_what_port_show_tells(tree: Tree) -> None:
    assert tree.names("bridges") == {"br0"}
    assert tree.names("bridges/br0/ports") == {"br0", "tap0", "tap1"}
    shown = tree.daemon.ask("port show tap0")
    told = tree.shell(
        f"cd {PORT}; for each in *; do test -d $each || echo $each=$(cat $each); done"
    )
    files = dict(line.split("=", 1) for line in told.splitlines())
    for name in ("state", "mac", "mtu", "number", "hook", "incarnation", "ifindex", "type"):
        assert files[name] == str(shown[name])
    assert files["device"] == "tap0" and files["vlan"] == "" and files["link"] == "name=tap0"
    counted = tree.shell(f"cd {PORT}/statistics; grep . *").splitlines()
    assert {line.split(":")[0] for line in counted} == set(shown["statistics"])
    assert int(tree.read("bridges/br0/statistics/learned")) >= 0


def test_what_is_written_is_as_if_it_was_said(tree: Tree) -> None:
    for name, text, key, value in (
        ("vlan", "10", "tag", 10),
        ("trunks", "1-3,7", "trunks", [1, 2, 3, 7]),
        ("mode", "trunk", "mode", "trunk"),
        ("lifecycle", "grace=30", "lifecycle", "grace=30"),
        ("storm_limit", " 100 ", "storm_limit", 100),
        ("hook", "xdp", "hook", "xdp"),
        ("number", "7", "number", 7),
        ("mtu", "1400", "mtu", 1400),
    ):
        tree.shell(f"echo '{text}' > {PORT}/{name}")
        assert tree.daemon.ask("port show tap0")[key] == value
        assert tree.read(f"{PORT}/{name}") == text.strip() + "\n"
    tree.shell(f"echo > {PORT}/vlan; printf none > {PORT}/mode; echo >> {PORT}/trunks")
    shown = tree.daemon.ask("port show tap0")
    assert (shown["tag"], shown["mode"], shown["trunks"]) == (None, None, [])
    tree.shell("echo 60 > bridges/br0/ageing_time; echo on > bridges/br0/forward_reserved")
    [bridge] = tree.daemon.ask("bridge list")
    assert (bridge["ageing_time"], bridge["forward_reserved"]) == (60, True)


WRONG = (
    (f"{PORT}/vlan", "5000"),
    (f"{PORT}/vlan", "1\n2"),
    (f"{PORT}/vlan", "\udcff"),
    (f"{PORT}/vlan", "1" * 4000),
    (f"{PORT}/vlan", "1" * 5000),
    (f"{PORT}/trunks", "7-3"),
    (f"{PORT}/lifecycle", "grace"),
    (f"{PORT}/hook", "xd"),
    (f"{PORT}/number", "255"),
    (f"{PORT}/link", "colour=red"),
    (f"{PORT}/mac", "02:00:00:00:00:01"),
    (f"{PORT}/link", "id=0"),
    (f"{PORT}/vif", "tap0,tap1"),
    (f"{PORT}/vif", "br0"),
    (f"{PORT}/vif", "tap0,tap0"),
    ("bridges/br0/ageing_time", "-1"),
    ("bridges/br0/adopt", "tap0 colour=red"),
)


def test_what_is_wrong_is_refused_and_changes_nothing(tree: Tree) -> None:
    before = tree.daemon.ask("port list"), tree.daemon.ask("bridge list")
    for path, text in WRONG:
        assert tree.attempt("write", path, text) == "EINVAL", (path, text)
    assert (tree.daemon.ask("port list"), tree.daemon.ask("bridge list")) == before
    said = "can't set tag of port tap0 to '5000': a number from 0 to 4095 is expected"
    assert said in tree.daemon.log
    assert "to '" + "1" * 200 + "…'" in tree.daemon.log and "1" * 201 not in tree.daemon.log


def test_what_the_database_refuses_is_a_wrong_value(room: Room, tmp_path: Path) -> None:
    schema: Any = load("Open_vSwitch").to_json()
    schema["tables"]["Port"]["columns"]["tag"]["type"]["key"]["maxInteger"] = 100
    file = tmp_path / "conf.db"
    Storage.create(file, DatabaseSchema.from_json(schema)).close()
    with Daemon(room, tmp_path / "run", "--db", str(file), kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 --absent-ok")
        tree = Tree(daemon)
        assert tree.attempt("write", f"{PORT}/vlan", "200") == "EINVAL"
        assert tree.attempt("write", f"{PORT}/vlan", "100") == "done"


def test_links_are_there_by_their_ids(tree: Tree) -> None:
    number = tree.daemon.do("link id tap0").strip()
    assert tree.read(f"links/{number}/name") == "tap0\n"
    assert tree.read(f"links/{number}/port") == "tap0\n"
    shown = tree.daemon.ask(f"link show {number}")
    assert tree.names(f"links/{number}") == set(shown)
    assert tree.read(f"links/{number}/incarnation").strip() == shown["incarnation"]
    tree.daemon.room.run("ip", "link", "add", "kernel0", "type", "bridge")
    other = tree.daemon.do("link id kernel0").strip()
    until(lambda: other in tree.names("links"), "it is there")
    assert tree.read(f"links/{other}/details/stp_state") == "0\n"
    tree.daemon.room.run("ip", "link", "set", "tap0", "name", "eth7")
    until(lambda: tree.read(f"links/{number}/name") == "eth7\n", "the name is followed")
    assert tree.attempt("write", f"links/{number}/name", "tap0") == "EACCES"
    assert tree.attempt("read", "links/0/name") == "ENOENT"
    tree.daemon.room.run("ip", "link", "del", "eth7")
    until(lambda: number not in tree.names("links"), "it goes")


def test_what_cannot_be_done_with_files(tree: Tree) -> None:
    wanted = {
        ("write", f"{PORT}/state"): "EACCES",
        ("write", f"{PORT}/statistics/rx_packets"): "EACCES",
        ("write", f"{PORT}/links/tap0/device"): "EACCES",
        ("write", PORT): "EISDIR",
        ("read", f"{PORT}/nothing"): "ENOENT",
        ("mkdir", "bridges/br1"): "EPERM",
        ("rmdir", PORT): "EPERM",
        ("unlink", f"{PORT}/vlan"): "EPERM",
        ("rename", f"{PORT}/vlan"): "EPERM",
    }
    done = {key: tree.attempt(*key, str(tree.root / PORT / "x")) for key in wanted}
    assert done == wanted
    create = tree.daemon.room.run("sh", "-c", f"echo 1 > {tree.root}/{PORT}/new", check=False)
    assert create.returncode and "not permitted" in create.stderr


def test_metadata_keys_come_and_go_as_files(tree: Tree) -> None:
    folder = f"{PORT}/metadata"
    tree.shell(
        f"echo 'a web server' > {folder}/vm-id; touch {folder}/empty; echo 1 > {folder}/a%2Fb"
    )
    wanted = {"vm-id": "a web server", "empty": "", "a/b": "1"}
    until(lambda: tree.daemon.ask("port show tap0")["metadata"] == wanted, "all are set")
    assert tree.names(folder) == {"vm-id", "empty", "a%2Fb"}
    tree.shell(f"rm {folder}/empty; printf '%s\\n\\n' two > {folder}/vm-id")
    assert tree.daemon.ask("port show tap0")["metadata"] == {"vm-id": "two\n", "a/b": "1"}


def test_the_value_is_that_of_the_opening(tree: Tree) -> None:
    script = f"exec 3< {PORT}/vlan; echo 10 > {PORT}/vlan; cat <&3; cat {PORT}/vlan"
    assert tree.shell(script) == "\n10\n"


def test_modes_and_sizes_are_those_of_sysfs(tree: Tree) -> None:
    stats = tree.shell(f"stat -c '%A %s %U' {PORT} {PORT}/vlan {PORT}/state").splitlines()
    assert stats == ["drwxr-xr-x 0 root", "-rw-r--r-- 4096 root", "-r--r--r-- 4096 root"]
    assert "fuse.hotswitch" in tree.daemon.room.run("cat", "/proc/self/mounts").stdout


def test_it_follows_at_once(tree: Tree) -> None:
    assert "tap1" in tree.names("bridges/br0/ports")
    tree.daemon.do("port del tap1")
    assert tree.names("bridges/br0/ports") == {"br0", "tap0"}
    assert tree.attempt("stat", "bridges/br0/ports/tap1") == "ENOENT"
    tree.daemon.do("port add tap2 bridge br0 --absent-ok")
    assert tree.read("bridges/br0/ports/tap2/state") == "waiting\n"
    tree.daemon.room.run("ip", "link", "add", "tap2", "type", "veth", "peer", "far2")
    tree.daemon.room.run("ip", "link", "set", "far2", "up")
    until(lambda: tree.read("bridges/br0/ports/tap2/state") == "forwarding\n", "it forwards")
    tree.daemon.room.run("ip", "link", "set", "tap2", "name", "eth9")
    until(lambda: tree.read("bridges/br0/ports/tap2/device") == "eth9\n", "it is renamed")


def test_a_port_that_has_gone_meanwhile(tree: Tree) -> None:
    script = f"exec 3> {PORT}/vlan; echo opened; read line; echo 10 >&3"
    with process.start(
        tree.daemon.room.command("sh", "-c", f"cd {tree.root}; {script}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as shell:
        assert shell.stdin and shell.stdout and shell.stdout.readline() == "opened\n"
        tree.daemon.do("port del tap0")
        _, said = shell.communicate("\n", timeout=20)
        assert shell.returncode and said
    assert "there is no port tap0" in tree.daemon.log


class Visitor:
    """A shell that sits in the tree with a file open. Use it as a context manager."""

    def __init__(self, tree: Tree) -> None:
        self._line = tree.daemon.room.command(
            "sh", "-c", f"cd {tree.root}/{PORT}; exec 3< vlan; echo here; read line; cat vlan"
        )

    def __enter__(self) -> subprocess.Popen[str]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._shell = process.start(self._line, **pipes)
        assert self._shell.stdout and self._shell.stdout.readline() == "here\n"
        return self._shell

    def __exit__(self, *_: object) -> None:
        process.stop(self._shell)


def _mounts(daemon: Daemon) -> int:
    mounts = daemon.room.run("cat", "/proc/self/mountinfo").stdout.splitlines()
    # Somebody else may have one, which a room has inherited.
    return sum(f" {daemon.run_dir}/" in each and "fuse.hotswitch" in each for each in mounts)


def test_the_daemon_ends_though_somebody_is_in_the_tree(tree: Tree) -> None:
    with Visitor(tree) as shell:
        assert tree.daemon.process
        tree.daemon.process.send_signal(signal.SIGTERM)
        assert tree.daemon.process.wait(20) == 0
        assert _mounts(tree.daemon) == 0 and not tree.root.exists()
        _, said = shell.communicate("\n", timeout=20)
        assert "not connected" in said or "No such" in said


def test_the_next_daemon_takes_a_dead_tree_away(tree: Tree) -> None:
    with Visitor(tree):
        assert tree.daemon.process
        tree.daemon.process.kill()
        tree.daemon.process.wait()
        assert _mounts(tree.daemon) == 1
        assert tree.attempt("stat", "") == "ENOTCONN"
        tree.daemon.start()
        assert _mounts(tree.daemon) == 1
        assert tree.read(f"{PORT}/device") == "tap0\n"


def test_cleanup_takes_a_dead_tree_away(tree: Tree) -> None:
    assert tree.daemon.process
    tree.daemon.process.kill()
    tree.daemon.process.wait()
    done = subprocess.run(
        tree.daemon.command("--cleanup"), env=environment(), capture_output=True, timeout=30
    )
    assert done.returncode == 0 and _mounts(tree.daemon) == 0


def test_it_can_be_left_out(room: Room, tmp_path: Path) -> None:
    with Daemon(room, tmp_path / "run", "--no-files", kind=REFERENCE) as daemon:
        assert _mounts(daemon) == 0 and not (tmp_path / "run/sys").exists()
        daemon.do("shutdown")


def test_where_there_is_no_fuse_the_log_says_so_and_all_else_works(
    room: Room, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as nothing:  # it can't be opened
        nothing.bind(f"{tmp_path}/socket")
        room.run("mount", "--bind", f"{tmp_path}/socket", "/dev/fuse")
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        [line] = [line for line in daemon.log.splitlines() if "tree of files" in line]
        assert "WARNING" in line and "/dev/fuse: " in line and "load the kernel module" in line
        assert _mounts(daemon) == 0


class _Elsewhere(Daemon):
    """Works in the parent of its run directory."""

    def command(self, *options: str) -> list[str]:
        line = super().command(*options)
        at = line.index(sys.executable)
        there = f"cd {self.run_dir.parent} && exec {shlex.join(line[at:])}"
        return [*line[:at], "sh", "-c", there]


def test_the_daemon_stays_where_it_is(room: Room, tmp_path: Path) -> None:
    """libfuse goes to the root directory; the database's file may be named from elsewhere."""
    with _Elsewhere(room, tmp_path / "run", kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        assert daemon.process and _mounts(daemon) == 1
        where = room.run("readlink", f"/proc/{daemon.process.pid}/cwd").stdout.strip()
        assert where == str(tmp_path)


def test_a_group_may_use_it_and_others_may_not(room: Room, tmp_path: Path) -> None:
    group = 54321
    with Daemon(room, tmp_path / "run", "--group", str(group), kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")

        def script(groups: int) -> list[str]:
            who = f"os.setgroups([{groups}]); os.setgid(65534); os.setuid(65534)"
            what = (
                "os.chdir(sys.argv[1]); " + who + "; "
                "open('bridges/br0/ageing_time', 'w').write('77'); "
                "print(open('bridges/br0/ageing_time').read())"
            )
            return [sys.executable, "-c", f"import os, sys; {what}", str(daemon.run_dir / "sys")]

        assert room.run(*script(group)).stdout == "77\n\n"
        refused = room.run(*script(54322), check=False)
        assert refused.returncode and "PermissionError" in refused.stderr


def test_counters_count(room: Room, tmp_path: Path) -> None:
    with daemon_with_hosts(room, tmp_path / "run") as daemon:
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0")
        daemon.do("port add tap1 bridge br0")
        tree = Tree(daemon)
        before = int(tree.read(f"{PORT}/statistics/rx_packets"))
        room.run("ping", "-c", "5", "-i", "0.05", "-w", "4", "10.0.0.2", host="anna", check=False)
        path = f"{PORT}/statistics/rx_packets"
        until(lambda: int(tree.read(path)) >= before + 5, "they are counted")


def test_many_ask_at_once_and_the_daemon_goes_on(tree: Tree) -> None:
    readers = [
        process.start(
            tree.daemon.room.command(
                "sh", "-c", f"cd {tree.root}; for n in 1 2 3; do {line}; done"
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for line in (
            "cat $(find . -type f)",
            f"echo $n > {PORT}/vlan",
            f"echo $n > {PORT}/metadata/key",
            "ls -lR .",
        )
    ]
    for tag in (100, 200, 300):
        tree.daemon.do(f"port set tap1 tag {tag}")
    for reader in readers:
        _, said = reader.communicate(timeout=30)
        assert reader.returncode == 0 and said == ""
    assert tree.read("bridges/br0/ports/tap1/vlan") == "300\n"
    assert "Traceback" not in tree.daemon.log


def test_somebody_unmounts_it(tree: Tree) -> None:
    tree.daemon.room.run("umount", "-l", str(tree.root))
    until(lambda: "somebody has unmounted" in tree.daemon.log, "the log says so")
    tree.daemon.do("port set tap0 tag 10")
    tree.daemon.do("shutdown")
