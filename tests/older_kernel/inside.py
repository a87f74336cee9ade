"""What the emulated machine runs: a kernel without tcx forwards, by way of clsact.

Each step says what holds, or it ends with a traceback and a code other than zero.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import platform
import re
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hotswitch.app import daemon
from hotswitch.app.control.client import ControlClient
from hotswitch.app.engines import ENGINES
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.links import get_link
from hotswitch.kernel.probe import FEATURES, TCX
from hotswitch.model.port import Hook
from tests.engines.agreement import assert_same
from tests.engines.facade import HOST, Facade
from tests.engines.fallback import falls_back, vif
from tests.engines.harness import ReferenceHarness, observe
from tests.engines.kernel_harness import kernel_harness
from tests.older_kernel import scene

_RUN_DIRECTORY = Path("/run/hotswitch")
_HOSTS = {"anna": ("tap0", 10), "ben": ("tap1", 10), "carla": ("tap2", 20)}
_ADDRESSES = {name: f"10.0.0.{number}" for number, name in enumerate(_HOSTS, 1)}
_FORK = multiprocessing.get_context("fork")


def main() -> None:
    """Raises whatever goes wrong."""
    missing = [each.name for each in FEATURES if not each]
    print(f"Linux {platform.release()} lacks: {', '.join(missing)}")
    assert not TCX
    assert ENGINES["kernel"].why_unusable() is None
    importlib.import_module("hotswitch.datapath.engines.kernel")  # once, not in each daemon
    for step in (
        _daemon_forwards,
        _engine_does_what_the_reference_does,
        _host_sends_and_receives_through_a_facade,
        _frames_fall_back_to_the_other_link,
    ):
        began = time.monotonic()
        step()
        print(f"{step.__name__.strip('_').replace('_', ' ')}: {time.monotonic() - began:.0f} s")


def _engine_does_what_the_reference_does() -> None:
    registry = standard_registry()
    expected = observe(ReferenceHarness(registry), scene.setup(registry), scene.FRAMES)
    with kernel_harness(registry) as harness:
        assert_same(expected, observe(harness, scene.setup(registry), scene.FRAMES))


def _host_sends_and_receives_through_a_facade() -> None:
    with ExitStack() as cleanup:
        facade = Facade(cleanup, Hook.AUTO)
        facade.add_vlan(5)
        for net in (0, 5):
            for source, target in ((HOST, 1), (1, HOST), (1, 2)):
                facade.ping(source, target, net)
        assert clsact.find(facade.bridge, egress=True)
        facade.check_bridge()


def _frames_fall_back_to_the_other_link() -> None:
    for far_end in (False, True):
        with vif() as (_, made):
            falls_back(made, far_end=far_end)


def _daemon_forwards() -> None:
    _run("ip netns add switch")
    for name, (device, _) in _HOSTS.items():
        _run(f"ip netns add {name}")
        _run(f"ip -n switch link add {device} type veth peer eth0 netns {name}")
        _run(f"ip -n switch link set {device} up")
        _run(f"ip -n {name} link set eth0 up")
        _run(f"ip -n {name} address add {_ADDRESSES[name]}/24 dev eth0")
    running = _start()
    _ask("bridge/add", name="br0")
    for device, vlan in _HOSTS.values():
        _ask("port/add", name=device, bridge="br0", tag=vlan)
    assert _ping("anna", "ben") and not _ping("anna", "carla")
    assert _at_switch(lambda index: clsact.find(index) is not None) == {True}
    running = _killed_under_traffic(running)
    counted = _ask("port/show", name="tap0")["statistics"]["rx_packets"]
    assert counted > 100, counted
    learned = {row["port"] for row in _ask("fdb/show")}
    assert {"tap0", "tap1"} <= learned, learned
    _ask("port/set", name="tap2", tag=10)
    assert _ping("anna", "carla")
    _ask("exit", stop_forwarding=True)
    running.join()
    assert not _ping("anna", "ben")
    assert _at_switch(lambda index: clsact.find(index) is None) == {True}
    assert "clsact" not in _run("tc -n switch qdisc show")
    assert not list(Path("/sys/fs/bpf/hotswitch").iterdir())


def _killed_under_traffic(running: Any) -> Any:
    """Kill the daemon and start another, which it returns; no packet is lost meanwhile."""
    command = f"ip netns exec anna ping -i 0.02 -c 10000 {_ADDRESSES['ben']}"
    pings = subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True)
    running.kill()
    running.join()
    again = _start()
    pings.send_signal(2)  # SIGINT: it waits for no more, and sums up
    summary, _ = pings.communicate(timeout=30)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", summary)
    assert found, summary
    sent, received = map(int, found.groups())
    print(f"a daemon was killed and another took over: {sent} pings, {received} answers")
    # The last one may have been on its way when time was up.
    assert sent > 20 and received >= sent - 1
    return again


def _start() -> Any:
    """Start the daemon in a process of its own and wait until it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        path = Path("/run/notify")
        path.unlink(missing_ok=True)
        ear.bind(str(path))
        ear.settimeout(60)
        os.environ["NOTIFY_SOCKET"] = str(path)
        options = ["--run-dir", str(_RUN_DIRECTORY), "--netns", "switch", "--log-level", "warning"]
        started = _FORK.Process(target=daemon.run, args=(options,))
        started.start()
        assert b"READY=1" in ear.recv(4096)
    return started


def _ask(method: str, **parameters: Any) -> Any:
    with ControlClient(_RUN_DIRECTORY / "ctl.sock") as client:
        return client.call(method, **parameters)


def _at_switch(look: Callable[[int], bool]) -> set[bool]:
    """What is seen at the switch's ends of all hosts' links."""
    with netns.inside("switch"):
        links = [get_link(device) for device, _ in _HOSTS.values()]
        return {look(link.index) for link in links if link}


def _ping(source: str, target: str) -> bool:
    command = f"ip netns exec {source} ping -c 3 -i 0.1 -W 2 -w 2 {_ADDRESSES[target]}"
    return subprocess.run(command.split(), capture_output=True).returncode == 0


def _run(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
