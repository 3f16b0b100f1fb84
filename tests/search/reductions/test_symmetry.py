"""Canonical forms under symmetry: one of each orbit, for options of scalarsets as indices and values, and for large sorts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.task import Engine

from tests.generated import instance
from tests.search.brute_force import orbit

from .symmetric import __file__ as systems

ENGINES: dict[str, Engine] = {"native": NativeEngine(), "reference": None}  # type: ignore[dict-item]


def of_written(name: str, **sizes: int) -> Instance:
    return instantiate(load_system(f"{systems}:{name}"), None, {}, sizes)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_map_whose_index_may_be_none(engine: str, symmetry: bool) -> None:
    outcome = explore(of_written("SeenOrNone"), symmetry=symmetry, engine=ENGINES[engine], properties=["alone"])
    assert (outcome.verdict, [v.depth for v in outcome.violations]) == ("violated", [3])


@pytest.mark.parametrize("seed", range(60))
def test_options_as_indices(seed: int) -> None:
    """Every engine, with symmetry and without, says the same of the same properties, at the same depth."""
    inst = instance(seed, options=True)
    said = set()
    for engine in ENGINES.values():
        plain, reduced = (explore(inst, symmetry=symmetry, engine=engine) for symmetry in (False, True))
        assert reduced.states <= plain.states
        if plain.complete:
            assert reduced.unreduced == plain.states
        for outcome in (plain, reduced):
            depths = tuple((v.property, v.depth) for v in outcome.violations if v.property == outcome.property)
            said.add((outcome.verdict, tuple(sorted(outcome.reached.items())), tuple(d for _, d in depths)))
    assert len(said) == 1


@pytest.mark.parametrize("seed", range(60))
def test_one_canonical_form_for_each_orbit(seed: int) -> None:
    inst, rng = instance(seed, options=True), random.Random(seed)
    symmetry, library = Symmetry(inst), Library(inst, (), symmetry=True)
    for _ in range(10):
        state = tuple(rng.randrange(inst.cardinality(slot.sort)) for slot in inst.slots)
        images = orbit(inst, state)
        assert len({symmetry.canonical(image) for image in images}) == 1
        assert symmetry.canonical(state) in images and symmetry.orbit_size(state) == len(images)
        store = Store(library, None)
        store.add(list(images))
        assert store.count == 1 and store.states(0, 1)[0] in images
        if symmetry.order > 1:
            assert store.unreduced == len(images)
        store.close()
