"""Python as Python programmers write it: each kind of idiom that was once read otherwise, with relatives, and what is right.

A table for each kind: the text of a system, and its verdict.  Texts are bodies of a class, or whole modules below `HEAD`.  Every
system is explored by both engines, and run by Python itself beside its IR; what is violated is never proved.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.search.task import Limits

from flushproof.agreement import Agreement
from flushproof.checking import check
from flushproof.proving import prove

from .checks import CHECKS
from .classes import CLASSES
from .habits import HABITS
from .kinds import KINDS, Holds, Refused, Violated, module
from .numbers import NUMBERS
from .written import load

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")  # some cases are what Python warns of

TABLE = KINDS | HABITS | NUMBERS | CHECKS | CLASSES
assert len(TABLE) == sum(map(len, (KINDS, HABITS, NUMBERS, CHECKS, CLASSES)))
CASES = [(kind, name) for kind, cases in TABLE.items() for name in cases]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{k}: {n}" for k, n in CASES])
def test_it_is_read_as_python_reads_it(kind: str, name: str, tmp_path: Path) -> None:
    case = TABLE[kind][name]
    right = case.right
    if isinstance(right, Refused):
        with pytest.raises(FlushproofError) as refusal:
            check(load(module(case.text), tmp_path, "kinds"), audit=None)
        said = str(refusal.value)
        assert all(word in said for word in right.words), said
        return
    cls = load(module(case.text), tmp_path, "kinds")
    for engine in ("native", "reference"):
        found = check(cls, engine=engine, audit=None)
        match right:
            case Holds():
                assert (found.verdict, found.violated) == ("holds", None)
            case Violated(prop, steps):
                assert (found.verdict, found.violated) == ("violated", prop)
                assert found.trace is not None and len(found.trace.steps) == steps
    if case.python:
        agreement = Agreement(cls, instantiate(cls), knob_values(cls, None, {}))
        agreement.compare(150, None)
        assert not agreement.walked.could_not_run


BUILT_IN = ("no-deadlock", "well-defined")
VIOLATED = [(k, n) for k, n in CASES if isinstance(right := TABLE[k][n].right, Violated) and right.prop not in BUILT_IN]


@pytest.mark.parametrize(("kind", "name"), VIOLATED, ids=[f"{k}: {n}" for k, n in VIOLATED])
def test_what_is_violated_is_not_proved(kind: str, name: str, tmp_path: Path) -> None:
    case = TABLE[kind][name]
    assert isinstance(case.right, Violated)
    found = prove(load(module(case.text), tmp_path, "kinds"), limits=Limits(seconds=20.0), audit=None)
    assert found.verdict == "violated" and case.right.prop not in found.proved
