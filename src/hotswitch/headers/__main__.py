"""`python -m hotswitch.headers` prints all headers and fields, those of other packages too."""

from __future__ import annotations

import sys

from hotswitch.headers.document import reference
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.standard import standard_registry

if __name__ == "__main__":
    try:
        sys.stdout.write(reference(standard_registry()))
    except HeaderError as error:
        sys.exit(f"hotswitch.headers: {error}")
