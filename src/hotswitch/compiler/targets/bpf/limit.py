"""Rate limits: the generic cell rate algorithm (ITU-T I.371, annex A), one number a meter."""

from __future__ import annotations

from hotswitch.compiler.targets.bpf import code as c
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.code import Code, Value
from hotswitch.compiler.targets.bpf.counting import Counting

_PERIOD, _BURST, _ARRIVAL = 0, 8, 16


def limit(code: Code, counting: Counting, meter: Value, finish: Value) -> None:
    """Drop the packet if the meter is spent; a meter that is not there limits nothing.

    If another CPU has the meter at the same moment, this packet passes uncounted.
    """
    b = code.b
    on = code.block("conforms")
    cell = code.element(memory.METERS, meter, on)
    period = code.load(cell, _PERIOD)
    code.jump_if(b.icmp_unsigned("==", period, code.number(0)), on)
    now = code.call(c.KTIME)
    arrival = code.load(cell, _ARRIVAL)
    start = b.select(b.icmp_unsigned(">", arrival, now), arrival, now)
    burst = code.load(cell, _BURST)
    spent = code.block("spent")
    code.jump_if(b.icmp_unsigned(">", b.sub(start, now), burst), spent)
    b.cmpxchg(code.at(cell, _ARRIVAL), arrival, b.add(start, period), "monotonic", "monotonic")
    code.go(on)
    code.enter(spent)
    counting.total("limited")
    code.go(finish)
    code.enter(on)
