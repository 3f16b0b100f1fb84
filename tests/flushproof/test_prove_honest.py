"""What `prove` says of what does not exist, of names that users choose, of what was stopped, and what it audits."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.induction.induction import prove as induction
from flushproof.properties.lemmas import search

from flushproof import proving
from flushproof.audit_proof import audit, larger
from flushproof.cli import main
from flushproof.result import CertificateError

HEAD = '''
from typing import Optional

from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Level(Sort, ordered=True, size=4):
    """How high."""


'''

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> str:
        path = tmp_path / "written.py"
        path.write_text(HEAD + text)
        return f"{path}:S"

    return written


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


NOWHERE = '''
class S(System):
    """Nothing begins."""

    home: Rigid[Map[Cpu, Cpu]]
    bad: bool

    @axiom
    def one_is_away(self):
        return any(self.home[a] is not a for a in Cpu)

    @axiom
    def all_are_at_home(self):
        return all(self.home[a] is a for a in Cpu)

    @action
    def breaks(self, a: Cpu):
        """it breaks"""
        self.bad = True

    @invariant("it is bad")
    def fine(self):
        return not self.bad
'''


@pytest.mark.parametrize("by", ["auto", "induction", "k-induction", "bounded"])
def test_where_nothing_begins_there_is_no_verdict(write: Write, tmp_path: Path, by: str) -> None:
    file = tmp_path / "proof.json"
    done = call("prove", write(NOWHERE), "--infer", "0", "--by", by, "--save", str(file))
    assert done.exit_code == 3 and "no initial state" in done.stdout and "PROVED" not in done.stdout
    assert not file.exists()
    found = json.loads(call("prove", write(NOWHERE), "--infer", "0", "--by", by, "--format", "json").stdout)
    assert found["verdict"] == "inconclusive" and "no initial state" in found["reason"] and found["proof"] is None


def test_where_something_begins_at_another_size_only_it_is_proved(write: Write) -> None:
    some = NOWHERE.replace("return all(self.home[a] is a for a in Cpu)", "return any(a is not b for a in Cpu for b in Cpu)")
    some = some.replace("self.bad = True", "self.bad = False")
    done = call("prove", write(some), "--infer", "0", "--size", "cpu=1")
    assert done.exit_code == 0 and "PROVED for any size" in done.stdout, done.output


LEVELS = '''
class S(System):
    """It rises to a level by name."""

    at: Level

    @action
    def rise(self, cpu: Cpu):
        """it rises"""
        self.at = 2

    @invariant("it is too high")
    def low(self):
        return self.at <= 2
'''


def test_elements_that_literals_name_are_not_assumed_silently(write: Write) -> None:
    done = call("prove", write(LEVELS), "--infer", "0")
    assert done.exit_code == 0 and "PROVED for any size with at least 3 Level: low" in done.stdout
    found = json.loads(call("prove", write(LEVELS), "--infer", "0", "--format", "json").stdout)
    assert found["elements"] == {"Level": 3}


NAMES = '''
class S(System):
    """An action has the name of the beginning; two checks have names that are alike."""

    bad: bool
    worse: bool

    @action
    def idle(self, a: Cpu):
        """nothing"""

    @action
    def initially(self, a: Cpu, b: Cpu, c: Cpu):
        """three CPUs do it"""
        require(a is not b and b is not c and a is not c)
        self.bad = True

    @event
    def look(self, a: Cpu):
        """{a} looks"""
        check("x", True, "never")
        check("x", not self.bad, "it is bad")
        check("x#2", not self.worse, "it is worse")
        check("x#1", True, "never")
'''


def test_names_that_users_choose_are_no_keys(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    done = call("prove", write(NAMES), "--infer", "0", "--audit", "off", "--save", str(file), "--format", "json")
    found = json.loads(done.stdout)
    assert {name: shown["proof"] for name, shown in found["properties"].items()} == {
        "x": "finite",
        "x#1": "any-size",
        "x#2": "any-size",
    }
    broken = [q for q in found["questions"] if q["verdict"] == "failed"]
    assert [(q["action"], q["initial"]) for q in broken] == [("initially", False)]
    assert call("verify", str(file), "--system", write(NAMES)).exit_code == 0
    content = json.loads(file.read_text())
    content["properties"].append("x")
    content["conjuncts"] = [{**c, "of": "x", "number": 1} if c["of"] == "x#2" else c for c in content["conjuncts"]]
    for question in content["questions"]:
        if question["conjunct"][1] == "x#2":
            question["conjunct"] = ["property", "x", 1]
            question["needs"] = [["property", "x", 1] for _ in question["needs"]]
    file.write_text(json.dumps(content))
    assert call("verify", str(file), "--system", write(NAMES)).exit_code == 1


LEMMAS = '''
class S(System):
    """Lemmas that have a property's name, and one that is wrong."""

    bad: bool
    on: Map[Cpu, bool]

    @action
    def turn(self, a: Cpu):
        """{a} turns"""
        self.on[a] = not self.on[a]

    @invariant("it is bad")
    def fine(self):
        return not self.bad

    @lemma
    def first(self):
        return all(not self.on[a] for a in Cpu)
'''


def test_a_lemma_of_a_propertys_name_is_another_thing(write: Write) -> None:
    system = instantiate(load_system(write(LEMMAS)), lemmas=True).system
    (wrong,) = system.lemmas
    found = induction(system, system.properties, (replace(wrong, name="fine"), wrong, wrong))
    assert found.properties == {"fine": True}
    assert {(r.conjunct.role, r.conjunct.of) for r in found.failures} == {("lemma", "fine"), ("lemma", wrong.name)}


def test_a_helper_called_twice_is_proved(write: Write) -> None:
    text = '''
class S(System):
    """A helper that is called at two places."""

    a: Map[Cpu, bool]

    def flush(self, cpu):
        yield "flush"
        self.a[cpu] = True

    @process(Cpu)
    def p(self, cpu: Cpu):
        """choose"""
        one = choose(Cpu)
        yield from self.flush(one)
        yield "again"
        yield from self.flush(one)

    @invariant("never")
    def i(self):
        return True
'''
    done = call("prove", write(text), "--infer", "0")
    assert done.exit_code == 0 and "PROVED for any size: i" in done.stdout, done.output


def test_an_action_that_needs_three_elements_is_not_vacuous(write: Write) -> None:
    text = NAMES.replace("self.bad = True", "self.worse = False")
    found = json.loads(call("prove", write(text), "--infer", "0", "--audit", "off", "--format", "json").stdout)
    assert found["verdict"] == "holds" and found["vacuous"] == []
    five = text.replace("c: Cpu)", "c: Cpu, d: Cpu, e: Cpu)").replace(
        "a is not c)", "a is not c and d not in (a, b, c) and e not in (a, b, c, d))"
    )
    assert json.loads(call("prove", write(five), "--infer", "0", "--audit", "off", "--format", "json").stdout)["vacuous"] == []
    never = text.replace("a is not c)", "a is not c and a is b)")
    found = json.loads(call("prove", write(never), "--infer", "0", "--audit", "off", "--format", "json").stdout)
    assert found["vacuous"] in (["initially"], []), "an action whose guard is false may be gone"
    stopped = text.replace("a is not c)", "a is not c and self.bad)")
    found = json.loads(call("prove", write(stopped), "--infer", "0", "--audit", "off", "--format", "json").stdout)
    assert found["vacuous"] == ["initially"]


def test_what_is_proved_is_audited(write: Write) -> None:
    done = call("prove", write(LEVELS), "--infer", "0")
    said = " ".join(done.stdout.split())
    assert "Audited in" in said and "cpu=3" in said and "cpu=4" in said and "verified by another process" in said
    found = json.loads(call("prove", write(LEVELS), "--infer", "0", "--format", "json").stdout)
    assert found["proof_audit"]["verified"] and all(e["complete"] for e in found["proof_audit"]["explored"])
    without = json.loads(call("prove", write(LEVELS), "--infer", "0", "--audit", "off", "--format", "json").stdout)
    assert without["proof_audit"] is None


def test_a_false_proof_meets_its_counterexample(write: Write) -> None:
    """`bad` is reached with three CPUs: whoever believes the proof from two is told."""
    cls = load_system(write(NAMES))
    instance = instantiate(cls, lemmas=True)
    with pytest.raises(CertificateError, match=r"with cpu=3.* 'x' does not hold"):
        audit(instance, ["x"], {}, "nowhere.py:S")


def test_a_proof_that_is_not_verified_apart_is_no_verdict(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(LEVELS)
    real = proving.certificates.certificate
    monkeypatch.setattr(proving.certificates, "certificate", lambda *args: {**real(*args), "elements": {}})
    done = call("prove", spec, "--infer", "0")
    assert done.exit_code == 70 and "PROVED" not in done.stdout and "is not verified" in done.stderr


def test_sizes_of_the_audit_are_larger(write: Write) -> None:
    instance = instantiate(load_system(write(LEVELS)))
    assert dict(instance.sizes) == {"Level": 4, "Cpu": 2}
    assert [dict(s) for s in larger(instance)] == [{"Level": 5, "Cpu": 2}, {"Level": 4, "Cpu": 3}]


def test_counterexamples_are_at_rest_under_the_closures(write: Write) -> None:
    """`wrong` is set where the hardware has not done its part: by construction it always has, and that is proved as a lemma."""
    text = '''
class S(System):
    """A wire that hardware drives by itself."""

    on: Map[Cpu, bool]
    wire: Map[Cpu, bool]
    wrong: bool

    @action
    def turn(self, c: Cpu):
        """{c} turns"""
        self.on[c] = not self.on[c]
        self.wire[c] = False

    @action
    def look(self, c: Cpu):
        """{c} looks"""
        if self.on[c] and not self.wire[c]:
            self.wrong = True

    @closure
    def drives(self):
        """what is on drives its wire"""
        for c in Cpu:
            if self.on[c]:
                self.wire[c] = True

    @invariant("wrong")
    def fine(self):
        return not self.wrong
'''
    found = json.loads(call("prove", write(text), "--infer", "0", "--format", "json").stdout)
    assert found["verdict"] == "holds" and found["proof_audit"]["verified"]
    (lemma,) = (lemma for lemma in found["lemmas"] if lemma["used"])
    assert (lemma["name"], lemma["origin"]) == ("wire at rest", "construction")


def test_paths_are_tried_before_and_written_after(write: Write, tmp_path: Path) -> None:
    spec, nowhere = write(LEVELS), str(tmp_path / "no" / "proof.json")
    for option in ("--save", "--graph"):
        done = call("prove", spec, option, nowhere.replace(".json", ".svg"), "--infer", "0")
        assert done.exit_code == 2 and done.stdout == "" and "No such file" in done.stderr
    assert call("prove", spec, "--graph", "proof.bmp").exit_code == 2
    file = tmp_path / "kept.json"
    file.write_text("kept")
    wrong = LEVELS.replace("self.at <= 2", "self.at <= 1")
    done = call("prove", write(wrong), "--infer", "0", "--save", str(file))
    assert done.exit_code == 1 and "VIOLATED: low" in done.stdout
    assert "there is nothing to prove" in done.stderr and json.loads(file.read_text())["property"] == "low"


def test_what_cannot_be_written_changes_no_verdict(write: Write) -> None:
    done = call("prove", write(LEVELS), "--infer", "0", "--save", "/dev/full")
    assert done.exit_code == 0 and "PROVED for any size" in done.stdout
    assert "/dev/full: No space left on device" in done.stderr


def test_under_what_is_proved_nothing_is_called_not_inductive(write: Write) -> None:
    done = call("prove", write(LEMMAS), "--infer", "0")
    assert done.exit_code == 0 and "PROVED for any size: fine" in done.stdout
    assert "The lemma 'first' does not hold" in done.stdout and "Not inductive" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("during", ["samples", "induction", "check_bounded", "audit"])
def test_an_interrupted_proof_says_what_it_has(
    write: Write, monkeypatch: pytest.MonkeyPatch, number: int, during: str
) -> None:
    real = getattr(proving, during)

    def interrupted(*args: Any, **others: Any) -> Any:
        os.kill(os.getpid(), number)
        return real(*args, **others)

    monkeypatch.setattr(proving, during, interrupted)
    spec = write(LEMMAS if during == "audit" else MISSING)
    how = {"check_bounded": ["--by", "bounded"], "samples": ["--infer", "20"]}.get(during, ["--infer", "0"])
    found = json.loads(call("prove", spec, *how, "--format", "json").stdout)
    assert found["reason"].startswith("interrupted while")
    shown = found["properties"]["fine"]
    match during:
        case "audit":
            assert (found["verdict"], shown["proof"], found["proof_audit"]) == ("holds", "any-size", None)
        case "check_bounded":
            assert (found["verdict"], shown) == ("inconclusive", None)
        case _:
            assert (found["verdict"], shown["proof"]) == ("inconclusive", "finite")


def test_candidates_so_far_are_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Z3 takes an interrupt for itself; here it comes when the first candidate is found."""
    real = search.show

    def interrupted(*args: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    monkeypatch.setattr(search, "show", interrupted)
    done = call("prove", write(MISSING), "--infer", "20")
    assert done.exit_code == 3 and "so far, of which none is proved" in done.stdout, done.output
    assert "The search for lemmas ended after" in done.stdout and "it was interrupted" in done.stdout


MISSING = '''
class S(System):
    """What nobody says has to be found."""

    a: Map[Cpu, bool]
    b: Map[Cpu, bool]

    @action
    def both(self, c: Cpu):
        """both"""
        self.a[c] = self.b[c]

    @action
    def keep(self, c: Cpu):
        """b keeps what it is where a is off"""
        if self.a[c]:
            self.b[c] = True

    @invariant("a")
    def fine(self):
        return all(not self.a[c] for c in Cpu)
'''


def test_a_search_for_lemmas_says_why_it_ended(write: Write) -> None:
    found = json.loads(call("prove", write(MISSING), "--infer", "20", "--format", "json").stdout)
    assert found["search_ended"] == "there is a proof" and found["found"]
    found = json.loads(call("prove", write(MISSING), "--infer", "0.001", "--format", "json").stdout)
    assert found["search_ended"] == "the 0.001 seconds for it were over" and found["verdict"] == "inconclusive"


NOTHING = '''
class S(System):
    """No sort and no variable is left of it."""

    on: bool

    @action
    def turn(self):
        """turns"""
        self.on = not self.on

    @invariant("x")
    def fine(self):
        return self.on or not self.on
'''


def test_what_depends_on_no_state_is_proved(write: Write) -> None:
    found = json.loads(call("prove", write(NOTHING), "--format", "json").stdout)
    assert found["verdict"] == "holds" and found["properties"]["fine"]["proof"] == "any-size"
    assert "whatever the number" not in call("prove", write(NOTHING)).stdout
