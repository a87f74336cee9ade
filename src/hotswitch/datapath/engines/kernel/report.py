"""What runs, for people."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.compiler.targets.bpf.hook import AGAIN, SKB, XDP, Context
from hotswitch.datapath.contract import ProgramReport
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.programs import Compiled, annotated
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.programs import Program


def program_report(
    store: MapStore, loaded: Mapping[str, Compiled], homes: Homes | None
) -> ProgramReport:
    """One dictionary a program: its hook, sizes, times, strategies, and texts."""
    return ProgramReport(
        "kernel",
        tuple(
            _program(context.name, identity, loaded.get(context.name), homes)
            for context in (SKB, AGAIN, XDP)
            if (identity := program_id(store, context))
        ),
    )


def program_id(store: MapStore, context: Context) -> int:
    """The id of the pipeline that a hook runs, or 0. Raises KernelError."""
    array = store.known().get(context.programs)
    return int.from_bytes(array.lookup(bytes(4)) or b"", "little") if array else 0


def _program(
    hook: str, identity: int, compiled: Compiled | None, homes: Homes | None
) -> dict[str, object]:
    report: dict[str, object] = {"hook": hook}
    try:
        program = Program.from_id(identity)
        info = program.info()
        program.close()
        report |= {
            "id": info.id,
            "tag": info.tag,
            "instructions": info.translated_length // 8,
            "machine_code_bytes": info.jited_length,
            "verified_instructions": info.verified_instructions,
        }
    except KernelError as error:
        report["error"] = str(error)
    if homes:
        report["tables"] = [
            {
                "table": number,
                "strategies": [
                    f"{search.name}: " + " | ".join(_masks(each.masks) for each in search.subtables)
                    for search in found
                ],
            }
            for number, found in homes.searches.items()
        ]
    if compiled:
        report |= {
            "compile_milliseconds": round(compiled.seconds * 1000, 1),
            "ir": compiled.text,
            "assembly": annotated(compiled),
        }
    return report


def _masks(masks: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{name}/{mask:#x}" for name, mask in masks) or "any"
