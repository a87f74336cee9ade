"""hotswitch on another kernel, in an emulated machine."""
