"""What runs a pipeline: `reference` defines what is right, `kernel` does it in BPF."""
