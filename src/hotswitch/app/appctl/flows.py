"""Entries of the pipeline as ovs-dpctl(8) writes flows: `dpctl/dump-flows`, `dpif/dump-flows`.

A table is said as recirculation, `recirc_id(TABLE)` and `recirc(TABLE)`. What that form has no word
for (registers, absent headers, learning, copies of bits) is said as `hotswitch table` says it, and
the priority, which datapath flows do not have, stands beside the counters.
Source: lib/odp-util.c (`odp_flow_format`, `format_odp_actions`), lib/dpctl.c (`dpctl_dump_flows`).
"""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.headers.field_text import show_value
from hotswitch.headers.registry import Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.model.entry import Entry, EntryStatistics
from hotswitch.model.match import Match, Term
from hotswitch.model.text import show_action, show_match

_LAYERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ethernet": ("eth", {"src": "src", "dst": "dst"}),
    "ethertype": ("eth_type", {"": ""}),
    "vlan": ("vlan", {"vid": "vid", "pcp": "pcp"}),
    "ipv4": ("ipv4", {"src": "src", "dst": "dst", "protocol": "proto", "ttl": "ttl"}),
    "ipv6": (
        "ipv6",
        {"src": "src", "dst": "dst", "flow_label": "label", "hop_limit": "hlimit"},
    ),
    "arp": (
        "arp",
        {
            "sender_ip": "sip",
            "target_ip": "tip",
            "operation": "op",
            "sender_mac": "sha",
            "target_mac": "tha",
        },
    ),
    "icmp": ("icmp", {"type": "type", "code": "code"}),
    "icmpv6": ("icmpv6", {"type": "type", "code": "code"}),
    "tcp": ("tcp", {"src": "src", "dst": "dst"}),
    "udp": ("udp", {"src": "src", "dst": "dst"}),
    "sctp": ("sctp", {"src": "src", "dst": "dst"}),
}
"""A header's word there, and those of its fields; in the order in which they are written."""

_SECOND = 1_000_000_000


class FlowWriter:
    """Writes the entries of one datapath. names: of its ports, if they are to be named."""

    def __init__(self, registry: Registry, names: Mapping[int, str]) -> None:
        self._registry = registry
        self._names = names

    def line(
        self, entry: Entry, counted: EntryStatistics, now: int, *, with_cookie: bool = False
    ) -> str:
        """One entry. now: nanoseconds, as in `last_used`."""
        used = "never"
        if counted.last_used:
            used = f"{max(0, now - counted.last_used) / _SECOND:.3f}s"
        words = [
            self.match(entry.table, entry.match),
            f"packets:{counted.packets}",
            f"bytes:{counted.bytes}",
            f"used:{used}",
            f"priority:{entry.priority}",
            *([f"cookie:{entry.cookie:#x}"] * with_cookie),
            f"actions:{self.actions(entry.actions)}",
        ]
        return ", ".join(words)

    def match(self, table: int, match: Match) -> str:
        """What an entry of this table is for."""
        words = [f"recirc_id({table:#x})" if table else "recirc_id(0)"]
        layers: dict[str, dict[str, str]] = {}
        others: list[str] = []
        for term in match:
            layer, _, field = term.field.partition(".")
            fields = _LAYERS.get(layer, ("", {}))[1]
            if term.field == "in_port":
                words.append(f"in_port({self._port_term(term)})")
            elif field in fields:
                layers.setdefault(layer, {})[fields[field]] = self._value(term)
            elif fields and not field and term.value:
                layers.setdefault(layer, {})  # no more than that the header is there
            else:
                others.append(show_match(self._registry, Match((term,))))
        for layer, (word, fields) in _LAYERS.items():
            if layer in layers:
                given = layers[layer]
                shown = [_pair(name, given[name]) for name in fields.values() if name in given]
                words.append(f"{word}({','.join(shown)})")
        return ",".join([*words, *others])

    def actions(self, actions: Actions) -> str:
        """What an entry does."""
        return ",".join(filter(None, map(self._action, actions))) or "drop"

    def _action(self, action: Action) -> str:
        match action:
            case act.Output(port) if port != act.IN_PORT:
                return self._port(port)
            case act.OutputList(ports):
                return ",".join(map(self._port, ports))
            case act.PushVlan(ethertype):
                return f"push_vlan(tpid={ethertype:#06x})"
            case act.GotoTable(table):
                return f"recirc({table:#x})"
            case act.Limit(meter):
                return f"meter({meter})"
            case act.SetField(field, value, mask):
                return self._set(Term(field, value, mask)) or show_action(self._registry, action)
        return show_action(self._registry, action)

    def _set(self, term: Term) -> str:
        layer, _, field = term.field.partition(".")
        word, fields = _LAYERS.get(layer, ("", {}))
        return f"set({word}({fields[field]}={self._value(term)}))" if field in fields else ""

    def _port_term(self, term: Term) -> str:
        full = (1 << self._registry.field(term.field).width) - 1
        if term.mask in (full, -1):
            return self._port(term.value)
        return self._value(term)

    def _port(self, number: int) -> str:
        return self._names.get(number, str(number))

    def _value(self, term: Term) -> str:
        if term.field == "ethertype":
            return f"{term.value:#06x}"
        return show_value(self._registry.field(term.field), term.value, term.mask)


def _pair(name: str, value: str) -> str:
    return f"{name}={value}" if name else value
