"""What may one action hold? One small check an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, TypeAlias

from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.meta import META
from hotswitch.headers.parse import MINIMUM_FRAME
from hotswitch.headers.registry import FieldInfo, FieldKind, HeaderError, Registry
from hotswitch.model.action import (
    IN_PORT,
    MAXIMUM_PORT,
    Action,
    CheckLength,
    Clone,
    CopyField,
    CopyToUser,
    DecrementTtl,
    Drop,
    GotoTable,
    Hash,
    Learn,
    Limit,
    Lookup,
    NoteFlags,
    Output,
    OutputList,
    PopMpls,
    PopVlan,
    PushMpls,
    PushVlan,
    Recirculate,
    Sample,
    SetField,
    ToHost,
    Truncate,
)

_PORT_BITS = 16
"""What a field needs to hold any port's number."""

Check: TypeAlias = Callable[[Any], Action]
"""Gives the action in normal form: itself, if it is. Raises DatapathError."""

_VLAN_TYPES = (0x8100, 0x88A8)  # IEEE 802.1Q, table 9-1
_MPLS_TYPES = (0x8847, 0x8848)  # RFC 5332, 3
_WORD = 0xFFFFFFFF


class ActionChecks:
    """Checks single actions against one registry. What is in them is not looked into.

    by_kind: the check of each kind of action.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._set_masks: dict[tuple[str, int], int] = {}
        self._checked_list: tuple[int, ...] = ()
        self.by_kind: Mapping[type, Check] = {
            Output: self._output,
            OutputList: self._output_list,
            Drop: _within("reason", 0, _WORD),
            ToHost: _as_is,
            SetField: self._set_field,
            CopyField: self._copy_field,
            PushVlan: self._push_vlan,
            PopVlan: self._pop_vlan,
            PushMpls: self._push_mpls,
            PopMpls: self._pop_mpls,
            DecrementTtl: self._decrement_ttl,
            GotoTable: _within("table", 0, STANDARD.tables - 1),
            CopyToUser: self._copy_to_user,
            Learn: self._learn,
            Lookup: self._lookup,
            Limit: _within("meter", 0, STANDARD.meter),
            Clone: _as_is,
            Sample: _within("probability", 0, _WORD),
            CheckLength: _within("length", 0, _WORD),
            Truncate: _within("length", MINIMUM_FRAME, _WORD),
            Hash: _within("basis", 0, _WORD),
            Recirculate: _within("id", 0, _WORD),
            NoteFlags: _as_is,
        }

    def _field(self, name: str) -> FieldInfo:
        try:
            return self._registry.field(name)
        except HeaderError as error:
            raise DatapathError(error.message, remedy=error.remedy) from None

    def _settable(self, name: str) -> FieldInfo:
        info = self._field(name)
        if not info.settable:
            raise DatapathError(f"{name} cannot be set")
        return info

    def _layer(self, name: str) -> None:
        if name not in self._registry.layers:
            raise DatapathError(f"there is no header {name} here")

    def _output(self, action: Output) -> Action:
        if not (1 <= action.port <= MAXIMUM_PORT or action.port == IN_PORT):
            _refuse_port(action.port)
        return action

    def _output_list(self, action: OutputList) -> Action:
        ports = action.ports
        if len(ports) > STANDARD.ports:
            raise DatapathError(
                f"an OutputList of {len(ports)} ports", remedy=f"at most {STANDARD.ports}"
            )
        if ports is self._checked_list:
            return action
        ordered = sorted(ports)
        if ports and not (ordered[0] >= 1 and ordered[-1] <= MAXIMUM_PORT):
            _refuse_port(ordered[0] if ordered[0] < 1 else ordered[-1])
        if len(set(ports)) != len(ports):
            twice = next(port for port in ports if ports.count(port) > 1)
            raise DatapathError(f"port {twice} is in an OutputList twice")
        self._checked_list = ports
        return action

    def _set_field(self, action: SetField) -> Action:
        name = action.field
        mask = self._set_masks.get((name, action.mask)) or self._set_mask(name, action.mask)
        if action.value & ~mask:
            raise DatapathError(
                f"setting {name} to {action.value:#x} under mask {mask:#x}",
                remedy="the value's bits lie within the mask, and the mask's within the field",
            )
        return action if action.mask == mask else SetField(name, action.value, mask)

    def _set_mask(self, name: str, mask: int) -> int:
        info = self._settable(name)
        full = info.mask if mask == -1 else mask
        if full & ~info.mask:
            raise DatapathError(
                f"mask {mask:#x} is too wide for {name}", remedy=f"{name} has {info.width} bits"
            )
        if not full:
            raise DatapathError(f"setting {name} under mask 0", remedy="leave the action out")
        self._set_masks[name, mask] = full
        return full

    def _copy_field(self, action: CopyField) -> Action:
        source, target = self._field(action.source), self._settable(action.target)
        width = action.width or source.width - action.source_bit
        ends = ((source, action.source_bit), (target, action.target_bit))
        for info, bit in ends:
            if bit < 0 or width < 1 or bit + width > info.width:
                raise DatapathError(
                    f"CopyField from {action.source} to {action.target}: bits {bit} to "
                    f"{bit + width - 1} are not in {info.name}",
                    remedy=f"{info.name} has bits 0 to {info.width - 1}",
                )
        if width == action.width:
            return action
        return CopyField(action.source, action.target, action.source_bit, action.target_bit, width)

    def _push_vlan(self, action: PushVlan) -> Action:
        self._layer("vlan")
        _one_of("PushVlan", action.ethertype, _VLAN_TYPES)
        return action

    def _pop_vlan(self, action: PopVlan) -> Action:
        self._layer("vlan")
        return action

    def _push_mpls(self, action: PushMpls) -> Action:
        self._layer("mpls")
        _one_of("PushMpls", action.ethertype, _MPLS_TYPES)
        return action

    def _pop_mpls(self, action: PopMpls) -> Action:
        self._layer("mpls")
        _check_range("PopMpls's EtherType", action.ethertype, 0, 0xFFFF)
        return action

    def _decrement_ttl(self, action: DecrementTtl) -> Action:
        self._settable(action.field)
        return action

    def _copy_to_user(self, action: CopyToUser) -> Action:
        _check_range("CopyToUser's length", action.length, 1, 0xFFFF)
        _check_range("CopyToUser's reason", action.reason, 0, _WORD)
        for name in action.fields:
            if self._field(name).kind is not FieldKind.META:
                raise DatapathError(
                    f"CopyToUser with {name}, which is in the packet",
                    remedy="only fields beside the packet go with a copy",
                )
            if action.fields.count(name) > 1:
                raise DatapathError(f"CopyToUser with {name} twice")
        ordered = tuple(field.name for field in META if field.name in action.fields)
        return action if action.fields == ordered else replace(action, fields=ordered)

    def _learn(self, action: Learn) -> Action:
        self._field(action.vlan)
        return action

    def _lookup(self, action: Lookup) -> Action:
        self._field(action.vlan)
        target = self._settable(action.target)
        if target.width < _PORT_BITS:
            raise DatapathError(
                f"Lookup into {action.target}, which has {target.width} bits",
                remedy=f"a port's number needs {_PORT_BITS}",
            )
        return action


def _as_is(action: Action) -> Action:
    return action


def _refuse_port(port: int) -> None:
    raise DatapathError(
        f"port {port} cannot be", remedy=f"ports are 1 to {MAXIMUM_PORT}, or IN_PORT in an Output"
    )


def _one_of(what: str, value: int, allowed: tuple[int, ...]) -> None:
    if value not in allowed:
        choices = " or ".join(f"{each:#06x}" for each in allowed)
        raise DatapathError(f"{what} with EtherType {value:#06x}", remedy=f"it can be {choices}")


def _within(member: str, low: int, high: int) -> Check:
    """A check of actions of which nothing else can be wrong."""
    value_of = attrgetter(member)

    def check(action: Action) -> Action:
        value = value_of(action)
        if not low <= value <= high:
            _refuse_value(f"{type(action).__name__}'s {member}", value, low, high)
        return action

    return check


def _check_range(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        _refuse_value(what, value, low, high)


def _refuse_value(what: str, value: int, low: int, high: int) -> None:
    raise DatapathError(f"{what} is {value}", remedy=f"it is {low} to {high}")
