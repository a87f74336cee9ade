"""`make demo`: hotswitch at work in a small lab that leaves nothing behind."""
