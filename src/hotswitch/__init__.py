"""hotswitch: a virtual switch whose forwarding is compiled from its own state."""

__version__ = "0.1.0"
