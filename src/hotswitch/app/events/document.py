"""The table of events, as Markdown."""

from __future__ import annotations

from hotswitch.app.events.kinds import KINDS


def reference() -> str:
    """All kinds with their fields."""
    rows = (
        f"| `{kind.name}` | {', '.join(f'`{each}`' for each in kind.fields)} | {kind.meaning} |"
        for kind in KINDS.values()
    )
    return "\n".join(["| event | fields | |", "|---|---|---|", *rows]) + "\n"
