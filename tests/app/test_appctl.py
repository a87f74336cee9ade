"""Open vSwitch's own ovs-appctl on the daemon's control socket."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from hotswitch.app.appctl.flows import FlowWriter
from hotswitch.headers.standard import standard_registry
from hotswitch.model.text import read_actions, read_match
from hotswitch.ovsdb.coverage import Coverage
from hotswitch.ovsdb.unixctl import CommandError
from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room
from tests.support.wait import until

REGISTRY = standard_registry()
WRITER = FlowWriter(REGISTRY, {3: "tap3"})

needs_ovs_appctl = pytest.mark.skipif(
    shutil.which("ovs-appctl") is None, reason="Open vSwitch's tools are not installed"
)


def refused(daemon: Daemon, line: str) -> str:
    """Run ovs-appctl with what must be refused; the daemon's words."""
    done = daemon.appctl(line)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    return done.stderr.partition("ovs-appctl: ")[0]


@pytest.fixture
def wired(daemon: Daemon) -> Daemon:
    """Two bridges with a cable between them, and a device."""
    daemon.room.run("ip", "link", "add", "v0", "type", "veth", "peer", "v1")
    daemon.do("bridge add br0")
    daemon.do("bridge add br1")
    daemon.do("port add v0 bridge br0 number 7")
    daemon.do("port add p0 bridge br0 type patch peer p1 number 2")
    daemon.do("port add p1 bridge br1 type patch peer p0")
    return daemon


def _found(daemon: Daemon, *words: str) -> str:
    """What ovs-appctl prints that is told only where to look."""
    line = ("env", f"OVS_RUNDIR={daemon.run_dir}", "ovs-appctl", "-T", "30", *words)
    return daemon.room.run(*line).stdout


def _beside(daemon: Daemon) -> set[str]:
    return {each.name for each in daemon.run_dir.iterdir() if each.suffix in (".pid", ".ctl")}


@needs_ovs_appctl
def test_ovs_appctl_finds_the_daemon_by_itself(daemon: Daemon) -> None:
    daemon.do("bridge add br0")
    for _ in range(2):
        assert daemon.process
        pid = daemon.process.pid
        assert _found(daemon, "fdb/show", "br0").startswith(" port  VLAN  MAC")
        assert _found(daemon, "-t", "ovsdb-server", "ovsdb-server/list-dbs").split() == [
            "Open_vSwitch", "_Server",
        ]  # fmt: skip
        assert _found(daemon, "-t", "hotswitchd", "version").startswith("hotswitch ")
        names = ("hotswitchd", "ovs-vswitchd", "ovsdb-server")
        wanted = {f"{name}.pid" for name in names} | {f"{name}.{pid}.ctl" for name in names}
        assert _beside(daemon) == wanted
        daemon.process.kill()
        daemon.process.wait()
        daemon.start()
    daemon.do("shutdown")
    assert _beside(daemon) == set()


@needs_ovs_appctl
def test_a_pid_file_that_another_process_has_is_left_alone(room: Room, tmp_path: Path) -> None:
    daemon = Daemon(room, tmp_path / "run", kind=REFERENCE)
    daemon.run_dir.mkdir()
    path = daemon.run_dir / "ovs-vswitchd.pid"
    with path.open("w") as other:
        fcntl.lockf(other, fcntl.LOCK_EX)
        other.write("7\n")
        other.flush()
        with daemon:
            assert "ovs-vswitchd.pid: another process has it" in daemon.log
            assert _found(daemon, "-t", "hotswitchd", "version")
            daemon.do("shutdown")
        assert path.read_text() == "7\n"
    assert _beside(daemon) == {path.name}


@needs_ovs_appctl
def test_ports_are_shown_as_open_vswitch_shows_them(wired: Daemon) -> None:
    assert wired.texts("ofproto/list") == "br0\nbr1\n"
    assert wired.texts("dpif/show") == (
        "system@br0: hit:0 missed:0\n"
        "  br0:\n"
        "    br0 65534/255: (internal)\n"
        "    p0 2/2: (patch: peer=p1)\n"
        "    v0 7/7: (system)\n"
        "system@br1: hit:0 missed:0\n"
        "  br1:\n"
        "    br1 65534/255: (internal)\n"
        "    p1 1/1: (patch: peer=p0)\n"
    )
    assert wired.texts("dpctl/dump-dps") == "system@br0\nsystem@br1\n"
    shown = re.sub(r"flows: [1-9]\d*", "flows: N", wired.texts("dpctl/show system@br1"))
    begin = "system@br1:\n  lookups: hit:0 missed:0 lost:0\n  flows: N\n  port 1: p1 (patch)\n"
    assert shown == f"{begin}  port 255: br1 (internal)\n"
    lines = wired.texts("dpctl/show -s br0").splitlines()
    assert lines[3 + 5 : 3 + 10] == [
        "  port 7: v0",
        "    RX packets:0 errors:? dropped:0 overruns:? frame:?",
        "    TX packets:0 errors:? dropped:0 aborted:? carrier:?",
        "    collisions:?",
        "    RX bytes:0  TX bytes:0",
    ]
    assert refused(wired, "dpctl/show br9") == ("opening datapath br9 failed (No such device)\n")
    assert "-x" in refused(wired, "dpctl/show -x")


@needs_ovs_appctl
def test_ports_without_a_device_are_shown_only_if_they_keep_their_number(wired: Daemon) -> None:
    wired.do("port add gone bridge br0 number 8 --absent-ok")
    wired.do("port add kept bridge br0 number 9 lifecycle static --absent-ok")

    def both() -> list[str]:
        return [wired.texts(each) for each in ("dpif/show", "dpctl/show system@br0")]

    for shown in both():
        assert "v0" in shown and "kept" in shown and "gone" not in shown
    wired.room.run("ip", "link", "add", "gone", "type", "veth", "peer", "other")
    until(lambda: all("gone" in shown for shown in both()), "it is shown")
    wired.room.run("ip", "link", "del", "v0")
    until(lambda: not any("v0" in shown for shown in both()), "it is not shown any more")


@needs_ovs_appctl
def test_addresses_are_shown_as_open_vswitch_shows_them(wired: Daemon) -> None:
    assert wired.texts("fdb/show br0") == " port  VLAN  MAC                Age\n"
    assert wired.texts("fdb/stats-show br0").splitlines() == [
        'Statistics for bridge "br0":',
        "  Current/maximum MAC entries in the table: 0/8192",
        "  Current static MAC entries in the table : 0",
        "  Total number of learned MAC entries     : 0",
        "  Total number of expired MAC entries     : 0",
        "  Total number of evicted MAC entries     : 0",
        "  Total number of port moved MAC entries  : 0",
        "  Total number of not learned MAC entries : 0",
    ]
    assert (
        wired.texts("fdb/flush") == wired.texts("fdb/flush br0") == ("table successfully flushed\n")
    )
    assert wired.texts("fdb/stats-clear") == "statistics successfully cleared\n"
    for command in ("fdb/show", "fdb/flush", "fdb/stats-show", "fdb/stats-clear"):
        assert refused(wired, f"{command} br9") == "no such bridge\n"
    assert "requires at least 1 arguments" in refused(wired, "fdb/show")


@needs_ovs_appctl
def test_static_addresses_come_and_go(wired: Daemon) -> None:
    wired.do("port set v0 tag 10")
    add = "fdb/add br0 v0 10 02:00:00:00:00:01"
    assert wired.texts(add) == wired.texts(add) == ""
    assert wired.texts("fdb/show br0").splitlines()[1:] == [
        "    7    10  02:00:00:00:00:01  static"
    ]
    overridden = "Overriding already existing static entry on 7\n"
    assert wired.texts("fdb/add br0 br0 10 02:00:00:00:00:01") == overridden
    assert wired.texts("fdb/flush br0") and "LOCAL" in wired.texts("fdb/show br0")
    assert "static MAC entries in the table : 1" in wired.texts("fdb/stats-show br0")
    for line, says in (
        ("fdb/add br9 v0 10 02:00:00:00:00:01", "no such bridge\n"),
        ("fdb/add br0 v0 10 2:x", "bad MAC address\n"),
        ("fdb/del br0 10 2:x", "bad MAC address\n"),
        ("fdb/del br0 10 02:00:00:00:00:02", "could not find static mac entry\n"),
        ("fdb/add br0 v9 10 02:00:00:00:00:01", "there is no port v9"),
        ("fdb/add br1 v0 10 02:00:00:00:00:01", "v0 is not a port of br1\n"),
        ("fdb/add br0 v0 20 02:00:00:00:00:01", "v0 is not in VLAN 20"),
        ("fdb/add br0 v0 4096 02:00:00:00:00:01", "4096 is not a VLAN"),
        ("fdb/add br0 v0 -1 02:00:00:00:00:01", "-1 is not a VLAN"),
    ):
        assert says in refused(wired, line)
    assert wired.texts("fdb/del br0 10 02:00:00:00:00:01") == ""
    assert len(wired.texts("fdb/show br0").splitlines()) == 1


@needs_ovs_appctl
def test_entries_are_written_as_flows(wired: Daemon) -> None:
    wired.do("port set v0 tag 10")
    (datapath,) = (wired.texts(f"dpctl/dump-flows {name}") for name in ["system@br0"])
    assert datapath == wired.texts("dpif/dump-flows br0") == wired.texts("dpctl/dump-flows br0")
    lines = datapath.splitlines()
    form = r"recirc_id\((0|0x[1-9a-f])\)(,.*)?, packets:0, bytes:0, used:never, priority:\d+, "
    assert all(re.fullmatch(form + r"actions:\S+", line) for line in lines)
    assert len(lines) == int(re.findall(r"flows: (\d+)", wired.texts("dpctl/show br0"))[0])
    untagged = next(line for line in lines if "in_port(7),!vlan" in line)
    assert untagged.endswith("recirc(0x2)")
    named = wired.texts("dpctl/dump-flows --names br0")
    assert "in_port(v0),!vlan" in named and "in_port(7)" not in named
    assert ", cookie:0x0, actions:" in wired.texts("dpif/dump-flows -m br0")
    both = wired.texts("dpctl/dump-flows").splitlines()
    assert [line for line in both if "@" in line] == ["system@br0:", "system@br1:"]
    assert refused(wired, "dpctl/dump-flows -x") == "Unrecognized option -x\n"
    assert refused(wired, "dpif/dump-flows br9") == "no such bridge\n"
    assert "can't be filtered" in refused(wired, "dpctl/dump-flows filter=tcp")
    assert wired.texts("dpif/dump-dps") == "system@br0\nsystem@br1\n"


@pytest.mark.parametrize(
    ("match", "flow"),
    [
        ("any", "recirc_id(0)"),
        (
            "in_port=7,ethernet.dst=02:00:00:00:00:01,vlan.vid=10",
            "recirc_id(0),in_port(7),eth(dst=02:00:00:00:00:01),vlan(vid=10)",
        ),
        (
            "ethertype=0x800,ipv4.dst=10.0.0.0/8,ipv4.src=10.0.0.1,tcp.dst=80",
            "recirc_id(0),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.0/8),tcp(dst=80)",
        ),
        ("reg0=1,!vlan,udp", "recirc_id(0),udp(),reg0=0x1,!vlan"),
        ("arp.target_ip=10.0.0.1,arp.operation=1", "recirc_id(0),arp(tip=10.0.0.1,op=1)"),
        ("ipv6.src=fd00::/16", "recirc_id(0),ipv6(src=fd00::/16)"),
        ("in_port=1/3", "recirc_id(0),in_port(0x1/0x3)"),
    ],
)
def test_a_match_is_said_in_a_flow_s_words(match: str, flow: str) -> None:
    assert WRITER.match(0, read_match(REGISTRY, match)) == flow


@pytest.mark.parametrize(
    ("actions", "flow"),
    [
        ("none", "drop"),
        ("drop", "drop"),
        ("output:3", "tap3"),
        ("outputs:1+3", "1,tap3"),
        ("push_vlan,set:vlan.vid=5,output:1", "push_vlan(tpid=0x8100),set(vlan(vid=5)),1"),
        ("pop_vlan,limit:7,goto:5", "pop_vlan,meter(7),recirc(0x5)"),
        ("set:reg0=1,learn,output:in_port", "set:reg0=0x1,learn:reg0,output:in_port"),
    ],
)
def test_actions_are_said_in_a_flow_s_words(actions: str, flow: str) -> None:
    assert WRITER.actions(read_actions(REGISTRY, actions)) == flow


@needs_ovs_appctl
def test_both_clients_use_one_socket_and_one_list_of_commands(daemon: Daemon) -> None:
    commands = {line.split()[0] for line in daemon.texts("list-commands").splitlines()[1:]}
    assert {"fdb/show", "port/add", "ovsdb-server/compact", "vlog/set", "exit"} <= commands
    assert re.fullmatch(r"hotswitch \d+\.\d+\.\d+\n", daemon.texts("version"))
    assert daemon.texts("bridge/add br0 60") == ""
    assert daemon.ask("bridge list")[0]["ageing_time"] == 60
    assert "already a bridge" in refused(daemon, "bridge/add br0")
    assert "is not a valid command" in refused(daemon, "nonsense")


@needs_ovs_appctl
def test_the_daemon_is_looked_into(wired: Daemon) -> None:
    memory = dict(each.split(":") for each in wired.texts("memory/show").split())
    assert memory["ports"] == "5" and int(memory["rules"]) > 0 and int(memory["cells"]) > 0
    coverage = wired.texts("coverage/show").splitlines()
    assert coverage[0].startswith("Event coverage, avg rate over last: 5 seconds, last minute")
    assert re.fullmatch(r"\d+ events never hit", coverage[-1])
    total = r"ovsdb_commits +[\d.]+/sec +[\d.]+/sec +[\d.]+/sec +total: [1-9]\d*"
    assert any(re.fullmatch(total, line) for line in coverage)
    assert int(wired.texts("coverage/read-counter ovsdb_commits")) > 0
    assert refused(wired, "coverage/read-counter nonsense") == "No such counter\n"
    assert wired.texts("vlog/set app.life:console:dbg") == ""
    assert re.search(r"^app\.life +DBG +OFF +OFF$", wired.texts("vlog/list"), re.MULTILINE)


@needs_ovs_appctl
def test_what_the_daemon_works_on_can_not_be_removed(wired: Daemon) -> None:
    assert "works on" in refused(wired, "ovsdb-server/remove-db Open_vSwitch")
    assert wired.texts("ovsdb-server/list-dbs") == "Open_vSwitch\n_Server\n"
    wired.do("bridge del br1")


@needs_ovs_appctl
@pytest.mark.parametrize("option", ["", " --cleanup"])
def test_when_exit_returns_the_next_daemon_can_start(wired: Daemon, option: str) -> None:
    assert "--cleanup" in refused(wired, "exit now")
    assert wired.texts(f"exit{option}") == ""
    there = wired.room.run("ip", "link", "show", "br0", check=False).returncode == 0
    assert there is (not option)
    wired.start()
    assert wired.texts("ofproto/list") == "br0\nbr1\n"


@needs_ovs_appctl
def test_an_external_database_has_its_own_commands(daemon: Daemon, tmp_path: Path) -> None:
    remote = f"unix:{daemon.run_dir}/db.sock"
    with Daemon(daemon.room, tmp_path / "other", "--db", remote, kind=daemon.kind) as other:
        assert "is not a valid command" in refused(other, "ovsdb-server/list-dbs")
        assert other.texts("ofproto/list") == ""
        assert "ports" not in other.texts("memory/show")


def test_averages_are_those_of_the_samples() -> None:
    counted: Counter[str] = Counter(never=0)
    coverage = Coverage(lambda: counted, lambda: {"other": 3})
    coverage.sample()
    counted["packets"] = 600
    lines = coverage.show().splitlines()
    assert lines[1:] == [
        "other                      0.0/sec     0.000/sec        0.0000/sec   total: 3",
        "packets                  120.0/sec    10.000/sec        0.1667/sec   total: 600",
        "1 events never hit",
    ]
    for _ in range(12):
        coverage.sample()
    assert "packets                    0.0/sec     0.000/sec        0.1667/sec" in coverage.show()
    assert coverage.read("packets") == "600\n"
    with pytest.raises(CommandError):
        coverage.read("nothing")
