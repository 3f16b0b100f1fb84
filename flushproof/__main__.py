"""`flushproof` and `python -m flushproof`: the command line, of which Ctrl-C makes no more than an end while it is loaded."""

import os
import signal

INTERRUPTED = 130
"""What a shell says of a program that an interrupt ended."""


def main() -> None:
    """Runs the command that the arguments name."""
    # Python's own way would be a traceback from wherever loading has come to; there is nothing yet to be lost or reported.
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from flushproof.cli import main as commands

    commands(prog_name="flushproof")


if __name__ == "__main__":
    main()
