"""Waits without an end: by brute force, by both engines, with symmetry and without."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from flushproof.model.ir import Expr, Read, terms
from flushproof.model.ir.evaluate import decode, evaluate, transitions
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.waits import Wait, waits
from flushproof.properties.confirmation.certify import Certificate, certify, forever
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.stuck import followed

from tests.generated import instance
from tests.search.brute_force import reachable
from tests.search.test_explore import check_trace

SEEDS = range(120)


@cache
def made(seed: int) -> Instance:
    """A generated system, whose steps of a process say whose they are."""
    inst = instance(seed, process=True)

    def change(expr: Expr) -> Expr | None:
        return Read("process.pc", expr.args, expr.of) if isinstance(expr, Read) and expr.name == "pc" else None

    system = terms.map_system(inst.system, lambda e: terms.rewrite(e, change))
    variables = tuple(replace(v, name="process.pc") if v.name == "pc" else v for v in system.variables)
    actions = []
    for action in system.actions:
        updates = tuple(replace(u, var="process.pc") if u.var == "pc" else u for u in action.updates)
        process = action.name.startswith("process")
        label = f"L{action.name[-1]}" if process else None
        actions.append(replace(action, updates=updates, process="process" if process else None, label=label))
    init = system.init
    init = replace(init, updates=tuple(replace(u, var="process.pc") if u.var == "pc" else u for u in init.updates))
    return replace(inst, system=replace(system, variables=variables, actions=tuple(actions), init=init))


def is_lost(inst: Instance, found: tuple[Wait, ...], state: State, codes: tuple[int, ...]) -> bool:
    """Whether the process of these elements waits, and the state is not final."""
    if evaluate(inst.system.final, {}, state, inst):
        return False
    for wait in found:
        env = {v: decode(v.of, c) for v, c in zip(wait.who, codes, strict=True)}
        if not wait.begins and evaluate(wait.waiting, env, state, inst):
            return True
    return False


def nearest(inst: Instance) -> int | None:
    """The least depth of a state from which a process never comes to where it does not wait: AG EF, as it is written."""
    space = reachable(inst)
    found = waits(inst.system)
    after = {s: {t for a in inst.system.actions for _, t in transitions(a, s, inst)} for s in space.depth}
    depths: list[int] = []
    for codes in inst.assignments(tuple(v.of for v in found[0].who) if found else ()):
        lost = {state for state in space.depth if is_lost(inst, found, state, codes)}
        while True:
            kept = {state for state in lost if after[state] <= lost}
            if kept == lost:
                break
            lost = kept
        depths += [space.depth[state] for state in lost]
    return min(depths, default=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_agree_with_brute_force(seed: int) -> None:
    inst = made(seed)
    space = reachable(inst)
    if not 0 < len(space.depth) <= 300:
        pytest.skip("too many for the slow twin, or none")
    wanted = nearest(inst)
    for symmetry in (False, True):
        for engine in (None, NativeEngine(workers=1 + 2 * symmetry)):
            outcome = explore(inst, properties=["no-stuck"], symmetry=symmetry, engine=engine)
            assert outcome.verdict == ("holds" if wanted is None else "violated")
            assert [(v.property, v.depth) for v in outcome.violations] == (
                [] if wanted is None else [("no-stuck", wanted)]
            )
            if outcome.trace is not None:
                check_trace(outcome.trace)
                assert certify(outcome.trace).ok
                ways, everything = followed(outcome.trace)
                assert everything and ways.keys() <= space.depth.keys()
                if engine is None:
                    assert forever(outcome.trace, ways, 20) == (Certificate(True), min(len(ways), 20))


def test_generated_systems_are_worth_it() -> None:
    """Some have a wait without an end, late and not as a deadlock; some have waits that all end."""
    small = [s for s in SEEDS if 0 < len(reachable(made(s)).depth) <= 300]
    wanted = {seed: nearest(made(seed)) for seed in small}
    other = [s for s in small if explore(made(s), properties=["no-deadlock"]).verdict == "holds"]
    assert sum(depth is not None and depth > 0 for depth in wanted.values()) >= 5
    assert sum(wanted[s] is not None for s in other) >= 5
    assert sum(wanted[s] is None for s in small) >= 20
