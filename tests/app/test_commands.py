"""The command line against a daemon: what it does and what it refuses."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from hotswitch.app.cli.root import root
from tests.support.daemon import REFERENCE, Daemon, hotswitch
from tests.support.kept import kept
from tests.support.room import Room
from tests.support.wait import until


def _devices(daemon: Daemon, *names: str) -> None:
    for name in names:
        daemon.room.run("ip", "link", "add", name, "type", "veth", "peer", f"{name}-far")


def _links(daemon: Daemon) -> set[str]:
    listed = json.loads(daemon.room.run("ip", "-json", "link").stdout)
    return {each["ifname"] for each in listed}


def test_bridges_and_ports_come_and_go_and_are_kept(daemon: Daemon) -> None:
    _devices(daemon, "tap0", "tap1")
    daemon.do("bridge add br0 ageing 60 address-limit 100 reserved on")
    daemon.do("port add tap0 bridge br0 tag 10 storm-limit 1000")
    daemon.do("port add tap1 bridge br0 trunks 20,10-12 hook tcx number 7")
    (bridge,) = daemon.ask("bridge list")
    assert bridge["ports"] == ["tap0", "tap1"]
    assert (bridge["ageing_time"], bridge["address_limit"]) == (60, 100)
    assert bridge["forward_reserved"] is True
    ports = {each["name"]: each for each in daemon.ask("port list bridge br0")}
    assert set(ports) == {"br0", "tap0", "tap1"}
    assert ports["tap0"]["tag"] == 10 and ports["tap0"]["storm_limit"] == 1000
    assert ports["tap1"]["trunks"] == [10, 11, 12, 20] and ports["tap1"]["number"] == 7

    daemon.do("port set tap0 tag none trunks 5 mode trunk storm-limit none")
    daemon.do("bridge set br0 ageing 5 reserved off")
    port = daemon.ask("port show tap0")
    assert (port["tag"], port["trunks"], port["storm_limit"]) == (None, [5], 0)
    on_disk = kept(daemon.run_dir).bridges["br0"]
    assert on_disk.ageing_time == 5
    assert on_disk.ports["tap0"].trunks == (5,)

    daemon.do("port del tap0")
    assert [each["name"] for each in daemon.ask("port list")] == ["br0", "tap1"]
    daemon.do("bridge del br0")
    assert daemon.ask("bridge list") == []
    assert kept(daemon.run_dir).bridges == {}
    assert daemon.room.run("ip", "link", "show", "tap1").returncode == 0


def test_what_prints_prints_for_people_too(daemon: Daemon) -> None:
    _devices(daemon, "tap0")
    daemon.do("bridge add br0")
    daemon.do("port add tap0 bridge br0 tag 10")
    assert "tap0" in daemon.do("port list") and "access 10" in daemon.do("port show tap0")
    assert "tap0" in daemon.do("bridge list")
    assert "in_port=1" in daemon.do("table show bridge br0")
    assert "RX-PACKETS" in daemon.do("stats") and "RX-PACKETS" in daemon.do("stats show")
    assert "ADDRESS" in daemon.do("fdb show")
    assert daemon.do("fdb flush bridge br0 port tap0 vlan 10") == "forgot 0 addresses\n"
    assert "reference" in daemon.do("program show")
    assert daemon.do("top -n 2 -i 0.05").count("tap0") == 2
    assert "process" in daemon.do("version")
    assert "\x1b" not in daemon.do("table show")
    assert daemon.ask("version")["daemon"]["pid"] > 0


def test_top_in_json_is_a_line_an_interval(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    lines = daemon.do("top -n 3 -i 0.05 --json").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0])[0]["rx_packets"] == 0


def test_a_trace_tells_the_way_and_what_leaves(daemon: Daemon) -> None:
    _devices(daemon, "tap0", "tap1", "tap2")
    daemon.do("bridge add br0")
    daemon.do("port add tap0 bridge br0 tag 10")
    daemon.do("port add tap1 bridge br0 tag 10")
    daemon.do("port add tap2 bridge br0 tag 20")
    told = daemon.do("trace in tap0 ethernet.dst=ff:ff:ff:ff:ff:ff ipv4.dst=10.0.0.1 icmp")
    for part in ("ethernet at byte 0", "icmp at byte 34", "table 0 (ingress)", "out of port tap1"):
        assert part in told
    assert "tap2" not in told
    result = daemon.ask("trace bridge br0 in tap0 hex ffffffffffff 02:00:00:00:00:01 0800")
    assert {each["port"] for each in result["outputs"]} == {"tap1", "br0"}
    assert "dropped" in daemon.do("trace in tap0 vlan.vid=11")
    assert "shorter than an Ethernet header" in daemon.do("trace in tap0 hex 0102")
    assert daemon.ask("fdb show") == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bridge add br0", "already a bridge br0"),
        ("bridge add this-is-far-too-long", "too long"),
        ("bridge add a/b", "no link's name"),
        ("bridge add there", "did not make"),
        ("bridge del br9", "no bridge br9"),
        ("bridge set br9 ageing 1", "no bridge br9"),
        ("port add tap0 bridge br0", "already a port of bridge br0"),
        ("port add tap0 bridge br1", "already a port of bridge br0"),
        ("port add br1 bridge br0", "already a port of bridge br1"),
        ("port add there bridge br9", "no bridge br9"),
        ("port add nowhere bridge br0", "there is no device nowhere (make it first"),
        ("port add slave bridge br0", "slave belongs to other"),
        ("port add there bridge br0 number 1", "number 1"),
        ("port add there bridge br0 number 255", "number 255"),
        ("port add x/y bridge br0", "no link's name"),
        ("port add this-is-far-too-long bridge br0 --absent-ok", "too long"),
        ("port add lo bridge br0", "loopback"),
        ("port del nowhere", "no port nowhere"),
        ("port del br0", "local port"),
        ("port set nowhere tag 1", "no port nowhere"),
        ("port show nowhere", "no port nowhere"),
        ("port list bridge br9", "no bridge br9"),
        ("fdb show bridge br9", "no bridge br9"),
        ("fdb flush port nowhere", "no port nowhere"),
        ("fdb flush bridge br1 port tap0", "tap0 is a port of bridge br0"),
        ("table show bridge br9", "no bridge br9"),
        ("stats bridge br9", "no bridge br9"),
        ("top -n 1 bridge br9", "no bridge br9"),
        ("program show bridge br9", "no bridge br9"),
        ("trace in nowhere arp", "no port nowhere"),
        ("trace bridge br1 in tap0 arp", "tap0 is a port of bridge br0"),
        ("trace in tap0 ipv4,ipv6", "no frame has all of"),
        ("trace in tap0 in_port=1", "not in the frame"),
        ("trace in tap0 hex 0g", "hexadecimal"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    crowded: Daemon, line: str, says: str
) -> None:
    before = kept(crowded.run_dir), crowded.ask("port list")
    links = _links(crowded)
    assert says in crowded.refuse(line)
    assert (kept(crowded.run_dir), crowded.ask("port list")) == before
    assert _links(crowded) == links


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    run_dir = tmp_path_factory.mktemp("crowded") / "run"
    with Room() as room, Daemon(room, run_dir, kind=REFERENCE) as daemon:
        _devices(daemon, "tap0", "there", "slave")
        room.run("ip", "link", "add", "other", "type", "bridge")
        room.run("ip", "link", "set", "slave", "master", "other")
        daemon.do("bridge add br0")
        daemon.do("bridge add br1")
        daemon.do("port add tap0 bridge br0 number 1")
        until(lambda: "PROMISC" in room.run("ip", "link", "show", "tap0").stdout, "tap0 is taken")
        yield daemon


@pytest.mark.parametrize(
    "line",
    [
        "bridge",
        "bridge ad br0",
        "bridge add",
        "bridge add br0 colour red",
        "bridge add br0 ageing",
        "bridge add br0 ageing soon",
        "bridge add br0 ageing 1 ageing 2",
        "bridge add br0 reserved maybe",
        "bridge set br0",
        "port add tap0",
        "vnic add --over br0 --name=",
        "vnic add --over br0 --netns=",
        "port add tap0 bridge br0 tag 4096",
        "port add tap0 bridge br0 tag -1",
        "port add tap0 bridge br0 trunks 10-",
        "port add tap0 bridge br0 trunks 20-10",
        "port add tap0 bridge br0 mode hybrid",
        "port add tap0 bridge br0 hook clsact",
        "port add tap0 bridge br0 storm-limit 1e3",
        "port add tap0 bridge br0 number 65280",
        "port set tap0",
        "fdb flush vlan x",
        "trace arp",
        "trace in",
        "trace in a in b",
        "trace in a arp hex 00",
        "trace in a ipv5",
        "trace in a ipv4.src=10.0.0.256",
        "port lst",
        "prt list",
        "top -n 0",
        "top -i 0",
        "program show elf",
        "completion tcsh",
        "nonsense",
        "--run-dir",
    ],
)
def test_what_is_not_understood_is_exit_code_2_in_one_line(tmp_path: Path, line: str) -> None:
    done = hotswitch(None, tmp_path, *line.split())
    assert done.returncode == 2 and done.stdout == ""
    assert line == "bridge" or (done.stderr.count("\n") == 1 and "--help)" in done.stderr)


def test_what_is_no_text_or_would_steer_the_terminal_is_shown_escaped(tmp_path: Path) -> None:
    done = hotswitch(None, tmp_path, "bridge", "add", os.fsdecode(b"\xff"))
    assert done.returncode == 2
    assert done.stderr == "hotswitch: '\\udcff' is not UTF-8 (see: hotswitch --help)\n"
    done = hotswitch(None, tmp_path, "bridge", "add", "br0", "\x1b[31mred", "é")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr and "[31mred" in done.stderr
    done = hotswitch(None, tmp_path, "--run-dir", "\x1b]0;é\a", "bridge", "list")
    assert "running in \\x1b]0;é\\x07 (" in done.stderr


@pytest.mark.parametrize("line", ["bridge list", "port add a bridge b", "shutdown", "top"])
def test_without_a_daemon_there_is_one_line_that_says_how_to_start_it(
    tmp_path: Path, line: str
) -> None:
    done = hotswitch(None, tmp_path, *line.split())
    assert done.returncode == 1
    assert done.stderr == (
        f"hotswitch: no daemon is running in {tmp_path} "
        f"(start it: hotswitchd --run-dir {tmp_path})\n"
    )


def test_the_run_directory_is_taken_from_the_nearest_option(tmp_path: Path) -> None:
    for words, place in (
        (["--run-dir", "/near", "bridge", "list"], "/near"),
        (["bridge", "list", "--run-dir", "/nearer"], "/nearer"),
        (["--run-dir", "/near", "bridge", "list", "--run-dir", "/nearer"], "/nearer"),
        (["bridge", "list"], str(tmp_path)),
    ):
        assert f"running in {place} " in hotswitch(None, tmp_path, *words).stderr


def test_help_is_there_for_every_command_with_examples(tmp_path: Path) -> None:
    for line in (
        "",
        *("bridge", "bridge add", "bridge del", "bridge set", "bridge list"),
        *("port", "port add", "port del", "port set", "port list", "port show"),
        *("fdb show", "fdb flush", "table show", "stats", "trace", "program show", "top"),
        *("show", "version", "shutdown", "completion"),
    ):
        done = hotswitch(None, tmp_path, *line.split(), "--help")
        assert done.returncode == 0 and "Example" in done.stdout


def _complete(run_dir: Path, line: str) -> list[str]:
    """What is offered for the last word."""
    *words, last = line.split(" ")[1:]
    shell = ShellComplete(root, {}, "hotswitch", "_HOTSWITCH_COMPLETE")
    offered = shell.get_completions(["--run-dir", str(run_dir), *words], last)
    return [each.value for each in offered]


def test_names_are_completed(crowded: Daemon) -> None:
    for line in ("port set ", "port del ", "port show ", "trace in ", "fdb flush port "):
        assert _complete(crowded.run_dir, f"hotswitch {line}") == ["br0", "tap0", "br1"]
    for line in ("bridge set ", "bridge del ", "port list bridge ", "trace in tap0 bridge "):
        assert _complete(crowded.run_dir, f"hotswitch {line}") == ["br0", "br1"]
    crowded.room.run("ip", "netns", "add", "web")
    for line, last in (("port set t", "tap0"), ("vnic add --netns w", "web")):
        position = str(line.count(" ") + 1)
        done = hotswitch(
            crowded.room,
            crowded.run_dir,
            _HOTSWITCH_COMPLETE="bash_complete",
            COMP_WORDS=f"hotswitch {line}",
            COMP_CWORD=position,
        )
        assert (done.stdout, done.stderr) == (f"plain,{last}\n", "")


def test_devices_are_completed(crowded: Daemon) -> None:
    for line, last in (
        ("port add ot", ["other"]),
        ("bridge set br0 facade ", ["other"]),
        ("port set tap0 vif sl", ["slave"]),
        ("port set tap0 vif slave,", ["slave,lo", "slave,other", "slave,tap0", "slave,there"]),
        ("port set tap0 link na", ["name="]),
        ("port set tap0 link name=th", ["name=there"]),
        ("port set tap0 link bus=p", []),
    ):
        offered = _complete(crowded.run_dir, f"hotswitch {line}")
        known = [each for each in sorted(offered) if not re.search("br|hs-|far", each)]
        assert known == last, line


def test_words_are_completed(tmp_path: Path) -> None:
    def complete(line: str) -> list[str]:
        return _complete(tmp_path, line)

    assert complete("hotswitch br") == ["bridge"]
    assert "add" in complete("hotswitch port ")
    assert complete("hotswitch port add tap0 st") == ["storm-limit"]
    assert complete("hotswitch port add tap0 mode native-t") == ["native-tagged"]
    assert complete("hotswitch port add tap0 bridge br0 mode access m") == [
        "mac",
        "mtu",
        "metadata",
    ]
    assert complete("hotswitch program show ") == ["asm", "ir", "bridge"]
    assert complete("hotswitch program show asm ") == ["bridge"]
    assert complete("hotswitch trace in tap0 arp ") == ["bridge", "hex"]
    assert complete("hotswitch port set ") == []  # no daemon is there to be asked
    assert "_HOTSWITCH_COMPLETE" in hotswitch(None, tmp_path, "completion", "bash").stdout
