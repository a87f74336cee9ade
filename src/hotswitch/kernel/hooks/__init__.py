"""Where a program can be on a device, one hook a file, all used alike (`hook`)."""
