"""eBPF: the program as LLVM, for the tcx hook and for XDP."""
