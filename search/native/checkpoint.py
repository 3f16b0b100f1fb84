"""A search on disk: enough to go on after the process was killed, at whatever moment.

A directory holds `states`, the array of states itself, which only ever grows at its end, and `checkpoint.json`, which says
how many of them count and how far the search had come.  The latter is replaced as a whole, so that there is always one
that is true; states that come after those it counts are of a later moment, and are written again.  Of a compact search,
fingerprints and origins lie beside the states in the same way.  The directory is locked as long as a search has it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FORMAT = 3
_PIECE = 1 << 24


@dataclass(frozen=True)
class Progressed:
    """How far a search has come.

    levels: the number of the first state of each level; head: the next state to expand; unreduced: how many states they stand
    for by symmetry; seen: for each property that was violated or reached the number of a first such state; deadlock: likewise.
    chunks: of a compact search, see `Search`.
    """

    count: int
    head: int
    levels: Sequence[int]
    transitions: int
    unreduced: int
    seen: Mapping[int, int]
    deadlock: int | None
    chunks: Sequence[tuple[int, int]] = ()


class Checkpoint:
    """A directory for one search.

    identity: what the search is of; a checkpoint of another one is refused.
    sizes: of each file with something for each state, how many bytes that is.
    saved: how many states the present description covers; sums: checksums of what the files have of them.
    To be closed: it keeps the directory locked.
    """

    def __init__(self, directory: Path, identity: Mapping[str, object], sizes: Mapping[str, int]) -> None:
        self.directory, self.identity, self.sizes = directory, identity, sizes
        self._description = directory / "checkpoint.json"
        self.saved, self.sums = 0, dict.fromkeys(sizes, 0)
        self._lock: int | None = None

    def close(self) -> None:
        """Lets others have the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def create(self) -> None:
        """Makes the directory.

        Raises:
            FlushproofError: it holds a checkpoint, or another search has it, or it cannot be made.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._take()
            if self._description.exists():
                raise FlushproofError(
                    f"{self.directory} holds a checkpoint already: resume it, or choose another directory."
                )
            for name in self.sizes:
                (self.directory / name).write_bytes(b"")
        except OSError as error:
            raise FlushproofError(f"{self.directory} cannot hold a checkpoint: {error.strerror}.") from None

    def load(self) -> Progressed:
        """How far the search had come.

        Raises:
            FlushproofError: there is no checkpoint, or one of another search, or another search has it, or it is damaged.
        """
        try:
            self._take()
            said = json.loads(self._description.read_text())
            identity = dict(said["identity"])
            self._refuse_another("version", identity)
            sums, seal, progressed = said["sums"], said["seal"], Progressed(**said["progressed"])
        except FileNotFoundError:
            raise FlushproofError(f"there is no checkpoint in {self.directory}.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise FlushproofError(
                f"the checkpoint in {self.directory} is damaged: its description cannot be read."
            ) from None
        if seal != _seal(said):
            raise FlushproofError(f"the checkpoint in {self.directory} is damaged: its description was changed.")
        for key in self.identity:
            self._refuse_another(key, identity)
        self.saved, self.sums = progressed.count, {name: self._checksum(name, progressed.count) for name in self.sizes}
        if self.sums != sums:
            raise FlushproofError(
                f"the checkpoint in {self.directory} is damaged: its states are not those that were saved."
            )
        return Progressed(**{**asdict(progressed), "seen": {int(k): v for k, v in progressed.seen.items()}})

    def save(self, progressed: Progressed, sums: Mapping[str, int]) -> None:
        """Replaces the description; `sums` are the checksums of what the files have of the states, already written to disk.

        Raises:
            OSError: it cannot be written; the one before stays.
        """
        said: dict[str, object] = {
            "identity": self.identity,
            "progressed": asdict(progressed),
            "sums": dict(sums),
        }
        said["seal"] = _seal(json.loads(json.dumps(said)))
        fresh = self._description.with_suffix(".new")
        with open(fresh, "w") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._description)
        self.saved, self.sums = progressed.count, dict(sums)

    def _take(self) -> None:
        """Locks the directory."""
        if fcntl is None:
            return
        self._lock = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FlushproofError(
                f"another search is using the checkpoint in {self.directory}: wait for it, or choose another directory."
            ) from None

    def _refuse_another(self, key: str, identity: Mapping[str, object]) -> None:
        theirs, ours = identity.get(key), self.identity[key]
        if theirs != ours:
            raise FlushproofError(
                f"the checkpoint in {self.directory} is of another search: {_difference(key, theirs, ours)}."
            )

    def _checksum(self, name: str, count: int) -> int:
        """Of what a file has for the first states; -1 if it has less."""
        left, total = count * self.sizes[name], 0
        try:
            with open(self.directory / name, "rb") as file:
                while left:
                    piece = file.read(min(left, _PIECE))
                    if not piece:
                        return -1
                    total = zlib.crc32(piece, total)
                    left -= len(piece)
        except OSError:
            return -1
        return total


def _seal(said: Mapping[str, object]) -> int:
    """A checksum of the description, as it is read from a file."""
    return zlib.crc32(json.dumps([said["identity"], said["progressed"], said["sums"]], sort_keys=True).encode())


def _difference(key: str, theirs: object, ours: object) -> str:
    """In which way a search is another one, as in `its policy is fixed, not v4.17`."""
    match theirs, ours:
        case dict(), dict():
            changed = [f"{k}={theirs.get(k)}, not {v}" for k, v in ours.items() if theirs.get(k) != v]
            return f"its {key} are other ones ({'; '.join(changed)})"
        case list(), list():
            missing, extra = [n for n in ours if n not in theirs], [n for n in theirs if n not in ours]
            parts = [f"{what} {', '.join(names)}" for what, names in (("without", missing), ("with", extra)) if names]
            return f"its {key} are other ones ({'; '.join(parts) or 'in another order'})"
        case _:
            return f"its {key} is {theirs}, not {ours}"


def identity_of(
    instance: Instance, properties: Sequence[str], symmetry: bool, compact: bool, code: str
) -> dict[str, object]:
    """What a search is of, for people to compare; `code` stands for all that the words leave out."""
    return {
        "version": f"{version('flushproof')} ({_FORMAT})",
        "system": instance.system.name,
        "policy": instance.policy,
        "sizes": dict(instance.sizes),
        "knobs": dict(instance.knobs),
        "properties": list(properties),
        "symmetry": "on" if symmetry else "off",
        "store of states": "compact" if compact else "full",
        "compiled code": f"{zlib.crc32(code.encode()):08x}",
    }
