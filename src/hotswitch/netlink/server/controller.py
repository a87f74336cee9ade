"""`nlctrl`: which families there are."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping

from hotswitch.netlink.announce import describe_family
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families import controller
from hotswitch.netlink.family import Family
from hotswitch.netlink.policy import listing
from hotswitch.netlink.server.listing import Listed, Table
from hotswitch.netlink.server.request import Handlers, Outcome, Request


class Fixed:
    """A table that never changes; made anew for each part."""

    generation = 0

    def __init__(self, make: Callable[[], Iterator[Attributes]]) -> None:
        self._make = make

    def listed(self, place: int) -> Iterator[Listed]:
        """What has this place or a higher one."""
        for number, each in enumerate(self._make()):
            if number >= place:
                yield Listed(number, each)


class Controller:
    """Answers requests to the controller."""

    def __init__(self, codec: Codec, groups: Mapping[str, int]) -> None:
        self._codec = codec
        self._groups = groups
        self.handlers = Handlers(
            {"getfamily": self._get}, {"getfamily": self._all, "getpolicy": self._policy}
        )

    def _get(self, request: Request) -> Outcome:
        family = self._find(request.attributes)
        return Outcome(self._describe(family), command="newfamily")

    def _all(self, request: Request) -> Table:
        return Fixed(lambda: map(self._describe, self._codec.families.values()))

    def _policy(self, request: Request) -> Table:
        family = self._find(request.attributes)
        only = request.attributes.get("operation")
        return Fixed(lambda: listing(family, self._codec.ids[family], only))

    def _describe(self, family: Family) -> Attributes:
        return describe_family(family, self._codec.ids[family], self._groups)

    def _find(self, attributes: Attributes) -> Family:
        name, number = attributes.get("family_name"), attributes.get("family_id")
        for identity, family in self._codec.families.items():
            if (name is None or family.name == name) and number in (None, identity):
                if name is number is None:
                    break
                return family
        raise NetlinkError("there is no such family", errno=errno.ENOENT)


NOTIFY = controller.ID
"""The number of the controller's group, which never changes (genetlink.c)."""
