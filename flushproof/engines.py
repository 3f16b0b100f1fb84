"""Who explores: the engines by the names that users give them, and what they may use of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flushproof.model.errors import FlushproofError, nearest, of_type, whole
from flushproof.search.reference.breadth_first import ReferenceEngine
from flushproof.search.task import Engine

ENGINES = ("native", "reference")
DEFAULT_ENGINE = ENGINES[0]


@dataclass(frozen=True)
class Resources:
    """What a search may use; none of it changes a verdict or a count.

    workers: threads, 1 or more; checkpoint: a directory that keeps the search, so that it survives a kill; resume: go on from
    there; spill: a directory for states that memory has no room for.
    """

    workers: int = 1
    checkpoint: Path | None = None
    resume: bool = False
    spill: Path | None = None

    def __post_init__(self) -> None:
        whole("the number of workers", self.workers, 1)
        of_type("`resume`", self.resume, bool)
        for name in ("checkpoint", "spill"):
            of_type(f"`{name}`", getattr(self, name), Path, type(None))


def engine_of(name: str = DEFAULT_ENGINE, resources: Resources = Resources(), compact: bool = False) -> Engine:
    """The engine of this name.

    compact: with fingerprints of states instead of states.

    Raises:
        FlushproofError: there is none, or it cannot use these resources.
    """
    match name:
        case "native":
            from flushproof.search.native.engine import NativeEngine  # only now: it loads a compiler

            return NativeEngine(
                workers=resources.workers,
                checkpoint=resources.checkpoint,
                resume=resources.resume,
                spill=resources.spill,
                compact=compact,
            )
        case "reference":
            if compact:
                raise FlushproofError("the reference engine compares whole states: use --engine native with --compact")
            if resources != Resources():
                raise FlushproofError(
                    "the reference engine has one worker and keeps everything in memory: use --engine native"
                )
            return ReferenceEngine()
        case _:
            raise FlushproofError(f"there is no engine '{name}'. {nearest(name, ENGINES, 'engines')}")
