"""Proofs apart from their systems: lemmas and ghosts in a class of their own, which `check` never reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.errors import ModelError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_file, proof_of, systems_in
from flushproof.properties.induction.induction import prove

SYSTEM = '''
from typing import Optional
from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Lock(System):
    """A lock."""

    owner: Optional[Cpu]

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
    ],
)
def test_a_proof_adds_nothing_else(old: str, new: str, reason: str, tmp_path: Path) -> None:
    assert old in SYSTEM
    with pytest.raises(ModelError, match=reason):
        instantiate(loaded(SYSTEM.replace(old, new), tmp_path), lemmas=True)


def test_a_proof_is_found_for_its_system_only(tmp_path: Path) -> None:
    cls = loaded(SYSTEM, tmp_path)
    proof = proof_of(cls)
    assert proof is not cls and proof_of(proof) is proof
