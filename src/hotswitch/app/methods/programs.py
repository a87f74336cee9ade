"""program/show: what runs. A stage of a program is text under its name in the engine's report."""

from __future__ import annotations

from typing import Any

import msgspec

from hotswitch.app.control.dispatch import Method, RequestError
from hotswitch.app.service import Service

STAGES = ("ir", "llvm", "asm")


class Show(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All programs of a bridge or of all; with `stage` (ir, llvm, asm) that form of them."""

    bridge: str = ""
    stage: str = ""


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def show(asked: Show) -> list[dict[str, Any]]:
        if asked.stage and asked.stage not in STAGES:
            raise RequestError(f"{asked.stage!r} is not a stage", remedy=", ".join(STAGES))
        shown = []
        for bridge in service.bridges(asked.bridge):
            report = service.switch.datapath(bridge.name).report()
            programs = [_select(program, asked.stage) for program in report.programs]
            shown.append({"bridge": bridge.name, "engine": report.engine, "programs": programs})
        return shown

    return (Method("program/show", "Show what forwards.", show, Show),)


def _select(program: Any, stage: str) -> dict[str, Any]:
    if not stage:
        return {key: value for key, value in program.items() if key not in STAGES}
    return {key: value for key, value in program.items() if key in ("name", stage)}
