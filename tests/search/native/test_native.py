"""The native engine against the interpreter, on generated systems."""

from collections import deque
from pathlib import Path

import psutil
import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    BOOL,
    TRUE,
    Action,
    And,
    CounterSort,
    Eq,
    Expr,
    IntSort,
    Less,
    Lit,
    Narrow,
    Not,
    OptionSort,
    Or,
    Plus,
    Quant,
    Read,
    Scalarset,
    Some,
    StateVar,
    System,
    The,
    Update,
    Var,
)
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native import library, loop, store
from flushproof.search.native.engine import NativeEngine
from flushproof.search.native.layout import Layout
from flushproof.search.native.library import Library
from flushproof.search.native.steps import Budget
from flushproof.search.native.store import Store
from flushproof.search.outcome import Outcome
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import Limits, Points

from flushproof.laboratory.lattice import lattice_of
from tests.flushproof.laboratory.knobs import Flushes
from tests.generated import instance

BUDGETS = {"unrolled": Budget(), "looped": Budget(0, 0, 0)}


def facts(outcome: Outcome) -> object:
    """All that must not depend on the engine."""
    return (
        outcome.states,
        outcome.transitions,
        outcome.depth,
        outcome.verdict,
        outcome.property,
        dict(outcome.reached),
        [(v.property, v.depth) for v in outcome.violations],
        outcome.complete,
    )


def test_what_a_model_owes_and_does_not_have_is_read_alike() -> None:
    """A number that leaves its range is cut off, the element of a None is the first one: with `well-defined` not asked for, too."""
    small, page = IntSort(0, 3), Scalarset("Page")
    n, m, at = Read("n", (), small), Read("m", (), small), Read("at", (), OptionSort(page))
    p = Var("p", page)
    variables = (
        StateVar("n", (), small),
        StateVar("m", (), small),
        StateVar("at", (), OptionSort(page)),
        StateVar("first", (page,), BOOL),
        StateVar("seen", (page,), BOOL),
    )
    actions = (
        Action("up", (), TRUE, (Update("n", (), (), TRUE, Narrow(Plus((n, Lit(1, IntSort(1, 1)))), small)),)),
        Action("down", (), TRUE, (Update("m", (), (), TRUE, Narrow(Plus((m, Lit(-1, IntSort(-1, -1)))), small)),)),
        Action("marks", (), TRUE, (Update("seen", (), (The(at),), TRUE, TRUE),)),
        Action("takes", (p,), TRUE, (Update("at", (), (), TRUE, Some(p)), Update("first", (), (The(at),), TRUE, TRUE))),
    )
    system = System("owes", "Owes", "", (page,), {"Page": 2}, variables, Action("initially", (), TRUE, ()), actions, ())
    made = Instance(system, {"Page": 2})
    native, reference = (explore(made, symmetry=False, engine=e) for e in (NativeEngine(), None))
    assert facts(native) == facts(reference) and reference.states > 10


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("policy", ["last-ran", "on-migration"])
def test_code_is_made_fast_in_the_middle_of_a_search(policy: str, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds what code finds that is made fast from the start, or never."""
    inst = instantiate(load_system("kvm-vcpu-switch"), policy)
    found = [explore(inst, engine=NativeEngine(workers=workers, optimised=o)) for o in (True, False)]
    made: list[bool] = []
    compiled = library.Compiled.__init__

    def noted(self: library.Compiled, text: str, optimised: bool) -> None:
        made.append(optimised)
        compiled(self, text, optimised)

    monkeypatch.setattr(library.Compiled, "__init__", noted)
    assert facts(explore(inst, engine=NativeEngine(workers=workers))) == facts(found[0])
    assert made == [False], "some thousands of states do not win back what LLVM takes"
    monkeypatch.setattr(library, "_STATES_A_LINE", 0.01)
    found.append(explore(inst, engine=NativeEngine(workers=workers)))
    assert made == [False, False, True] and found[0].states > 500
    assert facts(found[0]) == facts(found[1]) == facts(found[2])
    assert found[0].violations == found[1].violations == found[2].violations


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("different", [0, 3])
def test_states_are_told_apart_where_their_hashes_are_not(
    different: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All states have one of few hashes, so that tags agree: who compares less than whole states takes one for another."""
    sizes = {"cpu": 2, "vcpu": 2, "vm": 2, "vmid": 2}
    inst = instantiate(load_system("kvm-vmid-generation"), "fixed", {}, sizes)
    assert Layout(inst).words > 1
    expected = explore(inst, engine=NativeEngine())
    hashed = loop.LoopFunctions.hash

    def colliding(self: loop.LoopFunctions) -> str:
        text = hashed(self)
        before, result = text.rsplit("ret i64 ", 1)
        return f"{before}%few = and i64 {result.split()[0]}, {different}\n  ret i64 %few\n}}\n"

    monkeypatch.setattr(loop.LoopFunctions, "hash", colliding)
    assert facts(explore(inst, engine=NativeEngine(workers=workers))) == facts(expected)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_native_agrees_with_interpreter(seed: int, loose: bool, budget: str) -> None:
    inst = instance(seed, loose)
    slow = explore(inst, symmetry=False)
    fast = explore(inst, symmetry=False, engine=NativeEngine(BUDGETS[budget]))
    assert facts(fast) == facts(slow)


@pytest.mark.parametrize("seed", range(80))
def test_symmetry_agrees_with_interpreter(seed: int) -> None:
    slow = explore(instance(seed))
    fast = explore(instance(seed), engine=NativeEngine())
    assert (facts(fast), fast.group) == (facts(slow), slow.group)


@pytest.mark.parametrize("seed", range(20))
def test_same_states(seed: int) -> None:
    """The states themselves, not only their number."""
    slow: list[tuple[int, ...]] = []
    fast: list[tuple[int, ...]] = []
    explore(instance(seed), symmetry=False, on_state=slow.append)
    explore(instance(seed), symmetry=False, on_state=fast.append, engine=NativeEngine())
    assert sorted(fast) == sorted(slow)


def test_a_search_begins_with_some_values_of_knobs_alone() -> None:
    """Each policy by itself, and several together, by both engines; the native one compiles once for all."""
    names = ("at_load", "at_put", "lazy", "way")
    inst, engine = instantiate(Flushes, free=names), NativeEngine()
    total, rows = 0, ((0, 1, 0, 0), (1, 0, 0, 1), (2, 1, 1, 1))
    for row in rows:
        slow, fast = (explore(inst, engine=e, points=Points(names, (row,))) for e in (None, engine))
        assert facts(fast) == facts(slow) and fast.states > 5
        alone = explore(instantiate(Flushes, knobs=lattice_of(Flushes, free=names).text(row)))
        assert alone.verdict == fast.verdict == "holds" and alone.states <= fast.states
        total += fast.states
    slow, fast = (explore(inst, engine=e, points=Points(names, rows)) for e in (None, engine))
    assert facts(fast) == facts(slow) and fast.states == total


def test_a_trace_begins_with_one_of_the_points() -> None:
    names = ("at_load", "at_put")
    inst = instantiate(Flushes, free=names)
    for engine in (None, NativeEngine()):
        found = explore(inst, engine=engine, points=Points(names, ((1, 0), (0, 0), (2, 1))))
        assert found.trace is not None
        assert [found.trace.initial[inst.slot(name)] for name in names] == [0, 0]


def test_points_where_there_are_many_guesses() -> None:
    inst = instantiate(load_system("kvm-vcpu-switch"), "last-ran", {}, {"vcpu": 4, "vm": 3, "page": 4}, free=("always",))
    for row in (0, 1):
        store = Store(Library(inst, (), symmetry=True), None)
        for _ in store.begin(Points(("always",), ((row,),))):
            store.grow()
        states = store.states(0, store.count)
        assert states and {s[inst.slot("always")] for s in states} == {row}
        store.close()


def test_initial_states_of_many_guesses() -> None:
    inst = instantiate(load_system("kvm-vcpu-switch"), "last-ran", {}, {"vcpu": 4, "vm": 3, "page": 4})
    store = Store(Library(inst, ()), None)
    for _ in store.begin():
        store.grow()
    assert set(store.states(0, store.count)) == set(Reference(inst).initial_states())
    assert store.count == 20_412
    store.close()


@pytest.mark.parametrize("seed", range(30))
def test_layout_keeps_states(seed: int) -> None:
    inst = instance(seed)
    layout = Layout(inst)
    states = list(Reference(inst).initial_states())[:50]
    packed = layout.pack(states)
    assert layout.unpack(packed) == states
    assert (layout.widen(layout.trim(packed)) == packed).all()


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_limit_of_states_is_exact_and_inconclusive(count: int) -> None:
    inst = next(i for i in map(instance, range(100)) if explore(i, symmetry=False).states > 20)
    outcome = explore(inst, symmetry=False, properties=[], limits=Limits(states=count), engine=NativeEngine())
    assert (outcome.states, outcome.verdict, outcome.complete) == (count, "inconclusive", False)
    assert f"the limit of {count} states" in (outcome.reason or "")


def test_limit_of_memory() -> None:
    inst = instantiate(load_system("kvm-vmid-generation"), "fixed")
    limits = Limits(memory_bytes=psutil.Process().memory_info().rss + (100 << 20), states=10_000_000)
    outcome = explore(inst, symmetry=False, limits=limits, engine=NativeEngine())
    assert (outcome.verdict, outcome.complete) == ("inconclusive", False)
    assert "bytes of memory" in (outcome.reason or "") and outcome.states > 100_000
    with pytest.raises(FlushproofError, match="too small"):
        explore(inst, limits=Limits(memory_bytes=1 << 20), engine=NativeEngine())


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_limit_of_depth(depth: int) -> None:
    inst = next(i for i in map(instance, range(100)) if explore(i, symmetry=False, properties=[]).depth > 3)
    limits = Limits(depth=depth)
    slow = explore(inst, symmetry=False, properties=[], limits=limits)
    fast = explore(inst, symmetry=False, properties=[], limits=limits, engine=NativeEngine())
    assert facts(fast) == facts(slow)
    assert fast.verdict == "inconclusive"


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_workers_find_the_same(seed: int, symmetry: bool) -> None:
    alone = explore(instance(seed), symmetry=symmetry, engine=NativeEngine())
    together = explore(instance(seed), symmetry=symmetry, engine=NativeEngine(workers=3))
    assert facts(together) == facts(alone)


def ways(outcome: Outcome) -> object:
    return [(v.property, v.trace.initial, v.trace.steps) for v in outcome.violations]


class Backwards(deque[tuple[int, int]]):
    """So that states surely come in another order than with one worker."""

    popleft = deque.pop


def compare_ways(inst: Instance, symmetry: bool, tmp_path: Path) -> None:
    alone = explore(inst, symmetry=symmetry, engine=NativeEngine())
    for workers in (2, 4, 4):
        together = explore(inst, symmetry=symmetry, engine=NativeEngine(workers=workers))
        assert ways(together) == ways(alone)
    begun = NativeEngine(workers=3, checkpoint=tmp_path)
    explore(inst, symmetry=symmetry, limits=Limits(depth=max(1, alone.depth // 2)), engine=begun)
    resumed = NativeEngine(checkpoint=tmp_path, resume=True)
    assert ways(explore(inst, symmetry=symmetry, engine=resumed)) == ways(alone)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_traces_are_those_of_one_worker(
    seed: int, symmetry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SHARE", 1)
    monkeypatch.setattr(store, "deque", Backwards)
    compare_ways(instance(seed), symmetry, tmp_path)


@pytest.mark.parametrize(
    "system,policy",
    [
        ("kvm-vcpu-switch", "none"),
        ("kvm-vmid-generation", "thread"),
        ("kvm-icache", "on-migration"),
        ("xen-pv-paging", "skip-top"),
    ],
)
def test_traces_of_real_systems_are_those_of_one_worker(
    system: str, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SHARE", 5)
    monkeypatch.setattr(store, "deque", Backwards)
    compare_ways(instantiate(load_system(system), policy), True, tmp_path)


@pytest.mark.parametrize("slots", [5, 70, 100])
def test_counters_of_any_size(slots: int) -> None:
    """So many locations hold values of one counter that their set fits no word."""
    place, at = IntSort(1, slots), Var("at", IntSort(1, slots))
    fresh = Var("fresh", CounterSort("Generation"))
    read = Read("value", (at,), fresh.of)
    only_first = Quant("forall", Var("other", place), Or((Eq(Var("other", place), at), Less(Var("other", place), at))))
    system = System(
        "counts",
        "Counts",
        "",
        (fresh.of,),
        {},
        (StateVar("value", (place,), fresh.of),),
        Action("init", (), TRUE, ()),
        (
            Action(
                "rises",
                (at,),
                And((Eq(read, Lit(0, fresh.of)), _all_before(at, place))),
                (_write(at, fresh),),
                (fresh,),
            ),
            Action("again", (at,), only_first, (_write(at, fresh),), (fresh,)),
        ),
        (),
    )
    inst = Instance(system, {})
    fast = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    assert facts(fast) == facts(explore(inst, symmetry=False, properties=[]))
    assert fast.states > slots


def test_an_optional_parameter_may_be_what_is_stored() -> None:
    """`Some(x)` is not unequal to every value that the parameter takes."""
    given, flag = Var("given", OptionSort(BOOL)), Read("flag", (), BOOL)
    other = Action("other", (given,), Not(Eq(Some(flag), given)), (Update("flag", (), (), TRUE, Not(flag)),))
    system = System(
        "optional", "Optional", "", (), {}, (StateVar("flag", (), BOOL),), Action("init", (), TRUE, ()), (other,), ()
    )
    slow = explore(Instance(system, {}), symmetry=False)
    assert (slow.states, slow.transitions) == (2, 4)
    assert facts(explore(Instance(system, {}), symmetry=False, engine=NativeEngine())) == facts(slow)


def test_counters_may_begin_with_any_values() -> None:
    place, counter = IntSort(1, 3), CounterSort("Generation")
    at, fresh = Var("at", place), Var("fresh", counter)
    value = StateVar("value", (place,), counter, free=True)
    init, rises = Action("init", (), TRUE, ()), Action("rises", (at,), TRUE, (_write(at, fresh),), (fresh,))
    inst = Instance(System("any", "Any", "", (counter,), {}, (value,), init, (rises,), ()), {})
    slow = explore(inst, symmetry=False)
    assert slow.states == 26  # weak orders of three values and zero, in which zero is least
    assert facts(explore(inst, symmetry=False, engine=NativeEngine())) == facts(slow)


def _write(at: Var, fresh: Var) -> Update:
    return Update("value", (), (at,), TRUE, fresh)


def _all_before(at: Var, place: IntSort) -> Expr:
    other = Var("other", place)
    risen = Not(Eq(Read("value", (other,), CounterSort("Generation")), Lit(0, CounterSort("Generation"))))
    return Quant("forall", other, Or((Not(Less(other, at)), risen)))
