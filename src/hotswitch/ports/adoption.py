"""Rules by which a bridge takes devices as they appear. Pure.

A rule is conditions with commas between them, then settings of the port; rules are separated by
semicolons, and the first that a device fits counts:

    tap*.* tag=5 lifecycle=ephemeral; kind=veth,lxc* trunks=10,20 external-ids:owner=lxc
    tap{dom}.{dev}+vif{dom}.{dev} tag=5
    kind=tun vif=address

Conditions: a pattern of names (`patterns`), `kind=`, `driver=`, and `master=`, the Linux bridge
that the device is in. Without that a device that is in one is never taken.

Patterns with `+` between them make a VIF of the devices whose words in braces are the same, called
as by the first pattern; so does `vif=address` with devices of one Ethernet address. Of a VIF's
devices, one that fits a later pattern is preferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from hotswitch.kernel.links import Link
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.patterns import LONGEST_NAME, Pattern, common_name, read_pattern

_CONDITIONS = ("kind", "driver", "master")
_EVERYTHING = Pattern("*")
_MOST = 128
"""Patterns of one bridge: each is compared with each of the other bridges'."""


@dataclass(frozen=True)
class Rule:
    """patterns: of names. settings: of the port, as they are written; sorted.

    is_vif: several devices are one port. by_address: those with the same Ethernet address.
    """

    patterns: tuple[Pattern, ...] = (_EVERYTHING,)
    kind: str = ""
    driver: str = ""
    master: str = ""
    by_address: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def is_vif(self) -> bool:
        return self.by_address or len(self.patterns) > 1

    def __str__(self) -> str:
        conditions = ["+".join(map(str, self.patterns))]
        conditions += [f"{each}={value}" for each in _CONDITIONS if (value := getattr(self, each))]
        settings = ["vif=address"] if self.by_address else []
        settings += [f"{key}={value}" for key, value in self.settings]
        return " ".join([",".join(conditions), *settings])


@dataclass(frozen=True, slots=True)
class Fit:
    """A rule that a device fits. port: what the port is called. place: the pattern that it fits."""

    rule: Rule
    port: str
    place: int = 0


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules; none for an empty text. Raises PortTextError."""
    rules = tuple(_read_rule(each) for each in text.split(";") if each.strip())
    if text.strip() and not rules:
        raise PortTextError(f"{text[:40]!r} holds no rule", remedy="without text there are none")
    count = sum(len(rule.patterns) for rule in rules)
    if count > _MOST:
        remedy = f"a bridge has at most {_MOST}; * and ? stand for many names"
        raise PortTextError(f"{count} patterns of names are too many", remedy=remedy)
    return rules


def show_rules(rules: Iterable[Rule]) -> str:
    """The text that `read_rules` reads."""
    return "; ".join(map(str, rules))


def fit(rules: Iterable[Rule], link: Link, master: str) -> Fit | None:
    """The first rule that a device fits; `master`: the name of the Linux bridge that it is in."""
    for rule in rules:
        if rule.kind not in ("", link.kind) or rule.driver not in ("", link.driver):
            continue
        if rule.master != master:
            continue
        for place, pattern in enumerate(rule.patterns):
            fields = pattern.match(link.name)
            if fields is None:
                continue
            name = link.name
            if rule.by_address:
                name = f"vif{link.address:012x}" if link.address else ""
            elif rule.is_vif:
                name = rule.patterns[0].fill(fields)
            if 0 < len(name.encode()) <= LONGEST_NAME:
                return Fit(rule, name, place)
    return None


def overlap(ones: Iterable[Rule], others: Iterable[Rule]) -> str:
    """The name of a device that could fit rules of both, or nothing if there can't be one."""
    for one, other in product(ones, others):
        if one.master != other.master or any(
            "" != getattr(one, each) != getattr(other, each) != "" for each in ("kind", "driver")
        ):
            continue
        for pair in product(one.patterns, other.patterns):
            if name := common_name(*pair):
                return name
    return ""


def _read_rule(text: str) -> Rule:
    conditions, *settings = text.split()
    patterns: tuple[Pattern, ...] = ()
    values: dict[str, str] = {}
    for each in conditions.split(","):
        key, equals, value = each.partition("=")
        if equals:
            if key not in _CONDITIONS or not value or key in values:
                raise PortTextError(
                    f"{each[:40]!r} is no condition for adoption",
                    remedy="conditions are a pattern of names, and kind=, driver= or master= once",
                )
            values[key] = value
        elif patterns:
            raise PortTextError(f"{text.strip()[:60]!r} has two patterns", remedy="use two rules")
        else:
            patterns = tuple(map(read_pattern, each.split("+")))
    given = _settings(settings)
    by_address = given.pop("vif", "")
    if by_address not in ("", "address"):
        raise PortTextError(f"vif={by_address[:40]} is unknown", remedy="it is vif=address")
    if len(patterns) > 1 and not by_address:
        _check_group(patterns)
    return Rule(
        patterns or (_EVERYTHING,),
        **values,
        by_address=bool(by_address),
        settings=tuple(sorted(given.items())),
    )


def _settings(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value) or key in found:
            raise PortTextError(f"{word[:40]!r} is no setting", remedy="write KEY=VALUE, each once")
        found[key] = value
    return found


def _check_group(patterns: Sequence[Pattern]) -> None:
    names = {each.fields for each in patterns}
    if len(names) > 1 or not patterns[0].fields or any(each.has_wildcards for each in patterns):
        text = "+".join(map(str, patterns))
        raise PortTextError(
            f"{text[:60]!r} does not tell which devices belong together",
            remedy="give the same words in braces in each, and no * or ?, or vif=address",
        )
