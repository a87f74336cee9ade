"""The tree as a pure view: every setting has its file, and any key has a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.app.cli.settings import OF_BRIDGES, OF_PORTS
from hotswitch.app.files.names import file_name, key_of
from hotswitch.app.files.text import read, show
from hotswitch.app.files.tree import Folder, MetadataOf, Node, Setting, Value, find
from hotswitch.app.link_view import LinkView
from hotswitch.ports.lifecycle import EPHEMERAL
from hotswitch.switch.desired import DesiredPort, PortKind, VlanMode
from tests.app.test_events_differences import VM, Lab

PORT = DesiredPort(
    "tap0",
    tag=10,
    trunks=(1, 2, 3, 7),
    mode=VlanMode.NATIVE_TAGGED,
    storm_limit=5,
    lifecycle=EPHEMERAL,
    metadata=(("a/b", "x y"), ("vm-id", "7")),
)


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.add("tap0", mtu=1500)
    lab.add("tap1.0")
    lab.add("vif1.0")
    lab.want(PORT, VM, DesiredPort("none"), DesiredPort("in", kind=PortKind.INTERNAL))
    return lab


def look(lab: Lab, path: str) -> Node | None:
    return find(lab.moment, path, lambda: LinkView(lab.switch.links(), lab.moment.bridges))


def value(lab: Lab, path: str) -> str:
    node = look(lab, path)
    assert isinstance(node, Value) and callable(node.read)
    return node.read()


def names(node: Node | None) -> set[str]:
    assert isinstance(node, Folder)
    return set(node.names)


def test_what_is_in_the_files(lab: Lab) -> None:
    shown = {
        name: value(lab, f"bridges/br0/ports/tap0/{name}")
        for name in ("vlan", "trunks", "mode", "storm_limit", "lifecycle", "link", "vif", "state")
    }
    assert shown == {
        "vlan": "10",
        "trunks": "1-3,7",
        "mode": "native-tagged",
        "storm_limit": "5",
        "lifecycle": "ephemeral",
        "link": "name=tap0",
        "vif": "",
        "state": "forwarding",
    }
    assert value(lab, "/bridges/br0/ports/vm/vif") == "tap1.0,vif1.0"
    assert value(lab, "/bridges/br0/ports/vm/links/vif1.0/forwards") == "on"
    assert value(lab, "/bridges/br0/ports/vm/links/tap1.0/forwards") == "off"
    assert value(lab, "/bridges/br0/ports/none/device") == ""
    assert value(lab, "/bridges/br0/ports/none/state") == "waiting"
    assert names(look(lab, "/bridges/br0/ports/tap0/metadata")) == {"a%2Fb", "vm-id"}
    assert value(lab, "/bridges/br0/ports/tap0/metadata/a%2Fb") == "x y"
    assert value(lab, "/bridges/br0/ports/tap0/links/tap0/metadata/vm-id") == "7"
    assert value(lab, "/bridges/br0/ageing_time") == "300"


def test_what_is_not_there(lab: Lab) -> None:
    for path in ("x", "bridges/br1", "bridges/br0/ports/x", "bridges/br0/ports/tap0/vlan/x"):
        assert look(lab, path) is None
    for path in ("metadata/a", "metadata/vm%2Did", "links/x", "statistics/x", "x"):
        assert look(lab, f"bridges/br0/ports/tap0/{path}") is None


def all_nodes(lab: Lab, path: str = "") -> list[tuple[str, Node]]:
    node = look(lab, path)
    assert node is not None, path
    found = [(path, node)]
    if isinstance(node, Folder):
        assert len(set(node.names)) == len(list(node.names))
        for name in node.names:
            found += all_nodes(lab, f"{path}/{name}")
    return found


def test_every_setting_has_a_file_whose_text_sets_what_is_set(lab: Lab) -> None:
    words = set()
    for path, node in all_nodes(lab):
        if not isinstance(node, Value) or not isinstance(node.written, Setting):
            continue
        assert callable(node.read)
        words.add(node.written.word)
        text = node.read()
        given = read(node.written.word, text) if text else None  # what is unset can stay so
        if text and path.rpartition("/")[2] not in ("mac", "mtu", "number"):
            assert show(given) == text, path
    wanted = {*OF_PORTS, *OF_BRIDGES}
    assert {word.name for word in wanted - words} == {"metadata"}  # a folder


def test_only_a_ports_own_metadata_can_be_written(lab: Lab) -> None:
    for path, node in all_nodes(lab):
        if isinstance(node, Value) and "/metadata/" in path:
            assert isinstance(node.written, MetadataOf) == ("/links/" not in path)


@given(st.text(max_size=40))
def test_any_key_has_a_name_of_its_own(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    name = file_name(key)
    assert name not in ("", ".", "..") and "/" not in name and "\0" not in name
    assert key_of(name) == key


@given(st.text(max_size=20))
def test_other_names_are_no_keys(name: str) -> None:
    key = key_of(name)
    assert key is None or file_name(key) == name


def test_a_key_can_be_too_long() -> None:
    assert file_name("k" * 255) and not file_name("k" * 256) and not file_name("/" * 100)


def test_links_are_there_by_id(lab: Lab) -> None:
    lab.add("tap5", id=7, mtu=1400, up=True)
    lab.add("other")
    lab.want(DesiredPort("tap5", metadata=(("vm-id", "5"),)))
    assert names(look(lab, "links")) == {"7"}
    shown = {
        name: value(lab, f"links/7/{name}")
        for name in ("id", "name", "bridge", "port", "vif", "mtu", "up", "master", "metadata/vm-id")
    }
    assert shown == {
        "id": "7",
        "name": "tap5",
        "bridge": "br0",
        "port": "tap5",
        "vif": "",
        "mtu": "1400",
        "up": "on",
        "master": "",
        "metadata/vm-id": "5",
    }
    node = look(lab, "links/7/name")
    assert isinstance(node, Value) and node.written is None
    for path in ("links/8", "links/07", "links/other", "links/7/odd", "links/7/metadata/odd"):
        assert look(lab, path) is None
