"""A datapath on the kernel engine, with two ports, in a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench import lab
from bench.subjects.plain import take_redirected
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns, pins
from hotswitch.kernel.programs import Program
from hotswitch.model.port import Hook

PORTS = (1, 2)


@contextmanager
def datapath(name: str, hook: Hook = Hook.TCX) -> Iterator[EntryDatapath]:
    """It and the calling thread are in the namespace until the end."""
    pair = lab.switched_pair(name)
    if hook is Hook.XDP:
        take_redirected(pair)
    with netns.inside(pair.switch):
        registry = standard_registry()
        engine = KernelEngine(name, registry, pins.directory("bench", name))
        made = EntryDatapath(name, registry, engine)
        try:
            for number, near in zip(PORTS, lab.NEAR, strict=True):
                index = lab.link_of(pair.switch, near).index
                made.add_port(near, number=number, ifindex=index, hook=hook)
            yield made
        finally:
            made.destroy()


def program_of(made: EntryDatapath, hook: Hook) -> Program:
    """The pipeline's program for a hook, opened; the caller closes it."""
    for each in made.report().programs:
        if each["hook"] == hook.value and isinstance(each.get("id"), int):
            return Program.from_id(int(str(each["id"])))
    raise LookupError(f"no program for the hook {hook.value}")
