"""What answers say of datapaths, vports and flows: attributes in the order of the kernel's.

The source is net/openvswitch/datapath.c (ovs_dp_cmd_fill_info, ovs_vport_cmd_fill_info,
ovs_flow_cmd_fill_info).
"""

from __future__ import annotations

from typing import Any

from hotswitch.headers.registry import Registry
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.model.entry import EntryStatistics
from hotswitch.model.port import PortStatistics
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.families.datapath import (
    PER_CPU,
    VPORT_PIDS,
    DatapathStatistics,
    MegaflowStatistics,
)
from hotswitch.netlink.families.flow import OMIT_ACTIONS, OMIT_KEY, OMIT_MASK, FlowStatistics
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.vport import VXLAN, VportStatistics
from hotswitch.netlink.flows import match_of
from hotswitch.netlink.keys import key_of
from hotswitch.netlink.lacks import ALWAYS_ZERO
from hotswitch.netlink.message import Message
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.server.flow_table import Flow, Shown
from hotswitch.netlink.server.own_datapath import MISS, OwnDatapath, Vport
from hotswitch.netlink.server.shown_flows import ShownFlows
from hotswitch.netlink.types import Number

_MILLISECOND = 1_000_000
_TCP_FLAGS = 0xFF
"""What flow statistics tell of TCP's 12 flags."""


def describe_datapath(own: OwnDatapath) -> Attributes:
    """Raises HotswitchError if its counters can't be read.

    There is no cache in front of the flows, and how many masks were tried is not counted.
    """
    datapath = own.datapath
    counted = datapath.counters()
    ports = datapath.port_statistics().values()
    received = own.received + sum(each.rx_packets for each in ports)
    heard = 0
    if MISS.key in datapath.entries():
        heard = datapath.entry_statistics((MISS.key,))[MISS.key].packets
    missed = own.missed + counted.missed + heard
    attributes = Attributes(
        name=own.name,
        statistics=DatapathStatistics.value(
            hit=max(0, received - missed - counted.malformed),
            missed=missed,
            lost=own.lost + counted.lost + counted.missed,
            flows=len(own.flows),
        ),
        megaflow_statistics=MegaflowStatistics.value(
            mask_hit=0, masks=own.flows.masks(), pad0=0, cache_hit=0, pad1=0
        ),
        user_features=own.features,
        masks_cache_size=0,
    )
    if own.features & PER_CPU and own.pids:
        attributes += Attributes(per_cpu_pids=own.pids)
    return attributes


def describe_vport(
    own: OwnDatapath, vport: Vport, counted: PortStatistics, link: LinkCounters
) -> Attributes:
    """counted: by the datapath; link: by the kernel, for its device.

    The kernel does not count what a program hands from link to link, so packets are the datapath's.
    """
    pids = vport.pids if own.features & VPORT_PIDS else vport.pids[:1]
    attributes = Attributes(
        port=vport.number,
        type=vport.kind,
        name=vport.name,
        ifindex=vport.index,
        statistics=VportStatistics.value(
            rx_packets=counted.rx_packets,
            tx_packets=counted.tx_packets,
            rx_bytes=counted.rx_bytes,
            tx_bytes=counted.tx_bytes,
            rx_errors=link.rx_errors,
            tx_errors=link.tx_errors,
            rx_dropped=counted.rx_dropped + link.rx_dropped,
            tx_dropped=counted.tx_dropped + link.tx_dropped,
        ),
        upcall_pid=pids,
    )
    if vport.kind == VXLAN:
        options = Attributes(destination_port=vport.tunnel_port)
        attributes += Attributes(options=options)
    return attributes


def describe_flow(
    registry: Registry,
    codec: Codec,
    known: ShownFlows,
    flow: Flow,
    counted: EntryStatistics,
    omitted: int,
) -> Attributes:
    """What is zero of what was counted is left out.

    known: what was said of other flows. omitted: OVS_UFID_F_*, what else to leave out.
    """
    pairs: list[tuple[Name, Any]] = []
    wanted = OMIT_KEY | OMIT_MASK | OMIT_ACTIONS
    shown = None
    if not flow.named or omitted & wanted != wanted:
        shown = _shown(registry, codec, known, flow)
    if flow.named:
        pairs.append(("ufid", flow.identity))
        if shown and not omitted & OMIT_KEY:
            pairs.append(("key", shown.key))
    elif shown:
        pairs.append(("key", shown.whole_key))
    if shown and not omitted & OMIT_MASK:
        pairs.append(("mask", shown.mask))
    if counted.last_used:
        pairs.append(("used", counted.last_used // _MILLISECOND))
    if counted.packets:
        value = FlowStatistics.value(packets=counted.packets, bytes=counted.bytes)
        pairs.append(("statistics", value))
    if counted.tcp_flags & _TCP_FLAGS:
        pairs.append(("tcp_flags", counted.tcp_flags & _TCP_FLAGS))
    if shown and not omitted & OMIT_ACTIONS:
        pairs.append(("actions", shown.actions))
    return Attributes(pairs)


def said(codec: Codec, flow: Flow) -> tuple[Attributes, Attributes]:
    """The attributes of the message that made a flow, and its actions."""
    message = codec.decode(flow.request)
    assert isinstance(message, Message)
    if flow.actions is None:
        return message.attributes, message.attributes["actions"]
    return message.attributes, ACTION.decode(flow.actions, 0, len(flow.actions))


def _shown(registry: Registry, codec: Codec, known: ShownFlows, flow: Flow) -> Shown:
    shown = known.find(flow)
    if shown is None:
        shown = _newly_shown(registry, codec, flow)
        known.learn(flow, shown)
    return shown


def _newly_shown(registry: Registry, codec: Codec, flow: Flow) -> Shown:
    attributes, actions = said(codec, flow)
    key, mask = key_of(registry, flow.key.match)
    whole = key
    if not flow.named and "mask" in attributes:
        try:
            whole, _ = key_of(registry, match_of(registry, attributes["key"]))
        except NetlinkError:  # what it has and the mask leaves out, a match can't say
            whole = attributes["key"]
    return Shown(
        Encoded(KEY.encode(whole)),
        Encoded(KEY.encode(key)),
        Encoded(KEY.encode(_with_zeros(mask, attributes))),
        Encoded(ACTION.encode(_in_order(actions))),
    )


def _with_zeros(mask: Attributes, said: Attributes) -> Attributes:
    """The mask with what the request has looked at and a match leaves out, as it always is zero."""
    given = said.get("mask")
    looked_at = said["key"] if given is None else given
    return Attributes(
        (name, _ones(name) if given is None else looked_at[name])
        if name in _ZEROS and name in said["key"] and name in looked_at
        else (name, value)
        for name, value in mask
    )


_ZEROS = ALWAYS_ZERO - {"tunnel", "ct_tuple_ipv4", "ct_tuple_ipv6"}


def _ones(name: Name) -> Any:
    kind = KEY.by_name[name].type
    return (1 << 8 * kind.size) - 1 if isinstance(kind, Number) else b"\xff" * 16


def _in_order(actions: Attributes) -> Attributes:
    """The same actions; what is within some of them in the order in which the kernel has it."""
    return Attributes((name, _inside(str(name), value)) for name, value in actions)


def _inside(name: str, value: Any) -> Any:
    if name == "clone":
        return _in_order(value)
    order = _ORDERS.get(name)
    if order is None:
        return value
    return Attributes(
        (each, _in_order(value[each]) if isinstance(value[each], Attributes) else value[each])
        for each in order
    )


_ORDERS = {
    "sample": ("probability", "actions"),
    "check_pkt_len": ("length", "if_less_equal", "if_greater"),
    "dec_ttl": ("actions",),
}
