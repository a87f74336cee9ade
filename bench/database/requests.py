"""What the database is asked: what `ovs-vsctl add-br` and `add-port` send, without the waits."""

from __future__ import annotations

from typing import Any

from bench.database.client import Client, request

DATABASE = "Open_vSwitch"
_NOTHING_YET = "00000000-0000-0000-0000-000000000000"
_COLUMNS = (
    "name", "ofport", "admin_state", "link_state", "statistics", "external_ids", "error", "mtu",
    "type", "options",
)  # fmt: skip


def add_bridge(client: Client) -> str:
    """Make the bridge that all ports are in; return its UUID. Raises BenchError."""
    operations = [
        {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": {"name": "br0"}},
        {
            "op": "insert",
            "table": "Open_vSwitch",
            "row": {"bridges": ["set", [["named-uuid", "b"]]]},
        },
    ]
    result = client.call("transact", [DATABASE, *operations])
    return str(result[0]["uuid"][1])


def add_port(bridge: str, number: int, *, durable: bool = False) -> bytes:
    """One port more, as a request."""
    operations = [
        *_port(number),
        _into(bridge, [number]),
        {
            "op": "mutate",
            "table": "Open_vSwitch",
            "where": [],
            "mutations": [["next_cfg", "+=", 1]],
        },
        {"op": "comment", "comment": f"ovs-vsctl add-port br0 p{number}"},
    ]
    if durable:
        operations.append({"op": "commit", "durable": True})
    return request("transact", [DATABASE, *operations], number)


def add_ports(bridge: str, count: int) -> bytes:
    """Many ports in one transaction, as a request."""
    operations = [each for number in range(count) for each in _port(number)]
    return request("transact", [DATABASE, *operations, _into(bridge, range(count))], count)


def monitor_interfaces() -> bytes:
    """A monitor of the Interface table, as a request."""
    return _monitor({"Interface": [{"columns": _COLUMNS}]})


def monitor_ports() -> bytes:
    """A monitor of what ports are made of, as a request."""
    return _monitor(
        {
            "Bridge": [{"columns": ["name", "ports"]}],
            "Port": [{"columns": ["name", "interfaces", "tag"]}],
            "Interface": [{"columns": _COLUMNS}],
        }
    )


def _monitor(tables: dict[str, Any]) -> bytes:
    return request("monitor_cond_since", [DATABASE, "m", tables, _NOTHING_YET], 1)


def _port(number: int) -> list[dict[str, Any]]:
    name = f"p{number}"
    interface = {"name": name, "type": ""}
    port = {"name": name, "interfaces": ["named-uuid", f"i{number}"]}
    return [
        {"op": "insert", "table": "Interface", "uuid-name": f"i{number}", "row": interface},
        {"op": "insert", "table": "Port", "uuid-name": f"q{number}", "row": port},
    ]


def _into(bridge: str, numbers: Any) -> dict[str, Any]:
    ports = ["set", [["named-uuid", f"q{number}"] for number in numbers]]
    return {
        "op": "mutate",
        "table": "Bridge",
        "where": [["_uuid", "==", ["uuid", bridge]]],
        "mutations": [["ports", "insert", ports]],
    }
