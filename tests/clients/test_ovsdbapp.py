"""OpenStack's library: each of its commands on Open_vSwitch does to hotswitch what it is to do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from ovsdbapp.backend.ovs_idl import event, idlutils, rowview
from ovsdbapp.backend.ovs_idl.connection import Connection, OvsdbIdl
from ovsdbapp.schema.open_vswitch import impl_idl

from tests.clients import peers
from tests.clients.peers import Switch
from tests.support.wait import until

pytestmark = pytest.mark.skipif(not peers.AVAILABLE, reason="no ovs-vsctl here")

_SECONDS = 20


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with peers.hotswitch(tmp_path_factory.mktemp("switch")) as running:
        running.add_taps("e0", "e1")
        yield running


@pytest.fixture
def connection(switch: Switch) -> Iterator[Connection]:
    idl = OvsdbIdl.from_server(f"unix:{switch.socket}", "Open_vSwitch")
    made = Connection(idl, _SECONDS)
    yield made
    made.stop(_SECONDS)
    switch.vsctl(
        "clear Open_vSwitch . bridges manager_options -- --all destroy QoS -- --all destroy Queue"
    )


@pytest.fixture
def api(connection: Connection) -> Any:
    class Api(impl_idl.OvsdbIdl):  # type: ignore[misc]
        """The library keeps a connection for each class."""

    return Api(connection)


def do(command: Any) -> Any:
    return command.execute(check_error=True)


@pytest.fixture
def bridge(api: Any) -> str:
    do(api.add_br("br0"))
    return "br0"


def _refused(command: Any, kind: type[Exception] = RuntimeError) -> str:
    with pytest.raises(kind) as caught:
        command.execute(check_error=True, log_errors=False)
    return str(caught.value)


def test_bridges(api: Any) -> None:
    assert do(api.br_exists("br0")) is False
    made = do(api.add_br("br0"))
    assert isinstance(made, rowview.RowView) and made.name == "br0"
    assert do(api.br_exists("br0")) is True
    assert do(api.list_br()) == ["br0"]
    assert do(api.db_get("Interface", "br0", "type")) == "internal"
    assert do(api.db_get("Interface", "br0", "ofport")) == 65534
    again = do(api.add_br("br0", datapath_type="netdev"))
    assert again.uuid == made.uuid
    assert do(api.db_get("Bridge", "br0", "datapath_type")) == "netdev"
    _refused(api.add_br("br0", may_exist=False))
    do(api.del_br("br0"))
    assert do(api.list_br()) == []
    do(api.del_br("br0"))
    assert "does not exist" in _refused(api.del_br("br0", if_exists=False))


def test_a_bridge_and_its_port_in_one_transaction(api: Any) -> None:
    with api.transaction(check_error=True) as transaction:
        transaction.add(api.add_br("br0"))
        transaction.add(api.add_port("br0", "e0"))
        transaction.add(api.db_set("Port", "e0", ("tag", 7)))
        listed = transaction.add(api.list_ports("br0"))
    assert listed.result == ["e0"]
    assert do(api.db_get("Port", "e0", "tag")) == 7


def test_ports(api: Any, bridge: str) -> None:
    made = do(api.add_port(bridge, "e0"))
    assert made.name == "e0"
    assert do(api.db_get("Interface", "e0", "ofport")) > 0
    do(api.add_port(bridge, "e0"))
    assert do(api.list_ports(bridge)) == ["e0"]
    _refused(api.add_port(bridge, "e0", may_exist=False))
    do(api.add_port(bridge, "in0", type="internal", external_ids={"iface-id": "x"}))
    assert do(api.db_get("Interface", "in0", "type")) == "internal"
    assert do(api.iface_get_external_id("in0", "iface-id")) == "x"
    assert sorted(do(api.list_ports(bridge))) == ["e0", "in0"]
    assert sorted(do(api.list_ifaces(bridge))) == ["e0", "in0"]
    assert do(api.port_to_br("e0")) == do(api.iface_to_br("e0")) == bridge
    _refused(api.port_to_br("none"), idlutils.RowNotFound)
    _refused(api.iface_to_br("none"), idlutils.RowNotFound)
    _refused(api.add_port("none", "e1"), idlutils.RowNotFound)
    do(api.add_br("br1"))
    _refused(api.del_port("e0", bridge="br1", if_exists=False))
    do(api.del_port("e0", bridge=bridge))
    do(api.del_port("in0"))
    assert do(api.list_ports(bridge)) == []
    do(api.del_port("e0"))
    assert "does not exist" in _refused(api.del_port("e0", if_exists=False))


def test_a_cable_between_bridges(api: Any, bridge: str) -> None:
    """As Neutron joins its bridges: the first end has no other end for a while."""
    do(api.add_br("br1"))
    do(api.add_port(bridge, "to1", type="patch", options={"peer": "to0"}))
    assert "to0" in do(api.db_get("Interface", "to1", "error"))
    do(api.add_port("br1", "to0", type="patch", options={"peer": "to1"}))
    for name in ("to0", "to1"):
        assert do(api.db_get("Interface", name, "error")) == []
        assert do(api.db_get("Interface", name, "ofport")) > 0


def test_a_port_without_a_device_says_so_when_the_command_returns(api: Any, bridge: str) -> None:
    do(api.add_port(bridge, "gone"))
    assert do(api.db_get("Interface", "gone", "ofport")) == -1
    assert "could not open network device gone" in do(api.db_get("Interface", "gone", "error"))


def test_external_ids(api: Any, bridge: str) -> None:
    do(api.br_set_external_id(bridge, "a", "1"))
    do(api.br_set_external_id(bridge, "b", "2"))
    assert do(api.br_get_external_id(bridge, "a")) == "1"
    assert do(api.db_get("Bridge", bridge, "external_ids")) == {"a": "1", "b": "2"}
    do(api.iface_set_external_id(bridge, "iface-id", "x"))
    assert do(api.iface_get_external_id(bridge, "iface-id")) == "x"
    _refused(api.br_get_external_id(bridge, "none"), KeyError)


def test_controllers_and_fail_mode(api: Any, bridge: str) -> None:
    targets = ["tcp:127.0.0.1:6653", "punix:/run/x.mgmt"]
    do(api.set_controller(bridge, targets))
    assert sorted(do(api.get_controller(bridge))) == sorted(targets)
    assert len(do(api.db_list("Controller"))) == 2
    do(api.set_controller(bridge, targets[:1]))
    assert do(api.get_controller(bridge)) == targets[:1]
    assert len(do(api.db_list("Controller"))) == 1
    do(api.del_controller(bridge))
    assert do(api.get_controller(bridge)) == do(api.db_list("Controller")) == []
    do(api.set_fail_mode(bridge, "secure"))
    assert do(api.db_get("Bridge", bridge, "fail_mode")) == "secure"


def test_managers(api: Any, switch: Switch) -> None:
    target = f"punix:{switch.folder}/manager.sock"
    made = do(api.add_manager(target))
    assert made.target == target
    assert do(api.get_manager()) == [target]
    assert do(api.db_set("Manager", target, ("inactivity_probe", 0))) is None
    assert do(api.db_get("Manager", target, "inactivity_probe")) == 0
    idl = OvsdbIdl.from_server(target.removeprefix("p"), "Open_vSwitch")
    other = Connection(idl, _SECONDS)
    other.start()
    assert other.stop(_SECONDS)
    do(api.remove_manager(target))
    assert do(api.get_manager()) == []
    assert "does not exist" in _refused(api.remove_manager(target))


def test_columns(api: Any, bridge: str) -> None:
    do(api.add_port(bridge, "e0"))
    do(api.db_set("Port", "e0", ("tag", 5), ("trunks", [1, 2]), ("external_ids", {"a": "1"})))
    do(api.db_set("Port", "e0", external_ids={"b": "2"}))
    assert do(api.db_get("Port", "e0", "tag")) == 5
    assert do(api.db_get("Port", "e0", "trunks")) == [1, 2]
    assert do(api.db_get("Port", "e0", "external_ids")) == {"a": "1", "b": "2"}
    do(api.db_add("Port", "e0", "trunks", 3, 4))
    do(api.db_add("Port", "e0", "external_ids", {"a": "kept", "c": "3"}))
    assert do(api.db_get("Port", "e0", "trunks")) == [1, 2, 3, 4]
    assert do(api.db_get("Port", "e0", "external_ids")) == {"a": "1", "b": "2", "c": "3"}
    do(api.db_remove("Port", "e0", "trunks", 1, 9))
    do(api.db_remove("Port", "e0", "external_ids", "a", b="2", c="another"))
    assert do(api.db_get("Port", "e0", "trunks")) == [2, 3, 4]
    assert do(api.db_get("Port", "e0", "external_ids")) == {"c": "3"}
    for column, nothing in (("trunks", []), ("external_ids", {}), ("tag", [])):
        do(api.db_clear("Port", "e0", column))
        assert do(api.db_get("Port", "e0", column)) == nothing
    do(api.db_set("Port", "none", ("tag", 5)))
    do(api.db_remove("Port", "none", "trunks", 5, if_exists=True))
    _refused(api.db_set("Port", "none", ("tag", 5), if_exists=False), idlutils.RowNotFound)
    _refused(api.db_get("Port", "none", "tag"), idlutils.RowNotFound)


def test_rows(api: Any, bridge: str) -> None:
    made = do(api.db_create("Queue", external_ids={"x": "y"}))
    assert isinstance(made, uuid.UUID)
    assert do(api.db_get("Queue", made, "external_ids")) == {"x": "y"}
    row = do(api.db_create_row("Queue", dscp=3))
    assert isinstance(row, rowview.RowView) and row.dscp == [3]
    assert len(do(api.db_list("Queue"))) == 2
    for each in (made, row.uuid):
        do(api.db_destroy("Queue", each))
    assert do(api.db_list("Queue")) == []
    _refused(api.db_destroy("Queue", made), idlutils.RowNotFound)


def test_a_limit_of_neutron_is_kept(api: Any, bridge: str) -> None:
    """A queue, a QoS and a port that refer to one another, made in one transaction."""
    do(api.add_port(bridge, "e0"))
    with api.transaction(check_error=True) as transaction:
        queue = transaction.add(api.db_create("Queue", other_config={"max-rate": "1000000"}))
        qos = transaction.add(api.db_create("QoS", type="linux-htb", queues={0: queue}))
        transaction.add(api.db_set("Port", "e0", ("qos", qos)))
    assert do(api.db_get("Port", "e0", "qos")) == qos.result
    assert do(api.db_get("QoS", qos.result, "queues"))[0].uuid == queue.result
    said = do(api.db_get("Port", "e0", "status"))
    assert said == {"not_acted_on": "qos"}
    with api.transaction(check_error=True) as transaction:
        transaction.add(api.db_clear("Port", "e0", "qos"))
        transaction.add(api.db_destroy("QoS", qos.result))
        transaction.add(api.db_destroy("Queue", queue.result))
    assert do(api.db_list("QoS")) == do(api.db_list("Queue")) == []


def test_listing_and_finding(api: Any) -> None:
    wanted = [{"name": f"br{n}", "datapath_type": ("netdev", "system")[n > 1]} for n in range(3)]
    for each in wanted:
        do(api.add_br(each["name"], datapath_type=each["datapath_type"]))
    columns = ["name", "datapath_type"]

    def same(found: list[dict[str, str]], expected: list[dict[str, str]]) -> bool:
        return sorted(found, key=lambda row: row["name"]) == expected

    assert same(do(api.db_list("Bridge", columns=columns)), wanted)
    assert do(api.db_list("Bridge", ["br1"], columns)) == wanted[1:2]
    _refused(api.db_list("Bridge", ["br1", "none"]), idlutils.RowNotFound)
    assert do(api.db_list("Bridge", ["br1", "none"], columns, if_exists=True)) == wanted[1:2]
    assert {row.name for row in do(api.db_list_rows("Bridge"))} == {"br0", "br1", "br2"}
    netdev = ("datapath_type", "=", "netdev")
    assert same(do(api.db_find("Bridge", netdev, columns=columns)), wanted[:2])
    not_netdev = ("datapath_type", "!=", "netdev")
    assert same(do(api.db_find("Bridge", not_netdev, columns=columns)), wanted[2:])
    assert {row.name for row in do(api.db_find_rows("Bridge", netdev))} == {"br0", "br1"}
    assert do(api.db_find("Bridge", ("name", "=", "none"))) == []
    in_map = ("external_ids", "=", {"a": "b"})
    do(api.br_set_external_id("br2", "a", "b"))
    assert do(api.db_find("Bridge", in_map, columns=["name"])) == [{"name": "br2"}]


def test_looking_up(api: Any, bridge: str) -> None:
    row = api.lookup("Bridge", bridge)
    assert row.name == bridge and api.lookup("Bridge", row.uuid) == row
    assert api.lookup("Bridge", "none", default=None) is None
    with pytest.raises(idlutils.RowNotFound):
        api.lookup("Bridge", "none")
    assert api.lookup("Open_vSwitch", ".").bridges == [row]


def test_a_transaction_is_done_whole_or_not_at_all(api: Any, bridge: str) -> None:
    with (
        pytest.raises(RuntimeError, match="constraint violation"),
        api.transaction(check_error=True, log_errors=False) as transaction,
    ):
        transaction.add(api.add_port(bridge, "e0"))
        transaction.add(api.add_port(bridge, "e1"))
        transaction.add(api.add_port(bridge, "e1", may_exist=False))
    assert do(api.list_ports(bridge)) == []


def test_events(api: Any, connection: Connection) -> None:
    """What others change is heard of; agents live on this."""
    handler = event.RowEventHandler()
    connection.idl.notify = handler.notify

    class Seen(event.WaitEvent):  # type: ignore[misc]
        def __init__(self, kind: str, **conditions: str) -> None:
            wanted = tuple((name, "=", value) for name, value in conditions.items())
            super().__init__((kind,), "Port", wanted, timeout=_SECONDS)

    try:
        made = Seen(Seen.ROW_CREATE, name="e0")
        handler.watch_event(made)
        do(api.add_br("br0"))
        do(api.add_port("br0", "e0"))
        assert made.wait()
        gone = Seen(Seen.ROW_DELETE, name="e0")
        handler.watch_event(gone)
        do(api.del_port("e0"))
        assert gone.wait()
    finally:
        handler.shutdown()


def test_reconnecting(api: Any, connection: Connection, bridge: str) -> None:
    assert connection.stop(_SECONDS)
    connection.start()
    assert do(api.br_exists(bridge)) is True
    do(api.add_br("br1"))
    assert sorted(do(api.list_br())) == ["br0", "br1"]


def test_a_lock(switch: Switch) -> None:
    """An agent and its spare: who comes second has the lock when the first is gone."""
    first, second = (
        Connection(OvsdbIdl.from_server(f"unix:{switch.socket}", "Open_vSwitch"), _SECONDS)
        for _ in range(2)
    )
    try:
        for each in (first, second):
            each.idl.set_lock("agent")
            each.start()
        until(lambda: first.idl.has_lock, "the first has the lock")
        until(lambda: second.idl.is_lock_contended, "the second waits")
        assert not second.idl.has_lock
        assert first.stop(_SECONDS)
        until(lambda: second.idl.has_lock, "the second has the lock")
    finally:
        first.stop(_SECONDS)
        second.stop(_SECONDS)
