"""Exported models: other people's checkers count the same states and give the same verdicts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    IntSort,
    Lit,
    Narrow,
    OptionSort,
    Plus,
    Read,
    StateVar,
    System,
    Update,
)
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import and_, not_
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.model.language.load import shipped as shipped_systems
from flushproof.search.explore import explore
from flushproof.search.export import LANGUAGES, export
from flushproof.search.export.steps import fewest
from flushproof.search.native.engine import NativeEngine
from flushproof.search.reference.interpreter import Reference

from benchmarks.checkers import Run, missing, rumur, run_rumur, spin, tlc
from tests.generated import instance

SEEDS = [1, 3, 6, 9, 12, 17, 21, 26]


CHECKERS: Mapping[str, Callable[[Instance, Path, bool], Run]] = {
    "Rumur": lambda inst, where, deadlock: rumur(inst, where, optimise="-O1", deadlock=deadlock),
    "SPIN": lambda inst, where, _: spin(inst, where, optimise="-O1", table_bits=18),
    "TLC": lambda inst, where, deadlock: tlc(inst, where, memory="1g", deadlock=deadlock),
}
"""By name, how to ask another checker about an instance, in a folder, with deadlocks or without; SPIN knows of none."""


@dataclass(frozen=True)
class Shipped:
    """A system small enough for all of them: some thousands to hundred thousands of states."""

    system: str
    policy: str | None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.system}-{self.policy or 'default'}"

    def instance(self) -> Instance:
        return instantiate(load_system(self.system), self.policy, sizes=self.sizes)


SHIPPED = [
    Shipped("kvm-vcpu-switch", None),
    Shipped("kvm-vcpu-switch", "none"),
    Shipped("kvm-icache", None),
    Shipped("kvm-icache", "on-migration"),
    Shipped("kvm-trapped-tlbi", None),
    Shipped("kvm-trapped-tlbi", "raw"),
    Shipped("xen-tlbflush-clock", "invalidate-first"),
    Shipped("xen-tlbflush-clock", None),
    Shipped("kvm-vmid-allocator", None, {"Vm": 1}),
    Shipped("kvm-vmid-allocator", "no-flush"),
    Shipped("kvm-vmid-generation", None, {"Cpu": 2, "Vcpu": 2, "Vm": 2, "Vmid": 2}),
    Shipped("kvm-vmid-generation", "merged", {"Cpu": 2, "Vcpu": 2, "Vm": 2, "Vmid": 2}),
    Shipped("xen-pv-paging", None, {"Frame": 4}),
    Shipped("xen-pv-paging", "2009", {"Frame": 4}),
    Shipped("kvm-world-switch", None, {"Cpu": 1}),
    Shipped("kvm-world-switch", "none"),
    Shipped("tla-vmidalloc", None, {"Cpu": 1}),
    Shipped("tla-vmidalloc", "first"),
    Shipped("tla-asidalloc", None, {"Task": 2}),
    Shipped("tla-asidalloc", "spec", {"Task": 2, "Asid": 2}),
]


def without_properties(inst: Instance) -> Instance:
    """Checkers do not go on behind a violation; without properties they count all states."""
    actions = tuple(replace(a, obligations=()) for a in inst.system.actions)
    return replace(inst, system=replace(inst.system, properties=(), actions=actions))


def require(checker: str) -> None:
    reason = missing(checker)
    if reason:
        pytest.skip(reason)


def test_each_shipped_system_is_compared() -> None:
    """Under its default policy, and under one that is broken, or that holds where the default is broken."""
    assert {name: sum(s.system == name for s in SHIPPED) for name in shipped_systems()} == {
        name: 2 for name in shipped_systems()
    }


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("shipped", SHIPPED, ids=str)
def test_shipped_systems_elsewhere(shipped: Shipped, checker: str, tmp_path: Path) -> None:
    """The same verdict, and the same number of states."""
    require(checker)
    inst = shipped.instance()
    ours = explore(inst, symmetry=False, engine=NativeEngine())
    theirs = CHECKERS[checker](inst, tmp_path, True)
    if ours.verdict == "holds":
        assert theirs.violated is None
        assert theirs.states == ours.states
        if checker != "SPIN" and inst.system.final is FALSE:
            # TLC says how many states it made, the initial ones among them.
            initial = len(set(Reference(inst).initial_states())) if checker == "TLC" else 0
            assert theirs.transitions == ours.transitions + initial
    else:
        names = {v.property for v in ours.violations}
        assert theirs.violated in (names if checker != "SPIN" else {""})
        assert 0 < theirs.states <= 2 * ours.states


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("shipped", [s for s in SHIPPED if s.policy in ("none", "raw", "merged", "2009")], ids=str)
def test_all_states_of_a_broken_policy(shipped: Shipped, checker: str, tmp_path: Path) -> None:
    require(checker)
    inst = without_properties(shipped.instance())
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    assert CHECKERS[checker](inst, tmp_path, False).states == ours.states


@pytest.mark.parametrize("shipped", SHIPPED, ids=str)
def test_shipped_systems_up_to_symmetry_elsewhere(shipped: Shipped, tmp_path: Path) -> None:
    """Rumur's own symmetry, on scalarsets: the same verdict, as many classes of states, and as many steps from them."""
    require("Rumur")
    inst = shipped.instance()
    ours = explore(inst, symmetry=True, engine=NativeEngine())
    theirs = rumur(inst, tmp_path, optimise="-O1", symmetry="exhaustive")
    if ours.verdict == "holds":
        assert theirs.violated is None
        assert theirs.states == ours.states < ours.unreduced
        if inst.system.final is FALSE:
            assert theirs.transitions == ours.transitions
    else:
        assert theirs.violated in {v.property for v in ours.violations}


@pytest.mark.parametrize("process", [False, True], ids=["", "process"])
@pytest.mark.parametrize("seed", SEEDS)
def test_rumur_counts_the_same_up_to_symmetry(seed: int, process: bool, tmp_path: Path) -> None:
    """The same with systems in which None, elements behind options and choices of them are everywhere."""
    require("Rumur")
    inst = without_properties(instance(seed, process=process))
    ours = explore(inst, symmetry=True, engine=NativeEngine(), properties=[])
    theirs = rumur(inst, tmp_path, optimise="-O1", deadlock=False, symmetry="exhaustive")
    assert theirs.states == ours.states
    if inst.system.final is FALSE:
        assert theirs.transitions == ours.transitions


def test_scalarsets_without_symmetry(tmp_path: Path) -> None:
    """The model lists every initial state, so that it is right for a checker that renames nothing, too."""
    require("Rumur")
    for name, text in export(Shipped("kvm-vcpu-switch", None).instance(), "murphi", scalarsets=True).items():
        ranges = re.sub(r"scalarset\((\d+)\)", lambda size: f"0 .. {int(size[1]) - 1}", text)
        (tmp_path / name).write_text(ranges)
        assert ranges != text
        found = run_rumur(name, tmp_path, optimise="-O1")
    ours = explore(Shipped("kvm-vcpu-switch", None).instance(), symmetry=False, engine=NativeEngine())
    assert (found.states, found.transitions) == (ours.states, ours.transitions)


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "murphi"])
def test_scalarsets_are_murphis(language: str) -> None:
    with pytest.raises(FlushproofError, match=f"{language} has no scalarsets.*murphi"):
        export(instance(1), language, scalarsets=True)


def test_no_scalarset_has_an_index_for_none() -> None:
    refused = 0
    for seed in range(20):
        inst = instance(seed, options=True)
        if any(isinstance(s, OptionSort) for v in inst.system.variables for s in v.index):
            refused += 1
            with pytest.raises(FlushproofError, match=r"is indexed by Optional\[.*without scalarsets"):
                export(inst, "murphi", scalarsets=True)
    assert refused


@pytest.mark.parametrize("seed", SEEDS)
def test_rumur_counts_the_same(seed: int, tmp_path: Path) -> None:
    require("Rumur")
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    theirs = CHECKERS["Rumur"](inst, tmp_path, False)
    assert theirs.states == ours.states
    if inst.system.final is FALSE:
        assert theirs.transitions == ours.transitions


@pytest.mark.parametrize("seed", SEEDS)
def test_spin_counts_the_same(seed: int, tmp_path: Path) -> None:
    require("SPIN")
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    assert CHECKERS["SPIN"](inst, tmp_path, False).states == ours.states


@pytest.mark.parametrize("seed", SEEDS)
def test_tlc_counts_the_same(seed: int, tmp_path: Path) -> None:
    require("TLC")
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    assert CHECKERS["TLC"](inst, tmp_path, False).states == ours.states


@pytest.mark.parametrize("checker", ["Rumur", "TLC"])
@pytest.mark.parametrize("seed", [6, 7, 29])
def test_deadlocks_elsewhere(seed: int, checker: str, tmp_path: Path) -> None:
    require(checker)
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=["no-deadlock"])
    assert CHECKERS[checker](inst, tmp_path, True).violated == ours.property


@pytest.mark.parametrize("seed", range(30))
def test_tla_is_a_module_with_all_parts(seed: int) -> None:
    inst = instance(seed)
    text, configuration = export(inst, "tla").values()
    for name in re.findall(r"INVARIANT (\w+)", configuration):
        assert f"\n{name} == " in text
    for name in re.findall(r": (Do_\w+)", text):
        assert f"\n{name}" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_models_are_of_a_size_to_read(language: str) -> None:
    """What has five hundred initial states and steps with dozens of updates, in some hundred kilobytes."""
    text = next(iter(export(instantiate(load_system("xen-pv-paging"), None), language).values()))
    assert len(text) < 300_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_export_is_the_same_each_time(language: str) -> None:
    assert export(instance(6), language) == export(instance(6), language)


# ------------------------------------------------------------------------------------------------------------ fewer updates


def reads(*names: str) -> list[Read]:
    return [Read(name, (), BOOL) for name in names]


def write(var: str, value: Read, *cond: Read) -> Update:
    return Update(var, (), (), and_(*cond), value)


def test_rumur_computes_below_zero(tmp_path: Path) -> None:
    """A number that leaves its range is kept inside only after it was computed."""
    require("Rumur")
    small = IntSort(0, 2)
    variables = tuple(StateVar(name, (), small) for name in "nmk")
    less = Narrow(Plus((Read("n", (), small), Lit(-1, IntSort(-1, -1)))), small)
    down = Action("down", (), TRUE, tuple(Update(name, (), (), TRUE, less) for name in "nmk"))
    up = Action("up", (), TRUE, (Update("n", (), (), TRUE, Lit(2, small)),))
    inst = Instance(System("down", "Down", "", (), {}, variables, Action("init", (), TRUE, ()), (down, up), ()), {})
    found, expected = rumur(inst, tmp_path, optimise="-O1"), explore(inst)
    assert (found.states, found.transitions, found.violated) == (expected.states, expected.transitions, None)


@pytest.mark.parametrize("variables", [(), (StateVar("on", (), BOOL),)], ids=["nothing", "a truth value"])
@pytest.mark.parametrize("checker", CHECKERS)
def test_nothing_happens(checker: str, variables: tuple[StateVar, ...], tmp_path: Path) -> None:
    """A model without steps and properties is one."""
    require(checker)
    inst = Instance(System("idle", "Idle", "", (), {}, variables, Action("init", (), TRUE, ()), (), ()), {})
    assert CHECKERS[checker](inst, tmp_path, False).states == explore(inst).states == 1


def test_updates_on_all_paths_become_one() -> None:
    a, p, q = reads("a", "p", "q")
    updates = [write("x", a, p, q), write("x", a, p, not_(q)), write("x", a, not_(p))]
    assert fewest(updates) == (write("x", a),)


def test_an_update_stays_behind_one_that_may_happen_with_it() -> None:
    a, b, p, q = reads("a", "b", "p", "q")
    updates = [write("x", a, p), write("x", b, q), write("x", a, not_(p))]
    assert fewest(updates) == tuple(updates)
    apart = [write("x", a, p), write("x", b, not_(p)), write("x", a, p, q)]
    assert fewest(apart) == (write("x", a, p), write("x", b, not_(p)))


def test_unknown_language() -> None:
    with pytest.raises(FlushproofError, match="promela"):
        export(instance(1), "promella")
