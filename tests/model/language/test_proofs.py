"""Proofs apart from their systems: lemmas and ghosts in a class of their own, which `check` never reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.errors import ModelError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_file, proof_of, systems_in
from flushproof.properties.induction.induction import prove

from flushproof.agreement import Agreement

SYSTEM = '''
from typing import Optional
from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Lock(System):
    """A lock."""

    owner: Optional[Cpu]
    entered: Ghost[bool]

    @initially
    def somebody_was_here(self):
        last = choose(Cpu)
        self.entered = True

    @process(Cpu)
    def p(self, cpu):
        """p"""
        yield "takes"
        require(self.owner is None)
        mine = choose(bool)
        if mine:
            self.owner = cpu
            yield "gives back"
            self.owner = None

    @invariant("both")
    def one(self):
        return all(
            not (at(self.p, c, "gives back") and at(self.p, d, "gives back")) or c is d for c in Cpu for d in Cpu
        )


class Other:
    """No system."""


class LockProof(Lock, proof=True):
    inside: Ghost[Map[Cpu, bool]]

    @after("takes")
    def enters(self, cpu, mine):
        if mine:
            self.inside[cpu] = True

    @after("gives back")
    def leaves(self, cpu):
        self.inside[cpu] = False

    @lemma
    def who_is_inside_owns(self):
        return all(self.owner is c for c in Cpu if self.inside[c])

    @lemma
    def the_ghost_tells_where(self):
        return all(self.inside[c] == at(self.p, c, "gives back") for c in Cpu)
'''


def loaded(text: str, folder: Path) -> type:
    path = folder / "lock.py"
    path.write_text(text)
    module = load_file(path)
    (system,) = systems_in(module)
    return system


def test_a_proof_proves_its_system(tmp_path: Path) -> None:
    cls = loaded(SYSTEM, tmp_path)
    system = instantiate(cls, lemmas=True).system
    wanted = [p for p in system.properties if p.kind == "invariant"]
    assert prove(system, wanted, system.lemmas).proved
    assert not prove(system, wanted, [p for p in system.lemmas if not p.name.startswith("the-ghost")]).proved


def test_checking_never_reads_it(tmp_path: Path) -> None:
    cls = loaded(SYSTEM.replace('@after("takes")', '@after("took")'), tmp_path)
    assert "inside" not in compile_system(cls).variable
    with pytest.raises(ModelError, match="no step begins at 'took'"):
        instantiate(cls, lemmas=True)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("inside: Ghost[Map[Cpu, bool]]", "inside: Map[Cpu, bool]", "no ghost"),
        ("self.inside[cpu] = True", "self.owner = None", "the system's own state"),
        ("self.inside[cpu] = True", "require(mine)", "cannot require"),
        ("def enters(self, cpu, mine)", "def enters(self, cpu, yours)", "has no variable 'yours'"),
        ('@after("gives back")\n    def leaves(self, cpu)', "@action\n    def leaves(self, cpu: Cpu)", "belongs to the system"),
        ("def leaves", "def one", "changes 'one'"),
        ("self.inside[cpu] = True", "self.entered = True", "the system's own state"),
        ("inside: Ghost", "gate = Knob(bool, True, 'a gate')\n    inside: Ghost", "'gate' belongs to the system"),
        ("LockProof(Lock,", "LockProof(Lock, Other,", "more than its system"),
    ],
)
def test_a_proof_adds_nothing_else(old: str, new: str, reason: str, tmp_path: Path) -> None:
    assert old in SYSTEM
    with pytest.raises(ModelError, match=reason):
        instantiate(loaded(SYSTEM.replace(old, new), tmp_path), lemmas=True)


MORE = '''
from typing import Optional
from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Count(Counter):
    """A count."""


class Relay(System):
    """A count that goes from hand to hand."""

    now: Count
    turn: Cpu

    @initially
    def one_begins(self):
        first = choose(Cpu)
        self.turn = first

    @process(Cpu)
    def p(self, cpu):
        """p"""
        yield "counts or waits"
        if choose(bool):
            yield from self.counts(cpu)
        else:
            yield "waits"

    def counts(self, cpu):
        other = choose(Cpu)
        self.now = fresh(Count)
        yield "hands on"
        self.turn = other

    @action
    def takes(self, cpu: Cpu):
        """{cpu} takes the turn"""
        self.turn = cpu


class RelayProof(Relay, proof=True):
    earlier: Ghost[Count]
    taken: Ghost[Optional[Cpu]]
    begun: Ghost[Optional[Cpu]]
    next: Ghost[Map[Cpu, Optional[Cpu]]]
    ready: Ghost[bool]

    @after("one_begins")
    def it_begins(self):
        self.ready = True
        self.begun = self.turn

    @before("counts or waits")
    def the_count_before(self):
        self.earlier = self.now

    @after("counts or waits")
    def who_counts_has_another(self, cpu, other):
        self.next[cpu] = other

    @before("takes")
    def it_is_taken(self):
        self.taken = self.turn

    @lemma
    def it_has_begun(self):
        return self.ready and self.begun is not None

    @lemma
    def it_only_rises(self):
        return self.earlier <= self.now

    @lemma
    def it_has_risen(self):
        return self.earlier < self.now or all(not at(self.p, c, "hands on") for c in Cpu)

    @lemma
    def who_hands_on_has_another(self):
        return all(self.next[c] == local(self.p, c, "counts.other") for c in Cpu if at(self.p, c, "hands on"))

    @lemma
    def taken_from_its_holder(self):
        return self.taken is None or self.begun is not None
'''


def proved_lemmas(cls: type) -> set[str]:
    system = instantiate(cls, lemmas=True).system
    return {name for name, proved in prove(system, system.lemmas).properties.items() if proved}


def test_notes_before_and_after_a_step_and_at_the_start(tmp_path: Path) -> None:
    """What a step finds; what it chose in a helper, on the way that goes there; what the start chose."""
    proved = proved_lemmas(loaded(MORE, tmp_path))
    assert {"it-has-begun", "it-only-rises", "who-hands-on-has-another", "taken-from-its-holder"} <= proved
    assert "it-has-risen" not in proved, "while one hands on, another waits"
    late = MORE.replace('@before("counts or waits")', '@after("counts or waits")')
    one = late.replace("self.earlier <= self.now", "self.earlier == self.now")
    assert "it-only-rises" in proved_lemmas(loaded(one, tmp_path)), "at its end the step has risen already"


def test_a_note_needs_its_variables_on_some_way(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the step 'waits' has no variable 'other'"):
        more = MORE.replace('@after("counts or waits")', '@after("counts or waits", "waits")')
        instantiate(loaded(more, tmp_path), lemmas=True)


def test_a_proof_changes_nothing_that_is_seen(tmp_path: Path) -> None:
    """Python runs the system, without the notes, and takes the same steps."""
    cls = loaded(MORE, tmp_path)
    instance = instantiate(cls, lemmas=True)
    assert {"earlier", "next"} <= {slot.var for slot in instance.slots}
    agreement = Agreement(cls, instance, {})
    agreement.compare(500, None)
    assert agreement.walked.steps >= 100


def test_a_proof_is_found_for_its_system_only(tmp_path: Path) -> None:
    cls = loaded(SYSTEM, tmp_path)
    proof = proof_of(cls)
    assert proof is not cls and proof_of(proof) is proof
