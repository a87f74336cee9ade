"""The lab: three hosts and a switch, each in a network namespace; and a daemon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

RUN_DIR = Path("/run/hotswitch")
SWITCH = "switch"
_HOTSWITCH = str(Path(sys.executable).with_name("hotswitch"))
_HOTSWITCHD = str(Path(sys.executable).with_name("hotswitchd"))


def prepare() -> None:
    """Private places for what would be the machine's: /run and the bpffs."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/netns").mkdir()
    run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    run("ip", "netns", "add", SWITCH)
    run("ip", "-n", SWITCH, "link", "set", "lo", "up")


def add_host(name: str, device: str, address: str) -> None:
    """A host whose link ends as `device` at the switch."""
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    add_link(name, device, "eth0")
    run("ip", "-n", name, "address", "add", address, "dev", "eth0")


def add_link(host: str, device: str, end: str) -> None:
    """A link from the switch's `device` to the host's `end`."""
    run("ip", "-n", SWITCH, "link", "add", device, "type", "veth", "peer", end, "netns", host)
    run("ip", "-n", SWITCH, "link", "set", device, "up")
    run("ip", "-n", host, "link", "set", end, "up")


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and wait."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        words = " ".join(command)
        raise RuntimeError(f"{words} failed: {(done.stderr or done.stdout).strip()}")
    return done


def at(host: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command on a host and wait."""
    return run("ip", "netns", "exec", host, *command, check=check)


def start_at(host: str, *command: str) -> subprocess.Popen[str]:
    """Start a command on a host."""
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def hotswitch(*words: str) -> str:
    """Run a hotswitch command; what it printed."""
    return run(_HOTSWITCH, *words).stdout


def hotswitch_refuses(*words: str) -> str:
    """Run a hotswitch command that must fail; what it said."""
    done = run(_HOTSWITCH, *words, check=False)
    if not done.returncode:
        raise RuntimeError(f"hotswitch {' '.join(words)} should have been refused")
    return done.stderr.strip()


def start_daemon() -> tuple[subprocess.Popen[bytes], float]:
    """Start hotswitchd; the process, and the seconds until it was ready."""
    address = "/run/notify"
    Path(address).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        ear.settimeout(60)
        began = time.monotonic()
        with Path("/run/hotswitchd.log").open("a") as log:
            daemon = subprocess.Popen(
                [_HOTSWITCHD, "--run-dir", str(RUN_DIR), "--netns", SWITCH],
                env={**os.environ, "NOTIFY_SOCKET": address},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            ear.recv(4096)
        except TimeoutError:
            raise RuntimeError(Path("/run/hotswitchd.log").read_text()) from None
        return daemon, time.monotonic() - began


def kill(daemon: subprocess.Popen[bytes]) -> None:
    """kill -9."""
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
