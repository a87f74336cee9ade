"""An outside for the server without devices: datapaths run in the reference engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hotswitch.base.clock import Clock, ManualClock
from hotswitch.datapath.contract import Datapath
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.checksums import Layer4
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.family import Family
from hotswitch.netlink.message import Received, split
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.outside import Device
from hotswitch.netlink.server.records import Record, decode, encode
from hotswitch.netlink.server.session import Session
from tests.netlink.requesting import Requesting


class ListMemory:
    """Remembers as bytes, as on a disk."""

    def __init__(self) -> None:
        self.data = b""

    def append(self, records: Sequence[Record]) -> None:
        self.data += encode(records)

    def known(self) -> list[Record]:
        return list(decode(self.data))


class FakeOutside:
    """What outlives a server."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self.engines: dict[str, ReferenceEngine] = {}
        self.made: dict[str, EntryDatapath] = {}
        self.devices: dict[str, Device] = {}
        self.made_devices: dict[str, Device] = {}
        self.busy: dict[int, str] = {}
        self.sent: list[tuple[int, bytes]] = []
        self.sent_in_tunnels: list[tuple[int, bytes, TunnelKey]] = []
        self._next = 10

    def add_device(self, name: str, **more: bool) -> Device:
        device = Device(self._next, name, self._next, incarnation=self._next + 1000, **more)
        self._next += 1
        self.devices[name] = device
        return device

    def datapaths(self) -> Mapping[str, Datapath]:
        """Devices that none of them needs are deleted."""
        needed = {port.ifindex for each in self.made.values() for port in each.ports().values()}
        for device in list(self.made_devices.values()):
            if device.port not in needed:
                self.delete_made(device)
        return self.made

    def make_datapath(self, name: str) -> Datapath:
        self.engines[name] = ReferenceEngine(self._registry, self._clock)
        outside = self

        class Made(EntryDatapath):
            def destroy(self) -> None:
                super().destroy()
                del outside.made[name]

        self.made[name] = Made(name, self._registry, self.engines[name])
        return self.made[name]

    def device(self, name: str) -> Device | None:
        return self.devices.get(name)

    def by_port(self, index: int) -> Device | None:
        return next((each for each in self.devices.values() if each.port == index), None)

    def made_device(self, name: str) -> Device | None:
        return self.made_devices.get(name)

    def make_internal(self, name: str, index: int = 0) -> Device:
        if name in self.devices:
            raise KernelError(f"make {name}", 17)
        device = self.add_device(name)
        made = replace(device, port=device.index + 5000, made=True)
        self.made_devices[name] = self.devices[name] = made
        return made

    def make_internal_again(self, name: str, index: int) -> Device:
        made = replace(self.make_internal(name), index=index)
        self.made_devices[name] = self.devices[name] = made
        return made

    def make_vxlan(self, name: str, port: int) -> Device:
        if any(each.tunnel_port == port for each in self.devices.values()):
            raise KernelError(f"make {name}", 17)
        made = replace(self.add_device(name), made=True, tunnel_port=port)
        self.made_devices[name] = self.devices[name] = made
        return made

    def delete_made(self, device: Device) -> None:
        del self.made_devices[device.name], self.devices[device.name]

    def take(self, device: Device) -> None:
        self.devices[device.name] = replace(self.devices[device.name], promiscuous=True)

    def give_back(self, device: Device) -> None:
        if device.name in self.devices:
            self.devices[device.name] = replace(self.devices[device.name], promiscuous=False)

    def taken(self, index: int) -> str:
        return self.busy.get(index, "")

    def counters(self, index: int) -> LinkCounters:
        return LinkCounters()

    def send(
        self,
        index: int,
        frame: bytes,
        priority: int = 0,
        mark: int = 0,
        layer_4: Layer4 | None = None,
    ) -> None:
        self.sent.append((index, frame))

    def send_in_tunnel(self, index: int, frame: bytes, key: TunnelKey) -> None:
        self.sent_in_tunnels.append((index, frame, key))


class World:
    """A server, its outside, its memory; the server can be started again."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.clock = ManualClock(1_000_000)
        self.outside = FakeOutside(registry, self.clock)
        self.memory = ListMemory()
        self.codec = Codec()
        self.restart()

    def restart(self) -> None:
        """As after a kill: only what is outside, and the memory, stays."""
        self.clock.advance(1)
        known = self.memory.known()
        self.server = Server(self.registry, self.clock, self.outside, self.memory, known)

    def client(self, port: int = 0) -> Client:
        return Client(self, self.server.connect(port))


class Client(Requesting):
    """A client without a socket."""

    def __init__(self, world: World, session: Session) -> None:
        super().__init__()
        self.world = world
        self.session = session

    def send(self, data: bytes) -> list[Received]:
        """A datagram; all that is answered, listings to their end."""
        server, session = self.world.server, self.session
        requests = server.split(session, data)
        while requests:
            count, waiting = server.receive_some(session, requests)
            assert waiting is None
            requests = requests[count:]
            while session.dump:
                server.more(session)
        return self.received()

    def received(self) -> list[Received]:
        """All that waits."""
        found: list[Received] = []
        while (data := self.session.take()) is not None:
            found += map(self.codec.decode, split(data))
        return found

    def request(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = 0,
    ) -> list[Received]:
        """All that is answered to a request."""
        return self.send(self.encode(family, command, attributes, datapath=datapath, flags=flags))

    def answer_to(self, request: bytes) -> Received:
        (answer,) = self.send(request)
        return answer
