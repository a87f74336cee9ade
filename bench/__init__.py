"""`make bench`: hotswitch measured side by side with others, and by itself."""
