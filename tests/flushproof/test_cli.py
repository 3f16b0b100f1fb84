"""The command line: verdicts, exit statuses, JSON, and what is said to a user who gets something wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import psutil
import pytest
from click.testing import CliRunner, Result
from flushproof.model.errors import FlushproofError
from flushproof.model.language import Policy, load
from flushproof.properties.confirmation.certify import Certificate

from flushproof import checking, cli, costing
from flushproof.commands.options import memory, pairs
from flushproof.report.jsonform import schema
from flushproof.report.verdict import rounded_up

SMALL = str(Path(__file__).with_name("small.py"))
SWITCH = f"{SMALL}:Switch"
CROWDED = f"{Path(__file__).with_name('laboratory') / 'crowded.py'}:Crowded"


def call(*args: str, env: dict[str, str] | None = None) -> Result:
    alone = ["--jobs", "1"] if "--all" in args and "--jobs" not in args else []
    return CliRunner().invoke(cli.main, [*args, *alone], env=env)


def data(*args: str) -> Any:
    called = call(*args, "--format", "json")
    found = json.loads(called.stdout)
    jsonschema.validate(found, schema())
    return found


@pytest.fixture
def only_small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`check --all` sees the small system as the only shipped one."""
    found = {"switch": load.load_system(SWITCH)}
    monkeypatch.setattr(checking, "shipped", lambda: found)
    yield


# -------------------------------------------------------------------------------------------------------------- verdicts


def test_a_violation_is_shown_with_its_trace_and_exits_1() -> None:
    called = call("check", SWITCH, "--policy", "none")
    assert called.exit_code == 1
    assert "VIOLATED: no-foreign-hit, in 5 steps" in called.stdout
    assert re.search(r"5  (cpu0: )?vcpu1 hits.*\n(.*\n)? +✗  vcpu1 on cpu0 hits an entry that vcpu0 created.", called.stdout)
    assert "Z3 confirmed this trace" in called.stdout


def test_what_holds_exits_0() -> None:
    called = call("check", SWITCH, "--policy", "always")
    assert called.exit_code == 0
    assert "HOLDS at cpu=2 vcpu=2: no-foreign-hit, no-deadlock, well-defined\nReached: two-at-once\n" in called.stdout
    assert "Every reachable state was explored" in called.stdout


@pytest.mark.parametrize("limit", [["--max-states", "3"], ["--max-depth", "2"], ["--max-seconds", "0.2"]])
def test_a_limit_makes_it_inconclusive_and_exits_3(limit: list[str]) -> None:
    called = call("check", f"{SMALL}:Endless", *limit)
    assert called.exit_code == 3
    assert "INCONCLUSIVE" in called.stdout and "HOLDS" not in called.stdout
    assert "limit" in called.stdout


def test_a_users_knob_wins() -> None:
    assert call("check", SWITCH, "--policy", "none", "--set", "flush=on").exit_code == 0


def test_sizes_in_any_case() -> None:
    assert data("check", SWITCH, "--size", "VCPU=1")["sizes"] == {"Cpu": 2, "Vcpu": 1}


def test_one_property_alone() -> None:
    found = data("check", SWITCH, "--property", "no-deadlock")
    assert found["verdict"] == "holds" and found["properties"] == ["no-deadlock", "well-defined"]


def test_symmetry_changes_the_count_and_no_verdict() -> None:
    on, off = (data("check", SWITCH, "--policy", "always", "--symmetry", s) for s in ("on", "off"))
    assert on["verdict"] == off["verdict"] == "holds"
    assert on["states"] < off["states"] and (on["symmetry"], off["symmetry"]) == (True, False)


def test_fusing_hidden_steps_changes_no_verdict() -> None:
    """`tlb-only` has a step that nobody else can see."""
    check = ("check", "kvm-icache", "--policy", "tlb-only")
    plain, fused = data(*check), data(*check, "--fuse")
    assert (plain["verdict"], plain["property"]) == (fused["verdict"], fused["property"])
    assert plain["fused"] == [] and fused["fused"] != [] and fused["states"] < plain["states"]
    assert "no other way is shorter" not in call(*check, "--fuse").stdout


def test_what_a_search_may_use_changes_nothing(tmp_path: Path) -> None:
    plain = data("check", SWITCH, "--policy", "always")
    kept = str(tmp_path / "kept")
    for more in (
        ["--workers", "2"],
        ["--checkpoint", kept],
        ["--resume", kept],
        ["--spill", str(tmp_path), "--memory", "4G"],
    ):
        found = data("check", SWITCH, "--policy", "always", *more)
        assert without_times(found) == without_times(plain)


def without_times(found: dict[str, Any]) -> dict[str, Any]:
    """Without what is a matter of time: how much was audited is, too."""
    return {name: value for name, value in found.items() if "seconds" not in name and name != "audit"}


def test_a_compact_verdict_says_how_certain_it_is() -> None:
    check = ("check", "kvm-vmid-allocator", "--policy", "fixed")
    full, compact = data(*check), data(*check, "--compact")
    assert full["omission"] is None and 0 < compact["omission"] < 1e-9
    assert {**without_times(compact), "omission": None} == without_times(full)
    said = " ".join(call(*check, "--compact").stdout.split())
    assert "HOLDS at vmid=2 cpu=2 vm=2, unless a fingerprint collided (probability < 2e-10): no-foreign-hit" in said
    assert "Every state that was found was explored" in said
    assert "unless" not in call(*check).stdout


def test_a_compact_search_goes_on_as_one(tmp_path: Path) -> None:
    check = ("check", "kvm-vmid-generation", "--policy", "v4.17", "--symmetry", "off", "--compact")
    kept = str(tmp_path / "kept")
    assert call(*check, "--max-depth", "5", "--checkpoint", kept).exit_code == 3
    again = data(*check, "--resume", kept)
    assert again["omission"] > 0 and without_times(again) == without_times(data(*check))
    full = call(*check[:-1], "--resume", kept)
    assert full.exit_code == 2 and "its store of states is compact, not full" in " ".join(full.stderr.split())


def test_a_trace_of_a_compact_search_is_certified() -> None:
    check = ("check", "xen-pv-paging", "--policy", "skip-top")
    full, compact = data(*check), data(*check, "--compact")
    assert compact["certified"] is True and compact["omission"] > 0
    assert (full["shortest"], compact["shortest"]) == (True, False)
    assert [step["action"] for step in compact["trace"]] == [step["action"] for step in full["trace"]]
    assert "no other way is shorter" not in call(*check, "--compact").stdout


@pytest.mark.parametrize("probability,said", [(8.4e-12, "9e-12"), (9.2e-12, "1e-11"), (2e-5, "3e-5"), (0.5, "6e-1")])
def test_a_probability_is_rounded_up(probability: float, said: str) -> None:
    assert rounded_up(probability) == said


def test_the_reduction_by_symmetry_is_said() -> None:
    on, off = (data("check", SWITCH, "--policy", "always", "--symmetry", s) for s in ("on", "off"))
    assert on["unreduced_states"] == off["states"] == off["unreduced_states"]
    assert (on["permutations"], off["permutations"]) == (4, 1)
    said = " ".join(call("check", SWITCH, "--policy", "always").stdout.split())
    assert f"{on['states']} states up to symmetry ({off['states']} without; 4 permutations)" in said


def test_one_is_singular() -> None:
    said = " ".join(call("check", f"{SMALL}:Endless", "--max-depth", "0", "--symmetry", "off").stdout.split())
    assert "Explored: 1 state, " in said and "1 states" not in said


def test_counters_up_to_a_bound() -> None:
    check = ("check", "kvm-vmid-generation", "--policy")
    broken = data(*check, "v4.17", "--rename", "off", "--bound", "6")
    assert (broken["bound"], broken["shortest"], broken["certified"]) == (6, True, True)
    assert len(broken["trace"]) == len(data(*check, "v4.17")["trace"])
    fixed = call(*check, "fixed", "--rename", "off", "--bound", "2")
    assert fixed.exit_code == 3
    assert "steps that need more than 2 values of a counter were cut off" in " ".join(fixed.stdout.split())
    assert "counters up to 2, not renamed" in " ".join(fixed.stdout.split())


def test_z3_decides_the_same() -> None:
    for policy, verdict in (("none", "violated"), ("always", "holds")):
        found = data("check", SWITCH, "--policy", policy, "--decide-with", "z3")
        assert found["verdict"] == verdict and found["decided_with_z3"] > 3


def test_what_was_never_reached_is_said() -> None:
    called = call("check", f"{SMALL}:Idle")
    assert called.exit_code == 3
    assert "HOLDS, vacuously: two-at-once must be reached, and never was." in " ".join(called.stdout.split())
    found = data("check", f"{SMALL}:Idle")
    assert (found["verdict"], found["not_reached"], found["vacuous"]) == ("holds", ["two-at-once"], ["two-at-once"])


def test_what_was_asked_for_and_never_reached_is_violated() -> None:
    called = call("check", f"{SMALL}:Idle", "--property", "two-at-once")
    assert (
        called.exit_code == 1 and "VIOLATED: two-at-once, which asks for a state that no interleaving" in called.stdout
    )
    found = data("check", f"{SMALL}:Idle", "--property", "two-at-once")
    assert (found["verdict"], found["property"], found["trace"]) == ("violated", "two-at-once", None)
    assert data("check", SWITCH, "--property", "two-at-once")["verdict"] == "holds"


def test_a_terminal_without_our_letters() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command("check", SWITCH), capture_output=True, text=True, env=env, check=False, timeout=60)
    assert done.returncode == 1 and "?  vcpu1 on cpu0 hits" in done.stdout


@pytest.mark.parametrize("more", [[], ["--compact"], ["--engine", "reference"], ["--symmetry", "off"]])
def test_state_that_nothing_reads_is_left_out(more: list[str]) -> None:
    assert "1 state" in call("check", f"{SMALL}:Nothing", *more).stdout


def test_a_deadlock_is_a_violation() -> None:
    called = call("check", f"{SMALL}:Stuck")
    assert called.exit_code == 1 and "VIOLATED: no-deadlock" in called.stdout


# ------------------------------------------------------------------------------------------------------------------ json


def test_json_of_a_violation() -> None:
    found = data("check", SWITCH, "--policy", "none")
    assert found["version"] == 1 and found["policy"] == "none" and found["knobs"] == {"flush": "off"}
    assert (found["verdict"], found["property"], found["certified"]) == ("violated", "no-foreign-hit", True)
    *steps, hit = found["trace"]
    assert [s["action"] for s in steps] == ["load", "fill", "put", "load"]
    assert hit["action"] == "hit" and hit["event"] and hit["changes"] == {}
    assert steps[0]["args"] == {"cpu": "cpu0", "vcpu": "vcpu0"} and steps[0]["cpu"] == "cpu0"
    assert steps[0]["changes"] == {"running[cpu0]": {"from": None, "to": "vcpu0"}}
    assert steps[1]["state"]["tlb.entry[cpu0, vcpu0]"] is True
    assert found["expected"] == "no-foreign-hit"


def test_each_state_is_the_one_before_with_the_changes() -> None:
    found = data("check", SWITCH)
    state = dict(found["initial"])
    for step in found["trace"]:
        for place, change in step["changes"].items():
            assert state[place] == change["from"]
            state[place] = change["to"]
        assert state == step["state"]


def test_json_without_a_trace() -> None:
    found = data("check", SWITCH, "--set", "flush=on")
    assert (found["policy"], found["property"], found["trace"], found["certified"], found["expected"]) == (None,) * 5


def test_expectations_are_matched_to_the_settings() -> None:
    assert data("check", SWITCH, "--policy", "none", "--size", "vcpu=1")["expected"] == "holds"
    assert data("check", SWITCH, "--policy", "none", "--size", "vcpu=3")["expected"] is None
    assert data("check", SWITCH, "--policy", "none", "--set", "flush=off")["expected"] == "no-foreign-hit"
    assert data("check", SWITCH, "--policy", "none", "--set", "flush=on")["expected"] is None


# ------------------------------------------------------------------------------------------------------------------- all


def test_all_compares_every_policy_and_further_setting(only_small: None) -> None:
    called = call("check", "--all")
    rows = [line.split() for line in called.stdout.splitlines() if line[:1] in "✓✗?" and line]
    assert [row[:4] for row in rows] == [
        ["✓", "switch", "none", "no-foreign-hit"],
        ["✓", "switch", "none", "vcpu=1"],
        ["✓", "switch", "always", "holds"],
        ["✗", "switch", "wrong", "no-foreign-hit"],
    ]
    assert called.exit_code == 1 and "4 verdicts" in called.stdout and "1 not as expected" in called.stdout


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_all_policies_of_a_file(jobs: str) -> None:
    called = call("check", SWITCH, "--all", "--jobs", jobs)
    assert called.exit_code == 1 and "4 verdicts" in called.stdout and "1 not as expected" in called.stdout
    assert call("check", "kvm-vcpu-switch", "--all", "--max-states", "1").exit_code == 3
    refused = call("check", f"{SMALL}:Idle", "--all")
    assert refused.exit_code == 2 and "idle has no policies" in refused.stderr


def test_holding_without_reaching_what_must_be_reached_is_not_as_expected() -> None:
    called = call("check", f"{SMALL}:Unreached", "--all", "--jobs", "1")
    assert (
        called.exit_code == 1 and "1 not as expected" in called.stdout and "holds vacuously: two-at-once" in called.stdout
    )


def test_costs_side_by_side() -> None:
    called = call("costs", SWITCH)
    assert called.exit_code == 0 and re.search(r"none +violated: +", called.stdout) and "needless" in called.stdout
    none, always, wrong = json.loads(call("costs", SWITCH, "--format", "json").stdout)["costs"]
    assert none["verdict"] == "violated" and none["counts"] == {} and none["needless"] is None
    assert always["verdict"] == "holds" and always["counts"] == wrong["counts"] and always["counts"]["local_all"] > 0
    assert 0 < always["required"] < always["counts"]["dropped"]
    assert always["counts"]["dropped"] == pytest.approx(always["required"] + always["needless"], abs=1e-5)
    jsonschema.validate(json.loads(call("costs", SWITCH, "--format", "json").stdout), schema())
    short = call("costs", "kvm-vcpu-switch", "--policy", "always", "--max-seconds", "0.01")
    assert short.exit_code == 3 and "≥" in short.stdout


def test_costs_name_their_workload() -> None:
    text = call("costs", SWITCH).stdout
    assert "In a thousand steps, on average" in text and "workload" not in text
    under = " ".join(call("costs", CROWDED, "--workload", "pinned", "--per", "unmap").stdout.split())
    assert "In a thousand unmap events under the workload 'pinned', on average" in under


def test_an_interrupt_leaves_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = costing.count

    def count(instance: Any, **options: Any) -> Any:
        if instance.policy == "all":
            raise KeyboardInterrupt
        return counted(instance, **options)

    monkeypatch.setattr(costing, "count", count)
    called = call("costs", CROWDED)
    assert called.exit_code == 3 and re.search(r"(?m)^one +holds", called.stdout) and "all  " not in called.stdout
    assert "NOT FINISHED: an interrupt came before all policies were counted." in called.stdout
    found = json.loads(call("costs", CROWDED, "--format", "json").stdout)
    jsonschema.validate(found, schema())
    assert [row["policy"] for row in found["costs"]] == ["nobody", "one"]
    assert call("costs", CROWDED, "--policy", "all").exit_code == 3


def test_costs_say_nothing_of_entries_where_none_is_dropped() -> None:
    text = call("costs", CROWDED).stdout
    assert "holds" in text and "dropped" not in text and "needless" not in text


def test_what_walks_cost_is_not_what_the_trace_costs() -> None:
    called = call("simulate", SWITCH, "--policy", "none", "--set", "flush=on", "--walks", "2", "--format", "json")
    found = json.loads(called.stdout)
    assert found["trace"] is None and found["costs"] is None and sum(found["executed"].values()) > 0


def test_a_step_says_what_it_costs() -> None:
    assert data("check", SWITCH, "--policy", "always")["costs"] is None
    found = data("check", f"{SMALL}:Late")
    assert found["costs"] == {"local_all": 2, "dropped": 1}
    assert [s["costs"] for s in found["trace"]] == [{"local_all": 1}, {}, {}, {"local_all": 1, "dropped": 1}]
    assert "Cost of these steps: 2 local_all; 1 entry dropped." in call("check", f"{SMALL}:Late").stdout


def test_all_as_json(only_small: None) -> None:
    found = data("check", "--all")
    assert [c["expected"] for c in found["checks"]] == ["no-foreign-hit", "holds", "holds", "no-foreign-hit"]
    assert [c["verdict"] for c in found["checks"]] == ["violated", "holds", "holds", "holds"]


def test_all_at_once_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"kvm-vcpu-switch": load.load_system("kvm-vcpu-switch")}
    monkeypatch.setattr(checking, "shipped", lambda: found)
    quick = ["check", "--all", "--engine", "reference", "--max-states", "300"]
    one, two = (data(*quick, "--jobs", jobs)["checks"] for jobs in ("1", "2"))
    assert list(map(without_times, one)) == list(map(without_times, two)) and len(one) > 5


def test_a_result_in_python_is_one_line() -> None:
    found = checking.check(SWITCH, "none", knobs={"flush": False})
    assert repr(found) == f"<Result: switch none flush=off: violated (no-foreign-hit), {found.states} states>"


def test_a_policy_may_declare_several_violations() -> None:
    found = [checking.run(case) for case in checking.expectations({"twice": load.load_system(f"{SMALL}:Twice")})]
    assert [(r.expected, r.violated, r.trace and len(r.trace.steps)) for r in found] == [
        ("no-foreign-hit", "no-foreign-hit", 5),
        ("one-at-a-time", "one-at-a-time", 2),
    ]
    one = data("check", f"{SMALL}:Twice", "--policy", "none", "--property", "one-at-a-time")
    assert (one["expected"], one["property"]) == ("one-at-a-time", "one-at-a-time")


def test_all_is_inconclusive_where_one_is_and_none_differs(only_small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("check", "--all", "--max-states", "2").exit_code == 3
    system = checking.shipped()["switch"]
    monkeypatch.setattr(system, "policies", {k: p for k, p in system.policies.items() if k != "wrong"})
    assert call("check", "--all").exit_code == 0


def test_all_goes_on_behind_a_policy_that_is_wrong(only_small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    system = checking.shipped()["switch"]
    policies = {"typo": Policy("", {"flsh": True}, "holds"), "always": system.policies["always"]}
    monkeypatch.setattr(system, "policies", policies)
    called = call("check", "--all")
    assert called.exit_code == 2
    assert "switch typo: policy 'typo': switch has no knob 'flsh'. Did you mean 'flush'?" in called.stderr
    assert re.search(r"✓ +switch +always +holds +holds", called.stdout)
    assert "only 1 of 2 verdicts" in called.stdout and "1 of 2 could not be checked." in called.stdout


# -------------------------------------------------------------------------------------------------------- certification


def test_a_trace_that_z3_does_not_confirm_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "certify", lambda trace, view: Certificate(False, "it was made up", 2))
    called = call("check", SWITCH, "--format", "json")
    assert called.exit_code == 70 and called.stdout == ""
    assert "INTERNAL ERROR, no verdict" in called.stderr and "at step 2: it was made up" in called.stderr


def test_a_decision_of_z3_that_differs_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checking.decide
    monkeypatch.setattr(checking, "decide", lambda *a: real(*a).__class__(holds=not real(*a).holds))
    called = call("check", SWITCH, "--decide-with", "z3")
    assert called.exit_code == 70 and called.stdout == "" and "the explorer says otherwise" in called.stderr


# ---------------------------------------------------------------------------------------------------------- saved traces


def test_a_saved_trace_is_shown_again(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    first = call("check", SWITCH, "--policy", "none", "--save", str(file))
    again = call("trace", str(file))
    assert again.exit_code == 0
    table = first.stdout[first.stdout.index("    cpu0") : first.stdout.index("Z3 confirmed")]
    assert table in again.stdout and "Z3 confirmed this trace" in again.stdout
    assert call("trace", str(file), "--format", "mermaid").stdout.startswith("sequenceDiagram")
    assert call("trace", str(file), "--format", "html").stdout.startswith("<!doctype html>")
    assert json.loads(call("trace", str(file), "--format", "json").stdout) == json.loads(file.read_text())


def test_a_saved_trace_becomes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, there, shown = tmp_path / "trace.json", tmp_path / "there.html", []
    monkeypatch.setattr("webbrowser.open", lambda url: shown.append(url) or True)
    made = call("check", SWITCH, "--policy", "none", "--save", str(file), "--html", str(tmp_path / "check.html"))
    assert made.exit_code == 1 and "hits an entry that vcpu0 created" in (tmp_path / "check.html").read_text()
    called = call("view", str(file), "--open")
    page = file.with_suffix(".html")
    assert called.exit_code == 0 and called.stdout.strip() == str(page) and shown == [page.as_uri()]
    assert "Z3 confirmed this trace again" in page.read_text() and "The file says" in page.read_text()
    assert call("view", str(file), "--html", str(there)).exit_code == 0 and there.read_text() == page.read_text()
    assert len(shown) == 1


def test_a_page_is_not_made_of_a_forged_trace_nor_over_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    call("check", SWITCH, "--policy", "none", "--save", str(file))
    over = call("view", str(file), "--html", str(file))
    assert over.exit_code == 2 and "is the trace itself" in over.stderr and json.loads(file.read_text())
    file.write_text(file.read_text().replace('"vcpu0"', '"vcpu1"', 1))
    forged = call("view", str(file))
    assert forged.exit_code == 2 and "is not so" in forged.stderr and not file.with_suffix(".html").exists()


def test_a_page_that_cannot_be_written_is_told_before_the_search(tmp_path: Path) -> None:
    called = call("check", SWITCH, "--html", str(tmp_path / "no" / "page.html"))
    assert called.exit_code == 2 and "No such file" in called.stderr and called.stdout == ""


def test_a_proof_has_a_page(tmp_path: Path) -> None:
    page = tmp_path / "proof.html"
    assert call("prove", SWITCH, "--policy", "always", "--html", str(page)).exit_code == 0
    assert "PROVED for any size: no-foreign-hit" in page.read_text()
    assert call("prove", SWITCH, "--policy", "none", "--html", str(page)).exit_code == 1
    assert "hits an entry that vcpu0 created" in page.read_text()


def test_a_saved_trace_of_a_system_that_has_moved(tmp_path: Path) -> None:
    here, there, file = tmp_path / "here.py", tmp_path / "there.py", str(tmp_path / "trace.json")
    here.write_text(Path(SMALL).read_text())
    call("check", f"{here}:Switch", "--policy", "none", "--save", file)
    here.rename(there)
    lost = call("trace", file)
    assert lost.exit_code == 2 and f"there is no file {here}" in lost.stderr and "--system" in lost.stderr
    found = call("trace", file, "--system", f"{there}:Switch")
    assert found.exit_code == 0 and "Z3 confirmed this trace" in found.stdout


def _tampered(tmp_path: Path, change: Any) -> Result:
    file = tmp_path / "trace.json"
    call("check", SWITCH, "--policy", "none", "--save", str(file))
    found = json.loads(file.read_text())
    change(found)
    file.write_text(json.dumps(found))
    return call("trace", str(file))


def test_a_forged_trace_is_not_shown(tmp_path: Path) -> None:
    def forge(found: Any) -> None:
        for step in found["trace"][2:]:
            step["state"]["tlb.entry[cpu1, vcpu0]"] = True

    called = _tampered(tmp_path, forge)
    assert called.exit_code == 2 and called.stdout == ""
    assert "what it says of trace 3, changes is not so" in called.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(version=99), "its version is 99, and this program reads version 1"),
        (lambda d: d.update(trace=None), "it has no violation"),
        (lambda d: d.pop("initial"), "'initial' is missing or malformed"),
        (lambda d: d.update(source="no-such-system"), "there is no system 'no-such-system'"),
        (lambda d: d["sizes"].update(Cpu=1), "does not fit switch as it is now"),
        (lambda d: d["knobs"].update(flsh="on"), "do not give these values: knobs"),
        (lambda d: d["set"].update(flsh="on"), "Did you mean 'flush'?"),
        (lambda d: d["trace"][0].update(action="lode"), "it has no action 'lode'"),
        (lambda d: d["trace"][0]["state"].update({"running[cpu0]": "vcpu9"}), "'vcpu9' is no Optional[Vcpu]"),
        (lambda d: d["trace"][0].pop("state"), "it has no 'state'"),
        (lambda d: d["trace"].__setitem__(0, 7), "does not fit"),
        (lambda d: d["violation"].update(clause=5), "does not fit"),
        (lambda d: d.update(property="no-such"), "does not fit"),
    ],
)
def test_a_damaged_trace_is_one_clear_message(tmp_path: Path, change: Any, reason: str) -> None:
    called = _tampered(tmp_path, change)
    assert called.exit_code == 2 and called.stdout == ""
    assert reason in called.stderr and "Traceback" not in called.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"hello", "not JSON"), (b"[]", "not the JSON of a check"), (b"\xff\x00", "not JSON"), (b"", "not JSON")],
)
def test_a_file_that_is_no_trace(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "trace.json"
    file.write_bytes(content)
    called = call("trace", str(file))
    assert called.exit_code == 2 and f"{file} is " in called.stderr and reason in called.stderr


def test_no_such_file(tmp_path: Path) -> None:
    called = call("trace", str(tmp_path / "nowhere"))
    assert called.exit_code == 2 and "No such file" in called.stderr


@pytest.mark.parametrize("form", ["mermaid", "html"])
def test_a_picture_of_what_holds_says_so(form: str) -> None:
    called = call("check", SWITCH, "--set", "flush=on", "--format", form)
    assert called.exit_code == 0 and "HOLDS at cpu=2 vcpu=2: no-foreign-hit" in called.stdout
    assert called.stdout.startswith({"mermaid": "flowchart LR", "html": "<!doctype html>"}[form])


# ------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["check"], "Give a SYSTEM, or --all"),
        (["check", SWITCH, "--all", "--picture", "x.svg"], "--all prints text, json, markdown, junit, sarif"),
        (["check", SWITCH, "--all", "--policy", "non"], "Did you mean 'none'?"),
        (["check", SWITCH, "--all", "--size", "cpus=3"], "Did you mean 'Cpu'?"),
        (["check", SWITCH, "--all", "--property", "no-foreign"], "Did you mean 'no-foreign-hit'?"),
        (["check", SWITCH, "--policy", "none", "--policy", "always"], "--policy is given 2 times"),
        (["check", SWITCH, "--size", "cpu=2", "--size", "cpu=2"], "'cpu' twice"),
        (["check", SWITCH, "--size", "cpu=2", "--size", "CPU=3"], "'Cpu' is given twice: as 'cpu' and as 'CPU'"),
        (["check", SWITCH, "--size", "cpu=2.9"], "must be a whole number"),
        (["check", SWITCH, "--size", "cpu=٣"], "must be a whole number"),
        (["check", SWITCH, "--max-seconds", "nan"], "is nan, and must be a number of seconds"),
        (["check", SWITCH, "--max-states", "-1"], "is not in the range"),
        (["check", SWITCH, "--max-states", "٣"], "--max-states: write its number in the digits 0 to 9"),
        (["simulate", SWITCH, "--seed", "1", "--seed", "1"], "--seed is given 2 times"),
        (["check", SWITCH, "--jobs", "2"], "--jobs is about --all"),
        (["prove", SWITCH, "--jobs", "2"], "--jobs is about --all"),
        (["check", SWITCH, "--policy", "non"], "Did you mean 'none'?"),
        (["check", SWITCH, "--set", "flush"], "--set flush: write it as --set KNOB=VALUE"),
        (["check", SWITCH, "--set", "flsh=on"], "Did you mean 'flush'?"),
        (["check", SWITCH, "--set", "flush=on", "--set", "flush=off"], "'flush' twice"),
        (["check", SWITCH, "--size", "cpu=many"], "must be a whole number"),
        (["check", SWITCH, "--property", "no-foreign"], "Did you mean 'no-foreign-hit'?"),
        (["check", SWITCH, "--max-memory", "much"], "is no size of memory"),
        (["check", SWITCH, "--max-memory", "1M"], "a limit of 1 MiB of memory is too small"),
        (["check", SWITCH, "--max-memory", "100K"], "a limit of 0.09766 MiB of memory is too small"),
        (["check", SWITCH, "--engine", "reference", "--max-memory", "1M"], "a limit of 1 MiB of memory is too small"),
        (["check", "kvm-vmid-generation", "--size", "cpu=100000"], "is too large with"),
        (["check", "kvm-vmid-generation", "--size", "cpu=400"], "bytes at these sizes"),
        (["check", "kvm-vmid-generation", "--size", "generation=3"], "it has no size"),
        (["check", SWITCH, "--bound", "3"], "give --rename off with it"),
        (["check", SWITCH, "--compact", "--engine", "reference"], "the reference engine compares whole states"),
        (["check", SWITCH, "--spill", "/no/such/folder"], "nothing can be written to /no/such/folder"),
        (["check", SWITCH, "--max-states", "0"], "x>=1"),
        (["check", SWITCH, "--save", "/no/such/folder/x"], "No such file or directory"),
        (["check", SWITCH, "--engine", "reference", "--workers", "2"], "the reference engine has one worker"),
        (["check", SWITCH, "--checkpoint", "a", "--resume", "b"], "not both"),
        (["check", "--all", "--resume", "b"], "about one search"),
        (["check", SWITCH, "--resume", "/no/such/folder"], "there is no checkpoint in /no/such/folder"),
        (["check", "no-such-system"], "there is no system 'no-such-system'"),
        (["show", "no-such-system"], "there is no system 'no-such-system'"),
        (["check", f"{SMALL}:Swich"], "Did you mean 'Switch'?"),
        (["chekc"], "No such command"),
    ],
)
def test_bad_input_exits_2_with_one_message(args: list[str], reason: str) -> None:
    called = call(*args)
    assert called.exit_code == 2 and called.stdout == ""
    assert reason in " ".join(called.stderr.split()) and "Traceback" not in called.stderr


def test_an_exception_in_a_users_model_names_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from flushproof.model.language import *\n"
        "class Policies(dict):\n"
        "    def items(self):\n"
        "        return 1 / 0\n"
        "class Broken(System):\n"
        "    policies = Policies()\n"
    )
    called = call("check", f"{file}:Broken", "--policy", "x")
    assert called.exit_code == 2
    assert f"{file}:4: ZeroDivisionError: division by zero" in called.stderr and "Traceback" not in called.stderr


def test_a_model_error_shows_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(Path(SMALL).read_text().replace("self.running[cpu] = None", "self.runing[cpu] = None"))
    called = call("check", f"{file}:Switch")
    assert called.exit_code == 2 and "runing" in called.stderr and f"{file}:" in called.stderr and "^" in called.stderr


def test_what_is_wrong_with_a_system_is_said_once_for_all_its_policies(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(Path(SMALL).read_text().replace("self.running[cpu] = None", "self.runing[cpu] = None"))
    called = call("check", f"{file}:Switch", "--all")
    assert called.exit_code == 2 and called.stderr.count("the system has no 'runing'") == 1
    assert re.fullmatch(r"(\d+) of \1 could not be checked\.\n", called.stdout)


def test_memory_sizes() -> None:
    option, here = click.Option(["--max-memory"]), click.Context(cli.main)
    good = {"1": 1, "2k": 2048, "500M": 500 * 2**20, "2GiB": 2 * 2**30, "1.5gb": 3 * 2**29}
    assert {text: memory(here, option, text) for text in good} == good
    assert memory(here, option, None) is None
    for bad in ("", "M", "-1", "1x", "1e400", "nan"):
        with pytest.raises(click.BadParameter):
            memory(here, option, bad)


def test_pairs() -> None:
    assert pairs(["a=b", " c = d "], "--set", "") == {"a": "b", "c": "d"}
    with pytest.raises(FlushproofError):
        pairs(["a="], "--set", "")


# ---------------------------------------------------------------------------------------------------------------- teach


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["check"], ["trace"]])
def test_help_teaches(command: list[str]) -> None:
    called = call(*command, "--help")
    assert called.exit_code == 0 and len(called.stdout.splitlines()) > 5


def test_show_has_everything_that_a_user_needs() -> None:
    text = call("show", SWITCH, env={"COLUMNS": "160"}).stdout
    for word in (
        "Leaves out everything else.",
        "flush the TLB when a vcpu is loaded",
        "no-foreign-hit",
        "with vcpu=1",
        "must be reached",
        "no-deadlock",
        "vcpu",
    ):
        assert word in text


# -------------------------------------------------------------------------------------------------- the real terminal


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "flushproof", *args]


def interrupted(seconds: float, *args: str) -> tuple[int, str, str]:
    """What a command says when Ctrl-C is pressed after so many seconds of the processor: its status, output and errors."""
    process = subprocess.Popen(
        command(*args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # where the tests run in the background, interrupts are ignored, and so they would be in the command
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    known = psutil.Process(process.pid)
    while process.poll() is None and sum(sum(p.cpu_times()[:2]) for p in [known, *known.children(True)]) < seconds:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_shows_what_all_had_found(jobs: str) -> None:
    status, out, err = interrupted(12, "check", "--all", "--jobs", jobs)
    assert status == 3, err
    assert "only" in out and "verdicts in" in out


def test_ctrl_c_says_how_far_it_got() -> None:
    status, out, err = interrupted(5, "check", f"{SMALL}:Endless")
    assert status == 3, err
    assert "INCONCLUSIVE" in out and "an interrupt after" in out


def test_a_closed_pipe_is_no_verdict_of_its_own() -> None:
    process = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m flushproof check {SWITCH} --format json | head -c 1; echo ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert process.stdout.splitlines()[0].startswith("{") and "Traceback" not in process.stderr


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_on_a_terminal_only(no_color: str, coloured: bool) -> None:
    outside, inside = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color, "COLUMNS": "100"}
    process = subprocess.Popen(command("check", SWITCH), stdout=inside, stderr=subprocess.PIPE, env=env)
    os.close(inside)
    text = b""
    while True:
        try:
            chunk = os.read(outside, 65536)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    assert process.wait(timeout=60) == 1
    assert (b"\x1b[31m" in text) is coloured
    piped = subprocess.run(command("check", SWITCH), capture_output=True, env=env, check=False, timeout=60)
    assert b"\x1b" not in piped.stdout and b"\x1b" not in piped.stderr
