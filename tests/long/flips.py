"""A VIF flips under traffic, again and again, and the daemon is killed in between.

    python -m tests.long.flips [FLIPS [KILLS]]

After each flip the guest's learned address is still its port's, and no counter has gone back. Now
and then the traffic pauses: then the counters are what was sent. (A frame to a link that has just
gone down is counted as any other: the switch gave it to the port.)
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import AF_PACKET, SOCK_RAW, socket
from typing import Any

from hotswitch.app.control.client import ControlClient
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.links import get_link
from tests.support import process
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

TAP, VIF, PEER, WITNESS = "tap1.0", "vif1.0", "peer", "witness"
"""Devices: the guest's two links, its peer's, and of one who is to see nothing of all that."""

_GUEST_ADDRESS, _PEER_ADDRESS = "02:00:00:00:00:01", "02:00:00:00:00:02"
_FRAME_SIZE = 60
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20  # linux/socket.h, linux/if_packet.h


def _frame(target: str, source: str) -> bytes:
    """An Ethernet frame with a type for experiments (IEEE 802)."""
    addresses = bytes.fromhex((target + source).replace(":", ""))
    return (addresses + b"\x88\xb5").ljust(_FRAME_SIZE, b"\0")


_FROM = {
    TAP: _frame(_PEER_ADDRESS, _GUEST_ADDRESS),
    VIF: _frame(_PEER_ADDRESS, _GUEST_ADDRESS),
    PEER: _frame(_GUEST_ADDRESS, _PEER_ADDRESS),
}


class Traffic:
    """Sends at the other ends of the guest's links and its peer's, one after another.

    sent: how many frames each device's link took.
    """

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self._sockets: dict[str, socket] = {}
        self._sending = threading.Lock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for each in self._sockets.values():
            each.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is sent meanwhile."""
        with self._sending:
            yield

    def send_from(self, name: str) -> None:
        """From now on send at that link too; to be called in its namespace, in a pause."""
        if name in self._sockets:
            self._sockets[name].close()
        self._sockets[name] = made = socket(AF_PACKET, SOCK_RAW, 0)
        # A link that comes up has a queue first that drops silently.
        made.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        made.bind((f"far-{name}", 0))

    def _run(self) -> None:
        while not self._ends.wait(0.0005):
            with self._sending:
                for name, link in self._sockets.items():
                    with suppress(OSError):  # it is down, or has no room
                        link.send(_FROM[name])
                        self.sent[name] += 1


class Guest:
    """A VIF of two links at a bridge, with traffic to and from it."""

    def __init__(self, room: Room, daemon: Daemon, traffic: Traffic) -> None:
        self._daemon = daemon
        self._traffic = traffic
        self._before: Mapping[str, Mapping[str, int]] = {}
        self._space = f"/proc/{room.pid}/root/run/netns/switch"
        with netns.inside(self._space):
            for name in (PEER, WITNESS, TAP, VIF):
                _make(name)
        daemon.start()
        daemon.do("bridge add br0")
        for name in (PEER, WITNESS):
            daemon.do(f"port add {name} bridge br0")
        daemon.do(f"port add guest bridge br0 lifecycle static vif {TAP},{VIF}")
        self._ask()
        with netns.inside(self._space):
            for name in (TAP, PEER):  # what is sent before both are learned is flooded
                self._begin(name)
                until(partial(traffic.sent.get, name), "it is sent")
            with traffic.paused():
                self._until_counted()
                self._flooded = self._counters()[WITNESS]["tx_packets"]
            self._begin(VIF)

    def flip(self, *, to: str) -> None:
        """Let the better link's other end come up, or go down."""
        with netns.inside(self._space):
            link_actions.set_up(_index(f"far-{VIF}"), up=to == VIF)
        self._until_active(to)
        self.check()

    def make_anew(self) -> None:
        """Delete the better link, and make another of its name."""
        with self._traffic.paused(), netns.inside(self._space):
            self._until_counted()  # what is on its way dies with a link
            link_actions.delete(_index(VIF))
            self._until_active(TAP)
            _make(VIF)
            self._until_active(VIF)
            self._traffic.send_from(VIF)
        self.check()

    def kill(self) -> None:
        """Kill the daemon, flip where nobody sees it, and start the next."""
        before = self._active()
        process.stop(_running(self._daemon))
        self._control.__exit__()
        with netns.inside(self._space):
            link_actions.set_up(_index(f"far-{VIF}"), up=before == TAP)
        self._daemon.start()
        self._ask()
        after = TAP if before == VIF else VIF
        self._until_active(after)
        self.check()

    def settle(self) -> None:
        """The counters are what was sent, in packets and bytes."""
        with self._traffic.paused():
            self._until_counted()
        self.check()

    def check(self) -> None:
        """Nothing has been learned anew or flooded, and no counter has gone back."""
        rows = self._control.call("fdb/show", bridge="br0")
        assert {row["mac"]: row["port"] for row in rows} == {
            _GUEST_ADDRESS: "guest",
            _PEER_ADDRESS: PEER,
        }
        counters = self._counters()
        for port, before in self._before.items():
            for name, value in before.items():
                assert counters[port][name] >= value, (port, name)
        self._before = counters
        assert counters["bridge"]["moved"] == 0
        assert counters[WITNESS]["tx_packets"] == self._flooded

    def close(self) -> None:
        """Let go of the daemon."""
        self._control.__exit__()

    def _begin(self, name: str) -> None:
        """Send there too."""
        with self._traffic.paused():
            self._traffic.send_from(name)

    def _until_counted(self) -> None:
        try:
            until(lambda: self._counted() == self._sent(), "all that was sent is counted")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._counted()} of {self._sent()}") from None

    def _sent(self) -> list[int]:
        sent = self._traffic.sent
        from_guest, from_peer = sent[TAP] + sent[VIF], sent[PEER]
        packets = [from_guest, from_peer, from_peer, from_guest]
        return packets + [each * _FRAME_SIZE for each in packets]

    def _counted(self) -> list[int]:
        """Of the guest's port and its peer's, what came in and went out, in packets and bytes."""
        counters = self._counters()
        return [
            counters[port][f"{way}_{unit}"]
            for unit in ("packets", "bytes")
            for port in ("guest", PEER)
            for way in ("rx", "tx")
        ]

    def _counters(self) -> dict[str, dict[str, int]]:
        (bridge,) = self._control.call("stats/show", bridge="br0")["bridges"]
        ports = {each["name"]: each["statistics"] for each in bridge["ports"]}
        return {"bridge": bridge["counters"], **ports}

    def _active(self) -> str:
        links: list[dict[str, Any]] = self._control.call("port/show", name="guest")["links"]
        return next((each["name"] for each in links if each["forwards"]), "")

    def _until_active(self, name: str) -> None:
        try:
            until(lambda: self._active() == name, f"it flips to {name}")
        except AssertionError as error:
            with netns.inside(self._space):  # who is late, the kernel or the daemon?
                kernel = get_link(VIF)
            known = self._control.call("link/show", link=VIF) if kernel else None
            happened = self._control.call("events/wait", since=0)["events"][-8:]
            said = f"the kernel says {kernel}, the daemon {known}, {happened}"
            raise AssertionError(f"{error}: {said}\n{self._daemon.log[-2000:]}") from None

    def _ask(self) -> None:
        self._control = ControlClient(self._daemon.run_dir / "ctl.sock")


def _index(name: str) -> int:
    link = get_link(name)
    assert link, name
    return link.index


def _make(name: str) -> None:
    """A veth pair, both ends up."""
    link_actions.create_veth(name, f"far-{name}")
    for each in (f"far-{name}", name):
        link_actions.set_up(_index(each))


def _running(daemon: Daemon) -> Any:
    assert daemon.process
    return daemon.process


def flip_often(room: Room, folder: Path, flips: int, kills: int) -> Counter[str]:
    """Do all of it; how much was sent by device. Raises AssertionError."""
    room.run("ip", "netns", "add", "switch")
    # The kernel's own packets would be counted too.
    room.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", host="switch")
    daemon = Daemon(room, folder / "run", "--netns", "switch")
    with Traffic() as traffic:
        guest = Guest(room, daemon, traffic)
        try:
            for number in range(1, flips + 1):
                guest.flip(to=(VIF, TAP)[number % 2])
                if number % max(2, flips // kills) == 0:
                    guest.settle()
                    guest.kill()
                    guest.kill()
                    guest.settle()
                    guest.make_anew()
            guest.settle()
        finally:
            guest.close()
            process.stop(_running(daemon))
    assert not any(word in daemon.log for word in ("ERROR", "WARNING", "Traceback")), daemon.log
    return traffic.sent


def main() -> None:
    """Flip, and print how long it took and what was sent meanwhile."""
    flips, kills = (*map(int, sys.argv[1:3]), *(1000, 10)[len(sys.argv) - 1 :])
    began = time.monotonic()
    with Room() as room, tempfile.TemporaryDirectory() as folder:
        sent = flip_often(room, Path(folder), flips, kills)
    print(f"{flips} flips, {time.monotonic() - began:.0f} s, frames sent: {dict(sent)}")


if __name__ == "__main__":
    main()
