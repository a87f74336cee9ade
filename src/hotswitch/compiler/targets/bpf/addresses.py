"""The address table: learn where an address is, find out where it is."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I32, Code, Value
from hotswitch.compiler.targets.bpf.counting import Counting
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.state import State

_GROUP = 1 << 40
_PORT, _FLAGS, _SEEN = 0, 4, 8


def _key(code: Code, state: State, vlan: str, address: str) -> Value:
    """VLAN << 48 | address."""
    b = code.b
    low = b.and_(state.field(vlan), code.number(0xFFF))
    return b.or_(b.shl(low, code.number(48)), state.field(address))


def lookup(code: Code, state: State, vlan: str, target: str) -> None:
    """Put the port of the destination, or 0, into `target`."""
    key = code.reserve_once("address", 8)
    code.store(key, 0, _key(code, state, vlan, "ethernet.dst"))
    found = code.lookup(memory.ADDRESSES, key)
    known, unknown, on = (code.block(name) for name in ("known", "unknown", "looked_up"))
    null = code.b.icmp_unsigned("==", found, type(code.number(0))(found.type, None))
    code.b.cbranch(null, unknown, known)
    code.enter(known)
    state.set_field(target, code.load(found, _PORT, I32))
    code.go(on)
    code.enter(unknown)
    state.set_field(target, code.number(0))
    code.go(on)
    code.enter(on)


def learn(
    code: Code,
    packet: Packet,
    state: State,
    counting: Counting,
    in_port: Value,
    vlan: str,
    verdict: Mapping[str, Value],
) -> None:
    """Note that the source is at the ingress port. On XDP a change is left to tcx, for the
    packet may turn out to be tcx's."""
    b = code.b
    on = code.block("learned")
    source = state.field("ethernet.src")
    code.jump_if(code.is_set(b.and_(source, code.number(_GROUP))), on)
    code.jump_if(b.icmp_unsigned("==", source, code.number(0)), on)
    key = code.reserve_once("address", 8)
    code.store(key, 0, _key(code, state, vlan, "ethernet.src"))
    found = code.lookup(memory.ADDRESSES, key)
    known, new = code.block("known"), code.block("new")
    null = b.icmp_unsigned("==", found, type(code.number(0))(found.type, None))
    b.cbranch(null, new, known)

    code.enter(known)
    fixed = b.and_(code.load(found, _FLAGS, I32), code.number(memory.ADDRESS_STATIC))
    code.jump_if(code.is_set(fixed), on)
    same = b.icmp_unsigned("==", code.load(found, _PORT, I32), in_port)
    now = state.cell(cells.NOW)
    age = b.sub(now, code.load(found, _SEEN))
    fresh = b.icmp_unsigned("<", age, code.number(memory.ADDRESS_REFRESH))
    code.jump_if(b.and_(same, fresh), on)
    if packet.context.whole_data:
        code.go(verdict["pass_on"])
        code.enter(new)
        code.go(verdict["pass_on"])
        code.enter(on)
        return
    code.store(found, _PORT, in_port, I32)
    code.store(found, _SEEN, now)
    code.when(b.not_(same), lambda: counting.total("moved"), "moved")
    code.go(on)

    code.enter(new)
    row = code.reserve_once("address_row", 16)
    code.store(row, 0, in_port)
    code.store(row, 8, state.cell(cells.NOW))
    result = code.call(c.MAP_UPDATE, code.map(memory.ADDRESSES), key, row, code.number(0))
    full = code.is_set(result)
    code.when(full, lambda: counting.total("not_learned"), "full")
    code.when(b.not_(full), lambda: counting.total("learned"), "added")
    code.go(on)
    code.enter(on)
