"""The settings of bridges and ports, as words of a command line; the tree of files has them too."""

from __future__ import annotations

from hotswitch.app.cli import names
from hotswitch.app.cli.words import (
    LIFECYCLES,
    Word,
    lifecycle,
    mac,
    number,
    on_off,
    one_of,
    or_none,
    pairs,
    several,
    text,
    vlan,
    vlans,
)

_MODES = ("access", "trunk", "native-tagged", "native-untagged")
_TYPES = ("system", "internal", "tap", "patch")
_HOOKS = ("auto", "tcx", "xdp")

OF_BRIDGES = (
    Word("ageing", "ageing_time", or_none(number(0, 1_000_000), 300)),
    Word("address-limit", "address_limit", or_none(number(1, 1_000_000), 8192)),
    Word("reserved", "forward_reserved", or_none(on_off, False), ("on", "off")),
    Word("lifecycle", "lifecycle", or_none(lifecycle, ""), LIFECYCLES),
    Word("adopt", "adopt", or_none(text, "")),
    Word("facade", "facade", or_none(text, ""), offer=names.linux_bridges),
)
"""What `bridge add` and `bridge set` take."""

OF_PORTS = (
    Word("tag", "tag", or_none(vlan)),
    Word("trunks", "trunks", or_none(vlans, ())),
    Word("mode", "mode", or_none(one_of(*_MODES)), _MODES),
    Word("hook", "hook", or_none(one_of(*_HOOKS), "auto"), _HOOKS),
    Word("storm-limit", "storm_limit", or_none(number(0, 1_000_000_000), 0)),
    Word("number", "number", or_none(number(0, 0xFEFF), 0)),
    Word("type", "type", or_none(one_of(*_TYPES), "system"), _TYPES),
    Word("peer", "peer", or_none(text, ""), names="port"),
    Word("mac", "mac", or_none(mac, "")),
    Word("mtu", "mtu", or_none(number(68, 65535), 0)),
    Word("lifecycle", "lifecycle", or_none(lifecycle, ""), LIFECYCLES),
    Word("link", "link", or_none(text, ""), offer=names.selectors),
    Word("follow-rename", "follow_rename", or_none(on_off, True), ("on", "off")),
    Word("vif", "vif", or_none(several, []), offer=names.several_links),
    Word("metadata", "metadata", or_none(pairs, {})),
)
"""What `port add` and `port set` take."""
