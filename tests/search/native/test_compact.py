"""Searches that keep fingerprints: they find what the full search finds, unless fingerprints collide, and they say so."""

from collections.abc import Iterator
from contextlib import closing
from math import comb
from pathlib import Path

import numpy as np
import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import ask, explore
from flushproof.search.native import engine, library
from flushproof.search.native.engine import NativeEngine, Search, omission
from flushproof.search.native.library import Library
from flushproof.search.native.loop import LoopFunctions
from flushproof.search.native.store import Store
from flushproof.search.outcome import Outcome
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import Limits, Task

from tests.generated import instance
from tests.search.native.test_native import facts

LARGER = (("kvm-vcpu-switch", "none"), ("kvm-vmid-generation", "v4.17"), ("xen-pv-paging", "skip-top"))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fingerprints also where they are larger than states; memory is given back, and marks are made, all the time."""
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    monkeypatch.setattr(engine, "_CHUNK", 5)
    yield


def compared(inst: Instance, symmetry: bool, workers: int) -> None:
    full = explore(inst, symmetry=symmetry, engine=NativeEngine())
    compact = explore(inst, symmetry=symmetry, engine=NativeEngine(workers=workers, compact=True))
    assert facts(compact) == facts(full)
    assert [len(v.trace.steps) for v in compact.violations] == [len(v.trace.steps) for v in full.violations]
    assert full.omission is None and compact.omission is not None


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_compact_search_agrees(seed: int, symmetry: bool, always: None) -> None:
    compared(instance(seed), symmetry, 1 + seed % 2)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("system,policy", LARGER)
def test_compact_search_of_a_real_system_agrees(
    system: str, policy: str, symmetry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 0)
    compared(instantiate(load_system(system), policy), symmetry, 2)


def test_states_that_are_smaller_are_kept(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PRINT_BYTES", 10)
    outcome = explore(instance(3), engine=NativeEngine(compact=True))
    assert outcome.omission is None


def with_poor_hash(monkeypatch: pytest.MonkeyPatch, inst: Instance, compact: bool) -> Outcome:
    """A search with fingerprints of 8 bits."""
    good = LoopFunctions.hash

    def poor(loop: LoopFunctions) -> str:
        *lines, last, end, empty = good(loop).split("\n")
        return "\n".join([*lines, f"  %poor = and i64 {last.split()[-1]}, 255", "  ret i64 %poor", end, empty])

    monkeypatch.setattr(LoopFunctions, "hash", poor)
    found = explore(inst, symmetry=False, engine=NativeEngine(compact=compact), properties=[])
    monkeypatch.setattr(LoopFunctions, "hash", good)
    return found


def test_collisions_miss_states_in_a_compact_search_alone(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    inst = next(i for i in map(instance, range(100)) if explore(i, symmetry=False, properties=[]).states > 500)
    right = explore(inst, symmetry=False, properties=[]).states
    assert with_poor_hash(monkeypatch, inst, compact=False).states == right
    assert with_poor_hash(monkeypatch, inst, compact=True).states <= 256


@pytest.mark.parametrize("system,policy", [("kvm-vmid-generation", "v4.17"), ("kvm-icache", "tlb-only")])
def test_parts_of_fingerprints_collide_as_by_chance(system: str, policy: str, always: None) -> None:
    inst = instantiate(load_system(system), policy)
    with closing(Store(Library(inst, (), compact=True), None)) as store:
        store.add(list(Reference(inst).initial_states()))
        head = 0
        while head < store.count < 200_000:
            head = store.expand(head, min(store.count, head + 10_000))
            store.grow()
        assert store._prints is not None
        prints = np.frombuffer(store._prints.copy(0, 8 * store.count), dtype=np.uint64)
        bits = 24
        expected = comb(len(prints), 2) / 2**bits
        for shift in (0, 13, 27, 40):
            part = prints >> np.uint64(shift) & np.uint64((1 << bits) - 1)
            pairs = sum(n * (n - 1) // 2 for n in np.unique(part, return_counts=True)[1].tolist())
            assert abs(pairs - expected) < 5 * expected**0.5


def test_probability_of_omission() -> None:
    assert omission(1, 1) == pytest.approx(4 / 2**65)
    assert omission(1 << 32, 1) == 1.0
    assert omission(10**6, 2) == pytest.approx(3 * 10**12 / 2**65, rel=1e-5)


def test_memory_of_expanded_states_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    inst = instantiate(load_system("kvm-vmid-generation"), "v4.17")
    asked = ask(inst, [])
    compact = Library(inst, (), compact=True)
    with closing(Store(compact, None)) as store:
        found = Search(Task(inst, asked.invariants, asked.reachables, False, symmetry=False), store).run()
        gone = store._forgotten // store.layout.state_bytes
        assert gone > found.states // 2
        assert not any(store.packed(0, 1000).flatten())


@pytest.mark.parametrize("seed", range(30))
def test_a_resumed_compact_search_finishes_alike(seed: int, always: None, tmp_path: Path) -> None:
    """With traces that begin before the checkpoint."""
    inst = instance(seed)
    whole = explore(inst, symmetry=False, engine=NativeEngine())
    first = NativeEngine(compact=True, checkpoint=tmp_path / "kept")
    explore(inst, symmetry=False, limits=Limits(depth=1), engine=first)
    resumed = NativeEngine(compact=True, checkpoint=tmp_path / "kept", resume=True, workers=1 + seed % 2)
    found = explore(inst, symmetry=False, engine=resumed)
    assert facts(found) == facts(whole) and found.omission is not None
    assert [len(v.trace.steps) for v in found.violations] == [len(v.trace.steps) for v in whole.violations]


def test_a_checkpoint_of_fingerprints_is_no_other(always: None, tmp_path: Path) -> None:
    inst = instance(3)
    explore(inst, engine=NativeEngine(compact=True, checkpoint=tmp_path))
    with pytest.raises(FlushproofError, match="its store of states is compact, not full"):
        explore(inst, engine=NativeEngine(checkpoint=tmp_path, resume=True))
    prints = bytearray((tmp_path / "prints").read_bytes())
    prints[0] ^= 1
    (tmp_path / "prints").write_bytes(prints)
    with pytest.raises(FlushproofError, match="damaged: its states are not those"):
        explore(inst, engine=NativeEngine(compact=True, checkpoint=tmp_path, resume=True))
