"""How the controller describes a family: the answer to CTRL_CMD_GETFAMILY."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.extensions import EXTENSIONS
from hotswitch.netlink.family import Family


def describe_family(family: Family, identity: int, groups: Mapping[str, int]) -> Attributes:
    """A family's message type, commands and multicast groups, as the kernel has them.

    identity: its message type; groups: the numbers of multicast groups, by name. hotswitch's own
    attributes are not counted in `maximum_attribute`: clients size arrays by it.
    """
    own = {each.number for each in EXTENSIONS}
    asked = [each for each in family.commands if each.flags]
    found = Attributes(
        family_name=family.name,
        family_id=identity,
        version=family.version,
        header_size=family.header,
        maximum_attribute=max(family.attributes.by_number.keys() - own),
        operations=Attributes(
            (place, Attributes(id=each.number, flags=each.flags))
            for place, each in enumerate(asked, 1)
        ),
    )
    if family.groups:
        found += Attributes(
            groups=Attributes(
                (place, Attributes(id=groups[name], name=name))
                for place, name in enumerate(family.groups, 1)
            )
        )
    return found
