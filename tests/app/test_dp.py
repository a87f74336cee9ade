"""`hotswitch dp` with a real daemon, real devices, and packets between two hosts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from hotswitch.app.cli import run
from hotswitch.app.cli.dp import command as noun
from hotswitch.app.cli.root import root
from tests.clients import shim
from tests.support import process
from tests.support.daemon import Daemon, command, environment, hotswitch
from tests.support.room import Room

ARP = "eth(),eth_type(0x0806),arp()"
IP = "eth(),eth_type(0x0800),ipv4()"
UFID = "ufid:00000000-0000-0000-0000-000000000001"


class Lab:
    """A daemon and two hosts behind p1 and p2."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def do(self, *words: str) -> str:
        done = self.daemon.hotswitch("dp", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def ask(self, *words: str) -> Any:
        return json.loads(self.do(*words, "--json"))

    def refused(self, *words: str, code: int = 1) -> str:
        done = self.daemon.hotswitch("dp", *words)
        assert done.returncode == code and done.stdout == "", done
        assert done.stderr.startswith("hotswitch: ") and done.stderr.count("\n") == 1
        return done.stderr

    def ping(self) -> bool:
        words = ("ping", "-c", "2", "-i", "0.1", "-W", "1", "10.0.0.2")
        return not self.daemon.room.run(*words, host="h1", check=False).returncode

    @contextmanager
    def watching(self, *words: str) -> Iterator[Watch]:
        line = self.daemon.room.command(*command("dp", *words, "--json"))
        variables = environment(HOTSWITCH_RUN_DIR=str(self.daemon.run_dir))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running = process.start(line, env=variables, **pipes)
        try:
            yield Watch(running)
        finally:
            process.stop(running)


class Watch:
    """A command that goes on."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.process = running
        self.begun = self.next()
        assert self.begun["event"] == "listening"

    def next(self) -> dict[str, Any]:
        assert self.process.stdout
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        while True:
            found = self.next()
            if found["event"] == event and fields.items() <= found.items():
                return found

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        assert (self.process.returncode, said) == (0, "")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Room() as room:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
            room.run("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1", host=f"h{number}")
        with Daemon(room, tmp_path / "run") as daemon:
            yield Lab(daemon)
        assert "Traceback" not in daemon.log, daemon.log


def test_datapaths_and_ports(lab: Lab) -> None:
    assert "there is no datapath (make one: " in lab.refused("dump-flows")
    assert lab.ask("list") == [] == lab.ask("show")
    lab.do("add", "dp1")
    assert "already" in lab.refused("add", "dp1")
    lab.do("add-if", "dp1", "p1", "number", "5")
    lab.do("add-if", "dp1", "int0", "type", "internal", "upcall", "7,8")
    assert "there is no device none" in lab.refused("add-if", "dp1", "none")
    assert "dp2" in lab.refused("add-if", "dp2", "p2")
    (shown,) = lab.ask("show", "dp1")
    ports = [(each["port"], each["name"], each["type"]) for each in shown["ports"]]
    assert ports == [(0, "dp1", "internal"), (1, "int0", "internal"), (5, "p1", "system")]
    assert shown["ports"][1]["upcall"] == [7, 8]
    said = lab.refused("add-if", "dp1", "vx3", "type", "vxlan")
    assert "vx3: a vxlan port needs its UDP port (add: dst-port 4789)" in said
    lab.do("set-if", "dp1", "1", "upcall", "none")
    assert "    upcall" not in lab.do("show", "-s")
    assert re.search(r"port 5: p1\n    RX packets:\d+ bytes:\d+ errors:0", lab.do("show", "-s"))
    lab.do("del-if", "dp1", "5")
    lab.do("add", "dp2")
    assert lab.do("list") == "dp1\ndp2\n"
    assert "name one: dp1, dp2" in lab.refused("dump-flows")
    for name in ("dp1", "dp2"):
        lab.do("del", name)
    assert lab.do("show") == ""


def test_flows(lab: Lab) -> None:
    lab.do("add", "dp1")
    for port in ("p1", "p2"):
        lab.do("add-if", "dp1", port)
    for here, there in ((1, 2), (2, 1)):
        lab.do("add-flow", f"in_port(p{here}),{ARP}", f"p{there}")
        lab.do("add-flow", "dp1", f"in_port({here}),{IP}", str(there))
    lab.do("add-flow", f"{UFID},in_port(2),eth(dst=02:00:00:00:00:01),eth_type(0x1234)", "drop")
    assert lab.ping()
    flows = {each["match"]: each for each in lab.ask("dump-flows", "--names")}
    found = flows["in_port(p1),eth(),eth_type(0x0800)"]
    assert (found["packets"], found["bytes"], found["actions"]) == (2, 196, "p2")
    assert found["used"] >= 0
    one = lab.ask("get-flow", UFID)
    assert one["match"] == "in_port(2),eth(dst=02:00:00:00:00:01),eth_type(0x1234)"
    assert "already" in lab.refused("add-flow", f"in_port(1),{IP}", "2")
    said = lab.ask("mod-flow", f"in_port(1),{IP}", "drop", "-s")
    assert said["packets"] == 2
    assert not lab.ping()
    lab.do("mod-flow", "--may-create", f"in_port(1),{IP}", "2")
    lab.do("mod-flow", "--clear", f"in_port(1),{IP}")
    assert lab.ping()
    assert re.match(r"packets:2, bytes:196, used:\d", lab.do("del-flow", f"in_port(1),{IP}"))
    refused = lab.refused("del-flow", f"in_port(1),{IP}")
    assert "there is no such flow (name it as it was added" in refused
    assert lab.ask("del-flow", UFID)["packets"] == 0
    # What is printed can be given back, also by hand.
    lines = lab.do("dump-flows", "-m").splitlines()
    assert len(lines) == 3
    for line in lines:
        lab.do("del-flow", line)
        lab.do("add-flow", line)
    again = lab.do("dump-flows", "-m", "--no-names").splitlines()
    named = [line.replace("(p1)", "(1)").replace("(p2)", "(2)") for line in lines]
    assert [line.split(", ")[0] for line in again] == [line.split(", ")[0] for line in named]
    lab.do("del-flows")
    assert lab.ask("dump-flows") == []


def test_what_is_wrong_is_one_line_and_changes_nothing(lab: Lab) -> None:
    lab.do("add", "dp1")
    for words, says in (
        (("add-flow", "in_port(p9),eth()", "1"), "flow, column 9, at 'p9),eth()': the number or"),
        (("add-flow", "in_port(1),eth()", "p9"), "actions, column 1, at 'p9': a port or one of"),
        (("add-flow", "in_port(1),eth(),eth_type(0x0800)", "2"), "ipv4"),
        (("add-flow", "in_port(1),eth(),nsh(si=3)", "2"), "key.nsh"),
        (("add-flow", "in_port(1),eth()", "pop_eth"), "actions.pop_eth"),
        (("add-flow", "none", "in_port(1),eth()", "1"), "none"),
        (("get-flow", UFID), "there is no such flow"),
        (("monitor", "dp1", "p9"), "there is no port p9"),
        (("events", "dp9"), "dp9"),
        (
            ("add-flow", "in_port(1),eth()", ",".join(["0"] * 33)),
            "34 actions are too many (at most 32)",
        ),
    ):
        assert says in lab.refused(*words)
    assert lab.ask("dump-flows") == []


def test_what_comes_up_is_shown_and_given_back(lab: Lab) -> None:
    lab.do("add", "dp1")
    for port in ("p1", "p2"):
        lab.do("add-if", "dp1", port)
    lab.do("set-if", "dp1", "p2", "upcall", "99")
    assert "the packets of p2 go to 99 (--take" in lab.refused("monitor", "dp1", "p2")
    with lab.watching("monitor", "dp1") as watch:
        assert watch.begun["ports"] == ["dp1", "p1"]
        assert not lab.ping()
        seen = watch.until("miss", in_port="p1")
        assert (seen["length"], len(seen["packet"])) == (42, 84)
        assert seen["summary"] == "ARP, 10.0.0.1 asks for 10.0.0.2"
        assert seen["key"].startswith("in_port(p1),eth(src=") and "arp(sip=10.0.0.1" in seen["key"]
        action = f"userspace(pid={watch.begun['pid']},userdata(0102)),2"
        lab.do("add-flow", f"in_port(1),{ARP}", action)
        lab.daemon.room.run("ip", "neigh", "flush", "all", host="h1")
        lab.ping()
        assert watch.until("action")["userdata"] == "0102"
        # A port that comes is taken too; one that somebody else wants is not taken back.
        lab.do("add-if", "dp1", "int0", "type", "internal")
        lab.do("set-if", "dp1", "p1", "upcall", "98")
        watch.end(signal.SIGTERM)
    ports = {each["name"]: each["upcall"] for each in lab.ask("show")[0]["ports"]}
    assert ports == {"dp1": [], "p1": [98], "p2": [99], "int0": []}
    with lab.watching("monitor", "dp1", "p1", "--take") as watch:
        assert watch.begun["ports"] == ["p1"]
        watch.end(signal.SIGINT)
    ports = {each["name"]: each["upcall"] for each in lab.ask("show")[0]["ports"]}
    assert ports == {"dp1": [], "p1": [98], "p2": [99], "int0": []}


def test_events_are_told_over_a_restart(lab: Lab) -> None:
    with lab.watching("events") as watch:
        lab.do("add", "dp1")
        assert watch.next() == {"event": "datapath-new", "datapath": "dp1"}
        lab.do("add-if", "dp1", "p1")
        watch.until("port-new", datapath="dp1", name="p1", port=1)
        lab.do("add-flow", f"in_port(1),{ARP}", "drop")
        watch.until("flow-new", match="in_port(1),eth(),eth_type(0x0806)", actions="drop")
        assert lab.daemon.process
        process.stop(lab.daemon.process)
        lab.daemon.start()
        watch.until("lost")
        lab.do("del", "dp1")
        watch.until("datapath-del", datapath="dp1")
        watch.end(signal.SIGINT)


def test_events_end_with_their_reader(lab: Lab) -> None:
    """Also while there is no daemon, which they would wait for."""
    with lab.watching("events") as watch:
        assert lab.daemon.process and watch.process.stdout
        process.stop(lab.daemon.process)
        watch.until("lost")
        watch.process.stdout.close()
        assert watch.process.wait(20) == 0


def test_beside_ovs_dpctl(lab: Lab, tmp_path: Path) -> None:
    """The same flows in the same words, whoever adds, shows or deletes them."""
    built = shim.build(tmp_path, "ovs-dpctl")

    def dpctl(*words: str) -> str:
        line = [*shim.environment(built, lab.daemon.run_dir), "ovs-dpctl", *words]
        return lab.daemon.room.run(*line, timeout=20).stdout

    lab.do("add", "dp1")
    for port in ("p1", "p2"):
        dpctl("add-if", "dp1", port)
    lab.do("add-flow", f"{UFID},in_port(p1),{ARP}", "push_vlan(vid=10,pcp=0),p2")
    dpctl("add-flow", "dp1", f"in_port(2),{ARP}", "set(eth(dst=02:00:00:00:00:01)),1")
    for options in ((), ("-m",), ("-m", "--no-names")):
        theirs = dpctl("dump-flows", *options, "dp1").splitlines()
        assert len(theirs) == 2
        assert sorted(theirs) == sorted(lab.do("dump-flows", *options).splitlines())
    assert dpctl("get-flow", "dp1", UFID) == lab.do("get-flow", UFID)
    lab.do("del-flow", f"in_port(2),{ARP}")
    dpctl("del-flow", "dp1", f"{UFID},in_port(1),{ARP}")
    assert lab.ask("dump-flows") == []
    dpctl("show")
    said = lab.refused("monitor", "dp1")
    assert "the packets of dp1 go by CPU, to nobody yet: a program has asked for that" in said
    assert "(hotswitch dp set dp1 per-cpu off vport-pids on)" in said
    assert "  dispatch: by CPU, to nobody\n" in lab.do("show")
    lab.do("set", "dp1", "upcall", "17,18")
    assert "  dispatch: by CPU, to 17, 18\n" in lab.do("show")
    lab.do("set", "dp1", "per-cpu", "off", "vport-pids", "on")
    assert "  dispatch: by port\n" in lab.do("show")
    (about,) = lab.ask("show")
    assert about["dispatch"] == "port" and "vport-pids" in about["feature_names"]
    assert "do not go by CPU" in lab.refused("set", "dp1", "upcall", "17")
    assert "say what to change" in lab.refused("set", "dp1", code=2)
    with lab.watching("monitor", "dp1") as watch:
        watch.end(signal.SIGINT)


def test_a_copy_that_only_user_space_can_handle(lab: Lab) -> None:
    """Of two packets to look up again, the program does one: the ping lives by the other."""
    lab.do("add", "dp1")
    for port in ("p1", "p2"):
        lab.do("add-if", "dp1", port)
    for here, there in (("p1", "p2"), ("p2", "p1")):
        lab.do("add-flow", f"recirc_id(0),in_port({here}),eth()", "recirc(1),recirc(2)")
        lab.do("add-flow", f"recirc_id(1),in_port({here}),eth()", there)
        lab.do("add-flow", f"recirc_id(2),in_port({here}),eth()", "drop")
    assert lab.ping()


def test_help_has_examples_and_names_are_completed(lab: Lab, tmp_path: Path) -> None:
    for name, each in noun.commands.items():
        assert each.help and "Example" in each.help, name
    lab.do("add", "dp1")
    lab.do("add-if", "dp1", "p1")

    def complete(line: str) -> list[str]:
        *words, last = line.split(" ")
        shell = ShellComplete(root, {}, "hotswitch", "_HOTSWITCH_COMPLETE")
        found = shell.get_completions(["--run-dir", str(lab.daemon.run_dir), "dp", *words], last)
        return [each.value for each in found]

    assert complete("add-f") == ["add-flow"]
    for line in ("del ", "show ", "add-if ", "add-flow ", "dump-flows ", "monitor ", "events "):
        assert complete(line) == ["dp1"]
    assert complete("del-if dp1 ") == ["dp1", "p1"] == complete("monitor dp1 ")
    assert complete("add-if dp1 p1 t") == ["type"]
    assert complete("add-if dp1 p1 type i") == ["internal"]
    assert complete("add-flow dp1 ") == []


def test_what_is_not_understood_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "frob",
        "add",
        "add-flow",
        "add-flow dp1",
        "add-flow dp1 in_port(1) 2 3",
        "add-if dp1 p1 type token-ring",
        "add-if dp1 p1 number x",
        "set-if dp1 p1",
        "monitor dp1 --count 0",
    ):
        assert run(["dp", *line.split()]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1, said


def test_without_a_daemon_there_is_one_line(tmp_path: Path) -> None:
    done = hotswitch(None, tmp_path, "dp", "list")
    assert done.returncode == 1
    assert done.stderr == (
        f"hotswitch: no daemon is running in {tmp_path} "
        f"(start it: hotswitchd --run-dir {tmp_path})\n"
    )
