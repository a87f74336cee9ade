"""`python -m hotswitch.config` prints what is done with each table, column and key."""

from __future__ import annotations

import sys

from hotswitch.config.document import reference
from hotswitch.ovsdb.schemas import load

if __name__ == "__main__":
    sys.stdout.write(reference(load("Open_vSwitch")))
