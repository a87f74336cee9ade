"""Where a program runs: what differs between the tcx hook (an skb) and XDP (a bare frame).

The rest of the target reads and writes its packet only through this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.code import I32, I64, Code, Value
from hotswitch.headers.meta import Origin

_RECOMPUTE_CHECKSUM = 1
"""store_bytes flag: keep the device's checksum over the whole frame right."""


@dataclass(frozen=True)
class Context:
    """Offsets in the context structure, verdicts, and helpers of one hook.

    programs: the name of the hook's program array. tag_beside: the outermost tag may lie beside it.
    whole_data: all bytes are directly readable. again: packets come from `Recirculate`.
    """

    name: str
    section: str
    data: int
    data_end: int
    ifindex: int
    pass_on: int
    drop: int
    tag_beside: bool
    whole_data: bool
    again: bool = False

    @property
    def programs(self) -> str:
        return f"{memory.PROGRAMS}_{self.name}"


SKB = Context("tcx", "tc", 76, 80, 40, 0xFFFFFFFF, 2, tag_beside=True, whole_data=False)
"""struct __sk_buff; TCX_NEXT and TCX_DROP (include/uapi/linux/bpf.h)."""

AGAIN = replace(SKB, name="again", again=True)
"""Where packets come that are looked up again, at tcx."""

XDP = Context("xdp", "xdp", 0, 4, 12, 2, 1, tag_beside=False, whole_data=True)
"""struct xdp_md; XDP_PASS and XDP_DROP."""

_SKB_LENGTH, _SKB_TAG_PRESENT, _SKB_TCI, _SKB_TPID = 0, 20, 24, 28
_SKB_SEGMENT_SIZE = 176
_SKB_BESIDE = {Origin.MARK: 8, Origin.PRIORITY: 32}


class Packet:
    """The packet of a program under construction."""

    def __init__(self, code: Code, context: Context, pointer: Value) -> None:
        self.code = code
        self.context = context
        self.pointer = pointer

    def ifindex(self) -> Value:
        """The link it came in by."""
        return self.code.load(self.pointer, self.context.ifindex, I32)

    def data(self) -> Value:
        """The address of the first byte, as a number."""
        return self.code.load(self.pointer, self.context.data, I32)

    def data_end(self) -> Value:
        """The address behind the last directly readable byte, as a number."""
        return self.code.load(self.pointer, self.context.data_end, I32)

    def stored_length(self) -> Value:
        """Bytes in the packet's memory: a tag beside it does not count."""
        if self.context.whole_data:
            # Opaque: the verifier refuses the difference of two addresses in 32 bits.
            return self.code.opaque(self.code.b.sub(self.data_end(), self.data()))
        return self.code.load(self.pointer, _SKB_LENGTH, I32)

    def frame_length(self) -> Value:
        """Bytes of the frame with all its tags."""
        length = self.stored_length()
        if not self.context.tag_beside:
            return length
        return self.code.b.add(length, self.code.b.shl(self.tag_present(), self.code.number(2)))

    def segment_size(self) -> Value:
        """Bytes of payload in each segment of a packet that is yet to be segmented, else 0."""
        return self.code.load(self.pointer, _SKB_SEGMENT_SIZE, I32)

    def tag_present(self) -> Value:
        """1 if a tag lies beside the frame."""
        return self.code.load(self.pointer, _SKB_TAG_PRESENT, I32)

    def tag(self) -> Value:
        """The TCI beside the frame."""
        return self.code.load(self.pointer, _SKB_TCI, I32)

    def tag_ethertype(self) -> Value:
        """The TPID beside the frame."""
        raw = self.code.load(self.pointer, _SKB_TPID, I32)
        return self.swap16(raw)

    def beside(self, origin: Origin) -> Value:
        """What the kernel keeps beside the packet (`meta.KERNELS_OWN`), which has to be an skb."""
        return self.code.load(self.pointer, _SKB_BESIDE[origin], I32)

    def set_beside(self, origin: Origin, value: Value) -> None:
        """Let the kernel keep this."""
        self.code.store(self.pointer, _SKB_BESIDE[origin], value, I32)

    def swap16(self, value: Value) -> Value:
        """A 16-bit number with its bytes in opposite order."""
        b = self.code.b
        return b.zext(b.bswap(b.trunc(value, c.I16)), I64)

    def read(self, offset: Value, buffer: Value, size: Value, otherwise: Value) -> None:
        """Copy bytes out of the packet; jump if they are not there."""
        helper = c.XDP_LOAD_BYTES if self.context.whole_data else c.SKB_LOAD_BYTES
        self.must(
            self.code.call(helper, self.pointer, self._32(offset), buffer, self._32(size)),
            otherwise,
        )

    def write(self, offset: Value, buffer: Value, size: Value, otherwise: Value) -> None:
        """Copy bytes into the packet; jump if they don't fit."""
        at, length = self._32(offset), self._32(size)
        if self.context.whole_data:
            done = self.code.call(c.XDP_STORE_BYTES, self.pointer, at, buffer, length)
        else:
            flags = self.code.number(_RECOMPUTE_CHECKSUM)
            done = self.code.call(c.SKB_STORE_BYTES, self.pointer, at, buffer, length, flags)
        self.must(done, otherwise)

    def must(self, result: Value, otherwise: Value) -> None:
        """Jump if a helper has failed."""
        narrow = self.code.b.trunc(result, I32)
        self.code.jump_if(
            self.code.b.icmp_signed("<", narrow, self.code.number(0, I32)), otherwise, "done"
        )

    def _32(self, value: Value) -> Value:
        return value if value.type == I32 else self.code.b.trunc(value, I32)
