"""The kernel engine: the pipeline as BPF programs at the ports, its entries in maps."""

from hotswitch.datapath.engines.kernel.engine import KernelEngine
from hotswitch.datapath.engines.kernel.programs import Compiler

__all__ = ["Compiler", "KernelEngine"]
