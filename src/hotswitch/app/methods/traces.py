"""trace: a packet walked through a copy of the live pipeline; nothing is sent or learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.frames import frame_from_fields, frame_from_hex
from hotswitch.app.service import Service
from hotswitch.datapath.engines.reference import End, Recorder, snapshot
from hotswitch.headers.field_text import show_value
from hotswitch.headers.registry import Registry
from hotswitch.headers.text import MAC
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry
from hotswitch.model.port import Address, Upcall
from hotswitch.model.text import show_action, show_actions, show_match
from hotswitch.switch.pipeline import TABLES


class Trace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A packet that comes in by port `in_port`: `fields` as in a match, or `frame` in hexadecimal.

    bridge: may be left out, the port says it.
    """

    in_port: str
    fields: str = ""
    frame: str = ""
    bridge: str = ""


class Step(msgspec.Struct, frozen=True):
    """What happened, `depth` levels in."""

    depth: int
    text: str


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def trace(asked: Trace) -> dict[str, Any]:
        bridge = service.port(asked.in_port)[0].name
        if asked.bridge and service.bridge(asked.bridge).name != bridge:
            raise RequestError(f"{asked.in_port} is a port of bridge {bridge}")
        if asked.frame and asked.fields:
            raise RequestError("a packet is given as fields or in hexadecimal, not both")
        if asked.frame:
            frame = frame_from_hex(asked.frame)
        else:
            frame = frame_from_fields(service.registry, asked.fields)
        datapath = service.switch.datapath(bridge)
        names = {number: port.name for number, port in datapath.ports().items()}
        numbers = {name: number for number, name in names.items()}
        if asked.in_port not in numbers:
            raise RequestError(f"port {asked.in_port} is not in the datapath yet")
        engine = snapshot(datapath, service.registry, service.clock)
        story = Story(service.registry, names)
        outcome = engine.process(numbers[asked.in_port], frame, story)
        return {
            "bridge": bridge,
            "in_port": asked.in_port,
            "frame": frame.hex(),
            "steps": story.steps,
            "end": outcome.end.value,
            "outputs": [
                {"port": names.get(number, str(number)), "frame": sent.hex()}
                for number, sent in outcome.outputs
            ],
            "copies": len(outcome.copies),
            "host": None if outcome.host is None else outcome.host.hex(),
        }

    return (Method("trace", trace, Trace),)


class Story(Recorder):
    """Writes down what happens to a packet, for people."""

    def __init__(self, registry: Registry, names: Mapping[int, str]) -> None:
        self._registry = registry
        self._names = names
        self.steps: list[Step] = []

    def header(self, layer: str, offset: int, length: int, values: Mapping[str, int]) -> None:
        shown = ", ".join(
            f"{name}={show_value(self._registry.field(f'{layer}.{name}'), value)}"
            for name, value in values.items()
        )
        self._say(0, f"{layer} at byte {offset}, {length} bytes: {shown}")

    def parsed(self, end: int, malformed: bool) -> None:
        self._say(0, f"payload from byte {end}" + (", malformed" if malformed else ""))

    def table(self, number: int) -> None:
        name = TABLES.get(number, "")
        self._say(0, f"table {number}" + (f" ({name})" if name else ""))

    def entry(self, entry: Entry) -> None:
        match = show_match(self._registry, entry.match)
        actions = show_actions(self._registry, entry.actions)
        self._say(1, f"priority {entry.priority}, {match}: {actions}")

    def missed(self, table: int) -> None:
        self._say(1, "no entry matches")

    def action(self, action: Action) -> None:
        self._say(2, show_action(self._registry, action))

    def field(self, name: str, before: int, after: int) -> None:
        info = self._registry.field(name)
        self._say(3, f"{name}: {show_value(info, before)} becomes {show_value(info, after)}")

    def absent(self, name: str) -> None:
        self._say(3, f"{name} is not set: its header is absent")

    def sent(self, port: int, frame: bytes) -> None:
        self._say(3, f"out of port {self._port(port)}, {len(frame)} bytes")

    def not_sent(self, port: int, why: str) -> None:
        self._say(3, f"not out of port {self._port(port)}: {why}")

    def copied(self, upcall: Upcall) -> None:
        self._say(3, f"copied to user space, {len(upcall.frame)} bytes")

    def learned(self, address: Address) -> None:
        where = f"port {self._port(address.port)}, VLAN {address.vlan}"
        self._say(3, f"learned: {MAC.show(address.mac)} is at {where}")

    def recirculated(self, number: int) -> None:
        self._say(0, f"parsed again, with recirc_id {number:#x}")

    def end(self, end: End) -> None:
        self._say(0, f"end: {end.value}")

    def _say(self, depth: int, text: str) -> None:
        self.steps.append(Step(depth, text))

    def _port(self, number: int) -> str:
        return self._names.get(number, str(number))
