"""Fuzzes the Netlink decoder and server: `python -m tests.long.netlink [--minutes N]`.

Guided by coverage, with Atheris (one of `develop`'s packages where there is a wheel), from the
recorded requests on; what the server is given is decoded by itself, too. Ends at the first input
that breaks a rule of `tests.netlink.fuzzing`, or that lets memory grow beyond `MEMORY`; the input
is then in the folder that it names: it belongs into tests/netlink/corpus.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

MEMORY = 600
"""MiB."""
_LONGEST = 4096
"""Bytes of an input."""


def main() -> int:
    """The exit code; libFuzzer ends the process itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", choices=("decoder", "server"), default="server")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--corpus", type=Path, help="keep what reaches further here")
    options = parser.parse_args()
    try:
        import atheris  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        print("tests.long.netlink: Atheris is missing (pip install atheris)", file=sys.stderr)
        return 1
    with atheris.instrument_imports(include=["hotswitch.netlink"]):
        from tests.netlink.fuzzing import Target, decode
        from tests.netlink.test_fuzz import CORPUS
        from tests.netlink.test_junk import REQUESTS
    folder = options.corpus or Path(tempfile.mkdtemp(prefix="hotswitch-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*REQUESTS, *(path.read_bytes() for path in CORPUS)]):
        (folder / f"seed{number}").write_bytes(data)
    take = decode if options.target == "decoder" else Target().take
    words = (
        f"-max_total_time={round(60 * options.minutes)}",
        f"-max_len={_LONGEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    )
    print(f"inputs are in {folder}", flush=True)
    atheris.Setup([sys.argv[0], *words, str(folder)], take)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
