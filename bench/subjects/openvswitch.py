"""Open vSwitch's userspace datapath, in folders of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import lab
from bench.child import FIRST
from bench.process import started
from bench.subjects.subject import Running

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


def why_not() -> str:
    """A reason why it can't be measured here, or nothing."""
    if not shutil.which("ovs-vswitchd") or not _SCHEMA.exists():
        return "openvswitch-switch is not installed"
    return ""


@dataclass(frozen=True)
class Daemons:
    """address: the database's. environment: for its tools. switch: the id of ovs-vswitchd."""

    address: str
    environment: Mapping[str, str]
    switch: int


@contextmanager
def daemons(namespace: str) -> Iterator[Daemons]:
    """ovsdb-server, and ovs-vswitchd in a namespace, with nothing configured."""
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir="/run")))
        places = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")
        environment = {**os.environ, **dict.fromkeys(places, str(folder))}
        database, address = folder / "conf.db", f"unix:{folder}/db.sock"
        lab.run("ovsdb-tool", "create", str(database), str(_SCHEMA), environment=environment)
        _start(
            cleanup, environment, "", "ovsdb-server", str(database), f"--remote=p{address}",
        )  # fmt: skip
        lab.until((folder / "db.sock").exists, "ovsdb-server listens")
        switch = _start(cleanup, environment, namespace, "ovs-vswitchd", address)
        yield Daemons(address, environment, switch.pid)


@contextmanager
def open_vswitch(name: str) -> Iterator[Running]:
    """Access ports of VLAN 10 on a bridge with datapath_type=netdev.

    The hosts compute checksums themselves: with veth's offloads TCP hangs in this datapath.
    """
    pair = lab.switched_pair(name)
    for host in (pair.first, pair.second):
        lab.offload(host.namespace, host.link, "tx", False)
    with daemons(pair.switch) as running:
        words = ["--", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"]
        for near in lab.NEAR:
            words += ["--", "add-port", "br0", near, "tag=10"]
        address = f"--db={running.address}"
        lab.run("ovs-vsctl", address, "--timeout=20", *words, environment=running.environment)
        yield Running(pair, (pair.switch, lab.NEAR[0]), (running.switch,))


def _start(
    cleanup: ExitStack, environment: dict[str, str], namespace: str, *command: str
) -> subprocess.Popen[bytes]:
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    quiet = ["-vconsole:off", "-vsyslog:off"]
    return cleanup.enter_context(started([*inside, *FIRST, *command, *quiet], environment))
