"""Print the table of events for docs/events.md: python -m hotswitch.app.events"""

from __future__ import annotations

from hotswitch.app.events.document import reference

if __name__ == "__main__":
    print(reference(), end="")
