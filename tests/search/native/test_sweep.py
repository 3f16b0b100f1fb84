"""What does not fit memory is gone through in order: the same states, verdicts and traces as one by one."""

import ctypes
import resource
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native import library, loop, store, sweep, sweeper
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits

from tests.generated import instance
from tests.search.native.test_native import facts

PLENTY = Limits(memory_bytes=1 << 40)


@pytest.fixture(autouse=True)
def swept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Searches on disk sweep from the first state on, a few successors at once and a page after the other; how many at once."""
    made: list[int] = []
    sweeping = store.Store._sweep

    def noted(self: store.Store, first: int, last: int) -> int:
        before = self.transitions
        head = sweeping(self, first, last)
        made.append(self.transitions - before)
        return head

    def always(self: store.Store) -> bool:
        self.swept = self.library.sweeping and self._memory is not None
        return self.swept

    monkeypatch.setattr(store.Store, "sweeping", property(always))
    monkeypatch.setattr(store.Store, "_sweep", noted)
    monkeypatch.setattr(store, "SMALLEST", 4)
    monkeypatch.setattr(store, "TABLE_SHARE", 1 << 60)
    monkeypatch.setattr(sweeper, "LEAST", 1)
    monkeypatch.setattr(sweeper, "MOST", 50)
    monkeypatch.setattr(sweeper, "LEAST_WINDOW", resource.getpagesize())
    return made


def same(one: Outcome, other: Outcome) -> None:
    """All that both found, and the very traces."""
    assert facts(one) == facts(other) and one.unreduced == other.unreduced
    assert one.never == other.never
    traces = [[(v.trace.initial, v.trace.steps) for v in found.violations] for found in (one, other)]
    assert one.omission is not None or traces[0] == traces[1]


@pytest.mark.parametrize("how", [{}, {"workers": 2}, {"compact": True}], ids=["", "workers", "compact"])
@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_sweeps_find_the_same(
    seed: int, symmetry: bool, how: Mapping[str, int], tmp_path: Path, swept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    inst = instance(seed)
    engine = NativeEngine(spill=tmp_path, workers=how.get("workers", 1), compact="compact" in how)
    found = explore(inst, symmetry=symmetry, limits=PLENTY, engine=engine)
    assert swept or not found.transitions
    same(found, explore(inst, symmetry=symmetry, engine=NativeEngine(compact="compact" in how)))


def large() -> Instance:
    sizes = {"cpu": 2, "vcpu": 2, "vm": 2, "vmid": 2}
    return instantiate(load_system("kvm-vmid-generation"), "fixed", {}, sizes)


@pytest.mark.parametrize("at_once", [20, 1 << 24])
def test_a_table_that_grows(at_once: int, tmp_path: Path, swept: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some thousand states, in a table that begins with a few hundred entries, both on disk."""
    monkeypatch.setattr(sweeper, "MOST", at_once)
    found = explore(large(), symmetry=False, limits=PLENTY, engine=NativeEngine(spill=tmp_path))
    same(found, explore(large(), symmetry=False, engine=NativeEngine()))
    assert len(swept) > 10 and found.states > 10_000
    assert not list(tmp_path.iterdir())


def collide(monkeypatch: pytest.MonkeyPatch, different: int) -> None:
    """From now on hashes differ in these bits alone."""
    hashed = loop.LoopFunctions.hash

    def colliding(self: loop.LoopFunctions) -> str:
        before, result = hashed(self).rsplit("ret i64 ", 1)
        return f"{before}%few = and i64 {result.split()[0]}, {different}\n  ret i64 %few\n}}\n"

    monkeypatch.setattr(loop.LoopFunctions, "hash", colliding)


@pytest.mark.parametrize("different", [0, 255])
def test_hashes_collide(different: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly everything is probed again and again, and meets what was stored since."""
    monkeypatch.setattr(sweeper, "MOST", 5000)
    monkeypatch.setattr(sweeper, "LEAST_WINDOW", 1 << 20)
    inst = large() if different else instantiate(load_system("kvm-vcpu-switch"), "none")
    depth = None if different else 8
    expected = explore(inst, engine=NativeEngine(), properties=[], limits=Limits(depth=depth))
    collide(monkeypatch, different)
    limits = Limits(memory_bytes=1 << 40, depth=depth)
    same(explore(inst, limits=limits, engine=NativeEngine(spill=tmp_path), properties=[]), expected)
    assert expected.states > (1000 if different else 100)


def test_what_was_stored_since_lies_in_the_parts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared may have been stored in the same sweep, beyond a power of two, where one part more would begin."""
    met: list[bool] = []
    through = sweeper.Sweeper._through

    def checked(
        self: sweeper.Sweeper,
        context: sweeper.Context,
        stored: sweeper.Stored,
        which: int,
        function: Callable[[int], int],
    ) -> int:
        if which == sweep.COMPARE:
            candidates = (ctypes.c_int32 * context.get("pending")).from_address(context.get("candidates"))
            assert max(candidates) < stored.items
            met.append(max(candidates) >= context.get("floor"))
        return through(self, context, stored, which, function)

    expected = explore(large(), engine=NativeEngine(), properties=[])
    for module in (sweep, sweeper):
        monkeypatch.setattr(module, "PARTS", 16)
    monkeypatch.setattr(sweeper, "MOST", 5000)
    monkeypatch.setattr(sweeper.Sweeper, "_through", checked)
    collide(monkeypatch, 255)
    same(explore(large(), limits=PLENTY, engine=NativeEngine(spill=tmp_path), properties=[]), expected)
    assert any(met)


@pytest.mark.parametrize("compact", [False, True])
def test_at_a_limit_of_states_a_sweep_counts_as_not_done(
    compact: bool, tmp_path: Path, swept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    whole = explore(large(), symmetry=False, engine=NativeEngine())
    for part in range(1, 4):
        limits = Limits(states=whole.states * part // 4, memory_bytes=1 << 40)
        kept = NativeEngine(checkpoint=tmp_path, resume=part > 1, compact=compact)
        stopped = explore(large(), symmetry=False, limits=limits, engine=kept)
        assert stopped.states == limits.states and f"the checkpoint has {limits.states}" in (stopped.reason or "")
    kept = NativeEngine(checkpoint=tmp_path, resume=True, compact=compact)
    found = explore(large(), symmetry=False, limits=PLENTY, engine=kept)
    assert swept
    same(found, whole)


def test_a_violation_found_in_a_sweep(tmp_path: Path, swept: list[int]) -> None:
    inst = instantiate(load_system("kvm-vmid-generation"), "merged", {}, {"cpu": 2, "vcpu": 2, "vm": 2, "vmid": 2})
    found = explore(inst, limits=PLENTY, engine=NativeEngine(spill=tmp_path))
    assert found.verdict == "violated" and swept
    same(found, explore(inst, engine=NativeEngine()))
