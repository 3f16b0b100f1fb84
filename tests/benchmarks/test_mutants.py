"""The table of mutants does not rot, and what a broken checker is asked about is as it should be where nothing is broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.audited import SUBJECTS, outcome
from benchmarks.faults import MUTANTS, Mutant
from benchmarks.mutants import BY_AREA, ROOT, Noticed, kind_of, score, table


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: str(m.number))
def test_each_mutant_can_be_made(mutant: Mutant) -> None:
    before = (ROOT / mutant.file).read_text()
    after = mutant.applied(before)
    assert after != before
    compile(after, mutant.file, "exec")
    assert mutant.area in BY_AREA


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 80
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert {m.area for m in MUTANTS} == set(BY_AREA)


def test_a_text_that_is_gone_is_said() -> None:
    with pytest.raises(ValueError, match="occurs 0 times"):
        MUTANTS[0].applied("")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_honest_checker_says_what_is_right(name: str, elsewhere: None) -> None:
    assert outcome(SUBJECTS[name]) == SUBJECTS[name].said


def test_who_is_asked_exists() -> None:
    for noticers in BY_AREA.values():
        assert set(noticers.systems) <= set(SUBJECTS)
        assert all((ROOT / test.partition("::")[0]).exists() for test in noticers.tests)


def test_what_is_said_of_a_difference() -> None:
    assert kind_of("steps: AuditError: steps is read in two ways that differ") == "audit"
    assert kind_of("steps: ReplayError: no step leads there") == "crash"
    assert kind_of("steps: refused") == "refusal"
    assert kind_of("steps: holds, 3 for 4, 5 steps") == "verdict"


def test_the_score_counts_those_whom_nobody_notices() -> None:
    found = [Noticed(1, "audit", "steps", 1.0), Noticed(2, "nobody", "", 2.0)]
    assert score(found).startswith("1 of 2 mutants are noticed: 1 by the audit")
    assert MUTANTS[1].meaning in table(found)
