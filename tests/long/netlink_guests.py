"""Bad clients of the Netlink server: `python -m tests.long.netlink_guests [--seconds N]`.

A real daemon has each kind of them for N seconds (60), one kind after another, twice or more often,
and the last time must not cost memory or descriptors again. All the time hosts reach each other
through a datapath, and others are served; how long they wait is printed, too. If a ping is lost or
the log has an exception, it ends with an AssertionError.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import INTERNAL, VPORT
from hotswitch.netlink.flags import ACK, DUMP, REQUEST
from hotswitch.netlink.message import Acknowledgement, Done, Message
from tests.long.beside import Beside, join
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.lab import Lab
from tests.netlink.shapes import SHAPES, shaped
from tests.netlink.socket_client import SocketClient
from tests.netlink.test_junk import REQUESTS
from tests.support.daemon import Daemon
from tests.support.room import Room
from tests.support.wait import until

_LARGEST = 1 << 18
_SOCKETS = 1_000
_MIB = 1 << 20
_GROWTH = 4
"""MiB, in the last round of a kind."""
_FILES = 2
"""Descriptors likewise: links that are taken off later, a socket."""
_QUESTIONS = [each for each in REQUESTS if each[16] not in (1, 2) or each[4] == 34]
"""Without those that make or delete datapaths and ports: there the machine's limits are met."""
_ids = Codec().ids
_OF_FLOWS = [each for each in REQUESTS if each[4] in (_ids[FLOW], _ids[PACKET])]
_DATAPATH = slice(20, 24)
_END = 0x7E57

_Turn = Callable[[Lab, Random], None]


def _send_shaped(lab: Lab, chance: Random, *, shape: str) -> None:
    with lab.raw_socket() as connection:
        for _ in range(500):
            with contextlib.suppress(BlockingIOError):
                connection.send(shaped(shape, chance, _QUESTIONS))
            with contextlib.suppress(BlockingIOError):
                while connection.recv(_LARGEST):
                    pass


def _send_to_a_datapath(lab: Lab, chance: Random) -> None:
    """Flows and packets that are almost right, for a datapath that is there; some are right."""
    with lab.client() as client:
        number = _near(client)
        for _ in range(100):
            data = bytearray(shaped(chance.choice([*SHAPES]), chance, _OF_FLOWS))
            if len(data) >= _DATAPATH.stop:
                data[_DATAPATH] = number.to_bytes(4, "little")
            client.socket.send(data)
        # Delete them all; it is answered last.
        end = Message(FLOW, "del", datapath=number, flags=REQUEST | ACK, sequence=_END)
        client.socket.send(client.codec.encode(end))
        while (answer := client.receive()).sequence != _END:
            pass
        assert isinstance(answer, Acknowledgement) and not answer.error, answer


def _near(client: SocketClient) -> int:
    """The number of the datapath that has this; it is made if it is not there."""
    for each in client.list(DATAPATH):
        if each.attributes["name"] == "near":
            return each.datapath
    number = client.ask(DATAPATH, "new", new_datapath("near")).datapath
    for name in ("near1", "near2"):
        client.ask(VPORT, "new", new_vport(name, INTERNAL), datapath=number)
    return number


def _die_in_the_middle(lab: Lab, chance: Random) -> None:
    """Of listings, and of answers."""
    for _ in range(50):
        with (
            lab.raw_socket() as connection,
            contextlib.suppress(BlockingIOError),
            lab.client() as c,
        ):
            for _ in range(chance.randrange(1, 20)):
                connection.send(c.encode(CONTROLLER, "getfamily", flags=DUMP))


def _never_read(lab: Lab, chance: Random) -> None:
    with lab.raw_socket() as connection, lab.client() as knows:
        asked = knows.encode(CONTROLLER, "getfamily", flags=DUMP)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10_000):
                connection.send(asked)
        time.sleep(0.2)


def _open_many(lab: Lab, chance: Random) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(_SOCKETS):
            held.enter_context(lab.raw_socket())
        _is_served(lab)


KINDS: Mapping[str, _Turn] = {
    **{shape: partial(_send_shaped, shape=shape) for shape in SHAPES},
    "almost right for a datapath": _send_to_a_datapath,
    "dies in the middle": _die_in_the_middle,
    "never reads": _never_read,
    f"opens {_SOCKETS:,} sockets": _open_many,
}


def _is_served(lab: Lab) -> None:
    with lab.client() as good:
        good.ask(CONTROLLER, "getfamily", Attributes(family_name="ovs_flow"))
        good.send(CONTROLLER, "getfamily", flags=DUMP)
        while not isinstance(good.receive(), Done):
            pass


def _used(lab: Lab) -> tuple[float, int]:
    """MiB that are resident, and descriptors."""
    pages = int((_process(lab) / "statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MIB, len(list((_process(lab) / "fd").iterdir()))


def _sockets(lab: Lab) -> int:
    found = 0
    for each in (_process(lab) / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += str(each.readlink()).startswith("socket:")
    return found


def _process(lab: Lab) -> Path:
    assert lab.daemon.process
    return Path(f"/proc/{lab.daemon.process.pid}")


def _round(lab: Lab, kind: str, seconds: float, chance: Random) -> tuple[float, int]:
    before = _sockets(lab)
    beside = Beside(lab)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        KINDS[kind](lab, chance)
        _is_served(lab)
    seen = beside.seen()
    assert not seen.lost
    # One that sends frames is kept.
    until(lambda: _sockets(lab) <= before + 1, "their sockets are closed", 20)
    assert "Traceback" not in lab.daemon.log, lab.daemon.log
    size, files = _used(lab)
    print(f"{kind}: {size:.1f} MiB, {files} descriptors; {seen}", flush=True)
    return size, files


def main() -> None:
    """All kinds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2, help="of each kind, at least two")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these")
    options = parser.parse_args()
    # The sockets of this side.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * _SOCKETS), hard))
    chance = Random(7)
    with Room() as room, tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            room.add_host(f"h{number}", f"p{number}", f"10.0.0.{number}/24")
        with Daemon(room, Path(folder) / "run") as daemon:
            lab = Lab(daemon)
            join(lab)
            print(f"{_used(lab)[0]:.1f} MiB, {_used(lab)[1]} descriptors", flush=True)
            for kind in options.kind or KINDS:
                used = [_round(lab, kind, options.seconds, chance) for _ in range(options.rounds)]
                before, last = used[-2:]
                assert last[0] - before[0] < _GROWTH and last[1] <= before[1] + _FILES, kind


if __name__ == "__main__":
    main()
