"""Walks under a workload: reproducible, and as far from the exact average as their margins say."""

import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.chances import Law, Workload, alike
from flushproof.search.costs import count
from flushproof.search.reference.interpreter import Reference
from flushproof.search.sampling import WALKS, sample

INSTANCE = instantiate(load_system("kvm-vcpu-switch"), "last-ran", sizes={"cpu": 1}, events=True)
BUSY = Workload("busy", "", {"vcpu_load": 3, "migration": 1, "exit": 5, "unmap": 9}, 500)


def test_a_seed_makes_the_same_walks() -> None:
    one, same, other = (sample(INSTANCE, BUSY, steps=50, seed=s) for s in (1, 1, 2))
    assert one == same != other and one.complete and one.steps == WALKS * 50


def test_the_exact_average_is_where_the_margins_say() -> None:
    """Of 40 samples about 38 are within the margin of the exact ratio, which `count` calculates without walking."""
    exact = count(INSTANCE, workload=BUSY, steps=60, symmetry=True, ask_required=False).per_thousand()
    samples = [sample(INSTANCE, BUSY, steps=60, seed=seed).figures for seed in range(40)]
    for name in ("local_tag", "dsb_wait", "guest_exits", "dropped", "vcpu_load"):
        within = sum(abs(f[name].mean - exact[name]) <= f[name].margin for f in samples)
        assert within >= 34, f"{name}: {within} of 40"
        assert any(abs(f[name].mean - exact[name]) > f[name].margin / 20 for f in samples), "margins are no wider than need be"


def test_what_has_the_rate_0_never_happens() -> None:
    still = Workload("still", "", {"vcpu_load": 1, "exit": 1, "unmap": 0}, 100)
    found = sample(INSTANCE, still, steps=100)
    assert "unmap" not in found.figures and found.figures["vcpu_load"].mean > 0
    exact = count(INSTANCE, workload=still, steps=100, symmetry=True, ask_required=False)
    assert "unmap" not in exact.counts


def test_rates_are_proportions() -> None:
    """Each event has its rate in each state, and a step that is several goes by the least of theirs."""
    reference = Reference(INSTANCE)
    law = Law(reference, BUSY)
    seen = set()
    queue = list(dict.fromkeys(reference.initial_states()))
    known = set(queue)
    for number, state in enumerate(queue):
        if number == 4000:
            break
        choices = law.choices(state)
        for group, weight in zip(choices.groups, choices.weights, strict=True):
            names = {n for w in group for n, _ in reference.costs(w.action, w.codes, state) if n in BUSY.rates}
            assert weight == min((BUSY.rates[n] for n in names), default=BUSY.pace)
            seen.add(weight)
            new = {way.after for way in group} - known
            known |= new
            queue += new
        assert sum(chance for _, chance in choices.chances()) == pytest.approx(1)
    assert seen == {3, 5, 9, 500}


def test_time_that_is_over_is_said() -> None:
    found = sample(INSTANCE, BUSY, steps=50, seconds=0.0)
    assert not found.complete and found.figures == {}


def test_without_events_steps_are_counted_by() -> None:
    plain = instantiate(load_system("kvm-vcpu-switch"), "last-ran", sizes={"cpu": 1})
    found = sample(plain, alike(plain), steps=40)
    assert found.events == found.steps == WALKS * 40 and found.figures["guest_exits"].mean < 1000
