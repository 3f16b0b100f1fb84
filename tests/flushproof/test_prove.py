"""`flushproof prove`, `verify` and `simulate`, as a user gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flushproof.cli import main

SYSTEM = '''
from typing import Optional

from flushproof.model.language.declare import *


class Cpu(Sort):
    """A CPU."""


class Turns(System):
    """CPUs take turns in a room that one may enter."""

    holder: Optional[Cpu]
    inside: Map[Cpu, bool]
    polite = Knob(bool, True, "enter only with the key")
    policies = {
        "polite": Policy("with the key", {"polite": True}, "holds"),
        "rude": Policy("without", {"polite": False}, "alone"),
    }

    @action
    def enter(self, cpu: Cpu):
        """{cpu} enters"""
        require(not self.inside[cpu])
        if self.polite:
            require(self.holder is None)
        self.holder = cpu
        self.inside[cpu] = True

    @action
    def leave(self, cpu: Cpu):
        """{cpu} leaves"""
        require(self.inside[cpu])
        self.inside[cpu] = False
        self.holder = None

    @invariant(because="{a} and {b} are inside at once.")
    def alone(self):
        return all(not (self.inside[a] and self.inside[b]) for a in Cpu for b in Cpu if a != b)
'''

LEMMA = '''
    @lemma
    def who_is_inside_has_the_key(self):
        return all(self.holder == cpu for cpu in Cpu if self.inside[cpu])
'''

WRONG = '''
    @lemma
    def nobody_ever_enters(self):
        return all(not self.inside[cpu] for cpu in Cpu)
'''


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def data(*args: str) -> Any:
    return json.loads(call(*args, "--format", "json").stdout)


@pytest.fixture
def turns(tmp_path: Path) -> Any:
    def write(*lemmas: str) -> str:
        path = tmp_path / f"turns{len(lemmas)}{''.join(str(len(x)) for x in lemmas)}.py"
        path.write_text(SYSTEM + "".join(lemmas))
        return f"{path}:Turns"

    return write


def test_a_lemma_makes_the_proof(turns: Any) -> None:
    done = call("prove", turns(LEMMA), "--policy", "polite", "--infer", "0")
    assert done.exit_code == 0, done.output
    assert "PROVED for any size: alone" in done.stdout
    assert "who-is-inside-has-the-key" in done.stdout


def test_without_it_the_step_that_breaks_the_property_is_shown(turns: Any) -> None:
    done = call("prove", turns(), "--policy", "polite", "--infer", "0")
    assert done.exit_code == 3
    assert "NOT PROVED for any size: alone" in done.stdout
    assert "proved for these sizes only" in done.stdout
    assert "enter(cpu=" in done.stdout and "breaks alone" in done.stdout
    assert "The state before is not reached at these sizes" in done.stdout


def test_the_lemma_is_found(turns: Any) -> None:
    found = data("prove", turns(), "--policy", "polite", "--infer", "20")
    assert (found["verdict"], found["proof"]) == ("holds", "any-size")
    assert found["found"]


def test_a_broken_policy_is_never_proved(turns: Any) -> None:
    done = call("prove", turns(LEMMA), "--policy", "rude")
    assert done.exit_code == 1
    found = data("prove", turns(LEMMA), "--policy", "rude")
    assert (found["verdict"], found["proof"], found["property"]) == ("violated", None, "alone")
    assert found["certified"] is True and len(found["trace"]) == 2


def test_a_wrong_lemma_gets_a_trace_and_is_not_used(turns: Any) -> None:
    found = data("prove", turns(LEMMA, WRONG), "--policy", "polite", "--infer", "0")
    assert found["verdict"] == "holds"
    assert len(found["wrong_lemmas"]["nobody-ever-enters"]["trace"]) == 1


def test_the_kinds_of_proof_differ(turns: Any) -> None:
    assert data("prove", turns(LEMMA), "--infer", "0")["proof"] == "any-size"
    assert data("prove", turns(), "--infer", "0")["proof"] == "finite"


def test_a_proof_is_verified_from_its_file(turns: Any, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    spec = turns(LEMMA)
    assert call("prove", spec, "--policy", "polite", "--save", str(path)).exit_code == 0
    done = call("verify", str(path), "--system", spec)
    assert done.exit_code == 0, done.output
    assert "VERIFIED" in done.stdout
    content = json.loads(path.read_text())
    del content["questions"][0]
    path.write_text(json.dumps(content))
    assert call("verify", str(path)).exit_code == 1
    path.write_text("{}")
    assert call("verify", str(path)).exit_code == 2


def test_a_proof_is_drawn(turns: Any, tmp_path: Path) -> None:
    for suffix, start in ((".svg", "<svg"), (".mmd", "flowchart")):
        path = tmp_path / f"proof{suffix}"
        assert call("prove", turns(LEMMA), "--graph", str(path)).exit_code == 0
        assert path.read_text().lstrip().startswith(start)
    assert call("prove", turns(LEMMA), "--graph", str(tmp_path / "proof.bmp")).exit_code == 2


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--property", "alon"], "Did you mean 'alone'?"),
        (["--policy", "polit"], "Did you mean 'polite'?"),
        (["--all"], "either a SYSTEM or --all"),
    ],
)
def test_bad_input(turns: Any, args: list[str], text: str) -> None:
    done = call("prove", turns(), *args)
    assert done.exit_code == 2 and text in done.stderr


def test_walks_find_a_violation_and_prove_nothing(turns: Any) -> None:
    done = call("simulate", turns(), "--policy", "rude", "--seed", "1", "--walks", "5", "--steps", "20")
    assert done.exit_code == 1 and "VIOLATED: alone" in done.stdout
    found = data("simulate", turns(), "--policy", "polite", "--walks", "5", "--steps", "20")
    assert (found["verdict"], found["property"], found["trace"]) == ("inconclusive", None, None)
    assert set(found["taken"]) == {"enter", "leave"}
    again = data("simulate", turns(), "--policy", "polite", "--walks", "5", "--steps", "20")
    assert {**found, "seconds": 0} == {**again, "seconds": 0}
