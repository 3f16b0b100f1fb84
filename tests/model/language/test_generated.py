"""Generated systems, from source text to every reading: whatever is not refused is read alike by all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.search.explore import explore
from flushproof.search.task import WELL_DEFINED, Limits

from benchmarks.fuzz import covered, smaller

from .grammar import HEADER, load, source
from .readings import Effort, Told, examine, other_ways, stopped

COUNT, EACH = 300, 25
"""Systems, and how many of them are one test."""

WITH_NATIVE, OPTIMISED = 4, 40
"""One in so many is explored by the native engine as well, with each of its options; and by the code that users have."""


@pytest.mark.parametrize("first", range(0, COUNT, EACH))
def test_all_readings_of_a_generated_system_agree(first: int, tmp_path: Path) -> None:
    told = {}
    for seed in range(first, first + EACH):
        native, optimised = seed % WITH_NATIVE == 0, seed % OPTIMISED == 0
        effort = Effort(steps=40, states=300, native=native, optimised=optimised)
        told[seed] = examine(source(seed), tmp_path, effort, f"generated_{seed}")
    found = {seed: t for seed, t in told.items() if t.found}
    assert not found, "python -m benchmarks.fuzz --count 1 --first SEED makes it small"
    assert sum(t.kind == "agrees" for t in told.values()) >= 5, "hardly anything was compared"
    assert sum(t.steps for t in told.values()) > EACH


def test_the_grammar_has_every_construct() -> None:
    nodes: set[str] = set()
    for seed in range(COUNT):
        nodes |= covered(source(seed))[0]
    wanted = "AnnAssign Assign AugAssign BinOp BoolOp Break Call Compare Continue For FunctionDef GeneratorExp If IfExp Lambda"
    wanted += " NamedExpr Return Slice Subscript Tuple UnaryOp While With Yield YieldFrom keyword comprehension"
    assert not set(wanted.split()) - nodes


def test_the_grammar_has_every_way_to_inherit() -> None:
    texts = [source(seed)[len(HEADER) :] for seed in range(COUNT)]
    wanted = {
        "a base": r"class Generated\(Base0\)",
        "a diamond": r"class Generated\(Left\d+, Right\d+\)",
        "a plain class in front": r"class Generated\(Mixin\d+, Base",
        "a plain class behind": r"class Generated\(Base\d, Mixin\d+\)",
        "a part of a part's class": r"class Box\(Crate\)",
        "a helper in another's place": r"return super\(\)\.h\d+\(",
        "a step that goes through the one above": r"super\(\)\.(act|x|initially)\d\(",
        "a process that goes through the one above": r"yield from super\(\)\.run\(",
        "a helper of a class": r"(Base|Left|Right|Mixin|Generated)\d*\.s\d+\(",
        "a constant of a class": r"(Base|Left|Mixin)\d+\.(LIMIT|FIRST|EAGER)",
        "a property in another's place": r"super\(\)\.p\d+",
        "a knob that is decided": r"    knob = (True|False)",
        "a number among truth values": r"if \(\d+ (and|or) ",
        "where enumerate and sum begin": r"(enumerate|sum)\(\(.*\), (start=)?(1|PAIR)\)",
        "a tuple so many times": r",\) \* \d",
        "the element behind one": r"next\(.*, (0|O\.LOW)\)",
        "a number of a class of its own": r"PAIR",
    }
    missing = {what for what, form in wanted.items() if not any(re.search(form, text) for text in texts)}
    assert not missing


@pytest.mark.parametrize("seed", range(8))
def test_what_replaces_something_of_its_class_is_refused(seed: int, tmp_path: Path) -> None:
    """Of whatever kind both are: the later one is what Python sees, and the one before it is not there."""
    before, head, members = re.split(r"(class \w+\(System\):\n)", source(seed), maxsplit=1)
    name = re.findall(r"^    (?:def )?(\w+)(?:\(|: | = (?:Knob|Lock)\()", members.partition("\n\nclass ")[0], re.M)[-1 - seed]
    first = ("{} = Knob(bool, True, '')", "{}: bool", "{} = Lock()", "def {}(self):\n        return True")[seed % 4]
    told = examine(f"{before}{head}    {first.format(name)}\n{members}", tmp_path, Effort(native=False))
    assert told.kind == "refused" and name in told.said


def told_of(body: str, folder: Path) -> Told:
    return examine(f"{HEADER}\n\nclass Generated(System):\n{body}", folder, Effort(native=False))


STEP = """
    on: bool

    @action
    def turn(self, a: A):
        self.on = {}

    @invariant("it is on")
    def off(self):
        return not self.on
"""


def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that takes every condition for its opposite differs from Python."""
    from flushproof.model.ir import terms
    from flushproof.model.language.operations import Operations

    assert told_of(STEP.format("not self.on"), tmp_path).kind == "agrees"
    right = Operations.unary
    monkeypatch.setattr(Operations, "unary", lambda *args: terms.not_(right(*args)))
    told = told_of(STEP.format("not self.on"), tmp_path)
    assert (told.kind, told.reading) == ("differs", "source")


def test_a_wrong_core_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flushproof.model.language import core_text

    monkeypatch.setitem(core_text.OPERATORS, __import__("ast").Not, "not not ")
    told = told_of(STEP.format("not self.on"), tmp_path)
    assert (told.kind, told.reading) == ("differs", "core")


def test_a_wrong_engine_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every option and with code of either kind; the second search, behind a violation, as well as the first."""
    from flushproof.search.native.code import Code

    def told(effort: Effort) -> Told:
        return examine(f"{HEADER}\n\nclass Generated(System):\n{STEP.format('not self.on')}", tmp_path, effort)

    ways = [way.name for way in other_ways(Effort()) if way.engine]
    assert told(Effort()).kind == "agrees" and set(told(Effort()).done) >= {*ways}
    monkeypatch.setattr(Code, "bits_or", lambda self, a, b: self.bits_and(a, b))
    for way in ways:
        for optimised in (False, True):
            wrong = told(Effort(only=way, optimised=optimised))
            assert (wrong.kind, wrong.reading) == ("differs", way)


def test_a_search_that_a_limit_ended_is_not_compared(tmp_path: Path) -> None:
    """Also where it had met a violation by then, and went on: its verdict is that, and its counts are of the limit."""
    instance = instantiate(load(f"{HEADER}\n\nclass Generated(System):\n{STEP.format('not self.on')}", tmp_path, "two_states"))
    for asked in ({}, {"focus": WELL_DEFINED}):
        assert not stopped(explore(instance, **asked))
        assert stopped(explore(instance, limits=Limits(states=1), **asked))
    ended = explore(instance, focus=WELL_DEFINED, limits=Limits(depth=1))
    assert ended.verdict == "violated" and stopped(ended)


def test_a_refusal_an_endless_loop_and_a_crash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_of(STEP.format("[True]"), tmp_path).kind == "refused"
    text = f"{HEADER}\n\nwhile True:\n    pass\n"
    assert examine(text, tmp_path, Effort(seconds=1.0)).kind == "hangs"
    assert examine(f"{HEADER}\n\nimport os\nos.abort()\n", tmp_path).kind == "crashes"


def test_what_is_found_is_made_small() -> None:
    text = "def f(x):\n    a = 1\n    if x > 3:\n        return g(a + h(x) * 2)\n    return 5\n"
    assert smaller(text, lambda t: "h(" in t, 20.0) == "h(x)" or len(smaller(text, lambda t: "h(" in t, 20.0)) < 30
