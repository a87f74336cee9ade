"""Half an hour of junk into a database server: `python -m tests.long.junk [--minutes N]`.

Mutated streams of the corpus, clients that do not read, thousands of monitors, waits, locks, and
good transactions in between. Prints the server's resident memory over time, and fails if it has
grown by more than `TOLERANCE` since the first fifth of the run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.ovsdb.corpus import CASES
from tests.ovsdb.corpus.case import request
from tests.support import process
from tests.support.daemon import environment
from tests.support.wait import until

TOLERANCE = 8.0
"""MiB."""

_DATABASE = "Open_vSwitch"
_SAMPLE = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Target:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.sockets = (folder / "db.sock", folder / "ctl.sock")
        command = [sys.executable, "-m", "hotswitch.ovsdb", str(folder / "conf.db")]
        command += ["--remote", f"punix:{self.sockets[0]}", "--unixctl", str(self.sockets[1])]
        log = (folder / "log").open("w")
        self._process = process.start(command, env=environment(), stdout=log, stderr=log)
        until(lambda: all(each.exists() for each in self.sockets), "the server listens", 60)

    def close(self) -> None:
        process.stop(self._process)

    @property
    def memory(self) -> float:
        """Resident MiB."""
        return int(self._read("statm").split()[1]) * resource.getpagesize() / (1 << 20)

    @property
    def busy(self) -> float:
        """Seconds of processor time."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _read(self, name: str) -> str:
        assert self._process.poll() is None, "the server has died"
        return Path(f"/proc/{self._process.pid}/{name}").read_text()


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """A connection to the server, which may break at any time."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        with contextlib.suppress(OSError):
            yield client


def _pour(path: Path, data: bytes, *, read: bool = True) -> int:
    """Send it and read what comes until the server hangs up; how many bytes came."""
    heard = 0
    with connected(path) as client:
        client.sendall(data)
        if read:
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 20):
                heard += len(piece)
    return heard


def mutated(luck: random.Random, data: bytes) -> bytes:
    """The same with some bytes changed, cut out, doubled, or with another's part in it."""
    result = bytearray(data)
    for _ in range(luck.randrange(4)):
        place = luck.randrange(len(result) + 1)
        match luck.randrange(5):
            case 0:
                result[place : place + 1] = luck.randbytes(1)
            case 1:
                del result[place : place + luck.randrange(20)]
            case 2:
                result[place:place] = result[place : place + luck.randrange(1000)]
            case 3:
                other = luck.choice(CASES).sent
                start = luck.randrange(len(other))
                result[place:place] = other[start : start + luck.randrange(200)]
            case 4:
                result[place:place] = luck.choice(_TOKENS)
    return bytes(result)


_TOKENS = [b"{", b"}", b"[", b'"', b"\\u0000", b"1e308", b"-9223372036854775809", b"\xff", b"null"]


def _corpus(luck: random.Random, target: Target) -> None:
    path = luck.choice(target.sockets)
    for _ in range(30):
        streams = [mutated(luck, luck.choice(CASES).sent) for _ in range(luck.randrange(1, 5))]
        _pour(path, b"".join(streams))


def _noise(luck: random.Random, target: Target) -> None:
    _pour(luck.choice(target.sockets), luck.randbytes(1 << 18))
    _pour(luck.choice(target.sockets), b'{"method":"' + b"x" * luck.randrange(4 << 20), read=False)


def _deaf(luck: random.Random, target: Target) -> None:
    """Many who ask for much and read nothing, then go."""
    ask = request("get_schema", _DATABASE) * 200
    with contextlib.ExitStack() as held:
        for _ in range(10):
            client = held.enter_context(connected(target.sockets[0]))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(10):
                    client.send(ask)


def _monitors(luck: random.Random, target: Target) -> None:
    """As many monitors as one may have, and more, with changes to tell."""
    tables = {"Bridge": {"columns": ["name", "other_config"]}, "Open_vSwitch": {}}
    ask = b"".join(
        request(luck.choice(["monitor", "monitor_cond"]), _DATABASE, number, tables, id_=number)
        for number in range(1500)
    )
    with connected(target.sockets[0]) as client:
        client.sendall(ask)
        _change(luck, target)
        _pour(target.sockets[0], ask)


def _waits(luck: random.Random, target: Target) -> None:
    """Transactions that wait for what never comes, and locks that are never given back."""
    rows = [{"name": "never"}]
    wait = {"op": "wait", "table": "Bridge", "where": [], "columns": ["name"], "until": "=="}
    ask = b"".join(
        request("transact", _DATABASE, {**wait, "rows": rows}, id_=n) for n in range(1200)
    )
    locks = b"".join(request("lock", f"l{luck.randrange(10**6)}", id_=n) for n in range(500))
    _pour(target.sockets[0], ask + locks)
    _pour(target.sockets[0], ask[: luck.randrange(len(ask))], read=False)


def _change(luck: random.Random, target: Target) -> None:
    """A good transaction, so that there is something to keep: a bridge comes, another goes."""
    name = f"br{luck.randrange(20)}"
    config = ["map", [["junk", "x" * luck.randrange(5000)]]]
    row = {"name": name, "other_config": config}
    bridges = [["bridges", "insert", ["set", [["named-uuid", "b"]]]]]
    come = [
        {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": row},
        {"op": "mutate", "table": _DATABASE, "where": [], "mutations": bridges},
    ]
    old = f"br{luck.randrange(20)}"
    _pour(target.sockets[0], request("transact", _DATABASE, *come))
    with connected(target.sockets[0]) as client:
        select = {"op": "select", "table": "Bridge", "where": [["name", "==", old]]}
        select["columns"] = ["_uuid"]
        client.sendall(request("transact", _DATABASE, select))
        rows = json.loads(client.recv(1 << 20))["result"][0]["rows"]
        for each in rows:
            gone = [["bridges", "delete", ["set", [each["_uuid"]]]]]
            mutate = {"op": "mutate", "table": _DATABASE, "where": [], "mutations": gone}
            client.sendall(request("transact", _DATABASE, mutate, id_=2))
            client.recv(1 << 20)


KINDS: tuple[Callable[[random.Random, Target], None], ...] = (
    _corpus,
    _corpus,
    _corpus,
    _noise,
    _deaf,
    _monitors,
    _waits,
    _change,
    _change,
)


def run(target: Target, seconds: float, share: float, luck: random.Random) -> list[float]:
    """Pour junk for that time, on `share` of a processor; the memory at each sample, in MiB."""
    _pour(
        target.sockets[0],
        request("transact", _DATABASE, {"op": "insert", "table": _DATABASE, "row": {}}),
    )
    began = time.monotonic()
    curve: list[float] = []
    rounds = 0
    while (elapsed := time.monotonic() - began) < seconds:
        luck.choice(KINDS)(luck, target)
        rounds += 1
        if elapsed >= len(curve) * _SAMPLE:
            curve.append(target.memory)
            if (len(curve) - 1) % 6 == 0:
                print(f"{elapsed / 60:6.1f} min  {curve[-1]:7.1f} MiB  {rounds} rounds", flush=True)
        used = time.process_time() + target.busy
        pause = used / share - (time.monotonic() - began)
        if pause > 0:
            time.sleep(min(pause, 10))
    assert _pour(target.sockets[0], request("list_dbs")), "the server answers no more"
    return curve


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.long.junk", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--share", type=float, default=0.3, help="of one processor, for all of it")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder))
        try:
            luck = random.Random(options.seed)
            curve = run(target, options.minutes * 60, options.share, luck)
        finally:
            target.close()
    fifth = max(1, len(curve) // 5)
    begin, end = statistics.median(curve[fifth : 2 * fifth]), statistics.median(curve[-fifth:])
    print(f"highest {max(curve):.1f} MiB; second fifth {begin:.1f}, last fifth {end:.1f} MiB")
    return int(end > begin + TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
