"""Searches with a checkpoint, killed again and again at any moment: does what they find in the end stay what it is?

    python -m benchmarks.kills [--kills 1000] [--workers 1] [--compact] [SYSTEM] [POLICY]

Each process is a fork that has its code compiled already, so that nearly all kills hit a search at work: loading its checkpoint,
exploring, or saving, which it does all the time.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native import engine, library
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome


def facts(outcome: Outcome) -> object:
    """All that a kill must not change; which of several shortest traces is shown is another matter where states are not kept."""
    traces = outcome.omission is None
    violated = [(v.property, v.depth, traces and (v.trace.initial, v.trace.steps)) for v in outcome.violations]
    return outcome.states, outcome.transitions, outcome.depth, outcome.verdict, dict(outcome.reached), violated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", nargs="?", default="kvm-vmid-generation")
    parser.add_argument("policy", nargs="?", default="v4.17")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    library.PRINT_BYTES = 0
    instance = instantiate(load_system(asked.system), asked.policy)

    def search(checkpoint: Path | None = None) -> Outcome:
        resume = checkpoint is not None and (checkpoint / "checkpoint.json").exists()
        how = NativeEngine(workers=asked.workers, compact=asked.compact, checkpoint=checkpoint, resume=resume)
        return explore(instance, symmetry=False, engine=how)

    compiled: list[library.Library] = []
    make = engine.Library

    def once(*arguments: object) -> library.Library:
        if not compiled:
            compiled.append(make(*arguments))  # type: ignore[arg-type]
        return compiled[0]

    engine.Library = once  # type: ignore[assignment, misc]
    whole = facts(search())
    engine._SAVE_INTERVAL, engine._CHUNK = 0.0, 1 << 11
    chance = random.Random(asked.seed)
    kills = searches = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while kills < asked.kills:
            where = Path(folder, f"kept{searches}")
            child = os.fork()
            if not child:
                found = 1
                try:
                    found = 0 if facts(search(where)) == whole else 2
                finally:
                    os._exit(found)
            time.sleep(chance.uniform(0, 0.5))
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            if os.WIFSIGNALED(status):
                kills += 1
            elif os.WEXITSTATUS(status):
                sys.exit(f"after {kills} kills, a search ended with status {os.WEXITSTATUS(status)}")
            else:
                searches += 1
    print(f"{kills} kills of {searches} searches, all of which found the same: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
