"""`python -m hotswitch.netlink` prints the reference of all messages; with `limits`, what of them
can't be carried out yet; with `syntax`, how flows are written."""

from __future__ import annotations

import sys

from hotswitch.netlink.document import limits, reference, syntax

if __name__ == "__main__":
    pages = {"limits": limits, "syntax": syntax}
    sys.stdout.write(pages.get("".join(sys.argv[1:]), reference)())
