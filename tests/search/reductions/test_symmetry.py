"""Canonical forms under symmetry: one of each orbit, for options of scalarsets as indices and values, and for large sorts."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from flushproof.model.ir import BOOL, TRUE, Action, Scalarset, StateVar, System
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.confirmation.certify import certify
from flushproof.search.explore import explore
from flushproof.search.native import beginning
from flushproof.search.native.engine import NativeEngine
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reductions import symmetry as reduction
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import Engine, Limits

from tests.generated import instance
from tests.search.brute_force import orbit

from .symmetric import __file__ as systems

ENGINES: dict[str, Engine] = {"native": NativeEngine(), "reference": None}  # type: ignore[dict-item]


def of_written(name: str, **sizes: int) -> Instance:
    return instantiate(load_system(f"{systems}:{name}"), None, {}, sizes)


def test_two_alike_are_not_all_alike() -> None:
    """Four CPUs of which the first two see each other and the last two do: each is like one other, and unlike the rest."""
    made = of_written("Pairs", Cpu=4)
    state = list(Reference(made).guess_initial_state(random.Random(0)) or ())
    for a, b in ((0, 1), (1, 0), (2, 3), (3, 2)):
        state[made.slot("sees", (a, b))] = 1
    symmetry = Symmetry(made)
    images = {symmetry.image(tuple(state), {"Cpu": to}) for to in itertools.permutations(range(4))}
    assert len(images) == 3 == symmetry.orbit_size(tuple(state))
    assert len({symmetry.canonical(image) for image in images}) == 1


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


def shuffled(symmetry: Symmetry, state: State, rng: random.Random) -> State:
    counts = symmetry.movable.counts
    return symmetry.image(state, {name: rng.sample(range(count), count) for name, count in counts.items()})


def walked(inst: Instance, steps: int, rng: random.Random) -> State:
    reference = Reference(inst)
    state = next(reference.initial_states())
    for _ in range(steps):
        state = rng.choice([after for _, _, after in reference.successors(state)] or [state])
    return state


def one_form(library: Library, state: State, rng: random.Random) -> int:
    """The size of the orbit, after Python and native code have found one form of all its members that were tried."""
    symmetry = Symmetry(library.layout.instance)
    images = [shuffled(symmetry, state, rng) for _ in range(6)]
    form, size = symmetry.canonical(state), symmetry.orbit_size(state)
    assert {symmetry.canonical(image) for image in images} == {form}
    assert {symmetry.orbit_size(image) for image in (form, *images)} == {size}
    store = Store(library, None)
    store.add(images)
    assert store.count == 1 and store.unreduced == size
    assert symmetry.canonical(store.states(0, 1)[0]) == form
    store.close()
    return size


@pytest.mark.parametrize(("cpus", "vcpus"), [(7, 7), (8, 5), (12, 3), (12, 12), (14, 2)])
@pytest.mark.parametrize("steps", [0, 3, 8, 12, 40])
def test_large_sorts_have_one_form(cpus: int, vcpus: int, steps: int) -> None:
    inst, rng = of_written("Pairs", cpu=cpus, vcpu=vcpus), random.Random(steps)
    library = Library(inst, (), symmetry=True)
    for _ in range(3):
        size = one_form(library, walked(inst, steps, rng), rng)
        assert (size == 1) == (steps == 0)


@pytest.mark.parametrize("count", [7, 12])
def test_what_signatures_cannot_tell_apart(count: int) -> None:
    """CPUs in circles, each looking at the next: all alike to each of their signatures, whole circles too."""
    inst, rng = of_written("Pairs", cpu=count, vcpu=count), random.Random(count)
    state = list(next(Reference(inst).initial_states()))
    for circle in (range(count // 3), range(count // 3, count)):
        for cpu in circle:
            after = circle[(cpu - circle[0] + 1) % len(circle)]
            state[inst.slot("running", (cpu,))] = 1 + cpu
            state[inst.slot("looks", (cpu,))] = 1 + after
            state[inst.slot("sees", (cpu, after))] = 1
    lengths = [count // 3, count - count // 3]
    renamings = math.prod(lengths) * (2 if lengths[0] == lengths[1] else 1)
    assert one_form(Library(inst, (), symmetry=True), tuple(state), rng) == math.factorial(count) ** 2 // renamings


@pytest.mark.parametrize("seed", range(40))
def test_seven_or_eight_of_a_sort(seed: int) -> None:
    inst = instance(seed, large=True)
    plain, reduced = (explore(inst, symmetry=symmetry, engine=NativeEngine()) for symmetry in (False, True))
    assert (plain.verdict, plain.reached) == (reduced.verdict, reduced.reached)
    assert {v.depth for v in plain.violations[:1]} == {v.depth for v in reduced.violations[:1]}
    if plain.complete:
        assert reduced.unreduced == plain.states


def test_part_of_a_large_sort_is_permuted() -> None:
    inst = instantiate(load_system("kvm-vcpu-switch"), "both", {}, {"page": 14})
    outcome = explore(inst, engine=NativeEngine())
    assert (outcome.fixed, outcome.group) == ({"Page": 2}, math.factorial(12) * math.factorial(2) ** 2)
    assert explore(inst, engine=NativeEngine(), symmetry=False, limits=Limits(states=10)).fixed == {}
    assert outcome.verdict == "holds"


def test_part_of_a_group_counts_the_same() -> None:
    """Six of seven elements permuted, five of them, and so on to none."""
    inst = of_written("Pairs", cpu=4, vcpu=1)
    plain = explore(inst, symmetry=False, properties=["no-deadlock"], limits=Limits(depth=3), engine=NativeEngine())
    for most in range(1, 5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reduction, "MOST_ELEMENTS", most)
            for engine in ENGINES.values():
                outcome = explore(inst, properties=["no-deadlock"], limits=Limits(depth=3), engine=type(engine)())
                assert outcome.unreduced == plain.states and outcome.group == math.factorial(most)
                assert outcome.fixed == ({"Cpu": 4 - most if most > 1 else 4} if most < 4 else {})


def test_so_many_sorts_that_their_group_is_too_large() -> None:
    sorts = tuple(Scalarset(f"S{i}") for i in range(8))
    variables = tuple(StateVar(f"v{i}", (s,), BOOL) for i, s in enumerate(sorts))
    init = Action("init", (), TRUE, ())
    system = System("many", "Many", "", sorts, {s.name: 12 for s in sorts}, variables, init, (), ())
    symmetry = Symmetry(Instance(system, system.sizes))
    assert symmetry.order < 1 << 62 and sum(symmetry.movable.counts.values()) <= 60
    assert symmetry.movable.counts["S0"] == 12 and symmetry.movable.fixed["S7"] == 12
    one_form(Library(Instance(system, system.sizes), (), symmetry=True), (1, 0) * 48, random.Random(0))


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_initial_states_are_made_one_of_each_class(seed: int, options: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "MANY", 0)
    inst = instance(seed, options=options)
    every = set(Reference(inst).initial_states())
    store = Store(Library(inst, (), symmetry=True), None)
    for _ in store.begin():
        store.grow()
    made = store.states(0, store.count)
    assert len(made) == len({frozenset(orbit(inst, state)) for state in every})
    assert set().union(*(orbit(inst, state) for state in made)) == every
    store.close()


@pytest.mark.parametrize(("pages", "at_rest"), [(4, 41), (7, 6322)])
def test_initial_states_under_axioms(pages: int, at_rest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permutations beside maps that are at rest after one step: counted by whoever counts such maps."""
    monkeypatch.setattr(beginning, "MANY", 0)
    store = Store(Library(of_written("TwoMaps", page=pages), (), symmetry=True), None)
    for _ in store.begin():
        store.grow()
    assert store.unreduced == math.factorial(pages) * at_rest
    store.close()


def test_a_trace_from_one_of_very_many_initial_states() -> None:
    inst = of_written("TwoMaps", page=7)
    outcome = explore(inst, properties=["goes-on"], engine=NativeEngine())
    assert outcome.verdict == "violated" and outcome.trace is not None
    assert certify(outcome.trace).ok


@pytest.mark.parametrize("seed", range(40))
def test_is_initial(seed: int) -> None:
    inst, rng = instance(seed), random.Random(seed)
    reference = Reference(inst)
    every = set(reference.initial_states())
    states = [tuple(rng.randrange(inst.cardinality(slot.sort)) for slot in inst.slots) for _ in range(20)]
    for state in (*sorted(every)[:20], *map(reference.renamed, states)):
        assert reference.is_initial(state) == (state in every)
