"""Ports for people to read, from rows of `port/list` and `port/show`."""

from __future__ import annotations

from typing import Any

import click

from hotswitch.app.cli import render


def table(ports: list[dict[str, Any]]) -> None:
    """Print a line for each."""
    render.table(
        ("PORT", "BRIDGE", "NUMBER", "DEVICE", "STATE", "VLAN", "HOOK", "RX", "TX", "DROPPED"),
        (
            (
                each["name"],
                each["bridge"],
                each["number"],
                each["device"] or "-",
                each["state"] + _time_left(each, " ({} left)"),
                each["vlan"] or "-",
                each["hook"],
                each["statistics"]["rx_packets"],
                each["statistics"]["tx_packets"],
                each["statistics"]["rx_dropped"] + each["statistics"]["tx_dropped"],
            )
            for each in ports
        ),
        right="NUMBER RX TX DROPPED",
    )


def details(port: dict[str, Any]) -> None:
    """Print all that there is to say of one."""
    lines = {
        "port": port["name"],
        "bridge": port["bridge"],
        "number": port["number"] or "",
        "state": port["state"],
        "because": port["reason"],
        "type": port["type"],
        "peer": port["peer"],
        "device": _device(port),
        "incarnation": port["incarnation"],
        "links": ", ".join(map(_link, port["links"])) if len(port["links"]) > 1 else "",
        "found by": " or ".join(each["selector"] for each in port["links"]),
        "renames": "" if all(each["follow_rename"] for each in port["links"]) else "not followed",
        "lifecycle": port["lifecycle"] + _time_left(port, ", goes in {}"),
        "metadata": _pairs(port["metadata"]),
        "of its link": _pairs(port["metadata_in_force"], but=port["metadata"]),
        "mac": port["mac"],
        "mtu": port["mtu"] or "",
        "vlan": port["vlan"],
        "trunks": render.vlans(port["trunks"]),
        "hook": port["hook"],
        "storm limit": port["storm_limit"] and f"{port['storm_limit']} packets/s",
    }
    for way, name in (("rx", "received"), ("tx", "sent")):
        counted = {key[3:]: value for key, value in port["statistics"].items() if key[:2] == way}
        lines[name] = ", ".join(
            f"{counted[key]} {unit}"
            for key, unit in (("packets", "packets"), ("bytes", "bytes"), ("dropped", "dropped"))
        )
    for key, value in lines.items():
        if value or value == 0:
            click.echo(f"{key + ':':<12} {value}")
    for each in port["not_acted_on"]:
        click.echo(f"not acted on: {each}")


def _link(link: dict[str, Any]) -> str:
    state = "forwards" if link["forwards"] else "stands by" if link["ifindex"] else "missing"
    known_as = f" as {link['device']}" if link["device"] not in ("", link["name"]) else ""
    return f"{link['name']}{known_as} {state}"


def _time_left(port: dict[str, Any], form: str) -> str:
    left = port["time_left"]
    return "" if left is None else form.format(render.seconds(left))


def _device(port: dict[str, Any]) -> str:
    if not port["device"]:
        return "none"
    # Of a pair, the index is that of the switch's end.
    index = f" (index {port['ifindex']})" if port["device"] == port["link"] else ""
    return f"{port['device']}{index}"


def _pairs(pairs: dict[str, str], but: dict[str, str] | None = None) -> str:
    known = (but or {}).items()
    return ", ".join(f"{key}={value}" for key, value in pairs.items() if (key, value) not in known)
