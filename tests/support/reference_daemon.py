"""hotswitchd with the reference engine: all of the daemon but the forwarding.

For tests of what is around the forwarding: quick, and without a compiler.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hotswitch.app import daemon, engines
from hotswitch.base.clock import MonotonicClock
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry


def _reference(name: str, registry: Registry, pins: Path, address_limit: int, _: int) -> Engine:
    return ReferenceEngine(registry, MonotonicClock(), address_limit)


if __name__ == "__main__":
    kind = engines.EngineKind(_reference, lambda: None)
    engines.ENGINES = {"auto": kind, "kernel": kind}
    sys.exit(daemon.run(sys.argv[1:]))
