"""Limits that are kept, and what is left of a search that meets one: of states, memory, time, and the disk."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import ask, explore
from flushproof.search.native import engine, library, store
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits, Task

from tests.generated import instance
from tests.search.native.test_native import facts

SYSTEM, POLICY = "kvm-vmid-generation", "v4.17"


def one() -> Instance:
    """126,000 states without symmetry, 14 bytes each."""
    return instantiate(load_system(SYSTEM), POLICY)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small disk; called again, it has another size."""
    where = tmp_path / "disk"

    def made(size: str) -> Path:
        how = ["-o", f"remount,size={size}"] if where.exists() else ["-t", "tmpfs", "-o", f"size={size}", "none"]
        where.mkdir(exist_ok=True)
        if sys.platform != "linux" or subprocess.run(["mount", *how, where], capture_output=True).returncode:
            pytest.skip("no disk can be mounted here")
        return where

    yield made
    if where.exists():
        subprocess.run(["umount", where], capture_output=True)


def description(where: Path) -> dict[str, object]:
    found = json.loads((where / "checkpoint.json").read_text())["progressed"]
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------------------------------------------------ the disk


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_keeps_what_was_found(
    compact: bool, workers: int, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    where = disk("1m") / "kept"
    kept = NativeEngine(checkpoint=where, workers=workers, compact=compact)
    stopped = explore(one(), symmetry=False, engine=kept)
    assert stopped.verdict != "holds" and not stopped.complete and stopped.states > 5000
    assert "stopped by the disk (No space left on device)" in (stopped.reason or "")
    assert f"(the checkpoint has {stopped.states})" in (stopped.reason or "")
    disk("64m")
    resumed = NativeEngine(checkpoint=where, workers=workers, compact=compact, resume=True)
    assert facts(explore(one(), symmetry=False, engine=resumed)) == facts(
        explore(one(), symmetry=False, engine=NativeEngine())
    )


def test_states_of_a_spilled_search_fill_the_disk(disk: Callable[[str], Path]) -> None:
    where = disk("1m")
    stopped = explore(one(), symmetry=False, engine=NativeEngine(spill=where))
    assert "stopped by the disk" in (stopped.reason or "") and stopped.states > 5000
    assert not list(where.iterdir())


def test_the_visited_set_fills_the_disk(disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALLEST", 10)
    monkeypatch.setattr(store, "TABLE_SHARE", 1 << 40)
    where, limits = disk("1m"), Limits(memory_bytes=1 << 40)
    # What states take is not the matter: they are few as long as the table is large.
    monkeypatch.setattr(store, "LOAD", 0.04)
    stopped = explore(one(), symmetry=False, limits=limits, engine=NativeEngine(spill=where))
    assert "stopped by the disk" in (stopped.reason or "") and stopped.states > 1000
    assert not list(where.iterdir())


def test_a_disk_without_room_destroys_nothing(disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """There is less room left than the checkpoint takes."""
    where = disk("8m") / "kept"
    limits = Limits(states=90_000)
    explore(one(), symmetry=False, limits=limits, engine=NativeEngine(checkpoint=where))
    before = (where / "states").read_bytes()
    assert len(before) == 90_000 * len(before) // int(str(description(where)["count"]))
    (where.parent / "other").write_bytes(b"x" * (os.statvfs(where).f_bavail * 4096 - 8192))
    stopped = explore(one(), symmetry=False, engine=NativeEngine(checkpoint=where, resume=True))
    assert "disk" in (stopped.reason or "") and stopped.states >= 90_000
    assert (where / "states").read_bytes()[: len(before)] == before
    (where.parent / "other").unlink()
    resumed = explore(one(), symmetry=False, engine=NativeEngine(checkpoint=where, resume=True))
    assert facts(resumed) == facts(explore(one(), symmetry=False, engine=NativeEngine()))


def test_a_file_must_not_grow_so_large(tmp_path: Path) -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "from flushproof.cli import main; main()"
    )
    how = ["check", SYSTEM, "--policy", POLICY, "--checkpoint", str(tmp_path / "kept")]
    done = subprocess.run([sys.executable, "-c", program, *how], capture_output=True, text=True)
    assert done.returncode == 2 and "cannot hold a search: File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_checkpoint_is_for_one_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(self: engine.Search) -> None:
        monkeypatch.undo()
        for resume in (False, True):
            with pytest.raises(FlushproofError, match="another search is using the checkpoint"):
                explore(one(), symmetry=False, engine=NativeEngine(checkpoint=tmp_path, resume=resume))
        self._look()

    monkeypatch.setattr(engine.Search, "_look", another)
    explore(one(), symmetry=False, engine=NativeEngine(checkpoint=tmp_path))
    whole = explore(one(), symmetry=False, engine=NativeEngine(checkpoint=tmp_path, resume=True))
    assert facts(whole) == facts(explore(one(), symmetry=False, engine=NativeEngine()))


# --------------------------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("seed", [21, 8])
def test_at_a_limit_of_states_nothing_is_lost(
    seed: int, workers: int, compact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was found is kept, again and again, and counted once."""
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    monkeypatch.setattr(store, "SHARE", 7)
    inst = instance(seed) if seed != 8 else one()
    whole = explore(inst, symmetry=False, engine=NativeEngine())
    found: Outcome | None = None
    for part in range(1, 5):
        limits = Limits(states=max(2 * part, whole.states * part // 5))
        kept = NativeEngine(checkpoint=tmp_path, resume=part > 1, workers=workers, compact=compact)
        found = explore(inst, symmetry=False, limits=limits, engine=kept)
        if found.reason is None:
            break
        assert found.states == limits.states
        if f"(the checkpoint has {limits.states})" not in found.reason:
            assert "(the checkpoint has none: the initial states are not complete)" in found.reason
            return
        assert description(tmp_path)["count"] == limits.states
    kept = NativeEngine(checkpoint=tmp_path, resume=True, workers=workers, compact=compact)
    found = explore(inst, symmetry=False, engine=kept)
    assert facts(found) == facts(whole) and found.unreduced == whole.unreduced


def test_a_limit_that_is_the_machines_says_so(disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "address_space", lambda: 14 * 1000)
    stopped = explore(one(), symmetry=False, engine=NativeEngine())
    assert f"stopped by the limit of {stopped.states} states: memory has no room for more" in (stopped.reason or "")
    assert 500 < stopped.states <= 1000


# --------------------------------------------------------------------------------------------------------------- memory

RUN = """
import resource, sys
from pathlib import Path
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.task import Limits
inst = instantiate(load_system("kvm-vmid-generation"), "fixed", {}, {"cpu": 3})
limit = int(sys.argv[1]) << 20
how = eval(sys.argv[2])
told = []
on_state = told.append if how.pop("told", False) else None
found = explore(inst, symmetry=False, limits=Limits(memory_bytes=limit, states=int(sys.argv[3])),
                engine=NativeEngine(**how), on_state=on_state)
# Not getrusage: its maximum counts what the parent had when it started this process.
most = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found.states, int(most) * 1024 / limit, found.reason)
"""


@pytest.mark.parametrize(
    "how,states",
    [
        ({}, 100_000_000),
        ({"workers": 2}, 100_000_000),
        ({"compact": True}, 100_000_000),
        ({"told": True}, 100_000_000),
        ({"spill": "."}, 3_000_000),
        ({"spill": ".", "workers": 2}, 3_000_000),
        ({"checkpoint": "kept"}, 3_000_000),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is counted otherwise")
def test_memory_stays_within_its_limit(how: dict[str, object], states: int, tmp_path: Path) -> None:
    """Of the whole process, within a twentieth, whatever the options are."""
    options = ", ".join(f"{k}=Path({v!r})" if isinstance(v, str) else f"{k}={v!r}" for k, v in how.items())
    limit = "165" if "spill" in how or "checkpoint" in how else "200"
    done = subprocess.run(
        [sys.executable, "-c", RUN, limit, f"dict({options})", str(states)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    found, share, reason = done.stdout.split(maxsplit=2)
    assert float(share) <= 1.05
    assert ("bytes of memory" in reason) if states > 10**7 else int(found) == states


# ----------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("which", ["native", "reference"])
def test_seconds_are_of_exploring(which: str) -> None:
    from flushproof.engines import engine_of

    inst = one()
    asked = ask(inst, None)
    task = Task(inst, asked.invariants, symmetry=True, limits=Limits(seconds=500), started=time.monotonic() - 1000)
    assert engine_of(which).search(task).stopped is None
