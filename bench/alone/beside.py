"""One port more beside many, and a device that appears while the database is busy.

From a transaction to `cur_cfg`, over a connection that does nothing else: what a client takes for
itself is not in it. And from the kernel's event of a device, which its port waits for, to frames.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench import lab
from bench.alone.arrivals import Arrival, arrive, delay_rows, delays, found, listener, lock_rows
from bench.child import Child
from bench.database.client import Client
from bench.process import outer
from bench.results import Row, rows_of
from bench.subjects.hotswitch import ready_daemon, stop_forwarding
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.links import Link

COUNTS = (10, 4_000)
"""Ports that are there already."""

_MORE = 21
_FEWER = 500
"""Ports deleted in one transaction, where there are so many."""
_EVENTS = 200
_TAG = 7
"""The VLAN of the ports that frames go through: what is flooded does not go to thousands."""
_DATABASE = "Open_vSwitch"
_SETTLING = 3
"""Seconds."""
_PATIENCE = 60_000
"""Milliseconds."""


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    return rows_of(((f"beside {count:,} ports", partial(_beside, count)) for count in COUNTS), note)


def _beside(count: int) -> list[Row]:
    namespace = f"ports{count}"
    lab.add_namespace(namespace)
    with netns.inside(namespace):
        for number in range(count + _MORE):
            link_actions.create_veth(f"p{number}", f"q{number}")
    with tempfile.TemporaryDirectory(dir="/run") as name:
        folder = Path(name)
        with ready_daemon(folder, namespace) as (daemon, _):
            bridge = _Bridge(folder / "run" / "db.sock")
            together = bridge.add([f"p{number}" for number in range(count)])
            time.sleep(_SETTLING)  # their events and rows are seen to
            began = _cpu_time(daemon.pid)
            seconds = [bridge.add([f"p{count + number}"]) for number in range(_MORE)]
            worked = (_cpu_time(daemon.pid) - began) / _MORE
            late, told = ([f"{of}{number}" for number in range(_EVENTS)] for of in ("late", "told"))
            bridge.add(["source", *late, *told], tag=_TAG)
            with netns.inside(namespace), listener(namespace) as heard:
                source = PacketSocket(_source().index)
                with _load(folder / "run" / "db.sock"), ExitStack() as devices:
                    arrivals = [devices.enter_context(arrive(source, each)) for each in late]
                    said = [_until_said(bridge, each) for each in told]
                lock = lock_rows(found("source").index, _EVENTS)
                source.close()
                times = heard()
            fewer = min(count, _FEWER)
            apart = bridge.delete([f"p{number}" for number in range(fewer)])
            bridge.close()
        stop_forwarding(folder, namespace)
    from_event, from_asking = delays(arrivals, times)
    in_database, _ = delays(said, times)
    title = f"beside {count:,}"
    appears = f"a device appears {title}, busy"
    return [
        Row(f"{count:,} ports in one transaction", together, "s"),
        Row(f"{fewer:,} of {count:,} ports deleted in one transaction", apart, "s"),
        Row(f"one port {title}", 1000 * statistics.median(seconds), "ms", f"one port {title}"),
        Row("the daemon's CPU time for it", 1000 * worked, "ms"),
        *delay_rows(f"{appears}, and forwards", from_event, 50, 90, p99=f"p99 {title}"),
        *delay_rows("with its making, from the request on", from_asking, 50),
        *delay_rows("until the database says so too", in_database, 50),
        *lock,
    ]


def _cpu_time(process: int) -> float:
    """Seconds that its main thread has run, as the scheduler counts: what others do is not in it.

    (`/proc/PID/schedstat`, Documentation/scheduler/sched-stats.rst)
    """
    return int(Path(f"/proc/{outer(process)}/schedstat").read_text().split()[0]) / 1e9


class _Bridge:
    """The bridge br0 in a daemon's database."""

    def __init__(self, path: Path) -> None:
        self._client = Client(path)
        row = {"name": "br0"}
        insertion = {"op": "insert", "table": "Bridge", "uuid-name": "br", "row": row}
        self._transact(insertion, _reference("Open_vSwitch", "bridges", ["br"]))
        self._done = 0

    def add(self, names: list[str], tag: int | None = None) -> float:
        """Seconds until ports of these names are in force. tag: the VLAN of access ports."""
        began = time.perf_counter()
        operations: list[dict[str, Any]] = []
        for number, name in enumerate(names):
            port: dict[str, Any] = {"name": name, "interfaces": ["named-uuid", f"i{number}"]}
            if tag is not None:
                port["tag"] = tag
            operations += [
                _insertion("Interface", f"i{number}", {"name": name}),
                _insertion("Port", f"p{number}", port),
            ]
        operations.append(_reference("Bridge", "ports", [f"p{n}" for n in range(len(names))]))
        self._enforce(operations)
        return time.perf_counter() - began

    def delete(self, names: list[str]) -> float:
        """Seconds until there are no ports of these names."""
        rows = self._client.call("transact", [_DATABASE, _selection("Port", ["_uuid", "name"])])
        uuids = {row["name"]: row["_uuid"] for row in rows[0]["rows"]}
        began = time.perf_counter()
        gone = ["ports", "delete", ["set", [uuids[name] for name in names]]]
        self._enforce([{"op": "mutate", "table": "Bridge", "where": [], "mutations": [gone]}])
        return time.perf_counter() - began

    def _enforce(self, operations: list[dict[str, Any]]) -> None:
        """Return when what they want is in force."""
        self._done += 1
        following = {"next_cfg": self._done}
        update = {"op": "update", "table": "Open_vSwitch", "where": [], "row": following}
        self._transact(*operations, update)
        self.wait("Open_vSwitch", [], "==", {"cur_cfg": self._done})

    def wait(self, table: str, where: list[Any], until: str, row: dict[str, Any]) -> None:
        """Until a row says this, or something else."""
        self._transact(
            {
                "op": "wait",
                "timeout": _PATIENCE,
                "table": table,
                "where": where,
                "columns": list(row),
                "until": until,
                "rows": [row],
            }
        )

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _transact(self, *operations: dict[str, Any]) -> None:
        self._client.call("transact", [_DATABASE, *operations])


def _source() -> Link:
    """The other end of a port's device, both up."""
    link_actions.set_up(link_actions.create_veth("source", "far").index)
    far = found("far")
    link_actions.set_up(far.index)
    return far


def _until_said(bridge: _Bridge, name: str) -> Arrival:
    """Make a device; it has arrived when the database says that it forwards."""
    asked = time.perf_counter()
    link_actions.create_veth(name, f"x{name}")
    bridge.wait("Interface", [["name", "==", name]], "!=", {"ofport": -1})
    return Arrival(name, asked, time.perf_counter())


@contextmanager
def _load(path: Path) -> Iterator[None]:
    """Somebody else makes and deletes rows all the time."""

    def work() -> None:
        client = Client(path)
        while True:
            row = {"type": "linux-htb"}
            client.call("transact", [_DATABASE, _insertion("QoS", "q", row)])
            delete = {"op": "delete", "table": "QoS", "where": []}
            client.call("transact", [_DATABASE, delete])

    with Child(work):
        yield


def _insertion(table: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _selection(table: str, columns: list[str]) -> dict[str, Any]:
    return {"op": "select", "table": table, "where": [], "columns": columns}


def _reference(table: str, column: str, names: list[str]) -> dict[str, Any]:
    members = ["set", [["named-uuid", each] for each in names]]
    return {
        "op": "mutate",
        "table": table,
        "where": [],
        "mutations": [[column, "insert", members]],
    }
