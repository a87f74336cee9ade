"""Actions of Netlink messages to the model's.

They mean what the kernel does (net/openvswitch/actions.c) and are refused where it refuses them
(flow_netlink.c, __ovs_nla_copy_actions), with EINVAL. What the model can't say is refused too:
`lacks.ACTIONS` has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from hotswitch.headers.registry import Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions
from hotswitch.netlink import lacks, ports, tunnel_keys
from hotswitch.netlink.asides import ByDaemon, Step, in_order, leaves_packet
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.errors import NetlinkError, UnsupportedError
from hotswitch.netlink.families.actions import ALWAYS, AT_LAYER_3, HASHES, USERSPACE
from hotswitch.netlink.families.keys import (
    TAG_PRESENT,
)
from hotswitch.netlink.floods import are_too_many, grouped, merged
from hotswitch.netlink.known import Known
from hotswitch.netlink.places import (
    ARP,
    BESIDE,
    COPIED,
    IPV4,
    IPV6,
    MPLS,
    RARP,
    TAGS,
    label_fields,
    spread,
)
from hotswitch.netlink.set_actions import HeaderSetting, set_field

EVERYTHING = 0xFFFF
"""The length of `CopyToUser` that cuts nothing off."""

MINIMUM_LENGTH = 14
"""ETH_HLEN: the least that trunc leaves."""
_LABELLED = (IPV4, IPV6, ARP, RARP, *MPLS)


Upcall: TypeAlias = Attributes | ByDaemon


class Translated(NamedTuple):
    """Actions of the model. `CopyToUser` with the reason n stands for `upcalls[n - 1]`: the
    attributes of a userspace action (the set OVS_USERSPACE_ATTR), or what the daemon does.
    `actions` there is the list of actions that it is in, which goes with the packet."""

    actions: Actions
    upcalls: tuple[Upcall, ...]


def actions_of(registry: Registry, attributes: Attributes, known: Known) -> Translated:
    """The model's actions for those of a flow, or of a packet to execute.

    known: what is known of the packets (`known.known_in_match`, `known_in_frame`).
    Raises NetlinkError; its path begins with "actions", and a step of it is an action's name with
    its place, from 0: "actions.set[2].ipv4".
    """
    translation = _Translation(registry, known)
    try:
        translation.all(attributes)
        if are_too_many(translation.result):
            translation = _Translation(registry, known)
            translation.all(grouped(attributes), attributes)
    except NetlinkError as error:
        raise error.inside("actions") from None
    return Translated(translation.result, tuple(translation.upcalls))


def noting_flags(actions: Actions, known: Known) -> Actions:
    """The actions, which also note TCP flags where packets may be TCP."""
    ethertype = known.get("ethertype")
    protocol = known.get("ipv4.protocol" if ethertype == IPV4 else "ip_protocol")
    if ethertype not in (None, IPV4, IPV6) or protocol not in (None, _TCP):
        return actions
    return (act.NoteFlags(), *actions)


class _Translation:
    """One list of actions on its way; `known` follows what the actions change."""

    def __init__(
        self, registry: Registry, known: Known, upcalls: list[Upcall] | None = None
    ) -> None:
        self._registry = registry
        self._known = dict(known)
        self._length = EVERYTHING
        self._outer_headers: dict[str, int] = {}
        self._name = ""
        self._steps: list[Step] = []
        self._said = NONE
        self.actions: list[Action] = []
        self.upcalls: list[Upcall] = [] if upcalls is None else upcalls
        self.result: Actions = ()
        """What it all is, in the end."""

    def all(self, attributes: Attributes, said: Attributes | None = None) -> None:
        """Translate these actions. said: as they are in the message, if otherwise."""
        self._said = attributes if said is None else said
        end = len(attributes) - 1
        for place, (name, value) in enumerate(attributes):
            self._name = f"{name}[{place}]"
            try:
                do = _ACTIONS.get(str(name))
                if do is None:
                    raise _lacking(str(name))
                do(self, value, place == end)
            except NetlinkError as error:
                raise error.inside(self._name) from None
            self._step(self.actions)
            self.actions = []
        if self._length != EVERYTHING:
            raise NetlinkError("nothing follows that trunc could shorten")
        self.result = merged(in_order(self._steps, self._hand))

    def _step(self, actions: Iterable[Action], aside: Attributes | None = None) -> None:
        found = tuple(actions)
        if found:
            by_daemon = None if aside is None else ByDaemon(aside, dict(self._known))
            self._steps.append(Step(found, by_daemon))

    def _hand(self, what: ByDaemon) -> Actions:
        self.upcalls.append(what)
        fields = self._copied() + (tunnel_keys.OUT_FIELDS if self._outer_headers else ())
        return (act.CopyToUser(len(self.upcalls), EVERYTHING, fields),)

    def _copied(self) -> tuple[str, ...]:
        return BESIDE if self._known.get("tunnel") == 0 else COPIED

    def _inner(self, attributes: Attributes) -> Actions:
        """Translate actions within this one."""
        name, inner = self._name, _Translation(self._registry, self._known, self.upcalls)
        inner._outer_headers = dict(self._outer_headers)
        inner.all(attributes)
        self._name = name
        return inner.result

    def output(self, number: int, _last: bool) -> None:
        port = ports.to_model(number)
        in_port = self._known.get("in_port")
        output = act.Output(port, hairpin=in_port is None)
        if port == in_port:
            output = act.Output(act.IN_PORT)
        if self._length != EVERYTHING:
            aside = Attributes(trunc=self._length, output=number)
            self._step((act.Truncate(self._length), output), aside)
            self._length = EVERYTHING
        else:
            self.actions.append(output)

    def userspace(self, value: Attributes, _last: bool) -> None:
        if "pid" not in value:
            raise NetlinkError("pid is missing", missing=USERSPACE.by_name["pid"].number)
        if "actions" in value:
            pairs = dict(value.pairs) | {"actions": self._said}
            value = Attributes(pairs.items())
        self.upcalls.append(value)
        fields = self._copied()
        if "egress_port" in value:
            fields += tunnel_keys.OUT_FIELDS
        self.actions.append(act.CopyToUser(len(self.upcalls), self._length, fields))
        self._length = EVERYTHING

    def trunc(self, length: int, _last: bool) -> None:
        if length < MINIMUM_LENGTH:
            raise NetlinkError(f"at least {MINIMUM_LENGTH} bytes have to be left")
        self._length = min(length, EVERYTHING)

    def push_vlan(self, value: Any, _last: bool) -> None:
        if value.tpid not in TAGS:
            raise NetlinkError(f"{value.tpid:#x} is no tag's EtherType")
        if not value.tci & TAG_PRESENT:
            raise NetlinkError("the bit 0x1000 of the tag is not set")
        self.actions.append(act.PushVlan(value.tpid))
        self._set("vlan.pcp", value.tci >> 13)
        self._set("vlan.dei", 0)
        self._set("vlan.vid", value.tci & 0xFFF)
        self._shift(self._known.get("vlan"), "vlan2")
        self._known["vlan"] = 1

    def pop_vlan(self, _value: bool, _last: bool) -> None:
        self.actions.append(act.PopVlan())
        if self._known.get("vlan") != 0:
            self._shift(self._known.pop("vlan2", None), "vlan")

    def push_mpls(self, value: Any, _last: bool) -> None:
        if value.ethertype not in MPLS:
            raise NetlinkError(f"{value.ethertype:#x} is not MPLS")
        ethertype = self._known.get("ethertype")
        if ethertype not in _LABELLED or self._known.get("vlan") != 0:
            raise NetlinkError("a label goes before what is known to be IP, ARP or MPLS, untagged")
        bottom = int(ethertype not in MPLS)
        label, traffic_class, said_bottom, ttl = self._label(value.label)
        if said_bottom != bottom:
            raise NetlinkError(f"the bit that says it is the last label has to be {bottom} here")
        self.actions.append(act.PushMpls(value.ethertype))
        self._set("mpls.label", label)
        self._set("mpls.traffic_class", traffic_class)
        self._set("mpls.ttl", ttl)
        self._known |= {"ethertype": value.ethertype, "mpls.bottom": bottom}

    def add_mpls(self, value: Any, last: bool) -> None:
        if not value.flags & AT_LAYER_3:
            raise _lacking("add_mpls")
        self.push_mpls(value, last)

    def pop_mpls(self, ethertype: int, _last: bool) -> None:
        if self._known.get("ethertype") not in MPLS or self._known.get("vlan") != 0:
            raise NetlinkError("nothing that is matched says that there is a label, untagged")
        self.actions.append(act.PopMpls(ethertype))
        for name in ("ethertype", "mpls.bottom"):
            self._known.pop(name, None)
        if ethertype in MPLS:
            self._known["ethertype"] = ethertype

    def dec_ttl(self, value: Attributes, _last: bool) -> None:
        if "actions" not in value:
            raise NetlinkError("actions is missing")
        field = _TTLS.get(self._known.get("ethertype", 0))
        if field is None:
            raise NetlinkError("nothing that is matched says that it is IP")
        spent = self._inner(value["actions"])
        self.actions.append(act.DecrementTtl(field, () if spent == (act.Drop(),) else spent))

    def meter(self, number: int, _last: bool) -> None:
        self.actions.append(act.Limit(number))

    def drop(self, reason: int, last: bool) -> None:
        if not last:
            raise NetlinkError("nothing can follow it")
        self.actions.append(act.Drop(reason))

    def clone(self, value: Attributes, last: bool) -> None:
        """What comes last, or leaves the packet as it is, needs no copy."""
        actions = self._inner(value)
        if not act.can_be_undone(actions):
            self._step(actions, value)
        elif last or leaves_packet(actions):
            self.actions += actions
        else:
            self.actions.append(act.Clone(actions))

    def recirc(self, number: int, _last: bool) -> None:
        self._step((act.Recirculate(number),), Attributes(recirc=number))

    def hash(self, value: Any, _last: bool) -> None:
        if value.algorithm not in HASHES:
            raise NetlinkError(f"no way to hash has the number {value.algorithm}")
        self.actions.append(act.Hash(value.basis))

    def check_pkt_len(self, value: Attributes, _last: bool) -> None:
        for name in ("length", "if_greater", "if_less_equal"):
            if name not in value:
                raise NetlinkError(f"{name} is missing")
        longer, otherwise = (self._inner(value[name]) for name in ("if_greater", "if_less_equal"))
        chosen = act.CheckLength(value["length"], longer, otherwise)
        self._choose(chosen, Attributes(check_pkt_len=value))

    def _choose(self, action: Action, said: Attributes) -> None:
        if act.can_be_undone((action,)):
            self.actions.append(action)
        else:
            self._step((action,), said)

    def sample(self, value: Attributes, last: bool) -> None:
        for name in ("probability", "actions"):
            if name not in value:
                raise NetlinkError(f"{name} is missing")
        if value["probability"] == ALWAYS:
            self.clone(value["actions"], last)
            return
        actions = self._inner(value["actions"])  # refused also where it is never done
        if value["probability"]:
            sampled = act.Sample(value["probability"], actions)
            self._choose(sampled, Attributes(sample=value))

    def set(self, value: Attributes, _last: bool) -> None:
        setting = HeaderSetting(self._registry, self._known, self._outer_headers)
        self.actions += setting.actions(value)

    def _shift(self, known: int | None, layer: str) -> None:
        """A layer is known now as another was before, or no longer."""
        self._known.pop(layer, None)
        if known is not None:
            self._known[layer] = known

    def _set(self, field: str, value: int) -> None:
        self.actions.append(set_field(self._registry, field, value))

    def _label(self, entry: int) -> tuple[int, ...]:
        found = spread(self._registry, label_fields(0), entry)
        return tuple(found[field] for field in label_fields(0))


_TTLS = {IPV4: "ipv4.ttl", IPV6: "ipv6.hop_limit"}
_TCP = 6


def _lacking(name: str) -> NetlinkError:
    return UnsupportedError(lacks.ACTIONS[name])


_Do = Callable[[_Translation, Any, bool], None]

_ACTIONS: Mapping[str, _Do] = {
    "output": _Translation.output,
    "userspace": _Translation.userspace,
    "set": _Translation.set,
    "set_masked": _Translation.set,
    "push_vlan": _Translation.push_vlan,
    "pop_vlan": _Translation.pop_vlan,
    "push_mpls": _Translation.push_mpls,
    "pop_mpls": _Translation.pop_mpls,
    "add_mpls": _Translation.add_mpls,
    "sample": _Translation.sample,
    "clone": _Translation.clone,
    "trunc": _Translation.trunc,
    "meter": _Translation.meter,
    "dec_ttl": _Translation.dec_ttl,
    "drop": _Translation.drop,
    "recirc": _Translation.recirc,
    "hash": _Translation.hash,
    "check_pkt_len": _Translation.check_pkt_len,
}
"""What can be said, at least sometimes; all others are in `lacks.ACTIONS`."""
