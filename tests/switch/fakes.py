"""A machine in memory: links that appear, change and go, and datapaths that only keep books."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Counters, Datapath, DatapathError, ProgramReport
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.provider import Restored
from hotswitch.headers.registry import Registry
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_actions import FlagChange
from hotswitch.kernel.link_monitor import Departure
from hotswitch.kernel.links import Link
from hotswitch.model.entry import NOTHING, Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Upcall
from hotswitch.ports.link_changes import Disappeared
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.world import World


class FakeError(HotswitchError):
    """What the fakes raise."""


class Died(BaseException):
    """The daemon's end, in the middle of its work."""


class FakeLinks:
    """The kernel's links. What is in `broken` can't be changed. elsewhere: in another namespace.

    patience: so many changes later, of datapaths too, the daemon dies; None: it lives.
    """

    def __init__(self) -> None:
        self.links: dict[int, Link] = {}
        self.elsewhere: dict[str, Link] = {}
        self.departed: dict[int, Disappeared] = {}
        self.broken: set[str] = set()
        self.silent: set[int] = set()
        self.patience: int | None = None
        self._next = 1
        self._incarnations = itertools.count()
        self._table = LinkTable()

    def add(self, name: str, **values: object) -> Link:
        """A device appears."""
        if name in {each.name for each in self.links.values()}:
            raise FakeError(f"{name} exists")
        usual = {"kind": "dummy", "mtu": 1500, "incarnation": 1000 + next(self._incarnations)}
        made = Link(self._next, name, **(usual | values))  # type: ignore[arg-type]
        self.links[made.index] = made
        self._next += 1
        return made

    def replace(self, index: int, **values: object) -> Link:
        """A device goes, and another one gets its index."""
        before, self._next = self._next, index
        name = self.links.pop(index).name
        made = self.add(name, **values)
        self._next = before
        return made

    def leave(self, index: int) -> None:
        """Somebody moves a device to another network namespace."""
        gone = self.links.pop(index)
        self.elsewhere[gone.name] = gone
        self.departed[gone.incarnation] = Disappeared(gone, Departure(0, index, 0))

    def calm_elsewhere(self, departed: Disappeared) -> None:
        self.live()
        if gone := self.elsewhere.get(departed.link.name):
            self.elsewhere[gone.name] = replace(gone, promiscuous=False)

    def come_back(self, was: str, name: str) -> None:
        """The device that was called so when it left comes back with this name only, and down."""
        back = self.elsewhere.pop(was)
        del self.departed[back.incarnation]
        self.links[back.index] = replace(back, name=name, alternative_names=(), up=False)

    def change(self, index: int, **values: object) -> None:
        """A device changes. Raises FakeError."""
        if index not in self.links:
            raise FakeError(f"there is no link {index}")
        if self.links[index].name in self.broken:
            raise FakeError(f"link {self.links[index].name} does not want to")
        self.links[index] = replace(self.links[index], **values)  # type: ignore[arg-type]

    def named(self, name: str) -> Link:
        return next(each for each in self.links.values() if each.name == name)

    def look(self) -> LinkTable:
        table = replace(self._table, departed=dict(self.departed))
        self._table = table.having_only(self.links.values())
        return self._table

    def create_veth(self, name: str, peer: str, mtu: int, address: int = 0) -> Link:
        self.live()
        if name in self.broken:
            raise FakeError(f"{name} can't be made")
        mtu = mtu or 1500
        outer = self.add(name, kind="veth", mtu=mtu, address=address)
        inner = self.add(peer, kind="veth", mtu=mtu)
        self.change(outer.index, peer=inner.index)
        self.change(inner.index, peer=outer.index)
        return self.links[outer.index]

    def move(self, index: int, namespace: str, name: str) -> None:
        self.live()
        if namespace in self.broken:
            raise FakeError(f"there is no namespace {namespace}")
        moved = self.links.pop(index)
        if moved.peer in self.links:
            self.change(moved.peer, peer_namespace=1)

    def create_tap(self, name: str, mark: str) -> Link:
        self.live()
        if name in self.broken:
            raise FakeError(f"{name} can't be made")
        return self.add(name, kind="tun", alternative_names=(mark,))

    def take_no_addresses(self, index: int) -> None:
        self.live()
        self.change(index)
        self.silent.add(index)

    def add_alternative_names(self, index: int, names: Sequence[str]) -> None:
        self.live()
        there = {
            name for link in self.links.values() for name in (link.name, *link.alternative_names)
        }
        if there & set(names):
            raise KernelError(f"give {names}", errno.EEXIST)
        before = self.links[index].alternative_names
        self.change(index, alternative_names=(*before, *names))

    def delete_alternative_names(self, index: int, names: Sequence[str]) -> None:
        self.live()
        before = self.links[index].alternative_names
        if not set(names) <= set(before):
            raise FakeError(f"{names} are not all there")
        self.change(index, alternative_names=tuple(each for each in before if each not in names))

    def change_flags(self, changes: Sequence[FlagChange]) -> list[HotswitchError | None]:
        return [self._change_flags(each) for each in changes]

    def _change_flags(self, change: FlagChange) -> HotswitchError | None:
        self.live()
        wanted = {"up": change.up, "promiscuous": change.promiscuous}
        try:
            self.change(
                change.ifindex,
                **{name: value for name, value in wanted.items() if value is not None},
            )
        except FakeError as error:
            return error
        return None

    def set_address(self, index: int, address: int) -> None:
        self.live()
        self.change(index, address=address)

    def set_mtu(self, index: int, mtu: int) -> None:
        self.live()
        self.change(index, mtu=mtu)

    def delete_many(self, indexes: Sequence[int]) -> list[HotswitchError | None]:
        return [self._try_to_delete(index) for index in indexes]

    def _try_to_delete(self, index: int) -> HotswitchError | None:
        try:
            self.delete(index)
        except FakeError as error:
            return error
        return None

    def delete(self, index: int) -> None:
        """Delete a link, and the other end of a pair."""
        self.live()
        self.change(index)
        gone = self.links.pop(index)
        if gone.kind == "veth" and gone.peer_namespace == -1:
            self.links.pop(gone.peer, None)

    def live(self) -> None:
        """The daemon is about to change something. Raises Died."""
        if self.patience == 0:
            raise Died
        if self.patience:
            self.patience -= 1


class FakeEngine:
    """Forwards nothing; holds an address table. live: called before each change.

    unfit: the links that no port can be bound to.
    """

    def __init__(self, address_limit: int, live: Callable[[], None]) -> None:
        self._live = live
        self.address_limit = address_limit
        self.rows: list[Address] = []
        self.refuses: HotswitchError | None = None
        self.unfit: set[int] = set()

    def restore(self) -> Restored:
        return Restored()

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        self._maybe()
        unfit = (each for each in ports if each.ifindex in self.unfit)
        return {each.number: DatapathError(f"no way to link {each.ifindex}") for each in unfit}

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        self._maybe()
        return {number: PortStatistics() for number in numbers}

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        return {}

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        self._maybe()

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        return None

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Mapping[EntryKey, EntryStatistics]:
        self._maybe()
        return dict.fromkeys(deletes, NOTHING)

    def entry_statistics(self) -> Mapping[EntryKey, EntryStatistics]:
        return {}

    def addresses(self) -> list[Address]:
        return list(self.rows)

    def set_address_limit(self, limit: int) -> None:
        self._maybe()
        self.address_limit = limit

    def put_address(self, address: Address) -> None:
        self.rows.append(address)

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        places = set(wanted)
        return [row for row in self.rows if (row.vlan, row.mac) in places]

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        gone = set(addresses)
        before = len(self.rows)
        self.rows = [row for row in self.rows if row not in gone]
        return before - len(self.rows)

    def put_meter(self, meter: Meter) -> None:
        self._maybe()

    def delete_meter(self, number: int) -> None:
        self._maybe()

    def counters(self) -> Counters:
        return Counters()

    def upcalls(self) -> list[Upcall]:
        return []

    def upcall_descriptor(self) -> int:
        return -1

    def report(self) -> ProgramReport:
        return ProgramReport("fake")

    def close(self) -> None:
        pass

    def destroy(self) -> None:
        self._maybe()

    def _maybe(self) -> None:
        self._live()
        if self.refuses:
            raise self.refuses


class FakeWorld(World):
    """A world of the two; `engines` by bridge."""

    def __init__(self, registry: Registry) -> None:
        self.kernel = FakeLinks()
        self.engines: dict[str, FakeEngine] = {}
        self.limits: dict[str, int] = {}
        self._registry = registry
        super().__init__(self.kernel, self._make, owner="test", machine="machine")

    def _make(self, name: str, address_limit: int) -> Datapath:
        self.kernel.live()
        engine = self.engines[name] = FakeEngine(address_limit, self.kernel.live)
        self.limits[name] = address_limit
        return EntryDatapath(name, self._registry, engine)
