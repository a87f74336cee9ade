"""Sending: one packet to one port, or a copy to each port of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llvmlite import ir

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf import state as cells
from hotswitch.compiler.targets.bpf.code import I32, I64, POINTER, Code, Value
from hotswitch.compiler.targets.bpf.counting import TX_BYTES, TX_DROPPED, TX_PACKETS, Counting
from hotswitch.compiler.targets.bpf.hook import Packet
from hotswitch.compiler.targets.bpf.link import Link
from hotswitch.compiler.targets.bpf.state import State

_FLOOD = "send_to_one"
_NO_PORT = 0
# What the function that sends to one port of a list is given: all 8 bytes wide.
_CONTEXT, _START, _IN_PORT, _LENGTH, _SENT = range(0, 40, 8)


class Outputs:
    """Builds outputs."""

    def __init__(
        self,
        code: Code,
        packet: Packet,
        state: State,
        counting: Counting,
        in_port: Value,
        verdict: Mapping[str, Value],
    ) -> None:
        self.code = code
        self.packet = packet
        self.state = state
        self.counting = counting
        self.in_port = in_port
        self.verdict = verdict

    def one(self, port: Value, to_in_port: bool, last: bool, commit: Callable[[], None]) -> None:
        """To one port; if it is the packet's last action, it is not copied for that.

        commit: builds the write-back of what was set.
        """
        code, b = self.code, self.code.b
        on = self.verdict["finish"] if last else code.block("sent")
        if not to_in_port:
            code.jump_if(b.icmp_unsigned("==", port, self.in_port), on)
        link = Link.working(code, code.element(memory.LINKS, port, on))
        counters = code.element(memory.PORT_COUNTERS, port, on)
        ifindex = link.ifindex
        missing = code.block("no_link")
        code.jump_if(b.icmp_unsigned("==", ifindex, code.number(0)), missing)
        if self.packet.context.whole_data:
            # Once written to, the frame can't be left to tcx any more.
            code.jump_if(b.not_(link.has(memory.LINK_XDP)), self.verdict["pass_on"])
            commit()
            self.counting.certain()
        else:
            commit()
        code.increment(counters, TX_PACKETS)
        code.increment(counters, TX_BYTES, self.packet.frame_length())
        if last:
            self._redirect(link)
        else:
            self.state.set_cell(cells.ACTED, 1)
            code.call(c.CLONE_REDIRECT, self.packet.pointer, b.trunc(ifindex, I32), link.way())
            code.go(on)
        code.enter(missing)
        code.increment(counters, TX_DROPPED)
        code.go(on)
        if not last:
            code.enter(on)

    def _redirect(self, link: Link) -> None:
        code, b = self.code, self.code.b
        narrow = b.trunc(link.ifindex, I32)
        if self.packet.context.whole_data:
            b.ret(b.trunc(code.call(c.REDIRECT, narrow, code.number(0)), I32))
            return
        peer, plain = code.block("to_peer"), code.block("to_link")
        b.cbranch(link.has(memory.LINK_PEER), peer, plain)
        code.enter(peer)
        # The kernel hands nothing over from egress.
        code.jump_if(self.from_host(plain), plain)
        b.ret(b.trunc(code.call(c.REDIRECT_PEER, narrow, code.number(0)), I32))
        code.enter(plain)
        b.ret(b.trunc(code.call(c.REDIRECT, narrow, link.way()), I32))

    def from_host(self, otherwise: ir.Block) -> Value:
        """Whether the packet is one that the host sends, so that this is egress."""
        own = Link.of(self.code, self.code.element(memory.LINKS, self.in_port, otherwise))
        return own.has(memory.LINK_HOST)

    def finish(self) -> None:
        """The packet goes no further.

        At egress it is redirected to nowhere, for the sender of one that is dropped is told so,
        and copies of it may have been sent.
        """
        code, b = self.code, self.code.b
        if not self.packet.context.whole_data:
            drop = code.block("drop")
            code.jump_if(b.not_(self.from_host(drop)), drop)
            nowhere = code.call(c.REDIRECT, code.number(0, I32), code.number(0))
            b.ret(b.trunc(nowhere, I32))
            code.enter(drop)
        b.ret(code.number(self.packet.context.drop, I32))

    def to_host(self) -> None:
        """The host's stack has the packet; one that comes from there goes no further."""
        code = self.code
        if not self.packet.context.whole_data:
            code.jump_if(self.from_host(self.verdict["finish"]), self.verdict["finish"])
        code.go(self.verdict["pass_on"])

    def all(self, run: Value, to_in_port: bool) -> None:
        """To each port of a list (start in the low, count in the high 32 bits), as copies."""
        code, b = self.code, self.code.b
        given = code.reserve_once("flood", 40)
        code.b.store(self.packet.pointer, code.at(given, _CONTEXT), align=8)
        code.store(given, _START, b.and_(run, code.number(0xFFFFFFFF)))
        code.store(given, _IN_PORT, code.number(_NO_PORT) if to_in_port else self.in_port)
        code.store(given, _LENGTH, self.packet.frame_length())
        code.store(given, _SENT, code.number(0))
        count = b.trunc(b.lshr(run, code.number(32)), I32)
        function = flood_function(code.module)
        code.call(c.LOOP, count, function, given, code.number(0))
        sent = b.or_(self.state.cell(cells.ACTED), code.load(given, _SENT))
        self.state.set_cell(cells.ACTED, sent)


def flood_function(module: ir.Module) -> Value:
    """The function that bpf_loop calls for each port of a list; made when first asked for."""
    known = module.globals.get(_FLOOD)
    if known is not None:
        return known
    function = ir.Function(module, ir.FunctionType(I64, [I64, POINTER]), _FLOOD)
    function.linkage = "internal"
    code = Code(module, function, None)
    b = code.b
    index, given = function.args
    done = code.block("done")
    member = code.element(memory.MEMBERS, b.add(code.load(given, _START), index), done)
    port = code.load(member, 0)
    code.jump_if(b.icmp_unsigned("==", port, code.load(given, _IN_PORT)), done)
    link = Link.working(code, code.element(memory.LINKS, port, done))
    ifindex = link.ifindex
    counters = code.element(memory.PORT_COUNTERS, port, done)
    missing = code.block("no_link")
    code.jump_if(b.icmp_unsigned("==", ifindex, code.number(0)), missing)
    code.increment(counters, TX_PACKETS)
    code.increment(counters, TX_BYTES, code.load(given, _LENGTH))
    code.store(given, _SENT, code.number(1))
    context = b.load(code.at(given, _CONTEXT), typ=POINTER, align=8)
    code.call(c.CLONE_REDIRECT, context, b.trunc(ifindex, I32), link.way())
    code.go(done)
    code.enter(missing)
    code.increment(counters, TX_DROPPED)
    code.go(done)
    code.enter(done)
    b.ret(code.number(0))
    code.finish()
    return function
