"""`flushproof`, and `python -m flushproof`: the command line, once there is room to load it."""

from __future__ import annotations

import sys

from flushproof.addresses import LEAST, address_space


def main() -> None:
    """Runs the command line; with too few addresses (`ulimit -v`) to load it, says so and exits with status 2."""
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
