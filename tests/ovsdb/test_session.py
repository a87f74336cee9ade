"""Sessions without sockets: messages in, messages out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.jsonrpc import Notification, Reply, Request
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.session import MAXIMUM_WAITING, Session
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.subscriptions import MAXIMUM_MONITORS

ZERO = "00000000-0000-0000-0000-000000000000"

SCHEMA: dict[str, Any] = {
    "name": "Test",
    "version": "1.0.0",
    "tables": {
        "T": {
            "columns": {
                "name": {"type": "string"},
                "size": {"type": "integer"},
            },
            "isRoot": True,
        }
    },
}


class Client:
    """A session, what it has sent, and why it was to be disconnected."""

    def __init__(self, databases: Databases, *, read_only: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self.disconnected: list[str] = []
        self.session = Session(
            databases,
            lambda data: self.sent.append(json.loads(data)),
            self.disconnected.append,
            read_only=read_only,
        )
        self._next = 0

    def request(self, method: str, *params: Any) -> None:
        self._next += 1
        self.session.receive(Request(method, list(params), self._next))

    def ask(self, method: str, *params: Any) -> Any:
        """Send a request and return the reply's result; it is the last message sent."""
        reply = self.reply(method, *params)
        assert reply["error"] is None, reply
        return reply["result"]

    def refused(self, method: str, *params: Any) -> Any:
        """Send a request and return the reply's error."""
        reply = self.reply(method, *params)
        assert reply["result"] is None, reply
        return reply["error"]

    def reply(self, method: str, *params: Any) -> dict[str, Any]:
        self.request(method, *params)
        reply = self.sent.pop()
        assert reply["id"] == self._next
        return reply

    def take(self) -> list[tuple[Any, ...]]:
        """Return what was sent meanwhile as (method, params) or (id, result, error)."""
        taken, self.sent[:] = list(self.sent), []
        return [
            (each["method"], each["params"])
            if "method" in each
            else (each["id"], each["result"], each["error"])
            for each in taken
        ]


class World:
    """Databases and their clients."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.databases = Databases(self.clock)
        self.storage = Storage(Database(DatabaseSchema.from_json(SCHEMA)))
        self.databases.add(self.storage)

    def client(self, *, read_only: bool = False) -> Client:
        return Client(self.databases, read_only=read_only)

    def names(self) -> list[str]:
        index = self.storage.database.schema.tables["T"].by_name["name"].index
        return sorted(row[index][0] for row in self.storage.database.table("T").values())


@pytest.fixture
def world() -> World:
    return World()


def insert(name: str) -> dict[str, Any]:
    return {"op": "insert", "table": "T", "row": {"name": name}}


def wait_for(name: str, **more: Any) -> dict[str, Any]:
    condition = {"where": [["name", "==", name]], "columns": ["name"], "until": "=="}
    return {"op": "wait", "table": "T", "rows": [{"name": name}], **condition, **more}


def test_databases_are_listed_and_described(world: World) -> None:
    client = world.client()
    assert client.ask("list_dbs") == ["Test", "_Server"]
    assert client.ask("get_schema", "Test")["tables"].keys() == {"T"}
    assert client.ask("get_schema", "_Server", ZERO)["name"] == "_Server"
    assert client.ask("get_server_id") == world.databases.server_id
    assert client.ask("echo", 1, {"a": None}) == [1, {"a": None}]
    select = {"op": "select", "table": "Database", "where": [["name", "==", "Test"]]}
    ((row,),) = [each["rows"] for each in client.ask("transact", "_Server", select)]
    assert (row["model"], row["connected"], row["leader"]) == ("standalone", True, True)
    assert json.loads(row["schema"]) == world.storage.database.schema.to_json()
    assert row["cid"] == row["sid"] == row["index"] == ["set", []]


def test_the_server_database_is_only_read(world: World) -> None:
    delete = {"op": "delete", "table": "Database", "where": []}
    (result,) = world.client().ask("transact", "_Server", delete)
    assert result["error"] == "not allowed"
    assert world.client().refused("convert", "_Server", SCHEMA)["error"] == "not allowed"


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("nonsense", [], "unknown method"),
        ("get_schema", [], "syntax error"),
        ("get_schema", [7], "syntax error"),
        ("get_schema", ["Nowhere"], "unknown database"),
        ("transact", [], "syntax error"),
        ("transact", ["Nowhere"], "unknown database"),
        ("monitor", ["Nowhere", 1, {}], "unknown database"),
        ("monitor", ["Test", 1], "syntax error"),
        ("monitor", ["Test", 1, []], "syntax error"),
        ("monitor", ["Test", 1, {"Nowhere": {}}], "syntax error"),
        ("monitor_cond", ["Test", 1, {}, 1], "syntax error"),
        ("monitor_cond_since", ["Test", 1, {}], "syntax error"),
        ("monitor_cond_since", ["Test", 1, {}, 5], "syntax error"),
        ("monitor_cond_since", ["Test", 1, {}, "x"], "syntax error"),
        ("monitor_cond_change", [1], "syntax error"),
        ("monitor_cond_change", [1, 1, {}], "syntax error"),
        ("monitor_cancel", [], "invalid parameters"),
        ("monitor_cancel", [1], "unknown monitor"),
        ("lock", [], "syntax error"),
        ("lock", ["a b"], "syntax error"),
        ("steal", [1], "syntax error"),
        ("unlock", ["a"], "syntax error"),
        ("set_db_change_aware", [], "syntax error"),
        ("set_db_change_aware", [1], "syntax error"),
        ("convert", ["Test"], "syntax error"),
        ("convert", ["Test", {}], "syntax error"),
        ("convert", ["Test", {**SCHEMA, "name": "Other"}], "invalid parameters"),
    ],
)
def test_bad_requests_are_refused(world: World, method: str, params: list[Any], error: str) -> None:
    refusal = world.client().refused(method, *params)
    assert (refusal if isinstance(refusal, str) else refusal["error"]) == error


def test_what_is_no_request_is_passed_over(world: World) -> None:
    client = world.client()
    client.session.receive(Notification("nonsense", []))
    client.session.receive(Notification("cancel", []))
    client.session.receive(Notification("cancel", [5]))
    client.session.receive(Reply([], None, "echo"))
    assert client.take() == []


def test_updates_come_before_the_reply(world: World) -> None:
    one, other = world.client(), world.client()
    requests = {"T": {"columns": ["name"]}}
    assert one.ask("monitor", "Test", "v1", requests) == {}
    assert one.ask("monitor_cond", "Test", ["v2"], {"T": [requests["T"]]}) == {}
    found, last, rows = one.ask("monitor_cond_since", "Test", {"v": 3}, {"T": [{}]}, ZERO)
    assert (found, rows) == (False, {})
    assert other.ask("monitor", "Test", None, requests) == {}
    one.request("transact", "Test", insert("a"))
    first, second, third, reply = one.take()
    uuid = reply[1][0]["uuid"][1]
    assert first == ("update", ["v1", {"T": {uuid: {"new": {"name": "a"}}}}])
    assert second == ("update2", [["v2"], {"T": {uuid: {"insert": {"name": "a"}}}}])
    assert third[0] == "update3" and third[1][0] == {"v": 3}
    assert third[1][1] == world.storage.database.transaction_id != last
    assert [method for method, _ in other.take()] == ["update"]


def test_monitors_are_told_apart_by_any_json(world: World) -> None:
    client = world.client()
    for identifier in ["a", None, 1, [1], {"b": 1, "a": 2}, True, "1"]:
        client.ask("monitor", "Test", identifier, {})
    error = client.refused("monitor", "Test", {"a": 2, "b": 1}, {})
    assert error["details"] == "duplicate monitor ID"
    assert client.ask("monitor_cancel", {"a": 2, "b": 1}) == {}
    assert client.ask("monitor", "Test", {"a": 2, "b": 1}, {}) == {}


def test_huge_numbers_harm_nobody(world: World) -> None:
    client = world.client()
    assert client.ask("echo", 10**30) == [10**30]
    client.ask("monitor", "Test", 10**30, {"T": {}})
    row = {"name": "a", "size": 10**30}
    (result,) = client.ask("transact", "Test", {"op": "insert", "table": "T", "row": row})
    assert result["error"] == "syntax error"
    client.session.receive(Request("transact", ["Test", insert("a")], 10**40))
    assert [each[0] for each in client.take()] == ["update", 10**40]


def test_a_cancelled_monitor_is_silent(world: World) -> None:
    client = world.client()
    client.ask("monitor", "Test", 1, {"T": {}})
    client.ask("monitor_cancel", 1)
    client.ask("transact", "Test", insert("a"))
    assert client.take() == []


def test_conditions_change_and_say_what_that_brings(world: World) -> None:
    client = world.client()
    client.ask("transact", "Test", insert("a"), insert("b"))

    def only(name: str) -> dict[str, Any]:
        return {"T": [{"columns": ["name"], "where": [["name", "==", name]]}]}

    first = client.ask("monitor_cond", "Test", 1, only("a"))
    assert [each["initial"]["name"] for each in first["T"].values()] == ["a"]
    del (changed := only("b"))["T"][0]["columns"]
    client.request("monitor_cond_change", 1, 2, changed)
    (method, (identifier, update)), (_, result, _) = client.take()
    assert (method, identifier, result) == ("update2", 2, {})
    changes = sorted(json.dumps(each) for each in update["T"].values())
    assert changes == ['{"delete": null}', '{"insert": {"name": "b"}}']
    assert client.refused("monitor_cond_change", 1, 1, {})["details"] == "unknown monitor session"
    client.ask("transact", "Test", insert("b"))
    assert [params[0] for _, params in client.take()] == [2]


def test_a_client_that_does_not_read_gets_one_update_in_the_end(world: World) -> None:
    reader, writer = world.client(), world.client()
    reader.ask("monitor", "Test", 1, {"T": {"columns": ["name"]}})
    reader.session.hold()
    for name in "abc":
        writer.ask("transact", "Test", insert(name))
    writer.ask("transact", "Test", {"op": "delete", "table": "T", "where": [["name", "==", "b"]]})
    assert reader.take() == []
    reader.session.release()
    ((_, (_, update)),) = reader.take()
    assert sorted(each["new"]["name"] for each in update["T"].values()) == ["a", "c"]
    assert all("old" not in each for each in update["T"].values())
    writer.ask("transact", "Test", insert("d"))
    assert len(reader.take()) == 1


def test_a_reply_does_not_overtake_updates_held_back(world: World) -> None:
    reader, writer = world.client(), world.client()
    reader.ask("monitor", "Test", 1, {"T": {}})
    reader.session.hold()
    writer.ask("transact", "Test", insert("a"))
    reader.request("transact", "Test", insert("b"))
    assert [len(each) for each in reader.take()] == [2, 3]


def test_a_new_monitor_sees_nothing_twice(world: World) -> None:
    reader, writer = world.client(), world.client()
    reader.ask("monitor", "Test", 1, {"T": {}})
    reader.session.hold()
    writer.ask("transact", "Test", insert("a"))
    reader.request("monitor", "Test", 2, {"T": {}})
    (_, params), (_, initial, _) = reader.take()
    assert (params[0], len(initial["T"])) == (1, 1)
    reader.session.release()
    assert reader.take() == []


def test_locks_are_queued_stolen_and_passed_on(world: World) -> None:
    a, b, c = world.client(), world.client(), world.client()
    assert a.ask("lock", "x") == {"locked": True}
    assert "unlock" in a.refused("lock", "x")["details"]
    assert b.ask("lock", "x") == {"locked": False}
    assert c.ask("steal", "x") == {"locked": True}
    assert a.take() == [("stolen", ["x"])]
    assert a.ask("unlock", "x") == {}
    assert c.ask("unlock", "x") == {}
    assert b.take() == [("locked", ["x"])]
    assert a.ask("lock", "x") == {"locked": False}
    b.session.close()
    assert a.take() == [("locked", ["x"])]
    assert a.session.locks()["locks_held"] == ["x"]


def test_assert_wants_the_lock(world: World) -> None:
    a, b = world.client(), world.client()
    a.ask("lock", "x")
    guard = {"op": "assert", "lock": "x"}
    assert a.ask("transact", "Test", guard, insert("a"))[0] == {}
    assert b.ask("transact", "Test", guard, insert("b"))[0]["error"] == "not owner"
    assert world.names() == ["a"]


def test_a_wait_is_satisfied_by_someone_else(world: World) -> None:
    waiting, other = world.client(), world.client()
    waiting.request("transact", "Test", wait_for("a"), insert("b"))
    assert waiting.take() == []
    assert waiting.session.usage()["triggers"] == 1
    other.ask("transact", "Test", insert("x"))
    assert waiting.take() == []
    other.ask("transact", "Test", insert("a"))
    ((_, results, error),) = waiting.take()
    assert (results[0], error) == ({}, None)
    assert world.names() == ["a", "b", "x"]
    assert len(world.databases.waiters) == 0


def test_waits_satisfy_each_other(world: World) -> None:
    client = world.client()
    client.request("transact", "Test", wait_for("b"), insert("c"))
    client.request("transact", "Test", wait_for("a"), insert("b"))
    client.request("transact", "Test", insert("a"))
    assert sorted(each[0] for each in client.take()) == [1, 2, 3]
    assert world.names() == ["a", "b", "c"]


def test_a_wait_ends_in_time(world: World) -> None:
    client = world.client()
    client.request("transact", "Test", wait_for("a", timeout=100))
    assert world.databases.waiters.deadline() == 100_000_000
    world.clock.advance(99_000_000)
    world.databases.waiters.expire(world.clock.now())
    assert client.take() == []
    world.clock.advance(1_000_000)
    world.databases.waiters.expire(world.clock.now())
    ((_, results, _),) = client.take()
    assert results[0]["error"] == "timed out"


def test_a_wait_is_cancelled(world: World) -> None:
    client = world.client()
    client.request("transact", "Test", wait_for("a"), insert("b"))
    client.session.receive(Request("transact", ["Test"], 1))
    assert client.take()[0][2]["details"] == "transact: duplicate request ID"
    client.session.receive(Notification("cancel", [1]))
    assert client.take() == [(1, None, "canceled")]
    world.client().ask("transact", "Test", insert("a"))
    assert client.take() == []
    assert world.names() == ["a"]


def test_a_closed_client_is_forgotten(world: World) -> None:
    client = world.client()
    client.ask("monitor", "Test", 1, {"T": {}})
    client.request("transact", "Test", wait_for("a"), insert("b"))
    client.session.close()
    world.client().ask("transact", "Test", insert("a"))
    assert client.take() == []
    assert world.names() == ["a"]
    assert len(world.databases.waiters) == 0


def test_limits_of_one_client(world: World) -> None:
    client = world.client()
    for number in range(MAXIMUM_WAITING):
        client.request("transact", "Test", wait_for(f"{number}"))
    assert client.refused("transact", "Test", wait_for("a"))["error"] == "resources exhausted"
    for number in range(MAXIMUM_MONITORS):
        client.ask("monitor", "Test", number, {})
    assert client.refused("monitor", "Test", "more", {})["error"] == "resources exhausted"
    client.session.close()


def test_a_read_only_client_changes_nothing(world: World) -> None:
    client = world.client(read_only=True)
    assert client.ask("transact", "Test", insert("a"))[0]["error"] == "not allowed"
    assert "read only" in client.refused("lock", "x")
    assert client.refused("convert", "Test", SCHEMA)["error"] == "not allowed"
    assert world.names() == []


def _larger() -> dict[str, Any]:
    columns = {**SCHEMA["tables"]["T"]["columns"], "more": {"type": "boolean"}}
    tables = {"T": {"columns": columns, "isRoot": True}}
    return {**SCHEMA, "version": "1.1.0", "tables": tables}


def test_conversion_tells_those_who_know_and_disconnects_the_others(world: World) -> None:
    converter, aware, unaware = world.client(), world.client(), world.client()
    for client in (converter, aware):
        client.ask("set_db_change_aware", True)
    for client in (aware, unaware):
        client.ask("monitor", "Test", "m", {"T": {}})
    server = {"Database": {"columns": ["schema"]}}
    aware.ask("monitor", "_Server", "s", server)
    aware.request("transact", "Test", wait_for("a"))
    aware.sent.clear()
    converter.ask("transact", "Test", insert("b"))
    unaware.take(), aware.take()
    assert converter.ask("convert", "Test", _larger()) == {}
    sent = aware.take()
    assert (4, None, "canceled") in sent
    assert ("monitor_canceled", ["m"]) in sent
    assert "update" in [each[0] for each in sent]
    assert (aware.disconnected, converter.disconnected) == ([], [])
    assert len(unaware.disconnected) == 1
    assert converter.ask("get_schema", "Test")["version"] == "1.1.0"
    index = world.storage.database.schema.tables["T"].by_name["more"].index
    assert [row[index] for row in world.storage.database.table("T").values()] == [(False,)]


def test_databases_come_and_go(world: World) -> None:
    aware, unaware = world.client(), world.client()
    aware.ask("set_db_change_aware", True)
    more = Storage(Database(DatabaseSchema.from_json({**SCHEMA, "name": "More"})))
    world.databases.add(more)
    assert len(unaware.disconnected) == 1
    aware.ask("monitor", "More", 1, {"T": {}})
    world.databases.remove("More")
    assert aware.take() == [("monitor_canceled", [1])]
    assert aware.refused("get_schema", "More")["error"] == "unknown database"


def test_observers_hear_of_each_commit_before_the_reply(world: World) -> None:
    client = world.client()
    heard = []
    world.databases.observers.append(
        lambda storage, changes: heard.append((storage.name, len(client.sent)))
    )
    client.ask("transact", "Test", insert("a"))
    client.ask("transact", "Test", {"op": "select", "table": "T", "where": []})
    assert heard == [("Test", 0)]


def test_a_durable_reply_waits_for_the_disk(world: World) -> None:
    pending: list[Any] = []
    world.databases.durable = lambda storage, done: pending.append(done)
    client = world.client()
    durable = {"op": "commit", "durable": True}
    client.request("transact", "Test", insert("a"), durable)
    client.request("transact", "Test", insert("b"), durable)
    client.request("transact", "Test", insert("c"))
    assert [each[0] for each in client.take()] == [3]
    pending[0](None)
    pending[1](LogError("disk on fire"))
    (_, first, _), (_, second, _) = client.take()
    assert first[-1] == {}
    assert second[-1] == {"error": "I/O error", "details": "disk on fire"}
