"""A real daemon with a datapath between two hosts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import VPORT
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.socket_client import SocketClient
from tests.support.daemon import Daemon


class Lab:
    """A daemon, two hosts, and a datapath dp1 with the ports 1 (p1) and 2 (p2)."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.room = daemon.room
        self.path = daemon.run_dir / "netlink.sock"
        with self.client() as client:
            self.datapath = client.ask(DATAPATH, "new", new_datapath()).datapath
            for name in ("p1", "p2"):
                client.ask(VPORT, "new", new_vport(name), datapath=self.datapath)

    def client(self) -> SocketClient:
        return SocketClient(self.path)

    @contextlib.contextmanager
    def raw_socket(self) -> Iterator[socket.socket]:
        """A connection that says nothing and reads nothing by itself; it does not block."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
            made.connect(str(self.path))
            made.setblocking(False)
            yield made

    def counted(self, client: SocketClient, port: int) -> tuple[int, int]:
        """Packets that came in by a port, and that left by it."""
        answer = client.ask(VPORT, "get", Attributes(port=port), datapath=self.datapath)
        counted = answer.attributes["statistics"]
        return counted.rx_packets, counted.tx_packets
