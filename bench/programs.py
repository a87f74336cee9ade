"""Small BPF programs for the measurements, as LLVM text: a redirect, a counter, a generator."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import llvmlite.binding as llvm

from bench import lab
from hotswitch.kernel import netns
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.hooks import tcx, xdp
from hotswitch.kernel.loader import link, load
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramType

REDIRECT, REDIRECT_PEER = 23, 155
"""Helpers (include/uapi/linux/bpf.h): out of a link; in at a veth's other end."""
COUNTED_PORT = 9
"""The UDP port of the packets that are counted and dropped: discard."""

_FRAME_LENGTH = 60
"""Bytes of the smallest Ethernet frame without its FCS (IEEE 802.3, 4.4.2)."""

_HOOKS = {ProgramType.SCHED_CLS: ("tc", 76, 80, -1, 2), ProgramType.XDP: ("xdp", 0, 4, 2, 1)}
"""Section, where data and data_end are in the context, verdicts to pass on and to drop."""

_REDIRECT = """
define i32 @main(ptr %context) section "{section}" {{
  %result = call i64 inttoptr (i64 {helper} to ptr)(i64 {ifindex}, i64 0)
  %verdict = trunc i64 %result to i32
  ret i32 %verdict
}}
"""

_COUNT = """
@counts = external global i64
define i32 @main(ptr %context) section "{section}" {{
  %key = alloca i32
  store i32 0, ptr %key
  %start_at = getelementptr i8, ptr %context, i64 {data}
  %start = load i32, ptr %start_at
  %start_wide = zext i32 %start to i64
  %frame = inttoptr i64 %start_wide to ptr
  %end_at = getelementptr i8, ptr %context, i64 {data_end}
  %end = load i32, ptr %end_at
  %end_wide = zext i32 %end to i64
  %limit = inttoptr i64 %end_wide to ptr
  %needed = getelementptr i8, ptr %frame, i64 42
  %short = icmp ugt ptr %needed, %limit
  br i1 %short, label %pass, label %look
look:
  %type_at = getelementptr i8, ptr %frame, i64 12
  %type = load i16, ptr %type_at
  %ipv4 = icmp eq i16 %type, {ipv4}
  %protocol_at = getelementptr i8, ptr %frame, i64 23
  %protocol = load i8, ptr %protocol_at
  %udp = icmp eq i8 %protocol, 17
  %port_at = getelementptr i8, ptr %frame, i64 36
  %port = load i16, ptr %port_at
  %counted_port = icmp eq i16 %port, {port}
  %both = and i1 %ipv4, %udp
  %all = and i1 %both, %counted_port
  br i1 %all, label %count, label %pass
count:
  %value = call ptr inttoptr (i64 1 to ptr)(ptr @counts, ptr %key)
  %missing = icmp eq ptr %value, null
  br i1 %missing, label %drop, label %add
add:
  %old = load i64, ptr %value
  %new = add i64 %old, 1
  store i64 %new, ptr %value
  br label %drop
drop:
  ret i32 {drop}
pass:
  ret i32 {pass_on}
}}
"""


def _compile(text: str) -> bytes:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu="v3", opt=2)
    module = llvm.parse_assembly(f'target triple = "bpfel"\n{text}')
    module.verify()
    compiled: bytes = machine.emit_object(module)
    return compiled


def redirect(type_: ProgramType, ifindex: int, helper: int = REDIRECT) -> Program:
    """A program that does nothing but send everything to one link: the limit for all others."""
    section = _HOOKS[type_][0]
    text = _REDIRECT.format(section=section, helper=helper, ifindex=ifindex)
    return load(link(_compile(text)), {}, type_, name="bench_redirect")


@contextmanager
def redirecting(namespace: str, type_: ProgramType, helper: int = REDIRECT) -> Iterator[None]:
    """Both `lab.NEAR` links of a switch's namespace, each to the other."""
    attach = xdp.attach if type_ is ProgramType.XDP else tcx.attach
    first, second = (lab.link_of(namespace, near).index for near in lab.NEAR)
    with ExitStack() as cleanup, netns.inside(namespace):
        for source, target in ((first, second), (second, first)):
            with redirect(type_, target, helper) as program:
                cleanup.enter_context(attach(program, source))
        yield


class Counter:
    """Counts and drops the packets that come in at a link, by XDP or else by tcx.

    A packet that is handed straight to a veth's other end comes in behind XDP. So both are there,
    and each packet meets one that counts it.
    """

    def __init__(self, namespace: str, name: str) -> None:
        self._cleanup = ExitStack()
        self._map = self._cleanup.enter_context(
            Map.create(
                MapType.PERCPU_ARRAY, key_size=4, value_size=8, max_entries=1, name="bench_counts"
            )
        )
        self._ifindex = lab.link_of(namespace, name).index
        with netns.inside(namespace):
            for type_ in _HOOKS:
                self._cleanup.enter_context(self._attach(type_))

    def _attach(self, type_: ProgramType) -> BpfLink:
        section, data, data_end, pass_on, drop = _HOOKS[type_]
        text = _COUNT.format(
            section=section, data=data, data_end=data_end, pass_on=pass_on, drop=drop,
            ipv4=_swapped(0x0800), port=_swapped(COUNTED_PORT),
        )  # fmt: skip
        with load(link(_compile(text)), {"counts": self._map}, type_, name="bench_count") as it:
            attach = xdp.attach if type_ is ProgramType.XDP else tcx.attach
            return attach(it, self._ifindex)

    def packets(self) -> int:
        """How many so far."""
        values = self._map.lookup_percpu(bytes(4)) or []
        return sum(int.from_bytes(value, "little") for value in values)

    def close(self) -> None:
        """Take it off the link."""
        self._cleanup.close()


def udp_frame(source: tuple[int, str], target: tuple[int, str]) -> bytes:
    """A UDP packet in the smallest Ethernet frame, without its FCS.

    source, target: hardware address and IPv4 address.
    """
    addresses = [bytes(map(int, address.split("."))) for _, address in (source, target)]
    head = struct.pack("!BBHHHBBH", 0x45, 0, _FRAME_LENGTH - 14, 0, 0, 64, 17, 0)
    words = struct.unpack("!10H", head + b"".join(addresses))
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    head = head[:10] + checksum.to_bytes(2, "big") + b"".join(addresses)
    udp = struct.pack("!HHHH", 1024, COUNTED_PORT, _FRAME_LENGTH - 34, 0)
    ethernet = target[0].to_bytes(6, "big") + source[0].to_bytes(6, "big") + b"\x08\x00"
    frame: bytes = (ethernet + head + udp).ljust(_FRAME_LENGTH, b"\0")
    return frame


def _swapped(value: int) -> int:
    return int.from_bytes(value.to_bytes(2, "big"), "little")
