"""What policies cost: the counting, and the search for entries that were dropped for nothing."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.hardware.sorts import Cpu, Page, Vcpu
from flushproof.model.hardware.tlb import Tlb
from flushproof.model.ir import DROPPED
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language import Map, System, action, cost, invariant
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, shipped
from flushproof.model.systems.kvm_vcpu_switch import VcpuSwitch
from flushproof.search.chances import Law, alike
from flushproof.search.costs import HAPPENED, Keep, count
from flushproof.search.explore import explore
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.reference.interpreter import Reference
from flushproof.search.simulate import simulate

from flushproof.checking import Request
from flushproof.costing import bill
from tests.generated import instance

SWITCH = load_system("kvm-vcpu-switch")


class Noting(VcpuSwitch):
    """The same, and it is noted how often each vcpu has mapped its page, which nobody asks for."""

    name = "noting"
    ever: Map[Vcpu, bool]
    odd: Map[Vcpu, bool]

    @action
    def guest_maps(self, cpu: Cpu, vcpu: Vcpu, page: Page) -> None:
        """{vcpu} maps its virtual page to {page}"""
        super().guest_maps(cpu, vcpu, page)
        self.ever[vcpu] = True
        self.odd[vcpu] = not self.odd[vcpu]


class Watched(Noting):
    """The same, and somebody asks."""

    name = "watched"

    @invariant(because="{v} has mapped its page an odd number of times, and never")
    def odd_is_not_never(self):  # type: ignore[no-untyped-def]
        return all(self.ever[v] or not self.odd[v] for v in Vcpu)


class Refilled(System):
    """A CPU whose walker caches the only translation at once, whatever is flushed."""

    name = "refilled"
    sizes = {Cpu: 1}

    def always(self, cpu):  # type: ignore[no-untyped-def]
        return True

    tlb = Tlb(tag=(), holds=(), walk=always)

    @action
    def flush(self, cpu: Cpu) -> None:
        """{cpu} flushes"""
        cost("local_all")
        self.tlb.drop_all(cpu)


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


def walked(inst: Instance, steps: int) -> tuple[Counter[str], float]:
    """The obvious twin of `count`: the chances of all states, step by step; what is counted on average, and how many steps."""
    reference = Reference(inst)
    law = Law(reference, alike(inst))
    ways: dict[int, list[State]] = {}
    befores = []
    for before, _, after in reference.beginnings():
        befores.append(before)  # kept, so that no other one gets its identity
        ways.setdefault(id(before), []).append(after)
    here: Counter[State] = Counter()
    for found in ways.values():
        for state in found:
            here[state] += Fraction(1, len(ways) * len(found))
    counts: Counter[str] = Counter()
    made = Fraction(0)
    for _ in range(steps):
        then: Counter[State] = Counter()
        for state, chance in here.items():
            choices = law.choices(state)
            total = sum(map(Fraction, choices.weights))
            for group, weight in zip(choices.groups, choices.weights, strict=True):
                for way in group:
                    part = chance * Fraction(weight) / total / len(group)
                    made += part
                    then[way.after] += part
                    counted = law.counted(state, way)
                    for name, _ in counted:
                        counts[name] += part
                    if any(name in law.declared for name, _ in counted):
                        counts[HAPPENED] += part
        here = then
    return counts, float(made)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_counts_are_those_of_the_average_walk(seed: int, symmetry: bool) -> None:
    inst = instance(seed)
    if not reachable(inst):
        with pytest.raises(FlushproofError, match="no initial state"):
            count(inst, steps=4, symmetry=symmetry, ask_required=False)
        return
    expected, steps = walked(inst, 4)
    found = count(inst, steps=4, symmetry=symmetry, ask_required=False)
    assert found.counts == pytest.approx({n: float(c) for n, c in expected.items()}) and found.steps == pytest.approx(steps)
    assert found.complete and found.required is None and found.needless is None
    if not symmetry:
        assert found.states == len(reachable(inst))


def test_events_are_counted_as_they_happen() -> None:
    inst = instantiate(SWITCH, "last-ran", sizes={"cpu": 1}, events=True)
    expected, _ = walked(inst, 9)
    found = count(inst, steps=9, symmetry=True, ask_required=False)
    assert found.counts == pytest.approx({n: float(c) for n, c in expected.items()})
    assert found.counts["vcpu_load"] > found.counts["exit"] > 0 and found.events == {"vcpu_load", "migration", "exit", "unmap"}
    assert found.by() == found.counts[HAPPENED] > found.by("exit") > found.by("rollover") == 0
    assert found.per_thousand("vcpu_load")["vcpu_load"] == 1000 and found.per_thousand("rollover") == {}


def test_events_are_of_no_matter_to_what_can_happen() -> None:
    """What only an event depends on is no state where nobody counts by events: verdicts and state counts stay what they are."""
    plain, counted = (instantiate(SWITCH, "always", events=events) for events in (False, True))
    assert not any(c.event for a in plain.system.actions for c in a.costs)
    assert "last_cpu" in counted.system.variable and "last_cpu" not in plain.system.variable
    assert explore(plain, properties=["no-deadlock"]).states < explore(counted, properties=["no-deadlock"]).states


def test_walks_count_what_is_counted_of_all() -> None:
    inst = instantiate(SWITCH, "last-ran")  # without events, every action has the same chance, as in a random walk
    exact = count(inst, steps=200, symmetry=True, ask_required=False)
    met = simulate(inst, walks=150, steps=200, properties=["no-deadlock"])
    for name in ("local_tag", "guest_exits", "dropped", "dsb_wait"):
        assert met.costs[name] / 150 == pytest.approx(exact.counts[name], rel=0.1)


@pytest.mark.parametrize("policy", ["always", "last-ran", "none"])
def test_a_property_more_changes_no_figure(policy: str) -> None:
    """It keeps variables alive on which nothing else depends, and tells states apart that were one."""
    plain, noting, watched = (bill(Request(cls, policy, sizes={"cpu": 1})).costs for cls in (SWITCH, Noting, Watched))
    assert noting.states == plain.states < watched.states
    for other in (noting, watched):
        assert other.counts == pytest.approx(plain.counts) and other.steps == pytest.approx(plain.steps)
        assert other.required == pytest.approx(plain.required)


def test_the_world_is_the_same_under_every_policy() -> None:
    """How many vcpu_loads are migrations does not depend on what is flushed, but for steps that come in between."""
    shares = []
    for policy in ("none", "last-ran", "always"):
        costs = count(instantiate(SWITCH, policy, events=True), symmetry=True, ask_required=False)
        shares.append(costs.per_thousand("vcpu_load")["migration"])
        if policy == "always":
            assert costs.per_thousand("vcpu_load")["local_tag"] == pytest.approx(1000, rel=0.01)
    assert max(shares) == pytest.approx(min(shares), rel=0.03)


def test_an_entry_that_is_back_at_the_end_of_the_step_is_not_dropped() -> None:
    """A flush of another CPU whose guest runs: what the walker may fill at once, it has filled."""
    inst = instantiate(Refilled)
    assert {n for n, _ in Reference(inst).costs(inst.system.actions[0], (0,), reachable(inst)[0])} == {"local_all", DROPPED}
    found = count(inst, steps=10, ask_required=False)
    assert found.counts == pytest.approx({"local_all": 10.0})


@pytest.mark.parametrize("seed", range(40))
def test_keeping_an_entry_is_judged_as_a_search_from_there_judges(seed: int) -> None:
    inst = instance(seed)
    reference = Reference(inst)
    states = reachable(inst)
    if any(leads_to_a_violation(reference, s) for s in states[:1]):
        pytest.skip("a policy under which nothing holds")
    if any(reference.checker(p)(s) for p in inst.system.properties if p.kind == "invariant" for s in states):
        pytest.skip("a policy under which something does not hold")
    keep, symmetric = Keep(reference, tuple, states), Keep(reference, Symmetry(inst).canonical, states)
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
    assert always.costs.per_thousand()["local_tag"] > last_ran.costs.per_thousand()["local_tag"] > 0
    assert last_ran.costs.required, "some flush of last-ran is needed"
    assert none.result.verdict == "violated" and none.costs.needless is None and "local_tag" not in none.costs.counts


def test_no_time_is_said_and_nothing_made_up() -> None:
    inst = instantiate(SWITCH, "last-ran", sizes={"cpu": 1})
    found = count(inst, seconds=0.0)
    assert not found.complete and found.counts == {} and found.per_thousand() == {}
