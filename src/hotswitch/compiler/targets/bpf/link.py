"""The link that a port's frames leave by, and the other one for when that does not work."""

from __future__ import annotations

from llvmlite import ir

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.code import I32, I64, POINTER, Code, Value
from hotswitch.kernel.link_state import NO_CARRIER, PRESENT, STARTED
from hotswitch.kernel.links import OperationalState

_INGRESS = 1
_FALL_BACK = "fall_back"
_STATE, _OPERATIONAL, _INDEX, _OTHER = range(memory.LINK.size, memory.LINK_ROW_SIZE, 8)
"""Where those parts of `layout.FALLBACK` are in a row."""


class Link:
    """A link's index and flags, read whole: another one may take its place at any time."""

    def __init__(self, code: Code, word: Value) -> None:
        self._code = code
        self.ifindex = _index(code, word)
        self._flags = _flags(code, word)

    @staticmethod
    def of(code: Code, row: Value) -> Link:
        """The one in a port's row in the map of links."""
        return Link(code, code.opaque(code.load(row, 0)))

    @staticmethod
    def working(code: Code, row: Value) -> Link:
        """The same, or the other link in the row if that one does not work."""
        function = code.module.globals.get(_FALL_BACK)
        word = code.opaque(code.load(row, 0))
        if function is None:
            return Link(code, word)
        b, at_once = code.b, code.b.block
        asked, known = code.block("has_other"), code.block("link")
        flag = code.number(memory.LINK_FALLBACK << 32)
        b.cbranch(code.is_set(b.and_(word, flag)), asked, known)
        code.enter(asked)
        found, looked = b.call(function, [row, word]), b.block
        code.go(known)
        code.enter(known)
        chosen = b.phi(I64)
        chosen.add_incoming(word, at_once)
        chosen.add_incoming(found, looked)
        return Link(code, chosen)

    def has(self, flag: int) -> Value:
        """Whether it has a flag (`layout.LINK_*`)."""
        return self._code.is_set(self._code.b.and_(self._flags, self._code.number(flag)))

    def way(self) -> Value:
        """The flags for a redirect: to be transmitted, or received by the host
        (BPF_F_INGRESS)."""
        number = self._code.number
        shifted = self._code.b.lshr(self._flags, number(memory.LINK_HOST.bit_length() - 1))
        return self._code.b.and_(shifted, number(_INGRESS))


def make_fall_back(module: ir.Module) -> None:
    """Add the function that looks whether a link works; else no frame takes another one.

    It is given a row and the word in it, and returns the word of the link to take. The kernel drops
    what is sent to a link from the moment on that its state says so, long before it tells anybody.
    """
    function = ir.Function(module, ir.FunctionType(I64, [POINTER, I64]), _FALL_BACK)
    function.linkage = "internal"
    function.attributes.add("noinline")
    code = Code(module, function, None)
    row, word = function.args
    failed = code.block("failed")
    state = _kernel_memory(code, row, _STATE, 8, failed)
    relevant = code.b.and_(state, code.number(STARTED | PRESENT | NO_CARRIER))
    works = code.number(STARTED | PRESENT)
    code.jump_if(code.b.icmp_unsigned("!=", relevant, works), failed)
    # A link that has a carrier again still drops everything until this says so.
    operational = _kernel_memory(code, row, _OPERATIONAL, 1, failed)
    is_up = code.b.icmp_unsigned("==", operational, code.number(OperationalState.UP))
    is_unknown = code.b.icmp_unsigned("==", operational, code.number(OperationalState.UNKNOWN))
    code.jump_if(code.b.not_(code.b.or_(is_up, is_unknown)), failed)
    # Else the link has gone, and that memory is another one's, or the row changes just now.
    index = _kernel_memory(code, row, _INDEX, 4, failed)
    code.jump_if(code.b.icmp_unsigned("!=", index, _index(code, word)), failed)
    code.b.ret(word)
    code.enter(failed)
    other = code.opaque(code.load(row, _OTHER))
    now = code.opaque(code.load(row, 0))
    # If the row has changed meanwhile, what it says now counts, and nothing else of it.
    code.b.ret(code.b.select(code.b.icmp_unsigned("==", now, word), other, now))
    code.finish()


def _kernel_memory(code: Code, row: Value, at: int, size: int, failed: ir.Block) -> Value:
    """A number in the kernel's memory, whose address is in the row; jumps if it can't be read."""
    number = code.number
    buffer = code.reserve_once("kernel_memory", 8)
    code.store(buffer, 0, number(0))
    read = code.call(c.PROBE_READ_KERNEL, buffer, number(size, I32), code.load(row, at))
    code.jump_if(code.is_set(read), failed)
    return code.load(buffer, 0)


def _index(code: Code, word: Value) -> Value:
    return code.b.and_(word, code.number(0xFFFFFFFF))


def _flags(code: Code, word: Value) -> Value:
    return code.b.lshr(word, code.number(32))
