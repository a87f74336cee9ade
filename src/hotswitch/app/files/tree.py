"""Which folders and files there are, and what is in them: a pure view of one moment.

    bridges/BRIDGE/SETTING                       as of `hotswitch bridge set`
    bridges/BRIDGE/{error,statistics/COUNTER}
    bridges/BRIDGE/ports/PORT/SETTING            as of `hotswitch port set`
    bridges/BRIDGE/ports/PORT/{state,device,…}   how it is
    bridges/BRIDGE/ports/PORT/metadata/KEY
    bridges/BRIDGE/ports/PORT/statistics/COUNTER
    bridges/BRIDGE/ports/PORT/links/LINK/{device,…,metadata/KEY}
    links/LINKID/{name,port,…,metadata/KEY}      as of `hotswitch link show`

Nothing is made before somebody asks for it, so a path costs its length, whatever else there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from hotswitch.app.cli.settings import OF_BRIDGES, OF_PORTS
from hotswitch.app.cli.words import Word
from hotswitch.app.events.moment import Moment
from hotswitch.app.files.names import file_name, key_of
from hotswitch.app.files.text import show
from hotswitch.app.link_view import LinkView
from hotswitch.app.rows import bridge_row, link_row, port_row, refused_port_row
from hotswitch.config.unheeded import Refused
from hotswitch.datapath.contract import Counters
from hotswitch.kernel.links import Link
from hotswitch.model.port import PortStatistics
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.status import PortStatus


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be set with `hotswitch NOUN set NAME WORD VALUE`. method: that of the daemon."""

    method: str
    name: str
    word: Word


@dataclass(frozen=True, slots=True)
class MetadataOf:
    """The metadata of a port, or one key of them."""

    port: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """Something counted of a port or, with an empty `port`, of a bridge."""

    bridge: str
    port: str
    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """A file. read: its text, or what to ask for. written: what writing it sets; None: nothing."""

    read: Callable[[], str] | Count
    written: Setting | MetadataOf | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder. child: what has this name, or None. holds: whose keys can be added and removed."""

    names: Iterable[str]
    child: Callable[[str], Node | None]
    holds: MetadataOf | None = None


Node: TypeAlias = Folder | Value

_FILES = {word: word.name.replace("-", "_") for word in OF_PORTS}
_FILES |= {word: "vlan" for word in OF_PORTS if word.key == "tag"}
_OF_PORT = {_FILES[word]: word for word in OF_PORTS if word.key != "metadata"}
_OF_BRIDGE = {word.key: word for word in OF_BRIDGES}
_STATES = ("state", "error", "device", "ifindex", "incarnation")
_REFUSED_STATES = ("state", "error")
_LINK_STATES = ("device", "ifindex", "incarnation", "forwards")
_COUNTS = tuple(each.name for each in fields(PortStatistics))
_BRIDGE_COUNTS = tuple(each.name for each in fields(Counters))


def find(moment: Moment, path: str, links: Callable[[], LinkView]) -> Node | None:
    """What is there at this moment. path: from the tree's root, with "/" between names.

    links: lists the host's, if it is asked.
    """
    node: Node | None = _folder(
        {"bridges": lambda: _bridges(moment), "links": lambda: _host_links(links())}
    )
    for name in filter(None, path.split("/")):
        if not isinstance(node, Folder):
            return None
        node = node.child(name)
    return node


def _folder(children: Mapping[str, Callable[[], Node]]) -> Folder:
    return Folder(children, lambda name: children[name]() if name in children else None)


def _bridges(moment: Moment) -> Folder:
    there = moment.bridges
    refused = _by_file(name for name, port in moment.refused if not port and name not in there)

    def child(name: str) -> Folder | None:
        if name in there:
            return _bridge(moment, name)
        return _refused_bridge(moment, refused[name]) if name in refused else None

    return Folder((*there, *refused), child)


def _refused_bridge(moment: Moment, bridge: str) -> Folder:
    reason = moment.refused[bridge, ""].reason
    return _folder(
        {"error": lambda: Value(lambda: reason), "ports": lambda: _ports(moment, bridge)}
    )


def _by_file(names: Iterable[str]) -> dict[str, str]:
    """Names that may have any letters, by those of their files."""
    return {file: name for name in names if (file := file_name(name))}


def _bridge(moment: Moment, bridge: str) -> Folder:
    row = bridge_row(moment.desired.bridges[bridge], moment.bridges[bridge])
    settings = {name: word for name, word in _OF_BRIDGE.items() if name in row}

    def setting(name: str, word: Word) -> Callable[[], Value]:
        return lambda: Value(lambda: show(row[name]), Setting("bridge/set", bridge, word))

    return _folder(
        {
            **{name: setting(name, word) for name, word in settings.items()},
            "error": lambda: Value(lambda: row["error"]),
            "statistics": lambda: _statistics(bridge, "", _BRIDGE_COUNTS),
            "ports": lambda: _ports(moment, bridge),
        }
    )


def _ports(moment: Moment, bridge: str) -> Folder:
    there = moment.bridges[bridge].ports if bridge in moment.bridges else {}
    refused = _by_file(
        port for of, port in moment.refused if of == bridge and port and port not in there
    )

    def child(name: str) -> Folder | None:
        if status := there.get(name):
            local = moment.refused.get((bridge, name)) if name == bridge else None
            return _port(bridge, status, moment.wanted(bridge, name), local)
        return _refused_port(moment.refused[bridge, refused[name]]) if name in refused else None

    return Folder((*there, *refused), child)


def _refused_port(refused: Refused) -> Folder:
    row = refused_port_row(refused)

    def child(name: str) -> Value | None:
        return Value(lambda: show(row[name])) if name in _REFUSED_STATES else None

    return Folder(_REFUSED_STATES, child)


def _port(bridge: str, status: PortStatus, wanted: DesiredPort, refused: Refused | None) -> Folder:
    """A port in force. refused: of a local port, its row, which is not."""
    folders: dict[str, Callable[[], Node]] = {
        "metadata": lambda: _metadata(dict(status.metadata), MetadataOf(status.name)),
        "statistics": lambda: _statistics(bridge, status.name, _COUNTS),
        "links": lambda: _links(status),
    }

    def child(name: str) -> Node | None:
        if name in folders:
            return folders[name]()
        word = _OF_PORT.get(name)
        if word:
            written = Setting("port/set", status.name, word)
            return Value(lambda: show(_setting(bridge, status, wanted, word)), written)
        if name == "error" and refused:
            return Value(lambda: refused.reason)
        if name in _STATES:
            return Value(lambda: show(port_row(bridge, wanted, status)[name]))
        return None

    return Folder((*_OF_PORT, *_STATES, *folders), child)


def _setting(bridge: str, status: PortStatus, wanted: DesiredPort, word: Word) -> Any:
    """What writing this again would set."""
    is_system = wanted.kind is PortKind.SYSTEM and status.kind is PortKind.SYSTEM
    match word.key:
        case "link":
            return str(wanted.members[0].finds_by) if is_system and not wanted.is_vif else ""
        case "follow_rename":
            return all(each.follow_rename for each in wanted.members) if is_system else ""
        case "vif":
            ranked = sorted(wanted.links, key=lambda each: each.preference)
            return [each.name for each in ranked] if wanted.is_vif else ""
        case "mtu":
            return status.device.mtu if status.device else ""
    return port_row(bridge, wanted, status)[word.key]


def _links(status: PortStatus) -> Folder:
    rows = {each.name: link_row(each) for each in status.links}

    def link(row: Mapping[str, Any]) -> Folder:
        def state(name: str) -> Callable[[], Value]:
            return lambda: Value(lambda: show(row[name]))

        states = {name: state(name) for name in _LINK_STATES}
        return _folder({**states, "metadata": lambda: _metadata(row["metadata"])})

    return Folder(rows, lambda name: link(rows[name]) if name in rows else None)


def _host_links(links: LinkView) -> Folder:
    there = links.by_id
    return Folder(there, lambda name: _host_link(links, there[name]) if name in there else None)


def _host_link(links: LinkView, link: Link) -> Folder:
    row = links.row(link)
    pairs = {
        "metadata": row.pop("metadata"),
        "details": {name: str(value) for name, value in row.pop("details").items()},
    }

    def child(name: str) -> Node | None:
        if name in pairs:
            return _metadata(pairs[name])
        return Value(lambda: show(row[name])) if name in row else None

    return Folder((*row, *pairs), child)


def _metadata(pairs: Mapping[str, str], of: MetadataOf | None = None) -> Folder:
    def child(name: str) -> Value | None:
        key = key_of(name)
        if key is None or key not in pairs:
            return None
        return Value(lambda: pairs[key], MetadataOf(of.port, key) if of else None)

    return Folder([name for key in pairs if (name := file_name(key))], child, of)


def _statistics(bridge: str, port: str, names: Iterable[str]) -> Folder:
    return Folder(names, lambda name: Value(Count(bridge, port, name)) if name in names else None)
