"""Actions as text: written."""

from __future__ import annotations

from hotswitch.headers.field_text import show_value
from hotswitch.headers.registry import Registry
from hotswitch.model import action as act
from hotswitch.model.action import Action, Actions


def show_actions(registry: Registry, actions: Actions) -> str:
    """The text of actions. Raises HeaderError for a field that does not exist."""
    return ",".join(show_action(registry, each) for each in actions) or "none"


def show_action(registry: Registry, action: Action) -> str:
    """The text of one action. Raises HeaderError for a field that does not exist."""
    match action:
        case act.Output(port, hairpin):
            name = "in_port" if port == act.IN_PORT else port
            return f"output:{name}{':hairpin' if hairpin else ''}"
        case act.OutputList(ports, hairpin):
            return f"outputs:{'+'.join(map(str, ports))}{':hairpin' if hairpin else ''}"
        case act.Drop(reason):
            return f"drop:{reason}" if reason else "drop"
        case act.ToHost():
            return "host"
        case act.SetField(field, value, mask):
            return f"set:{field}={show_value(registry.field(field), value, mask)}"
        case act.CopyField():
            return f"copy:{_show_source(action)}->{_show_target(action)}"
        case act.PushVlan(ethertype):
            return f"push_vlan:{ethertype:#x}"
        case act.PopVlan():
            return "pop_vlan"
        case act.PushMpls(ethertype):
            return f"push_mpls:{ethertype:#x}"
        case act.PopMpls(ethertype):
            return f"pop_mpls:{ethertype:#x}"
        case act.DecrementTtl(field, spent):
            return f"decrement_ttl:{field}" + (_show_lists(registry, spent) if spent else "")
        case act.GotoTable(table):
            return f"goto:{table}"
        case act.CopyToUser(reason, length, fields):
            with_fields = f":fields={'+'.join(fields)}" if fields else ""
            return f"copy_to_user:reason={reason}:length={length}{with_fields}"
        case act.Learn(vlan):
            return f"learn:{vlan}"
        case act.Lookup(vlan, target):
            return f"lookup:{vlan}->{target}"
        case act.Limit(meter):
            return f"limit:{meter}"
        case act.Clone(inner):
            return f"clone{_show_lists(registry, inner)}"
        case act.Sample(probability, inner):
            return f"sample:{probability:#x}{_show_lists(registry, inner)}"
        case act.CheckLength(length, longer, otherwise):
            return f"check_length:{length}{_show_lists(registry, longer, otherwise)}"
        case act.Truncate(length):
            return f"truncate:{length}"
        case act.Hash(basis):
            return f"hash:{basis}"
        case act.Recirculate(number):
            return f"recirculate:{number}"
        case act.NoteFlags():
            return "note_flags"


def _show_lists(registry: Registry, *lists: Actions) -> str:
    return "".join(f"{{{show_actions(registry, each)}}}" for each in lists)


def _show_source(copy: act.CopyField) -> str:
    if copy.width:
        return f"{copy.source}[{copy.source_bit}..{copy.source_bit + copy.width - 1}]"
    return f"{copy.source}[{copy.source_bit}..]" if copy.source_bit else copy.source


def _show_target(copy: act.CopyField) -> str:
    return f"{copy.target}[{copy.target_bit}]" if copy.target_bit else copy.target
