"""What policies cost: the counting, and the search for entries that were dropped for nothing."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, shipped
from flushproof.search.costs import Keep, count
from flushproof.search.explore import explore
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.reference.interpreter import Reference

from flushproof.checking import Request
from flushproof.costing import bill
from tests.generated import instance

SWITCH = load_system("kvm-vcpu-switch")


def reachable(inst: Instance, symmetry: bool = False) -> list[State]:
    states: list[State] = []
    explore(inst, properties=[], symmetry=symmetry, on_state=states.append)
    return states


def leads_to_a_violation(reference: Reference, start: State) -> bool:
    """The obvious twin of `Keep.violates`: everything that can follow, searched anew."""
    checks = [reference.checker(p) for p in reference.instance.system.properties if p.kind == "invariant"]
    seen, queue = {start}, [start]
    for state in queue:
        if any(check(state) is not None for check in checks):
            return True
        new = {after for _, _, after in reference.successors(state)} - seen
        seen |= new
        queue += new
    return False


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_counts_are_those_of_every_step(seed: int, symmetry: bool) -> None:
    inst = instance(seed)
    reference = Reference(inst)
    expected: Counter[str] = Counter()
    steps = 0
    for state in reachable(inst):
        for action, codes, _ in reference.successors(state):
            steps += 1
            expected.update(name for name, _ in reference.costs(action, codes, state))
    found = count(inst, reachable(inst, symmetry), symmetry=symmetry, ask_required=False)
    assert found.counts == expected and found.transitions == steps and found.complete
    assert found.required is None and found.needless is None


@pytest.mark.parametrize("seed", range(40))
def test_keeping_an_entry_is_judged_as_a_search_from_there_judges(seed: int) -> None:
    inst = instance(seed)
    reference = Reference(inst)
    states = reachable(inst)
    if any(leads_to_a_violation(reference, s) for s in states[:1]):
        pytest.skip("a policy under which nothing holds")
    if any(reference.checker(p)(s) for p in inst.system.properties if p.kind == "invariant" for s in states):
        pytest.skip("a policy under which something does not hold")
    keep, symmetric = Keep(reference, None, states), Keep(reference, Symmetry(inst), states)
    slots = [i for i, slot in enumerate(inst.slots) if slot.sort.name == "bool"]
    rng = random.Random(seed)
    for after in rng.sample(states, min(len(states), 12)):
        for slot in slots[:4]:
            expected = leads_to_a_violation(reference, (*after[:slot], 1, *after[slot + 1 :]))
            assert keep.violates(after, slot) == expected == symmetric.violates(after, slot)


@pytest.mark.parametrize(("name", "policy"), [(n, next(iter(c.policies))) for n, c in shipped().items()])
def test_hardware_has_nothing_left_to_do_in_a_reachable_state(name: str, policy: str) -> None:
    inst = instantiate(load_system(name), policy)
    reference = Reference(inst)
    states = list(reference.initial_states())[:20]
    for _ in range(3):
        states += [after for s in states[-30:] for _, _, after in reference.successors(s)][:60]
    assert all(reference.settled(s) == s for s in states)


def test_flushing_always_drops_more_for_nothing_than_flushing_when_another_ran() -> None:
    sizes = {"cpu": 1, "vcpu": 2}
    always, last_ran, none = (bill(Request(SWITCH, policy, sizes=sizes)) for policy in ("always", "last-ran", "none"))
    assert always.costs.needless is not None and last_ran.costs.needless is not None
    assert always.costs.needless > last_ran.costs.needless
    assert always.costs.per_thousand["local_tag"] > last_ran.costs.per_thousand["local_tag"] > 0
    assert last_ran.costs.required, "some flush of last-ran is needed"
    assert none.result.verdict == "violated" and none.costs.needless is None and "local_tag" not in none.costs.counts


def test_no_time_is_said_and_nothing_made_up() -> None:
    inst = instantiate(SWITCH, "last-ran", sizes={"cpu": 1})
    found = count(inst, reachable(inst), seconds=0.0)
    assert not found.complete and found.states == 0 and found.counts == {}
