"""docs/mutation.md: a sample of it is made again, whoever is not noticed has a reason, and the operators do what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.language.load import load_system, shipped

from benchmarks.mutation import DOCS, NO_REASON, NOBODY, SUBJECTS, Judged, Subject, noticed, page, unnoticed_in
from benchmarks.operators import OPERATORS, Mutant, Operator, Setting, mutants
from benchmarks.survivors import ONE_STEP, REASONS

UNNOTICED = unnoticed_in(DOCS.read_text())


def test_every_shipped_system_is_mutated() -> None:
    assert set(UNNOTICED) == {s.system for s in SUBJECTS} == set(REASONS) == set(shipped())
    assert set(SAMPLE) | LONG == set(UNNOTICED), "whatever is on the page is judged again"


def test_whoever_is_not_noticed_has_a_reason() -> None:
    assert NO_REASON not in DOCS.read_text()
    for system, found in UNNOTICED.items():
        for operator, name in found:
            assert Judged(system, _operator(operator), name, NOBODY).reason, f"{system}: {operator}: {name}"


def test_every_reason_is_of_somebody() -> None:
    for system in UNNOTICED:
        named = {(b.operator, name) for b in REASONS[system] for name in b.names}
        assert named <= UNNOTICED[system]
    for system, reasons in ONE_STEP.items():
        assert not {(b.operator, name) for b in reasons for name in b.names} & UNNOTICED[system]


SAMPLE = {
    "kvm-icache": 20,
    "kvm-trapped-tlbi": 40,
    "kvm-vcpu-switch": 15,
    "kvm-vmid-generation": 45,
    "kvm-world-switch": 40,
    "xen-tlbflush-clock": 100,
}
"""One change in so many is made and judged again."""

LONG = {"kvm-vmid-allocator", "tla-asidalloc", "tla-vmidalloc", "xen-pv-paging"}
"""Those of which a mutant takes long, for its states or its settings: `python -m benchmarks.mutation` alone."""


@pytest.mark.parametrize("subject", [s for s in SUBJECTS if s.system in SAMPLE], ids=lambda s: s.system)
def test_a_sample_is_judged_as_the_page_says(subject: Subject, tmp_path: Path) -> None:
    seen = 0
    for mutant in subject.mutants(tmp_path, SAMPLE[subject.system]):
        unnoticed = (mutant.operator, mutant.name) in UNNOTICED[subject.system]
        assert (noticed(mutant, subject) == NOBODY) == unnoticed, f"{mutant.operator}: {mutant.name}"
        seen += 1
    assert seen >= 2


def test_the_page_is_as_its_results() -> None:
    """Results are laid out, and read back, as in the page."""
    judged = [
        Judged("kvm-vcpu-switch", operator, name, NOBODY) for operator, name in sorted(UNNOTICED["kvm-vcpu-switch"])  # type: ignore[arg-type]
    ]
    assert unnoticed_in(page(judged, ""))["kvm-vcpu-switch"] == UNNOTICED["kvm-vcpu-switch"]


SMALL = '''
from flushproof.model.language import *


class Cpu(Sort, size=1):
    """A CPU."""


class Small(System):
    """A flag is set while another one is."""

    first: bool
    second: bool

    @process(Cpu)
    def work(self, cpu):
        yield "begins"
        self.first = True
        self.second = True
        yield "ends"
        self.second = False
        self.first = False

    @invariant("the second alone is set")
    def in_order(self):
        return self.first or not self.second

    policies = {"only": Policy("", {}, "holds")}
'''


def test_a_system_that_was_not_judged_stays_on_the_page_as_it_is() -> None:
    before = DOCS.read_text()
    assert page([], before) == before
    judged = [Judged("kvm-vcpu-switch", "split", "one", NOBODY), Judged("kvm-vcpu-switch", "split", "other", "a property")]
    after = page(judged, before)
    assert unnoticed_in(after) == {**UNNOTICED, "kvm-vcpu-switch": {("split", "one")}}
    (row,) = (line for line in after.splitlines() if line.startswith("| `kvm-vcpu-switch`"))
    assert row.count("1 of 2") == 2


def test_a_setting_is_judged_in_a_changed_source_too(tmp_path: Path) -> None:
    """Though it has enumerations of its own: a comparison of generations that comes too early is noticed where it matters."""
    subject = next(s for s in SUBJECTS if s.system == "kvm-vmid-generation")
    (early,) = (
        m
        for m in mutants(subject.cls(), Setting(subject.policy), tmp_path, subject.environment)
        if m.name.startswith("vcpu_thread: if self.loads == Loads.VTTBR_EARLY: | stale")
    )
    assert noticed(early, subject) == "no longer one-vmid-per-vm, with loads=vttbr-early"


def test_what_one_cpu_does_not_notice_two_do(tmp_path: Path) -> None:
    """A subject is explored in each of its places."""
    subject = next(s for s in SUBJECTS if s.system == "tla-asidalloc")
    without_lock = next(m for m in subject.mutants(tmp_path) if m.name == "slow_path / requires cpu_asid_lock.holder")
    assert noticed(without_lock, replace(subject, places=subject.places[:1], further=())) == NOBODY
    assert noticed(without_lock, subject) == "SameASIDActiveTask"


def test_operators_do_what_they_say(tmp_path: Path) -> None:
    """Each operator's mutants of a small system, and which of them break it: written in the other order, or by somebody else."""
    (tmp_path / "small.py").write_text(SMALL)
    cls = load_system(f"{tmp_path / 'small.py'}:Small")
    found = {(m.operator, m.name): m for m in mutants(cls, Setting("only"), tmp_path)}
    assert {operator for operator, _ in found} == set(OPERATORS)
    broken = {key for key, m in found.items() if _is_broken(m)}
    assert ("left out", "begins / writes first") in broken
    assert ("left out", "ends / writes first") not in broken
    assert ("actor", "begins / by somebody else") not in broken
    assert ("split", "work: self.first = True | self.second = True") not in broken
    assert found["reordered", "work: self.first = True | self.second = True"].made(Setting("only")) is None


def _is_broken(mutant: Mutant) -> bool:
    from flushproof.search.explore import explore

    instance = mutant.made(Setting("only"))
    return instance is not None and explore(instance, properties=["in-order"]).property is not None


def _operator(text: str) -> Operator:
    return next(operator for operator in OPERATORS if operator == text)
