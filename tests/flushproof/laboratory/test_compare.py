"""`flushproof compare` and `flushproof repair`, as a user sees them, and repairs against one check for each policy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from flushproof.model.language.load import load_system

from flushproof import cli
from flushproof.checking import check
from flushproof.laboratory import comparing
from flushproof.laboratory.comparing import compare
from flushproof.laboratory.deciding import Laboratory
from flushproof.laboratory.judging import Question
from flushproof.laboratory.lattice import combinations
from flushproof.laboratory.repairing import repair
from flushproof.report.jsonform import schema

from .knobs import Flushes

FLUSHES = f"{Path(__file__).with_name('knobs.py')}:Flushes"
HALTS, STARVES = (f"{Path(__file__).with_name('endless.py')}:{name}" for name in ("Halts", "Starves"))


def call(*args: str) -> Result:
    return CliRunner().invoke(cli.main, args)


def data(*args: str) -> tuple[Any, int]:
    called = call(*args, "--format", "json")
    found = json.loads(called.stdout)
    jsonschema.validate(found, schema())
    return found, called.exit_code


def test_one_trace_under_two_policies() -> None:
    called = call("compare", FLUSHES, "none", "load")
    assert called.exit_code == 0, called.output
    text = " ".join(called.stdout.split())
    assert "none: VIOLATED: no-foreign-hit" in text and "load: HOLDS" in text
    assert "entry[cpu0, vcpu0] = False" in text or "entry[cpu0, vcpu1] = False" in text
    assert "They part at step 4." in text and "load violates nothing there." in text
    assert call("compare", FLUSHES, "load", "none").exit_code == 0


def test_the_other_policy_takes_its_own_steps_in_between() -> None:
    """A thread that flushes stands at other labels than one that does not: it goes on alone until the trace can go on."""
    found = compare(load_system("kvm-vcpu-switch"), ("none", "last-ran"))
    assert found.parts == 1 and not found.violated
    assert all(moment.other.possible for moment in found.moments)
    assert [step.action.partition(": ")[2] for step in found.moments[1].other.first][:2] == [
        "writes the VM's VTTBR, ISB",
        "TLBI VMALLE1",
    ]


def test_two_policies_that_hold_have_no_trace() -> None:
    found, status = data("compare", FLUSHES, "load", "both")
    assert status == 0 and found["trace_of"] is None and found["trace"] is None and found["other"] == []


def test_two_policies_as_json() -> None:
    found, _ = data("compare", FLUSHES, "both", "none")
    assert found["trace_of"] == "none" and found["parts_at"] is not None
    assert len(found["other"]) == sum(not step["event"] for step in found["trace"])


def test_every_policy_on_the_traces_of_the_others() -> None:
    found, status = data("compare", FLUSHES, "--versions")
    assert status == 0 and found["policies"] == ["none", "load", "both"]
    (trace,) = found["traces"]
    assert trace["violated"] == {"none": ["no-foreign-hit"], "load": [], "both": []}
    assert "1 trace under 3 policies" in call("compare", FLUSHES, "--versions").stdout


@pytest.mark.parametrize(
    ("system", "policies", "broken"),
    [(HALTS, ("again", "once"), "no-deadlock"), (STARVES, ("yes", "no"), "someone-is-served")],
)
def test_a_trace_to_what_is_no_invariant_is_its_own_policys(
    system: str, policies: tuple[str, str], broken: str
) -> None:
    found, status = data("compare", system, "--versions")
    assert status == 0 and found["undecided"] == []
    (trace,) = found["traces"]
    assert trace["policy"] == policies[1] and trace["property"] == broken
    assert trace["violated"] == {policies[0]: [], policies[1]: [broken]}
    untold = f"Of {broken} the same steps do not tell"
    assert untold in " ".join(call("compare", system, "--versions").stdout.split())
    assert untold in " ".join(call("compare", system, *policies).stdout.split())


def test_what_a_limit_left_open_is_said_of_every_policy() -> None:
    found, status = data("compare", FLUSHES, "--versions", "--max-states", "3")
    assert status == 3 and found["traces"] == [] and found["undecided"] == ["none", "load", "both"]
    text = call("compare", FLUSHES, "--versions", "--max-states", "3").stdout
    assert "NOT FINISHED" in text and "No named policy is violated" not in text
    called = call("compare", FLUSHES, "none", "load", "--max-states", "3")
    assert called.exit_code == 3 and "No trace was found that breaks either" in called.stdout


def test_an_interrupt_keeps_the_traces_that_were_found(monkeypatch: pytest.MonkeyPatch) -> None:
    searched, asked = comparing.explore, list[Any]()

    def explored(*args: Any, **options: Any) -> Any:
        asked.append(options["points"])
        outcome = searched(*args, **options)
        return outcome if len(asked) == 1 else replace(outcome, verdict="inconclusive", reason="an interrupt")

    monkeypatch.setattr(comparing, "explore", explored)
    found, status = data("compare", FLUSHES, "--versions")
    assert status == 3 and [t["policy"] for t in found["traces"]] == ["none"] and len(asked) == 2
    assert found["undecided"] == ["load", "both"]
    asked.clear()
    assert "an interrupt stopped the search under load, both" in call("compare", FLUSHES, "--versions").stdout


def test_of_two_policies_an_interrupt_ends_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    checked, asked = comparing.run, list[Any]()

    def run(request: Any) -> Any:
        asked.append(request)
        return replace(checked(request), verdict="inconclusive", reason="an interrupt")

    monkeypatch.setattr(comparing, "run", run)
    called = call("compare", FLUSHES, "none", "load")
    assert called.exit_code == 3 and "interrupted: no verdict" in called.stderr and len(asked) == 1


def test_an_interrupt_keeps_the_repairs_that_were_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = data("repair", FLUSHES, "--policy", "none")
    looked = Laboratory.look

    def look(self: Laboratory, point: Any) -> None:
        if self.decided.safe.any():
            raise KeyboardInterrupt
        looked(self, point)

    monkeypatch.setattr(Laboratory, "look", look)
    found, status = data("repair", FLUSHES, "--policy", "none")
    assert found["repairs"] == before["repairs"][:1] and len(before["repairs"]) > 1 and status == 0
    assert not found["everything"] and found["reason"] == "an interrupt"
    assert "There may be more: stopped by an interrupt." in call("repair", FLUSHES, "--policy", "none").stdout


def test_what_repairs_a_policy() -> None:
    called = call("repair", FLUSHES, "--policy", "none")
    assert called.exit_code == 0, called.output
    assert "at_put=on" in called.stdout and "at_load=local" in called.stdout
    assert "at_load=all" not in called.stdout  # is stronger than another repair by the same knob


@pytest.mark.parametrize("start", [{}, {"lazy": "on", "at_load": "none"}, {"lazy": "on"}])
def test_repairs_are_the_smallest_changes_that_one_check_for_each_policy_finds(start: dict[str, str]) -> None:
    found = repair(Question(Flushes, "none", start), most=100)
    lattice = found.lattice
    safe = {
        p for p in combinations(lattice) if check(Flushes, "none", knobs=lattice.set(p), audit=None).verdict == "holds"
    }
    assert lattice.base not in safe and found.everything

    def changed(point: tuple[int, ...]) -> set[int]:
        return {i for i, (v, w) in enumerate(zip(point, lattice.base, strict=True)) if v != w}

    least = {frozenset(changed(p)) for p in safe if not any(changed(q) < changed(p) for q in safe)}
    assert {frozenset(changed(r.point)) for r in found.repairs} == least
    assert all(r.point in safe for r in found.repairs)
    sizes = [len(r.changes) for r in found.repairs]
    assert sizes == sorted(sizes)


def test_what_cannot_be_repaired_and_what_need_not_be() -> None:
    found, status = data("repair", FLUSHES, "--policy", "none", "--free", "way")
    assert status == 1 and found["repairs"] == [] and found["everything"]
    called = call("repair", FLUSHES, "--policy", "load")
    assert called.exit_code == 0 and "There is nothing to repair." in called.stdout
    found, status = data("repair", FLUSHES, "--policy", "none", "--most", "1")
    assert status == 0 and len(found["repairs"]) == 1 and not found["everything"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("compare", FLUSHES), "Give the names of two policies"),
        (("compare", FLUSHES, "none", "nothing"), "has no policy 'nothing'"),
        (("compare", FLUSHES, "none", "none"), "set the same knobs"),
        (("compare", HALTS, "--versions", "--property", "nothing-does-this"), "must be reached"),
        (("repair", HALTS, "--policy", "once", "--property", "nothing-does-this"), "must be reached"),
        (("compare", FLUSHES, "none", "load", "--versions"), "give no names with it"),
        (("repair", FLUSHES, "--policy", "none", "--free", "unused"), "nothing depends on the open knobs"),
    ],
)
def test_bad_input(args: tuple[str, ...], said: str) -> None:
    called = call(*args)
    assert called.exit_code == 2 and said in called.stderr
