"""One byte there and one byte back over TCP, in machine code: Python's own time would be measured
with it. LLVM, which hotswitch needs anyway, makes it from the text below; no C compiler is needed.

Both ends ask for data again and again instead of sleeping, if there is a CPU for each: so the path
of the packets is measured, and not how quickly the scheduler wakes a process.
"""

from __future__ import annotations

import ctypes
import socket
from array import array
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from bench.child import CPUS, Child
from bench.errors import BenchError
from bench.lab import Pair

PORT = 9001
_MOST = 1 << 20
_WARM_UP = 200
_DO_NOT_WAIT = 0x40  # MSG_DONTWAIT
_MONOTONIC = 1  # CLOCK_MONOTONIC

_CODE = f"""
declare i64 @send(i32, ptr, i64, i32)
declare i64 @recv(i32, ptr, i64, i32)
declare i32 @clock_gettime(i32, ptr)

define i64 @now() {{
  %time = alloca [2 x i64]
  call i32 @clock_gettime(i32 {_MONOTONIC}, ptr %time)
  %seconds = load i64, ptr %time
  %rest_at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest_at
  %scaled = mul i64 %seconds, 1000000000
  %all = add i64 %scaled, %rest
  ret i64 %all
}}

; 1 when a byte has come, 0 at the connection's end
define i64 @take(i32 %socket, i32 %flags) {{
entry:
  %byte = alloca i64
  br label %again
again:
  %got = call i64 @recv(i32 %socket, ptr %byte, i64 1, i32 %flags)
  %nothing = icmp slt i64 %got, 0
  br i1 %nothing, label %again, label %done
done:
  ret i64 %got
}}

define i64 @echo(i32 %socket, i32 %flags) {{
entry:
  %byte = alloca i64
  br label %again
again:
  %got = call i64 @take(i32 %socket, i32 %flags)
  %ended = icmp eq i64 %got, 0
  br i1 %ended, label %done, label %answer
answer:
  call i64 @send(i32 %socket, ptr %byte, i64 1, i32 0)
  br label %again
done:
  ret i64 0
}}

; how many round trips were made before the deadline; their nanoseconds are in %times
define i64 @ask(i32 %socket, i32 %flags, ptr %times, i64 %most, i64 %deadline) {{
entry:
  %byte = alloca i64
  br label %again
again:
  %index = phi i64 [ 0, %entry ], [ %following, %note ]
  %before = call i64 @now()
  call i64 @send(i32 %socket, ptr %byte, i64 1, i32 0)
  %got = call i64 @take(i32 %socket, i32 %flags)
  %ended = icmp eq i64 %got, 0
  br i1 %ended, label %done, label %note
note:
  %after = call i64 @now()
  %time = sub i64 %after, %before
  %at = getelementptr i64, ptr %times, i64 %index
  store i64 %time, ptr %at
  %following = add i64 %index, 1
  %full = icmp uge i64 %following, %most
  %late = icmp uge i64 %after, %deadline
  %enough = or i1 %full, %late
  br i1 %enough, label %done_all, label %again
done:
  ret i64 %index
done_all:
  ret i64 %following
}}
"""
_kept: list[Any] = []


@cache
def _machine_code() -> tuple[Any, Any, Any]:
    """The functions now, echo, ask."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(_CODE)
    module.verify()
    engine = llvm.create_mcjit_compiler(
        module, llvm.Target.from_default_triple().create_target_machine(opt=2)
    )
    engine.finalize_object()
    word, handle = ctypes.c_int64, ctypes.c_int
    now = ctypes.CFUNCTYPE(word)(engine.get_function_address("now"))
    echo = ctypes.CFUNCTYPE(word, handle, handle)(engine.get_function_address("echo"))
    ask = ctypes.CFUNCTYPE(word, handle, handle, ctypes.c_void_p, word, word)(
        engine.get_function_address("ask")
    )
    _kept.append(engine)  # the code lives as long as the engine
    return now, echo, ask


def round_trips(pair: Pair, seconds: float, most: int = _MOST) -> list[int]:
    """Nanoseconds of each round trip from the first to the second host, sorted.

    Raises BenchError if there is none.
    """
    _machine_code()
    flags = _DO_NOT_WAIT if len(CPUS) > 1 else 0
    with Child(lambda: _serve(pair.second.address, flags), pair.second.namespace, CPUS[0]):
        asker = Child(
            lambda: _ask(pair.second.address, flags, seconds, most), pair.first.namespace, CPUS[-1]
        )
        with asker:
            times = asker.result(seconds + 20)
    if not times:
        raise BenchError("no round trip was made")
    return sorted(times)


def _serve(address: str, flags: int) -> None:
    _, echo, _ = _machine_code()
    with socket.create_server((address, PORT)) as server:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        echo(connection.fileno(), flags)


def _ask(address: str, flags: int, seconds: float, most: int) -> list[int]:
    now, _, ask = _machine_code()
    times = array("q", bytes(8 * most))
    start, _ = times.buffer_info()
    with _connect(address, now() + 10 * 10**9, now) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = connection.fileno()
        ask(number, flags, start, min(_WARM_UP, most), now() + 10**9)
        made = ask(number, flags, start, most, now() + int(seconds * 1e9))
    return times[:made].tolist()


def _connect(address: str, deadline: int, now: Any) -> socket.socket:
    """The server may not listen yet."""
    while True:
        try:
            connection = socket.create_connection((address, PORT), timeout=5)
            connection.settimeout(None)
            return connection
        except ConnectionRefusedError:
            if now() > deadline:
                raise
