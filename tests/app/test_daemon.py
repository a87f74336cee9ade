"""The daemon around its forwarding: starting, stopping, and what it refuses."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import process
from tests.support.daemon import REAL, REFERENCE, Daemon, command, environment, hotswitch
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until


def _run(daemon: Daemon, *options: str) -> subprocess.CompletedProcess[str]:
    """Start a daemon that must end by itself."""
    return _run_line(daemon.command(*options))


def _run_line(line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_readiness_is_told_with_a_status(room: Room, tmp_path: Path) -> None:
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        assert daemon.process
        pid = daemon.process.pid
        assert (tmp_path / "run/hotswitchd.lock").read_text() == f"{pid}\n"
        assert daemon.ask("version")["daemon"]["pid"] == pid


def test_a_second_instance_is_refused_and_names_the_first(daemon: Daemon) -> None:
    assert daemon.process
    second = _run(daemon)
    assert second.returncode == 1
    assert second.stderr.startswith(f"hotswitchd: another hotswitchd, process {daemon.process.pid}")
    assert second.stderr.count("\n") == 1
    daemon.do("bridge list")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_what_it_made_stays(daemon: Daemon, number: int) -> None:
    assert daemon.process
    daemon.do("bridge add br0")
    daemon.process.send_signal(number)
    assert daemon.process.wait(20) == 0
    assert not (daemon.run_dir / "ctl.sock").exists()
    daemon.room.run("ip", "link", "show", "br0")
    daemon.start()
    assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]


def test_it_starts_again_after_a_kill_with_what_was_wanted(daemon: Daemon) -> None:
    assert daemon.process
    daemon.do("bridge add br0")
    daemon.process.kill()
    daemon.process.wait()
    assert (daemon.run_dir / "ctl.sock").exists()  # left behind
    daemon.start()
    assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]


def test_after_a_shutdown_the_next_one_can_start_at_once(daemon: Daemon) -> None:
    for _ in range(3):
        daemon.do("shutdown")
        daemon.start()


def test_stopping_the_forwarding_removes_what_was_made(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    daemon.do("shutdown --stop-forwarding")
    assert daemon.process and daemon.process.wait(20) == 0
    assert daemon.room.run("ip", "link", "show", "br0", check=False).returncode
    assert "br0" in kept(daemon.run_dir).bridges


def test_cleanup_removes_what_a_killed_daemon_left(daemon: Daemon) -> None:
    assert daemon.process
    daemon.do("bridge add br0")
    daemon.process.kill()
    daemon.process.wait()
    daemon.room.run("ip", "link", "show", "br0")
    assert _run(daemon, "--cleanup").returncode == 0
    assert daemon.room.run("ip", "link", "show", "br0", check=False).returncode
    assert daemon.room.run("ls", "/sys/fs/bpf/hotswitch").stdout == ""


def test_what_a_file_wants_but_is_not_there_is_waited_for(room: Room, tmp_path: Path) -> None:
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        daemon.do("port add tap0 bridge br0 --absent-ok")
        assert daemon.process
        daemon.process.terminate()
        daemon.process.wait()
        daemon.start()
        assert daemon.ask("port show tap0")["state"] == "waiting"
        room.run("ip", "link", "add", "tap0", "type", "veth", "peer", "far")
        room.run("ip", "link", "set", "far", "up")
        until(lambda: daemon.ask("port show tap0")["state"] == "forwarding", "the device is taken")
        room.run("ip", "link", "set", "tap0", "name", "other")
        until(lambda: daemon.ask("port show tap0")["link"] == "other", "the rename is seen")
        room.run("ip", "link", "del", "other")
        until(lambda: daemon.ask("port show tap0")["state"] == "waiting", "the device has gone")
        daemon.do("port del tap0")
        told = [line for line in daemon.log.splitlines() if line.endswith("port=tap0")]
        assert "port waiting" in told[0] and "port waiting" in told[-2]
        assert "port removed" in told[-1] and "INFO" in told[-1]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--netns", "nowhere"], 1, "nowhere"),
        (["--engine", "native"], 2, "native"),
        (["--log-level", "loud"], 2, "loud"),
        (["more"], 2, "more"),
        (["--colour"], 2, "--colour"),
        (["--ssl-protocols", "SSLv3"], 2, "--ssl-protocols"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    room: Room, tmp_path: Path, options: list[str], code: int, says: str
) -> None:
    done = _run(Daemon(room, tmp_path / "run", kind=REFERENCE), *options)
    assert done.returncode == code
    assert done.stderr.startswith("hotswitchd: ") and says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def (", "SyntaxError"),
        (
            "HEADER = Header('wrong', 'Wrong', (Field('a', 8),), (Under('ethertype', 0x800),))",
            "ipv4",
        ),
    ],
)
def test_a_broken_header_of_another_distribution_is_refused_at_the_start(
    room: Room, tmp_path: Path, source: str, says: str
) -> None:
    place = tmp_path / "site"
    info = place / "wrong-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[hotswitch.headers]\nwrong = wrong_header:HEADER\n")
    (place / "wrong_header.py").write_text(
        f"from hotswitch.headers.declaration import Field, Header, Under\n{source}\n"
    )
    path = f"PYTHONPATH={environment()['PYTHONPATH']}:{place}"
    daemon = Daemon(room, tmp_path / "run", kind=REAL)
    command = daemon.command()
    at = command.index("--net") + 1
    done = _run_line([*command[:at], "env", path, *command[at:]])
    assert done.returncode == 1
    assert done.stderr.startswith("hotswitchd: distribution wrong 1.2: ") and says in done.stderr
    assert done.stderr.count("\n") == 1


class _Relative(Daemon):
    """Started in the parent of its run directory, which it is given by its bare name."""

    def command(self, *options: str) -> list[str]:
        path = str(self.run_dir)
        line = super().command(*options)
        line[line.index(path)] = self.run_dir.name
        at = line.index(sys.executable)
        return [*line[:at], "env", f"--chdir={self.run_dir.parent}", *line[at:]]


def test_a_run_directory_may_be_relative(room: Room, tmp_path: Path) -> None:
    with _Relative(room, tmp_path / "run", kind=REFERENCE) as daemon:
        daemon.do("bridge add br0")
        assert {"conf.db", "db.sock", "ctl.sock"} <= {
            each.name for each in daemon.run_dir.iterdir()
        }
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as daemon:
        assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]


def test_a_mistake_in_a_remote_makes_no_file(room: Room, tmp_path: Path) -> None:
    daemon = _Relative(room, tmp_path / "run", kind=REFERENCE)
    for wrong in ("foo:bar", "UNIX:/x/y"):
        done = _run(daemon, "--db", wrong)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"hotswitchd: --db {wrong}: ")
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_a_run_directory_that_can_not_be_is_refused(room: Room, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _run(Daemon(room, tmp_path / "file" / "run", kind=REFERENCE))
    assert done.returncode == 1 and done.stderr.startswith("hotswitchd: can't use")
    long = tmp_path / ("long" * 30)
    done = _run(Daemon(room, long, kind=REFERENCE))
    assert done.returncode == 1 and "shorter path" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("drop", "says"),
    [
        (["--bounding-set=-all", "--inh-caps=-all"], "CAP_BPF"),
        (["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"], "root"),
    ],
)
def test_without_privileges_there_is_one_line(
    room: Room, tmp_path: Path, drop: list[str], says: str
) -> None:
    daemon = Daemon(room, tmp_path / "run", kind=REAL)
    command = daemon.command()
    at = command.index("--net") + 1
    done = _run_line([*command[:at], "setpriv", *drop, *command[at:]])
    assert done.returncode == 1
    assert done.stderr.startswith("hotswitchd: ") and says in done.stderr
    assert done.stderr.count("\n") == 1


def _with_limit(daemon: Daemon, *options: str) -> list[str]:
    line = daemon.command()
    at = len(daemon.room.command())
    return [*line[:at], "sh", "-c", f'ulimit {" ".join(options)}; exec "$@"', "sh", *line[at:]]


def test_too_few_open_files_are_refused(room: Room, tmp_path: Path) -> None:
    daemon = Daemon(room, tmp_path / "run", kind=REFERENCE)
    done = _run_line(_with_limit(daemon, "-n", "20"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("hotswitchd: 20 open files are too few for a switch")
    assert not daemon.run_dir.exists()


class _Modest(Daemon):
    """Started where few open files are usual, but more are allowed."""

    def command(self, *options: str) -> list[str]:
        return _with_limit(Daemon(self.room, self.run_dir, kind=self.kind), "-S", "-n", "64")


def test_as_many_open_files_as_are_allowed_are_taken(room: Room, tmp_path: Path) -> None:
    with _Modest(room, tmp_path / "run", kind=REFERENCE) as daemon:
        assert daemon.process
        soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard > 64


def test_logs_are_json_if_asked_for(room: Room, tmp_path: Path) -> None:
    with Daemon(room, tmp_path / "run", "--log-format", "json", kind=REFERENCE) as daemon:
        daemon.do("shutdown")
        assert daemon.process and daemon.process.wait(20) == 0
        entries = [json.loads(line) for line in daemon.log.splitlines()]
    assert entries[0]["message"] == "ready" and entries[0]["level"] == "info"
    assert entries[-1]["forwarding"] == "goes on"


def test_two_daemons_in_two_namespaces_do_not_disturb_each_other(
    room: Room, tmp_path: Path
) -> None:
    room.run("ip", "netns", "add", "one")
    room.run("ip", "netns", "add", "two")
    one = Daemon(room, tmp_path / "one", "--netns", "one", kind=REFERENCE)
    two = Daemon(room, tmp_path / "two", "--netns", "/run/netns/two", kind=REFERENCE)
    with one, two:
        one.do("bridge add br0")
        two.do("bridge add br0")
        room.run("ip", "link", "show", "br0", host="one")
        room.run("ip", "link", "show", "br0", host="two")
        assert room.run("ip", "link", "show", "br0", check=False).returncode
        one.do("shutdown --stop-forwarding")
        assert room.run("ip", "link", "show", "br0", host="one", check=False).returncode
        room.run("ip", "link", "show", "br0", host="two")
        assert two.ask("bridge list")


def test_a_daemon_survives_a_full_disk(daemon: Daemon) -> None:
    assert daemon.process
    daemon.do("bridge add br0")
    before = kept(daemon.run_dir)
    limit = (daemon.run_dir / "conf.db").stat().st_size
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    assert "can't" in daemon.refuse("bridge add br1")
    assert "can't write" in daemon.texts("ovsdb-server/get-db-storage-status Open_vSwitch")
    assert "what clients ask for is refused" in daemon.log
    assert [each["name"] for each in daemon.ask("bridge list")] == ["br0"]
    assert kept(daemon.run_dir) == before
    assert daemon.room.run("ip", "link", "show", "br1", check=False).returncode


def test_no_daemon_starts_on_a_full_disk(room: Room, tmp_path: Path) -> None:
    place = tmp_path / "full"
    place.mkdir()
    room.run("mount", "-t", "tmpfs", "-o", "size=4k", "none", str(place))
    room.run("dd", "if=/dev/zero", f"of={place}/filler", "bs=4k", "count=4", check=False)
    done = _run(Daemon(room, place / "run", kind=REFERENCE))
    assert done.returncode == 1
    says = f"can't write {place}/run/hotswitchd.lock: No space left on device"
    assert done.stderr == f"hotswitchd: {says}\n"


def test_a_script_can_wait_until_it_is_ready(room: Room, tmp_path: Path) -> None:
    early = hotswitch(room, tmp_path / "run", "version", "--wait", "0")
    assert early.returncode == 1 and "no daemon is running" in early.stderr
    assert hotswitch(room, tmp_path / "run", "version").returncode == 0
    daemon = Daemon(room, tmp_path / "run", kind=REFERENCE)
    line = room.command(*command("--run-dir", str(daemon.run_dir), "version", "--wait", "30"))
    waiting = process.start(line, env=environment(), stdout=subprocess.PIPE)
    try:
        with daemon:
            said, _ = waiting.communicate(timeout=30)
            assert daemon.process and waiting.returncode == 0
            assert f"process {daemon.process.pid}," in said
    finally:
        process.stop(waiting)
