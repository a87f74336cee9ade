"""The switch: it holds what is wanted and makes it so. Whoever owns it owns the loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeAlias

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import Pieces, at_once
from hotswitch.datapath.contract import Datapath
from hotswitch.kernel.links import Link
from hotswitch.model.port import Address, PortStatistics
from hotswitch.ports.lifecycle import Memory
from hotswitch.switch import address_table
from hotswitch.switch.adopted_ports import with_examples
from hotswitch.switch.adopting import Strays, adopt
from hotswitch.switch.apply import Failure, applying
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired
from hotswitch.switch.following import follow_devices
from hotswitch.switch.laying_out import lay_out
from hotswitch.switch.layout import NOTHING, Layout, PortKey
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.observed import Observed
from hotswitch.switch.plan import work
from hotswitch.switch.port_counts import PortCounts
from hotswitch.switch.settled import settled
from hotswitch.switch.status import AddressStatus, BridgeStatus
from hotswitch.switch.statuses import Statuses, in_order
from hotswitch.switch.steps import (
    ChangeEntries,
    CreateCable,
    CreateInternalLink,
    CreateTap,
    MoveLink,
    SetLinkUp,
    SetMtu,
    Step,
    TakeNames,
)
from hotswitch.switch.world import World, observe

TellDeparting: TypeAlias = Callable[[Sequence[PortKey]], None]
"""Takes ports that go with their devices."""

TellAddresses: TypeAlias = Callable[[str, Sequence[Address], Mapping[int, str]], None]
"""Takes a bridge, its address table, and the names of the ports in that by number."""


def _tell_nobody(bridge: str, rows: Sequence[Address], ports: Mapping[int, str]) -> None:
    pass


_ROUNDS = 4
_NEWS = (CreateInternalLink, CreateTap, CreateCable, MoveLink, SetMtu, TakeNames)
"""Steps after which there may be more to do than could be told before."""
_SECOND = 1_000_000_000
_SOME = 32
"""Links in one sweep."""


@dataclass(frozen=True)
class _Plan:
    """What was planned ahead: steps to a layout, from the one before and what was there then."""

    desired: Desired
    links: LinkTable
    before: Layout
    layout: Layout
    steps: Sequence[Step]

    def is_of(self, desired: Desired, links: LinkTable, before: Layout) -> bool:
        """Whether planning again would give the same: nobody else changes what is there."""
        same = self.desired is desired and self.links is links and self.before is before
        return same and before is not NOTHING


class Switch:
    """All bridges of one daemon.

    expired: by bridge, how many addresses have been forgotten for their silence.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._desired = Desired()
        self._checked = Desired()
        self._settled = NOTHING
        self._shown = Statuses()
        self._lacking: dict[str, tuple[BridgeStatus, bool]] = {}
        self._failures: list[Failure] = []
        self._thought: _Plan | None = None
        self.expired: Counter[str] = Counter()
        self._memory: Memory[PortKey] = Memory()
        self._departed: set[PortKey] = set()
        self._departed_at_start: tuple[PortKey, ...] = ()
        self._adopted_again: set[PortKey] = set()
        self._adopted: set[PortKey] = set()
        self._strays: Strays = {}
        self._deadline: int | None = None
        self._watchers: list[Callable[[], None]] = []
        self._foretold: list[TellDeparting] = []
        self._told: object = None
        self._refreshed = LinkTable()
        self._to_sweep: list[int] = []
        self._is_amid = False
        self._under_way: Layout | None = None
        self._is_asked_to_look = False

    def watch(self, changed: Callable[[], None]) -> None:
        """Have this called whenever the status may have changed."""
        self._watchers.append(changed)

    def foretell(self, departing: TellDeparting) -> None:
        """Have this called with ports that go with their devices, before anything is done.

        Who wants them must not want them of the next life, whatever becomes of this one.
        """
        self._foretold.append(departing)

    @property
    def is_amid(self) -> bool:
        """Whether it is being changed, between two pieces of that."""
        return self._is_amid

    @property
    def is_behind(self) -> bool:
        """Whether links changed amid work that has failed since, so that nobody has looked."""
        return self._is_asked_to_look and not self._is_amid

    @property
    def desired(self) -> Desired:
        """What is wanted."""
        return self._desired

    @property
    def deadline(self) -> int | None:
        """When, by the clock, a port will have been without its device for long enough, if any."""
        return self._deadline

    def time_left(self, bridge: str, port: str) -> float | None:
        """Seconds after which a port that is without its device goes; None: it does not."""
        since = self._memory.absent.get((bridge, port))
        wanted = self._desired.bridges.get(bridge)
        found = wanted.ports.get(port) if wanted else None
        lifecycle = wanted.lifecycle_of(found) if wanted and found else None
        if since is None or lifecycle is None or lifecycle.patience is None:
            return None
        return max(0, since + lifecycle.patience - self._clock.now()) / _SECOND

    def take_departed(self) -> list[PortKey]:
        """The ports that went with their devices since the last time.

        Ports that were adopted since then, and others that are wanted now, may have their names.
        """
        departed, self._departed = self._departed, set()
        return sorted(departed)

    @property
    def departed_at_start(self) -> tuple[PortKey, ...]:
        """The ports whose devices had gone when it began: nobody has seen them here."""
        return self._departed_at_start

    @property
    def adopted_again(self) -> frozenset[PortKey]:
        """Those of them whose names were given since then to ports that were adopted."""
        return frozenset(self._adopted_again)

    @property
    def adopted(self) -> frozenset[PortKey]:
        """The ports that were adopted, or got a link so, and have not been taken yet."""
        return frozenset(self._adopted)

    def take_adopted(self) -> list[PortKey]:
        """The ports that were adopted since the last time, or got a link so, and are wanted."""
        adopted, self._adopted = self._adopted, set()
        bridges = self._desired.bridges
        return sorted(
            key for key in adopted if key[0] in bridges and key[1] in bridges[key[0]].ports
        )

    @property
    def forwarding(self) -> list[str]:
        """The bridges that forward, wanted or not; at the start, those of an earlier life."""
        return sorted(self._world.datapaths)

    def prepare(self, desired: Desired) -> list[Future[object]]:
        """Compile in the background what this will need, and return what is not done yet.

        What it will need when devices are adopted is not waited for. A bridge that is not there yet
        can't be prepared. Raises SwitchError if this cannot be wanted, HotswitchError if it cannot
        even look.
        """
        self._check(desired)
        observed = observe(self._world)
        plan = self._thought = self._plan(desired, observed)
        waiting = list(self._compilations(plan.steps))
        examples = with_examples(desired)
        if examples is not desired:
            for _ in self._compilations(self._plan(examples, observed).steps):
                pass  # asked for, but not waited for
        return waiting

    def _plan(self, desired: Desired, observed: Observed) -> _Plan:
        layout = lay_out(desired, observed, self._settled)
        steps = work(layout, observed, self._settled)
        return _Plan(desired, observed.links, self._settled, layout, steps)

    def _compilations(self, steps: Iterable[Step]) -> Iterator[Future[object]]:
        for step in steps:
            if isinstance(step, ChangeEntries) and step.bridge in self._world.datapaths:
                compilation = self._world.datapaths[step.bridge].prepare(step.changes)
                if compilation is not None:
                    yield compilation

    def set_desired(self, desired: Desired) -> list[Failure]:
        """Want this from now on, and make it so as far as possible now; what failed.

        Raises SwitchError, with nothing changed, if it cannot be.
        """
        return at_once(self.setting_desired(desired))

    def setting_desired(self, desired: Desired) -> Pieces[list[Failure]]:
        """The same in pieces; see `reconciling`."""
        self._check(desired)
        self._desired = desired
        bridges = desired.bridges
        for gone in self.expired.keys() - bridges.keys():
            del self.expired[gone]  # another one of that name begins anew
        self._departed = {
            (bridge, port)
            for bridge, port in self._departed
            if not (bridge in bridges and port in bridges[bridge].ports)
        }
        return (yield from self.reconciling())

    def _check(self, desired: Desired) -> None:
        check(desired, self._checked)
        self._checked = desired

    def links_changed(self) -> list[Failure]:
        """Something happened to the kernel's links: look again.

        Amid other work it is that which looks again, in its end.
        """
        if self._is_amid:
            self._is_asked_to_look = True
            return self._failures
        self._is_asked_to_look = False
        failures = self.reconcile()
        links = self._world.links.look()
        before = self._refreshed.by_index
        self._refreshed = links
        # What a new one can do was looked at when its port was bound to it.
        changed = [index for index in links.by_index.differing(before) if index in before]
        self._refresh(changed, links.by_index)
        return failures

    def sweep(self) -> None:
        """Look at what some ports' links can do, each time at the next few. Raises HotswitchError.

        Nobody tells when it changes with their other ends, in another network namespace.
        """
        ports = (port for each in self._world.datapaths.values() for port in each.ports().values())
        if not self._to_sweep:
            self._to_sweep = [port.ifindex for port in ports if port.ifindex]
        some, self._to_sweep = self._to_sweep[-_SOME:], self._to_sweep[:-_SOME]
        self._refresh(some)

    def _refresh(self, links: Collection[int], known: Mapping[int, Link] | None = None) -> None:
        if links:
            for datapath in self._world.datapaths.values():
                datapath.refresh(links, known)

    def reconcile(self) -> list[Failure]:
        """Look, plan, apply; again if a link was made, whose index only a new look tells.

        What failed is returned, shown in the status and tried again the next time. Raises
        HotswitchError if it cannot even look.
        """
        return at_once(self.reconciling())

    def reconciling(self) -> Pieces[list[Failure]]:
        """The same in pieces. Between them others may look at the switch, but not change it.

        What is wanted and what is so may differ then in any way.
        """
        assert not self._is_amid, "one at a time"
        self._is_amid = True
        try:
            for _ in range(_ROUNDS):
                observed = observe(self._world)
                layout = self._under_way = self._lay_out(observed)
                thought, self._thought = self._thought, None
                if thought and thought.layout is layout and thought.before is self._settled:
                    steps = thought.steps
                else:
                    steps = work(layout, observed, self._settled)
                self._settled = NOTHING  # until all that can be done is done
                self._failures = yield from applying(steps, self._world)
                self._settled = settled(layout, self._failures)
                failed = [failure.step for failure in self._failures]
                if not any(self._brings_news(each) and each not in failed for each in steps):
                    break
        finally:
            self._is_amid, self._under_way = False, None
        if self._is_asked_to_look:
            self._is_asked_to_look = False
            return self.links_changed()
        self._tell_watchers(layout)
        return self._failures

    def _tell_watchers(self, layout: Layout) -> None:
        """Most links that come, go and change concern no port: then there is nothing to tell."""
        now = self._desired, layout.bridges, layout.facades, self._failures, self._strays
        if now != self._told:
            self._told = now
            for changed in self._watchers:
                changed()

    def _brings_news(self, step: Step) -> bool:
        """Whether there may be more to do after it.

        Of a port with one link only, that it is up changes nothing.
        """
        if not isinstance(step, SetLinkUp):
            return isinstance(step, _NEWS)
        bridge = self._desired.bridges.get(step.bridge)
        port = bridge.ports.get(step.port) if bridge else None
        return port is None or len(port.members) != 1

    def _lay_out(self, observed: Observed) -> Layout:
        """The layout for what is wanted when devices have had their say.

        Ports that go with their devices are wanted no longer; devices that fit rules become ports.
        """
        is_start = not self._memory.has_begun
        thought = self._thought
        if thought and thought.is_of(self._desired, observed.links, self._settled):
            layout = thought.layout
        else:
            layout = lay_out(self._desired, observed, self._settled)
        following = follow_devices(
            self._desired, layout, self._settled, observed, self._clock.now(), self._memory
        )
        self._memory, self._deadline = following.memory, following.deadline
        if is_start:
            self._departed_at_start = tuple(sorted(following.departed))
        if following.departed:
            for departing in self._foretold:
                departing(following.departed)
            self._departed.update(following.departed)
            self._desired = following.desired
            layout = lay_out(self._desired, observed, self._settled)
        adoption = adopt(
            self._desired, layout, self._settled, observed, self._strays, is_start=is_start
        )
        self._strays = adoption.strays
        if adoption.adopted:
            self._adopted.update(adoption.adopted)
            self._adopted_again.update({*adoption.adopted}.intersection(self._departed_at_start))
            # They have had their devices, even if these go before they are bound.
            self._memory = replace(self._memory, seen=self._memory.seen | {*adoption.adopted})
            self._desired = adoption.desired
            layout = lay_out(self._desired, observed, self._settled)
        return layout

    def age(self, now: int, tell: TellAddresses = _tell_nobody) -> list[HotswitchError]:
        """Forget addresses not seen for the ageing time; errors, which stop no other bridge.

        Also those in VLANs that their port does not carry, should any be left. `tell` is told what
        each bridge knows then.
        """
        errors: list[HotswitchError] = []
        for name, bridge in self._desired.bridges.items():
            datapath = self._world.datapaths.get(name)
            if datapath is None:
                continue
            try:
                known = address_table.look(bridge, datapath, now)
                if known.old:
                    self.expired[name] += datapath.delete_addresses(known.old)
                if known.lost:
                    datapath.delete_addresses(known.lost)
                tell(name, known.left, known.ports)
            except HotswitchError as error:
                errors.append(error)
        return errors

    def status(self) -> dict[str, BridgeStatus]:
        """All bridges and their ports. Raises HotswitchError if the links can't be listed."""
        return {
            name: replace(each, ports=in_order(name, each.ports))
            for name, each in self.statuses().items()
        }

    def statuses(self) -> Mapping[str, BridgeStatus]:
        """The same, with ports in no order; what is as it was the last time is shared."""
        self._shown = self._shown.after(self._layout(), self._failures, self._strays)
        return self._shown.bridges

    @property
    def lacks_devices(self) -> bool:
        """Whether a port was without a device that others make when the status was last asked."""
        known = self._lacking
        self._lacking = {
            name: known[name] if name in known and known[name][0] is bridge else _lacking(bridge)
            for name, bridge in self._shown.bridges.items()
        }
        return any(lacks for _, lacks in self._lacking.values())

    def vif_of(self, link: str) -> str:
        """The port that is called otherwise than this configured link of it; empty: there is none.

        Raises HotswitchError if the links can't be listed.
        """
        port = self._layout().members.get(link, "")
        return port if port != link else ""

    def _layout(self) -> Layout:
        """That of what is wanted and there; amid work that which is being made so.

        From what is half done, all would have to be laid out anew, time and again.
        """
        return self._under_way or lay_out(self._desired, observe(self._world), self._settled)

    def links(self) -> LinkTable:
        """All links, with everything that has been done to them. Raises HotswitchError."""
        return self._world.links.look()

    def datapath(self, bridge: str) -> Datapath:
        """The bridge's datapath. Raises SwitchError if there is no such bridge, or not yet."""
        if bridge not in self._desired.bridges:
            raise SwitchError(f"there is no bridge {bridge}", remedy="see `hotswitch bridge list`")
        if bridge not in self._world.datapaths:
            raise SwitchError(
                f"bridge {bridge} could not be made", remedy="its status says what is wrong"
            )
        return self._world.datapaths[bridge]

    def addresses(self, bridge: str) -> list[AddressStatus]:
        """The bridge's address table, sorted by VLAN and address. Raises HotswitchError."""
        return address_table.show(self.datapath(bridge), self._clock.now())

    def flush(self, bridge: str, port: str = "", vlan: int | None = None) -> int:
        """Forget what was learned, at one port or in one VLAN if given; how many rows.

        Static addresses stay. Raises HotswitchError.
        """
        datapath = self.datapath(bridge)
        numbers = {each.name: number for number, each in datapath.ports().items()}
        if port and port not in numbers:
            raise SwitchError(
                f"bridge {bridge} has no port {port}", remedy="see `hotswitch port list`"
            )
        return address_table.flush(datapath, numbers[port] if port else None, vlan)

    def statistics(self, bridge: str) -> Mapping[str, PortStatistics]:
        """The ports' statistics by name, some ports' at a time, when first looked at.

        So nobody waits for thousands. Raises HotswitchError, also when looked into.
        """
        return PortCounts(self.datapath(bridge))


def _lacking(bridge: BridgeStatus) -> tuple[BridgeStatus, bool]:
    """The bridge, and whether one of its ports is without a device that others make."""
    links = (link for port in bridge.ports.values() for link in port.links)
    return bridge, any(link.link is None for link in links)
