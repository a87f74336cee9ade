"""Where programs run: one package a machine."""
