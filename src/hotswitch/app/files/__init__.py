"""The switch as a tree of files, for shell scripts, in the manner of sysfs.

`tree` says what there is, from the status; `desk` asks the daemon for what is not in that, and
carries out what is written; `operations` answers the kernel's FUSE with both, and `mounted` has it
mounted while the daemon runs. docs/files.md is for readers.
"""
