"""vNICs over links: macvlans, made, found again and taken away.

What is to be is kept before a device is made, and forgotten after it has gone. A device is made
under a name that says who makes it, gets its mark, and only then its own name and its namespace. So
wherever the work breaks off, `recover` finds all that there is:

    hs-OWNER            was being made: it goes
    marked, here        a vNIC of this namespace; without a record, or with one for another: it goes
    marked, elsewhere   a vNIC

A vNIC of the daemon's own namespace is made (again) whenever the link that it is over is there. One
in another namespace goes with that, and is forgotten then.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import msgspec

from hotswitch.base.errors import HotswitchError
from hotswitch.kernel import link_actions, netlink, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.kernel.namespace_ids import namespace_id
from hotswitch.kernel.sysfs import NetworkDevices
from hotswitch.ports import vnics_file
from hotswitch.ports.vnics import KIND, Macvlan, VnicError, mark, token_of, unfinished_name

_MODE = 1
"""IFLA_MACVLAN_MODE."""
_BRIDGE_MODE = 4
"""Those over one link reach each other."""

_log = logging.getLogger(__name__)


class Named(Protocol):
    """Links, found by name and by alternative name."""

    @property
    def by_name(self) -> Mapping[str, Link]:
        """All of them."""


class Macvlans:
    """All of one daemon. Use it in the thread whose network namespace is the daemon's."""

    def __init__(self, path: Path, owner: str, look: Callable[[], Named]) -> None:
        """Know what is kept. Raises VnicError. Nothing is done before `recover`.

        look: tells the links here as they are now, by name and alternative name. It raises
            HotswitchError.
        """
        self._look = look
        self._path = path
        self._owner = owner
        self._vnics = {each.token: each for each in vnics_file.load(path)}
        self._failing: dict[str, str] = {}

    @property
    def vnics(self) -> tuple[Macvlan, ...]:
        """All that are wanted, by their numbers."""
        return tuple(sorted(self._vnics.values(), key=lambda each: (len(each.name), each.name)))

    def error_of(self, vnic: Macvlan) -> str:
        """Why its device can't be made, if it was tried."""
        return self._failing.get(vnic.token, "")

    def recover(self) -> None:
        """Finish with what an earlier life has left. Raises HotswitchError."""
        for link in list_links():
            token = token_of(self._owner, link)
            vnic = self._vnics.get(token)
            is_unfinished = link.kind == KIND and link.name == unfinished_name(self._owner)
            if is_unfinished or (token and (vnic is None or vnic.namespace)):
                _log.info("deletes %s, which is left of a vNIC that was not finished", link.name)
                _delete(link)
        self.forget_gone()

    def follow(self, *, again: bool = False) -> None:
        """Make what is missing and can be made. What fails is logged, and told by `error_of`.

        again: also what has failed. To try that at each news of links would go on for ever, for
        trying makes news.
        """
        if not self._vnics:
            return
        try:
            links = self._look().by_name
        except HotswitchError as error:
            _log.error("vNICs can't be followed: %s", error)
            return
        for vnic in list(self._vnics.values()):
            if vnic.namespace or mark(self._owner, vnic.token) in links:
                continue
            if vnic.over not in links:
                self._failing.pop(vnic.token, None)
            elif again or vnic.token not in self._failing:
                self._make_again(vnic, links)

    def _make_again(self, vnic: Macvlan, links: Mapping[str, Link]) -> None:
        try:
            if vnic.name in links:
                raise VnicError(
                    f"there is a device {vnic.name} that hotswitch did not make",
                    remedy=f"rename it, or delete it: ip link del {vnic.name}",
                )
            self._make(vnic)
        except (KernelError, VnicError) as error:
            if self._failing.get(vnic.token) != str(error):
                _log.error("vNIC %s: %s", vnic.name, error)
            self._failing[vnic.token] = str(error)
        else:
            self._failing.pop(vnic.token, None)
            _log.info("vNIC %s is there again, over %s", vnic.name, vnic.over)

    def add(self, name: str, over: Link, namespace: str, mac: int) -> Macvlan:
        """Make one, keep it, and return it. Raises HotswitchError, with nothing changed."""
        vnic = Macvlan(secrets.token_hex(8), name, over.name, namespace, mac)
        self._keep(vnic)
        try:
            return self._make(vnic)
        except BaseException:
            self._forget(vnic)
            raise

    def delete(self, vnic: Macvlan) -> None:
        """Delete it, and forget it. Raises HotswitchError."""
        found = self.find(vnic)
        if found and vnic.namespace_id >= 0:
            _delete(found, vnic.namespace_id)
        elif found:
            with inside(vnic.namespace):
                _delete(found)
        self._forget(vnic)

    def renamed(self, vnic: Macvlan, name: str) -> None:
        """It has another name now. Raises VnicError."""
        self._keep(msgspec.structs.replace(self._vnics.get(vnic.token, vnic), name=name))

    def link_renamed(self, old: str, new: str) -> None:
        """A link of the daemon's namespace has another name. Raises VnicError."""
        for each in list(self._vnics.values()):
            over = new if each.over == old else each.over
            name = new if each.name == old and not each.namespace else each.name
            after = msgspec.structs.replace(each, over=over, name=name)
            if after != each:
                self._keep(after)

    def find(self, vnic: Macvlan) -> Link | None:
        """The vNIC's device, by its mark and its life; None: there is none. Raises KernelError.

        In another namespace it is found by that one's id: a path such as /proc/PID/ns/net may end,
        or lead elsewhere, while the namespace lives on.
        """
        wanted = mark(self._owner, vnic.token)
        if vnic.namespace_id >= 0:
            there = (each for each in _links_of(vnic) if wanted in each.alternative_names)
            found = next((each for each in there if each.kind == KIND), None)
            return found and replace(found, incarnation=vnic.incarnation)
        with inside(vnic.namespace):
            for link in list_links():
                if link.kind == KIND and wanted in link.alternative_names:
                    life = life_of(link)
                    if not (life and vnic.incarnation) or life == vnic.incarnation:
                        return replace(link, incarnation=life)
        return None

    def forget_gone(self) -> None:
        """Forget those that went with their namespaces. Raises VnicError."""
        gone = [each for each in self._vnics.values() if each.namespace and self._is_gone(each)]
        for vnic in gone:
            _log.info("vNIC %s has gone with namespace %s", vnic.name, vnic.namespace)
            self._forget(vnic)

    def take_away(self) -> None:
        """Delete all devices; those of the daemon's namespace stay wanted.

        Raises HotswitchError.
        """
        for vnic in self.vnics:
            if vnic.namespace:
                self.delete(vnic)
            elif found := self.find(vnic):
                _delete(found)

    def _is_gone(self, vnic: Macvlan) -> bool:
        try:
            return self.find(vnic) is None
        except KernelError as error:
            return netlink.is_gone(error)

    def _make(self, vnic: Macvlan) -> Macvlan:
        if not vnic.namespace:
            return self._make_for(vnic, None)
        descriptor = netns.open_namespace(vnic.namespace)
        try:
            known = msgspec.structs.replace(vnic, namespace_id=namespace_id(descriptor))
            return self._make_for(known, descriptor)
        finally:
            os.close(descriptor)

    def _make_for(self, vnic: Macvlan, namespace: int | None) -> Macvlan:
        """Make it; for the namespace of this descriptor, or here. Raises HotswitchError."""
        base = get_link(vnic.over)
        if base is None:
            raise VnicError(f"there is no link {vnic.over}")
        unfinished = unfinished_name(self._owner)
        data = netlink.u32(_MODE, _BRIDGE_MODE)
        link = link_actions.create(unfinished, KIND, base=base.index, data=data)
        try:
            link_actions.add_alternative_name(link.index, mark(self._owner, vnic.token))
            if vnic.mac:
                link_actions.set_address(link.index, vnic.mac)
            known = msgspec.structs.replace(vnic, incarnation=life_of(link))
            self._keep(known)
            self._name(vnic, link, namespace)
        except BaseException:
            with suppress(KernelError):
                self._undo(vnic, link)
            raise
        return known

    def _name(self, vnic: Macvlan, link: Link, namespace: int | None) -> None:
        """Give a new device its name and its namespace. Raises HotswitchError."""
        try:
            if namespace is not None:
                self._look()  # so that who follows links gets to know it
                link_actions.move(link.index, namespace, vnic.name)
            else:
                link_actions.rename(link.index, vnic.name)
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
            raise VnicError(f"{vnic.name} is taken: another link has it") from None

    def _undo(self, vnic: Macvlan, link: Link) -> None:
        """Delete what was made, here or where it has come to. Raises KernelError."""
        there = None
        if vnic.namespace:
            with suppress(KernelError):
                there = self.find(vnic)
        _delete(there or link, vnic.namespace_id if there else -1)

    def _keep(self, vnic: Macvlan) -> None:
        self._save({**self._vnics, vnic.token: vnic})

    def _forget(self, vnic: Macvlan) -> None:
        self._failing.pop(vnic.token, None)
        self._save({key: each for key, each in self._vnics.items() if key != vnic.token})

    def _save(self, vnics: dict[str, Macvlan]) -> None:
        vnics_file.save(self._path, vnics.values())
        self._vnics = vnics


def inside(namespace: str) -> AbstractContextManager[None]:
    """Put the thread into a namespace for a while; no name: where it is. Raises KernelError."""
    return netns.inside(namespace) if namespace else nullcontext()


def life_of(link: Link) -> int:
    """The incarnation of a link of the thread's namespace; 0: it is not known."""
    try:
        with NetworkDevices() as devices:
            return devices.incarnation(link.name, link.index)
    except KernelError:
        return 0


def _links_of(vnic: Macvlan) -> list[Link]:
    """All links of a vNIC's namespace; none if that has ended. Raises KernelError."""
    try:
        return list_links(vnic.namespace_id)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        return []


def _delete(link: Link, namespace: int = -1) -> None:
    """Delete a link that may have gone. namespace: its id; -1: it is here. Raises KernelError."""
    try:
        link_actions.delete(link.index, namespace)
    except KernelError as error:
        if not netlink.is_gone(error):
            raise
