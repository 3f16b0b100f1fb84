"""`python -m flushproof`."""

from flushproof.cli import main

if __name__ == "__main__":
    main(prog_name="flushproof")
