"""The project's scripts as files that a hypervisor can call."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def install(folder: Path, *names: str) -> dict[str, Path]:
    """Put these of pyproject.toml's scripts into a folder, as a wheel's installer would."""
    entries = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    installed = {}
    for name in names:
        module, _, function = entries[name].partition(":")
        installed[name] = folder / name
        installed[name].write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(_ROOT / 'src')!r})\n"
            f"from {module} import {function}\nsys.exit({function}())\n"
        )
        installed[name].chmod(0o755)
    return installed
