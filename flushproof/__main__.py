"""`flushproof` and `python -m flushproof`: the command line, once there is room to load it.

Of Ctrl-C while it is loaded no more is made than an end.
"""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130
"""What a shell says of a program that an interrupt ended."""


def main() -> None:
    """Runs the command line; with too few addresses (`ulimit -v`) to load it, says so and exits with status 2."""
    # Python's own way would be a traceback from wherever loading has come to; there is nothing yet to be lost or reported.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from flushproof.addresses import LEAST, address_space

    limit = address_space()
    if limit is not None and limit < LEAST:
        sys.exit(
            _refused(f"ulimit -v leaves {limit / 2**20:,.0f} MiB of addresses, and {LEAST / 2**20:,.0f} are needed")
        )
    from flushproof.cli import main as commands  # only now: numpy, LLVM and Z3 come with it

    commands(prog_name="flushproof")


def _refused(reason: str) -> int:
    print(f"flushproof: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
