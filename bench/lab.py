"""The lab: hosts and switches, each in a network namespace, joined by veth pairs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from hotswitch.kernel import netns
from hotswitch.kernel.links import Link, OperationalState, get_link

NEAR = ("near0", "near1")
"""The links in a switch's namespace, to the first and to the second host."""

_DEADLINE = 20.0


@dataclass(frozen=True)
class Host:
    """A network namespace with one link, eth0."""

    namespace: str
    address: str
    link: str = "eth0"


@dataclass(frozen=True)
class Pair:
    """Two hosts that can reach each other; `switch` is the namespace between them, if any."""

    first: Host
    second: Host
    switch: str = ""


def prepare() -> None:
    """Private places for what would be the machine's: /run and the bpffs."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/netns").mkdir()
    run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")


def direct_pair(name: str) -> Pair:
    """Two hosts with one veth pair between them."""
    pair = Pair(Host(f"{name}-a", "10.0.0.1"), Host(f"{name}-b", "10.0.0.2"))
    for host in (pair.first, pair.second):
        add_namespace(host.namespace)
    ip(pair.first.namespace, "link add eth0 type veth peer eth0 netns " + pair.second.namespace)
    _configure(pair)
    return pair


def switched_pair(name: str) -> Pair:
    """Two hosts whose links end in a third namespace, as `NEAR`, up and otherwise untouched."""
    pair = Pair(Host(f"{name}-a", "10.0.0.1"), Host(f"{name}-b", "10.0.0.2"), f"{name}-s")
    for namespace in (pair.first.namespace, pair.second.namespace, pair.switch):
        add_namespace(namespace)
    for near, host in zip(NEAR, (pair.first, pair.second), strict=True):
        ip(pair.switch, f"link add {near} type veth peer eth0 netns {host.namespace}")
        ip(pair.switch, f"link set {near} up")
    _configure(pair)
    for near in NEAR:
        until_up(pair.switch, near)
    return pair


def add_namespace(name: str) -> None:
    """A network namespace without IPv6: the kernel's own frames would be counted too."""
    run("ip", "netns", "add", name)
    with netns.inside(name):
        for which in ("default", "all"):
            Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
    ip(name, "link set lo up")


def _configure(pair: Pair) -> None:
    for host in (pair.first, pair.second):
        ip(host.namespace, "link set eth0 up")
        ip(host.namespace, f"address add {host.address}/24 dev eth0")
    for host in (pair.first, pair.second):
        until_up(host.namespace, "eth0")


def ip(namespace: str, words: str) -> None:
    """An `ip` command in a namespace."""
    run("ip", "-n", namespace, *words.split())


def offload(namespace: str, link: str, what: str, on: bool) -> None:
    """Switch one of a link's offloads on or off (`ethtool -K`)."""
    run("ip", "netns", "exec", namespace, "ethtool", "-K", link, what, "on" if on else "off")


def link_of(namespace: str, name: str) -> Link:
    """A link in a namespace. Raises BenchError."""
    with netns.inside(namespace):
        found = get_link(name)
    if found is None:
        raise BenchError(f"there is no link {name} in {namespace}")
    return found


def until_up(namespace: str, link: str) -> None:
    """Wait until a link carries: before, the kernel drops silently what is sent."""

    def is_up() -> bool:
        return link_of(namespace, link).state is OperationalState.UP

    until(is_up, f"{link} in {namespace} is up")


def until(look: Callable[[], object], what: str, seconds: float = _DEADLINE) -> None:
    """Look again and again until it is so. Raises BenchError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise BenchError(f"after {seconds:g} s still not so: {what}")
        time.sleep(0.01)


def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command and wait; what it printed. Raises BenchError."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment
        )
    except FileNotFoundError:
        raise BenchError(f"{command[0]} is missing", remedy="see apt-packages.txt") from None
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise BenchError(f"{' '.join(command)} failed: {told[-1] if told else done.returncode}")
    return done.stdout
