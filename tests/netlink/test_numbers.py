"""The tables' numbers and sizes are those of the kernel's own headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswitch.netlink.codec import FAMILIES
from hotswitch.netlink.extended import EXTENDED
from hotswitch.netlink.nested import Attribute, AttributeSet, Indexed, Nested

FOLDER = Path("/usr/include/linux")
FILES = ("openvswitch.h", "genetlink.h", "netlink.h")
NEWER = {
    "OVS_ACTION_ATTR_DROP": 24,
    "OVS_ACTION_ATTR_PSAMPLE": 25,
    "OVS_PSAMPLE_ATTR_GROUP": 1,
    "OVS_PSAMPLE_ATTR_COOKIE": 2,
    "OVS_PACKET_ATTR_UPCALL_PID": 12,
    "OVS_VPORT_ATTR_UPCALL_STATS": 10,
    "OVS_VPORT_UPCALL_ATTR_SUCCESS": 0,
    "OVS_VPORT_UPCALL_ATTR_FAIL": 1,
}
"""What headers older than Linux 6.16 may lack."""


def _enumerations() -> dict[str, int]:
    found = dict(NEWER)
    for name in FILES:
        text = re.sub(r"/\*.*?\*/", "", (FOLDER / name).read_text(), flags=re.DOTALL)
        for body in re.findall(r"enum\s*\w*\s*\{(.*?)\}", text, re.DOTALL):
            number = 0
            for entry in filter(None, (each.strip() for each in body.split(","))):
                word, equals, value = (each.strip() for each in entry.partition("="))
                if equals and value.isdigit():
                    number = int(value)
                found[word] = number
                number += 1
    return found


def _sets() -> Iterator[AttributeSet]:
    found = [EXTENDED, *(family.attributes for family in FAMILIES)]
    for each in found:  # grows on the way
        yield each
        for attribute in each.attributes:
            kind = attribute.type
            while isinstance(kind, Indexed):
                kind = kind.element
            if isinstance(kind, Nested) and all(kind.of() is not known for known in found):
                found.append(kind.of())


def _attributes() -> list[Attribute]:
    return [attribute for each in _sets() for attribute in each.attributes]


@pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in FILES), reason="no kernel headers here"
)
def test_numbers_are_the_kernels() -> None:
    known = _enumerations()
    named = [each for each in _attributes() if each.kernel]
    assert len(named) > 180
    for each in named:
        assert known[each.kernel] == each.number, each.kernel
    for family in FAMILIES[:-1]:  # the last is hotswitch's own
        for command in family.commands:
            assert known[command.kernel] == command.number, command.kernel


@pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in FILES), reason="no kernel headers here"
)
def test_no_attribute_of_the_kernel_is_missing() -> None:
    prefixes = ("OVS_", "NLMSGERR_", "CTRL_ATTR", "NL_POLICY")
    left_out = re.compile(
        r"_UNSPEC$|_UNUSED\d?$|^OVS_(VPORT_TYPE|FRAG|HASH|METER_BAND|UFID)|_CMD_|^OVS_CT_\w+_MAX"
    )
    have = {each.kernel for each in _attributes()}
    for name in _enumerations():
        if name.startswith(prefixes) and "MAX" not in name and not left_out.search(name):
            assert name in have, name
