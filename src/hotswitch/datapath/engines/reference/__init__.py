"""The reference engine: docs/pipeline.md in plain Python. It defines what is right."""

from hotswitch.datapath.engines.reference.engine import ReferenceEngine
from hotswitch.datapath.engines.reference.outcome import End, Outcome
from hotswitch.datapath.engines.reference.recorder import Recorder
from hotswitch.datapath.engines.reference.snapshot import snapshot

__all__ = ["End", "Outcome", "Recorder", "ReferenceEngine", "snapshot"]
