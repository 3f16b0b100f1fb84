"""Searches that are killed and go on, and searches whose states lie on disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native import engine, library, store
from flushproof.search.native.engine import NativeEngine
from flushproof.search.task import Limits

from tests.generated import instance
from tests.search.native.test_native import facts

SYSTEM, POLICY = "kvm-vmid-generation", "v4.17"

CHILD = """
import sys
from pathlib import Path
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native import engine, library
library.PRINT_BYTES = 0
engine._SAVE_INTERVAL, engine._CHUNK = 0.0, 2000
inst = instantiate(load_system(sys.argv[1]), sys.argv[2])
where = Path(sys.argv[3])
resume = (where / "checkpoint.json").exists()
kept = engine.NativeEngine(checkpoint=where, resume=resume, compact=sys.argv[4] == "compact")
explore(inst, symmetry=False, engine=kept)
print("finished")
"""


@pytest.mark.parametrize("seed", range(15))
def test_resumed_search_finishes_alike(seed: int, tmp_path: Path) -> None:
    inst = instance(seed)
    whole = explore(inst, symmetry=False, engine=NativeEngine())
    first = NativeEngine(checkpoint=tmp_path / "kept")
    explore(inst, symmetry=False, limits=Limits(depth=1), engine=first)
    resumed = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=tmp_path / "kept", resume=True))
    assert facts(resumed) == facts(whole)


@pytest.mark.parametrize("compact", [False, True])
def test_survives_being_killed(compact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    where = tmp_path / "kept"
    command = [sys.executable, "-c", CHILD, SYSTEM, POLICY, str(where), "compact" if compact else "full"]
    kills = 0
    for patience in (0.1, 0.3, 0.2, 0.5):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        waited_for = (where / "checkpoint.json").stat().st_mtime_ns if (where / "checkpoint.json").exists() else 0
        while child.poll() is None:
            if (where / "checkpoint.json").exists() and (where / "checkpoint.json").stat().st_mtime_ns > waited_for:
                break
            time.sleep(0.01)
        time.sleep(patience)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.wait()
    assert kills > 0
    inst = instantiate(load_system(SYSTEM), POLICY)
    resumed = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=where, resume=True, compact=compact))
    assert facts(resumed) == facts(explore(inst, symmetry=False, engine=NativeEngine()))


def test_states_on_disk(tmp_path: Path) -> None:
    inst = instantiate(load_system(SYSTEM), POLICY)
    spilled = explore(inst, symmetry=False, engine=NativeEngine(spill=tmp_path))
    assert facts(spilled) == facts(explore(inst, symmetry=False, engine=NativeEngine()))
    assert not list(tmp_path.iterdir())


def test_an_interrupt_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "kept"
    inst = instantiate(load_system(SYSTEM), POLICY)
    looks = 0
    look = engine.Search._look

    def interrupted_look(self: engine.Search) -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            signal.raise_signal(signal.SIGINT)
        look(self)

    monkeypatch.setattr(engine, "_CHUNK", 300)
    monkeypatch.setattr(engine.Search, "_look", interrupted_look)
    stopped = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=where))
    monkeypatch.undo()
    assert stopped.reason is not None and "an interrupt" in stopped.reason
    assert json.loads((where / "checkpoint.json").read_text())["progressed"]["count"] == stopped.states
    resumed = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=where, resume=True))
    assert facts(resumed) == facts(explore(inst, symmetry=False, engine=NativeEngine()))


def test_a_level_is_finished_though_a_violation_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the interruption: other violations of the same depth are found, and states are counted alike."""
    inst = instantiate(load_system(SYSTEM), POLICY)
    look = engine.Search._look

    def interrupted_look(self: engine.Search) -> None:
        if self._done() and self.head < self.levels[-1]:
            signal.raise_signal(signal.SIGINT)
        look(self)

    monkeypatch.setattr(engine, "_CHUNK", 300)
    monkeypatch.setattr(engine.Search, "_look", interrupted_look)
    stopped = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=tmp_path / "kept"))
    monkeypatch.undo()
    resumed = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=tmp_path / "kept", resume=True))
    assert stopped.reason is not None and stopped.states < resumed.states
    assert facts(resumed) == facts(explore(inst, symmetry=False, engine=NativeEngine()))


def test_a_limit_of_states_says_what_is_kept(tmp_path: Path) -> None:
    inst = instantiate(load_system(SYSTEM), POLICY)
    limits = Limits(states=5000)
    stopped = explore(inst, symmetry=False, limits=limits, engine=NativeEngine(checkpoint=tmp_path / "kept"))
    kept = json.loads((tmp_path / "kept" / "checkpoint.json").read_text())["progressed"]["count"]
    assert stopped.reason is not None and f"(the checkpoint has {kept})" in stopped.reason
    resumed = explore(inst, symmetry=False, engine=NativeEngine(checkpoint=tmp_path / "kept", resume=True))
    assert facts(resumed) == facts(explore(inst, symmetry=False, engine=NativeEngine()))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_visited_set_on_disk(workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TABLE_SHARE", 1 << 40)
    monkeypatch.setattr(store, "SMALLEST", 8)
    mapped = []
    new_table = store.Store._new_table

    def noted(self: store.Store, bits: int) -> None:
        new_table(self, bits)
        table = self._table
        assert table is not None and table.file is not None and table.file.exists()
        mapped.append(table.size)

    monkeypatch.setattr(store.Store, "_new_table", noted)
    inst = instantiate(load_system(SYSTEM), POLICY)
    limits = Limits(memory_bytes=1 << 40)
    spilled = explore(inst, symmetry=False, limits=limits, engine=NativeEngine(spill=tmp_path, workers=workers))
    monkeypatch.undo()
    assert facts(spilled) == facts(explore(inst, symmetry=False, engine=NativeEngine()))
    assert len(mapped) > 1 and not list(tmp_path.iterdir())


def test_refuses_what_is_not_its_own(tmp_path: Path) -> None:
    where = tmp_path / "kept"
    one, other = instance(3), instance(6)
    with pytest.raises(FlushproofError, match="no checkpoint"):
        explore(one, engine=NativeEngine(checkpoint=where, resume=True))
    explore(one, engine=NativeEngine(checkpoint=where))
    with pytest.raises(FlushproofError, match="holds a checkpoint already"):
        explore(one, engine=NativeEngine(checkpoint=where))
    with pytest.raises(FlushproofError, match="of another"):
        explore(other, engine=NativeEngine(checkpoint=where, resume=True))
    with pytest.raises(FlushproofError, match="its symmetry is on, not off"):
        explore(one, symmetry=False, engine=NativeEngine(checkpoint=where, resume=True))


def test_refuses_a_damaged_checkpoint(tmp_path: Path) -> None:
    where = tmp_path / "kept"
    inst = instance(6)
    explore(inst, engine=NativeEngine(checkpoint=where))
    states = bytearray((where / "states").read_bytes())
    states[0] ^= 1
    (where / "states").write_bytes(states)
    with pytest.raises(FlushproofError, match="damaged"):
        explore(inst, engine=NativeEngine(checkpoint=where, resume=True))
    assert (where / "states").read_bytes() == states
    description = json.loads((where / "checkpoint.json").read_text())
    for text in (json.dumps(description)[:-7], "[]", "{}", json.dumps({**description, "progressed": {"count": 1}})):
        (where / "checkpoint.json").write_text(text)
        with pytest.raises(FlushproofError, match="damaged: its description cannot be read"):
            explore(inst, engine=NativeEngine(checkpoint=where, resume=True))
    description["progressed"]["head"] -= 1
    (where / "checkpoint.json").write_text(json.dumps(description))
    with pytest.raises(FlushproofError, match="damaged: its description was changed"):
        explore(inst, engine=NativeEngine(checkpoint=where, resume=True))


def test_refuses_other_sizes_policies_and_versions(tmp_path: Path) -> None:
    cls = load_system("kvm-vcpu-switch")
    explore(instantiate(cls, "none"), engine=NativeEngine(checkpoint=tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def refused(match: str, policy: str = "none", **sizes: int) -> None:
        with pytest.raises(FlushproofError, match=match):
            explore(instantiate(cls, policy, {}, sizes), engine=NativeEngine(checkpoint=tmp_path, resume=True))

    refused(r"its sizes are other ones \(Vcpu=2, not 3\)", vcpu=3)
    refused("its policy is none, not always", "always")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    description = json.loads(before["checkpoint.json"])
    description["identity"]["version"] = "0.0 (1)"
    (tmp_path / "checkpoint.json").write_text(json.dumps(description))
    refused("its version is 0.0")
