"""A program on pyroute2 listens for misses, as the kernel's own ovs-dpctl.py does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.vport import VPORT
from tests.clients import shim
from tests.netlink.asked import frame
from tests.netlink.socket_client import SocketClient
from tests.support import process
from tests.support.daemon import Daemon, environment
from tests.support.room import Room
from tests.support.wait import until

_SEND = """
import socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0))
out.send(bytes.fromhex(sys.argv[1]))
"""


def test_misses_are_printed(tmp_path: Path) -> None:
    built = shim.build(tmp_path)
    with Room() as room:
        room.add_host("h1", "p1", "10.0.0.1/24")
        with Daemon(room, tmp_path / "run") as daemon:
            words = (sys.executable, "-m", "tests.clients.listen", "dp1", "p1")
            path = f"PYTHONPATH={environment()['PYTHONPATH']}"
            listener = room.start(
                *shim.environment(built, daemon.run_dir), path, *words,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert listener.stdin and listener.stdout
            try:
                with SocketClient(daemon.run_dir / "netlink.sock") as client:
                    (made,) = until(lambda: client.list(DATAPATH), "the datapath is made")
                    number = made.datapath
                    (local,) = client.list(VPORT, datapath=number)
                    listener.stdin.write(f"{number}\n")
                    listener.stdin.flush()
                    assert listener.stdout.readline() == "listening\n"
                    p1 = client.ask(VPORT, "get", Attributes(name="p1"))
                    assert p1.attributes["upcall_pid"] == local.attributes["upcall_pid"] != (0,)
                sent = frame(9)
                room.run(sys.executable, "-c", _SEND, sent.hex(), host="h1")
                while (said := listener.stdout.readline()) != f"miss {number} {sent.hex()}\n":
                    assert said.startswith("miss")  # of what the host itself says
            finally:
                process.stop(listener)
        assert "Traceback" not in daemon.log, daemon.log
