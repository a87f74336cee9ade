"""`python -m hotswitch.netlink` prints the reference of all messages; with `limits`, what of them
can't be carried out yet."""

from __future__ import annotations

import sys

from hotswitch.netlink.document import limits, reference

if __name__ == "__main__":
    sys.stdout.write(limits() if sys.argv[1:] == ["limits"] else reference())
