"""Matches and actions as text: what people type and read.

A match is terms with commas between them, or `any`:

    in_port=1,vlan.vid=10,ipv4.src=10.0.0.0/8,tcp,!vlan2

    FIELD=VALUE        the field has the value
    FIELD=VALUE/MASK   in the bits of the mask, or of a prefix: 10.0.0.0/8, 0x10/0xf0
    LAYER, !LAYER      the header is present, is absent

Actions are in the order in which they are carried out, with commas between them, or `none`:

    output:3                           output:in_port (back where it came from)
    outputs:1+2+3                      a port list, without the ingress port
    set:ipv4.src=10.0.0.1              set:reg0=0x10/0xf0 (these bits only)
    copy:vlan.vid->reg0                copy:reg0[4..15]->vlan.vid, copy:reg0->metadata[32]
    push_vlan:0x88a8, pop_vlan         push_mpls:0x8847, pop_mpls:0x800
    decrement_ttl:ipv6.hop_limit       goto:5
    learn:reg0, lookup:reg0->reg1      limit:7
    copy_to_user:reason=1:length=128   drop, host
    copy_to_user:fields=reg0+skb_mark  with the values of fields beside the packet
    output:3:hairpin                   to port 3 even if the packet came in there; also outputs
    drop:7                             with a reason
    clone{output:2,push_vlan}          with a copy; also sample:0x7fffffff{…} (a chance of a half)
    check_length:1514{output:2}{…}     if longer, and otherwise
    decrement_ttl:ipv4.ttl{…}          what is done with a packet whose TTL is spent
    truncate:64, hash:5                recirculate:9, note_flags

Bits in brackets count from the least significant one. What an action has a default for may be
left out. `read_*` raises TextError, one line that names the culprit.
"""

from __future__ import annotations

from hotswitch.model.text.action_reader import read_actions
from hotswitch.model.text.action_writer import show_action, show_actions
from hotswitch.model.text.matches import read_match, show_match

__all__ = [
    "read_actions",
    "read_match",
    "show_action",
    "show_actions",
    "show_match",
]
