"""hotswitch measured by itself: the program, its tables, its shape, the daemon's start."""
