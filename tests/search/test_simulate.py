"""Random walks: what they meet is real, and a seed reproduces them."""

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.search.explore import explore
from flushproof.search.simulate import Simulation, simulate
from flushproof.search.task import Limits

from tests.generated import instance
from tests.search.brute_force import reachable
from tests.search.handwritten import lock, rollover
from tests.search.test_explore import check_trace


def essence(simulation: Simulation) -> object:
    """All but the time."""
    traces = [(v.property, v.trace.initial, v.trace.steps) for v in simulation.violations]
    return simulation.taken, simulation.states, simulation.deepest, simulation.reached, traces


@pytest.mark.parametrize("seed", range(40))
def test_walks_meet_only_what_exists(seed: int) -> None:
    inst = instance(seed)
    everything = explore(inst, properties=[], symmetry=False)
    if not everything.states:
        with pytest.raises(FlushproofError, match="no initial state"):
            simulate(inst)
        return
    simulation = simulate(inst, seed=seed, walks=10, steps=30)
    assert simulation.states <= everything.states
    for violated in simulation.violations:
        check_trace(violated.trace)
        shortest = explore(inst, properties=[violated.property])
        assert shortest.violations[0].depth <= violated.depth
    for name, depth in simulation.reached.items():
        assert explore(inst, properties=[name]).reached[name] <= depth


def test_walks_meet_all_of_a_small_system() -> None:
    simulation = simulate(lock(3), walks=50, steps=50)
    assert simulation.states == len(reachable(lock(3)).depth) == 20
    assert simulation.never_taken == () and simulation.not_reached == ("all-are-in",)
    assert simulation.reached == {"someone-gets-in": 2}
    assert simulation.steps == sum(simulation.taken.values()) == 2500 and simulation.deepest == 50
    assert simulation.violations == ()


def test_seed_reproduces() -> None:
    one, same, other = (simulate(lock(4, guarded=False), seed=s, walks=3, steps=40) for s in (1, 1, 2))
    assert essence(one) == essence(same) != essence(other)


def test_violations_and_deadlocks_are_met() -> None:
    simulation = simulate(lock(2, guarded=False), walks=20, steps=20)
    assert [v.property for v in simulation.violations] == ["well-defined", "exclusive"]
    stuck = simulate(lock(2, released=False), walks=5, steps=20)
    assert [(v.property, v.depth) for v in stuck.violations] == [("no-deadlock", 3)]
    assert stuck.never_taken == ()


def test_limits_and_names() -> None:
    assert "limit of 5 states" in (simulate(rollover(3), limits=Limits(states=5)).reason or "")
    assert "seconds" in (simulate(rollover(3), limits=Limits(seconds=0)).reason or "")
    with pytest.raises(FlushproofError, match="Did you mean 'exclusive'"):
        simulate(lock(2), properties=["exclusiv"])
