"""Debian 12's own kernel, 6.1, has no tcx: the same programs run from clsact."""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.older_kernel import machine
from tests.support.debian_kernel import NoKernelError, debian_kernel

_ROOT = Path(__file__).parents[2]
_SECONDS = 300.0
"""Then it is taken to hang. It needs less than 60 of an idle processor."""


def test_forwards_without_tcx(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    if os.geteuid():
        pytest.skip("the emulated machine reads what only root may")
    assert request.config.cache
    try:
        kernel = debian_kernel(request.config.cache.mkdir("guest"))
    except NoKernelError as error:
        pytest.skip(str(error))
    # The machine would take long to do it, and can't keep it.
    for folder in ("src", "tests"):
        compileall.compile_dir(_ROOT / folder, quiet=1)
    program = [sys.executable, "-m", "tests.older_kernel.inside"]
    outcome = machine.run(
        kernel, ["env", f"PYTHONPATH={_ROOT / 'src'}:{_ROOT}", *program], _SECONDS
    )
    print(outcome.output)
    print(f"the emulated run took {outcome.seconds:.0f} s, {outcome.processor:.0f} s of processor")
    record_property("emulated_seconds", round(outcome.seconds, 1))
    assert outcome.succeeded
