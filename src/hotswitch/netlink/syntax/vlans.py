"""Forms of tag control information and of MPLS labels: several numbers in one."""

from __future__ import annotations

from hotswitch.netlink.syntax.fields import Field, Fields, read_name, read_parts
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.syntax.numbers import Integer
from hotswitch.netlink.syntax.reader import Reader

LABELS = 3
"""How many labels a key has at most (FLOW_MAX_MPLS_LABELS, include/openvswitch/flow.h)."""

_HEX = "0x{:x}".format
_BIT = Integer(1, mask="{:x}".format)

VID = Field("vid", Integer(12, mask=_HEX), "tci")
PRIORITY = Field("pcp", Integer(3, mask=_HEX), "tci", 13)
PRESENT = Field("cfi", _BIT, "tci", 12, default=1, shown=False)

LABEL = (
    Field("label", Integer(20, mask=_HEX), "label", 12),
    Field("tc", Integer(3, mask="{:x}".format), "label", 9),
    Field("ttl", Integer(8, mask=_HEX), "label", 0),
    Field("bos", _BIT, "label", 8),
)


class Vlan:
    """A tag. There is one if nothing else is said (`cfi=0`), and that is always looked at."""

    _fields = (VID, PRIORITY, PRESENT)
    usage = Fields(None, *_fields).usage

    def show(self, value: int, mask: int | None, style: Style) -> str:
        """`cfi` only if it is not as always."""
        parts = []
        for field in self._fields:
            here = field.of(value)
            looked_at = field.form.full if mask is None else field.of(mask)
            if field is PRESENT:
                wanted = not here or not looked_at
            else:
                wanted = style.verbose or bool(here or looked_at)
            if wanted:
                parts.append(f"{field.name}={field.form.show(here, looked_at, style)}")
        return ",".join(parts)

    def read(self, reader: Reader) -> tuple[int, int]:
        """A tag and its mask."""
        values, masks = read_parts(reader, {each.name: each for each in self._fields})
        values.setdefault(PRESENT, 1)
        masks.setdefault(PRESENT, 1)
        return _joined(values), _joined(masks)

    def exact(self, mask: int) -> bool:
        """Whether all bits are looked at."""
        return mask == 0xFFFF


class Labels:
    """MPLS labels, outermost first; a name that comes again begins the next one."""

    usage = Fields(None, *LABEL).usage

    def show(self, value: tuple[int, ...], mask: tuple[int, ...] | None, style: Style) -> str:
        """Under a mask, each part with its own."""
        if mask is None or self.exact(mask):
            return ",".join(f"{field.name}={field.of(label)}" for label in value for field in LABEL)
        return ",".join(
            f"{field.name}={field.of(label)}/{field.form.mask(field.of(under))}"
            for label, under in zip(value, mask, strict=False)
            for field in LABEL
            if isinstance(field.form, Integer)
        )

    def read(self, reader: Reader) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Labels and their masks."""
        names = {each.name: each for each in LABEL}
        values, masks = [0], [0]
        seen: set[Field] = set()
        while not reader.sees(")"):
            start = reader.position
            field = read_name(reader, names)
            if field in seen:
                if len(values) == LABELS:
                    reader.fail(f"no more than {LABELS} labels", start)
                values.append(0)
                masks.append(0)
                seen.clear()
            seen.add(field)
            value, mask = field.form.read(reader)
            values[-1] |= value << field.shift
            masks[-1] |= mask << field.shift
            if not reader.take(","):
                break
        return tuple(values), tuple(masks)

    def exact(self, mask: tuple[int, ...]) -> bool:
        """Whether all bits are looked at."""
        return all(each == 0xFFFFFFFF for each in mask)


def _joined(parts: dict[Field, int]) -> int:
    return sum(value << field.shift for field, value in parts.items())


TAG = Vlan()
MPLS = Labels()
