"""Database servers: transactions, monitors, memory."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from bench.child import Child
from bench.database import requests
from bench.database.client import Client, read_all
from bench.memory import memory
from bench.results import Figure
from bench.subjects.databases import Server, Servers

TRANSACTIONS = (
    Figure("db_one", "Transactions, one after another", "/s", 0),
    Figure("db_flight", "Transactions, 100 in flight", "/s", 0),
    Figure("db_durable", "Durable transactions, one after another", "/s", 0),
    Figure("db_durable_flight", "Durable transactions, 100 in flight", "/s", 0),
)
PORTS = (
    Figure("db_insert", "10,000 ports in one transaction", "s"),
    Figure("db_monitor", "The first answer to a monitor of 10,000 ports", "ms", 0),
    Figure("db_memory", "Memory with 10,000 ports", "MiB", 0),
    Figure("db_more", "One port more beside 10,000", "µs", 0),
)
MONITORS = (
    Figure("db_fan", "1,000 ports, told to 100 monitors", "s"),
    Figure("db_fan_memory", "Memory with 100 monitors", "MiB", 0),
)

_WINDOW = 100
_COUNTS = {
    "db_one": (2000, False, 1),
    "db_flight": (3000, False, _WINDOW),
    "db_durable": (300, True, 1),
    "db_durable_flight": (500, True, _WINDOW),
}
"""For a second: how many, whether durable, how many in flight."""
_PORTS = 10_000
_MORE = 500
_ANSWERS = 3
_MONITORS = 100
_TOLD = 1000
_INSERTED = b'"insert":{'
_LONGEST = 120.0


def transactions(servers: Servers, seconds: float) -> Mapping[str, float]:
    """How many a second, each adding a port. Raises BenchError."""
    found = {}
    for name, (each_second, durable, window) in _COUNTS.items():
        count = max(1, round(each_second * seconds))
        with _fresh(servers) as (_server, client, bridge):
            asked = [requests.add_port(bridge, each, durable=durable) for each in range(count)]
            found[name] = count / client.all_of(asked, in_flight=window)
    return found


def ports(servers: Servers, _: float) -> Mapping[str, float]:
    """What a large database costs. Raises BenchError."""
    with _fresh(servers) as (server, client, bridge):
        insert = _seconds(client, requests.add_ports(bridge, _PORTS))
        answers = []
        for _number in range(_ANSWERS):
            with closing(Client(server.socket)) as other:
                answers.append(_seconds(other, requests.monitor_ports()))
        used = memory(server.process)["Rss"]
        more = [requests.add_port(bridge, _PORTS + each) for each in range(_MORE)]
        return {
            "db_insert": insert,
            "db_monitor": statistics.median(answers) * 1e3,
            "db_memory": used,
            "db_more": client.all_of(more) / _MORE * 1e6,
        }


def monitors(servers: Servers, _: float) -> Mapping[str, float]:
    """Seconds until all monitors have been told of all ports. Raises BenchError."""
    with _fresh(servers) as (server, client, bridge):
        watching = [Client(server.socket) for _number in range(_MONITORS)]
        for each in watching:
            each.whole(requests.monitor_interfaces())
        asked = [requests.add_port(bridge, each) for each in range(_TOLD)]
        with Child(lambda: read_all(watching, _INSERTED, _TOLD)) as reader:
            began = time.perf_counter()
            client.all_of(asked)
            reader.result(_LONGEST)
            seconds = time.perf_counter() - began
        used = memory(server.process)["Rss"]
        for each in watching:
            each.close()
        return {"db_fan": seconds, "db_fan_memory": used}


def _seconds(client: Client, message: bytes) -> float:
    began = time.perf_counter()
    client.whole(message)
    return time.perf_counter() - began


@contextmanager
def _fresh(servers: Servers) -> Iterator[tuple[Server, Client, str]]:
    """A new server, its client, and the bridge in it; we take precedence as the server does."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with servers.start() as server, closing(Client(server.socket)) as client:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        try:
            yield server, client, requests.add_bridge(client)
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, before)
