"""program/show: what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.service import Service

STAGES: Mapping[str, str] = {"asm": "assembly", "ir": "ir"}
"""Forms of a program: what people call them, and under which key an engine reports them."""


class Show(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All programs of a bridge or of all; with `stage` (asm, ir) that form of them."""

    bridge: str = ""
    stage: str = ""


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def show(asked: Show) -> list[dict[str, Any]]:
        if asked.stage and asked.stage not in STAGES:
            raise RequestError(f"{asked.stage!r} is not a stage", remedy=", ".join(STAGES))
        shown = []
        for bridge in service.forwarding(asked.bridge):
            report = service.switch.datapath(bridge.name).report()
            programs = [_select(program, asked.stage) for program in report.programs]
            shown.append({"bridge": bridge.name, "engine": report.engine, "programs": programs})
        return shown

    return (Method("program/show", show, Show),)


def _select(program: Mapping[str, object], stage: str) -> dict[str, object]:
    """A program without its texts, or as the one that was asked for, if it is still known."""
    shown = {key: value for key, value in program.items() if key not in STAGES.values()}
    if not stage:
        return shown
    missing = "not known: an earlier daemon compiled it"
    return {"hook": program.get("hook"), stage: program.get(STAGES[stage], missing)}
