"""Proofs and traces that somebody changed: none that claims something false is accepted, and none makes more than a message."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flushproof.model.ir.trace import Trace
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.induction import certificates
from flushproof.properties.induction.induction import prove

from flushproof.cli import main
from flushproof.report.jsonform import SINCE, SINCE_OF_VIOLATION, read_trace, trace_json

SYSTEM = '''
"""A room with a lamp."""
import enum
from typing import Optional

from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Level(Sort, ordered=True, size=3):
    """How bright the lamp is."""


class Light(enum.Enum):
    RED = 0
    GREEN = 1


class Room(System):
    """One may be inside, and the lamp says so."""

    holder: Optional[Cpu]
    inside: Map[Cpu, bool]
    light: Light
    level: Level
    polite = Knob(bool, True, "enter only with the key")
    bright = Knob(bool, True, "the lamp is bright")
    policies = {
        "polite": Policy("with the key", {"polite": True}, "holds"),
        "usual": Policy("with the key, too", {"polite": True}, "holds"),
        "dim": Policy("with the key and a dim lamp", {"polite": True, "bright": False}, "holds"),
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
        self.light = Light.RED
        if self.bright:
            self.level = 2
        else:
            self.level = 1

    @action
    def leave(self, cpu: Cpu):
        """{cpu} leaves"""
        require(self.inside[cpu] and self.light is Light.RED and self.level != 0)
        self.inside[cpu] = False
        self.holder = None
        self.light = Light.GREEN
        self.level = 0

    @action
    def waits(self, cpu: Cpu):
        """{cpu} waits"""

    @event
    def meets(self, a: Cpu, b: Cpu):
        """{a} meets {b}"""
        require(a is not b and self.inside[a])
        check("alone", not self.inside[b], "{a} and {b} are inside at once.")
        check("alone", self.holder is not b, "{b} has the key of {a}.")
'''

LEMMA = """
    @lemma
    def who_is_inside_has_the_key(self):
        return all(self.holder == cpu for cpu in Cpu if self.inside[cpu])
"""

FIGURES = {
    "source", "properties", "also_violated", "not_reached", "reason", "expected", "states", "transitions", "depth",
    "seconds", "compile_seconds", "symmetry", "permutations", "unreduced_states", "omission", "bound", "fused",
    "engine", "decided_with_z3",
    "vacuous", "never_possible", "never_came", "unwatched", "switched_off", "warnings", "hints", "audit", "not_permuted",
}  # fmt: skip
"""What a saved trace tells of the search that found it, and nobody can see in the trace."""

Change = Callable[[Any], Any]


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("room") / "room.py"
    path.write_text(SYSTEM)
    return f"{path}:Room"


@pytest.fixture(scope="module")
def proof(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate with a lemma that the system lacks."""
    path = tmp_path_factory.mktemp("lemma") / "room.py"
    path.write_text(SYSTEM + LEMMA)
    lemmas = instantiate(load_system(f"{path}:Room"), "polite", lemmas=True).system.lemmas
    instance = instantiate(load_system(spec), "polite", lemmas=True)
    return certificates.certificate(prove(instance.system, instance.system.properties, lemmas), instance)


@pytest.fixture(scope="module")
def trace(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("trace") / "trace.json"
    assert call("check", spec, "--policy", "rude", "--set", "bright=off", "--save", str(file)).exit_code == 1
    return json.loads(file.read_text())


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inside:
        yield from places(value, (*path, key))


def at(data: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = copy.deepcopy(data)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return changed


def ways(value: Any) -> list[Callable[[Any, Any], None]]:
    """How a value in an object or list can be changed."""

    def becomes(new: Any) -> Callable[[Any, Any], None]:
        return lambda inner, key: inner.__setitem__(key, new)

    found: list[Any] = [lambda inner, key: inner.__delitem__(key)]
    found += [becomes(new) for new in (None, True, 7, -1, 2.5, "x", [], {}, [[]])]
    if isinstance(value, list):
        found += [becomes(value[1:]), becomes(value[:-1]), becomes([*value, *value[-1:]]), becomes(value[::-1])]
    if isinstance(value, str):
        found += [becomes(value + " "), becomes(value[:-1]), becomes(value.replace("and", "or").replace("Cpu", "Level"))]
    if isinstance(value, bool):
        found.append(becomes(not value))
    elif isinstance(value, int):
        found += [becomes(value + 1), becomes(str(value))]
    if isinstance(value, dict):
        found.append(becomes({**value, "more": 1}))
    return found


def changes(data: Any, count: int, seed: int) -> Iterator[Any]:
    """So many changed copies, the same ones every time: of each kind of place as many as of any other."""
    rng = random.Random(seed)
    kinds: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for path in places(data):
        kinds.setdefault(tuple("*" if isinstance(k, int) else k for k in path), []).append(path)
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        path = rng.choice(kinds[kind])
        value = data
        for key in path:
            value = value[key]
        yield at(data, path, rng.choice(ways(value)))


def same(one: Any, other: Any) -> bool:
    """Whether two contents differ in the order of lists at most."""
    return sorted_lists(one) == sorted_lists(other)


def sorted_lists(data: Any) -> str:
    def go(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: go(inner) for key, inner in sorted(value.items())}
        if isinstance(value, list):
            return sorted((go(inner) for inner in value), key=json.dumps)
        return value

    return json.dumps(go(data))


def told(trace: Any) -> str:
    """What is told of the trace itself, whatever the search's figures, and wherever its steps stand in the source."""
    found = {key: value for key, value in trace.items() if key not in FIGURES}
    if isinstance(steps := found.get("trace"), list):
        found["trace"] = [{k: v for k, v in s.items() if k != "source"} if isinstance(s, dict) else s for s in steps]
    return json.dumps(found)


def refused(done: Result, *statuses: int) -> None:
    assert done.exit_code in statuses, (done.exit_code, done.output)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output and "INTERNAL" not in done.output
    if done.exit_code == 2:
        assert done.stdout == "" and done.stderr.startswith("flushproof: ")


# ------------------------------------------------------------------------------------------------------------- proofs


def test_what_nobody_changed_is_verified(spec: str, proof: Any, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof))
    done = call("verify", str(file), "--system", spec)
    assert done.exit_code == 0 and "with at least 3 Level: alone" in done.stdout, done.output
    assert {part["role"] for part in proof["conjuncts"]} == {"property", "found"}
    alone = call("verify", str(file))
    assert alone.exit_code == 3 and "not compared with any system" in alone.stdout and "\nVERIFIED" not in alone.stdout


@pytest.mark.parametrize("part", range(10))
def test_changed_proofs_are_not_verified(spec: str, proof: Any, tmp_path: Path, part: int) -> None:
    file = tmp_path / "proof.json"
    for changed in changes(proof, 30, part):
        file.write_text(json.dumps(changed))
        done = call("verify", str(file), "--system", spec, "--cvc5", "off")
        if same(changed, proof) or same(changed, {**proof, "policy": None}):  # the knobs' defaults are those of this policy
            refused(done, 0, 1)
        else:
            refused(done, 1, 2)


def one_clause_of_two(data: Any) -> Any:
    data["conjuncts"] = [c for c in data["conjuncts"] if (c["of"], c["number"]) != ("alone", 1)]
    data["questions"] = [q for q in data["questions"] if q["conjunct"] != ["property", "alone", 1]]
    for question in data["questions"]:
        question["needs"] = [n for n in question["needs"] if n != ["property", "alone", 1]]
    return data


def nothing_asked(data: Any) -> Any:
    for question in data["questions"]:
        question["smt2"] = "(set-logic ALL)\n(assert false)\n(check-sat)\n"
    return data


def a_script_that_declares_otherwise(data: Any) -> Any:
    for question in data["questions"]:
        question["smt2"] = question["smt2"].replace("(declare-sort Cpu 0)", "(define-sort Cpu () Bool)")
    return data


def a_member_less(data: Any) -> Any:
    for question in data["questions"]:
        question["smt2"] = question["smt2"].replace("(Light$GREEN)", "")
    data["questions"][0]["smt2"] = data["questions"][0]["smt2"].replace("Light", "Dark") + "(check-sat)"
    return data


def a_lemma_that_is_everything(data: Any) -> Any:
    false = ["lit", "bool", False]
    for part in data["conjuncts"]:
        if part["role"] == "found":
            part.update(formula="False", clause={"params": [], "guard": ["lit", "bool", True], "expr": false})
    return data


def a_lemma_nested_deeply(data: Any) -> Any:
    deep: Any = ["lit", "bool", True]
    for _ in range(400):
        deep = ["not", deep]
    for part in data["conjuncts"]:
        if part["role"] == "found":
            part["clause"]["guard"] = deep
    return data


def needs_itself_alone(data: Any) -> Any:
    for question in data["questions"]:
        question["needs"] = [question["conjunct"]]
    return data


def for_any_number_of_levels(data: Any) -> Any:
    return {**data, "elements": {}}


CRAFTED: list[Change] = [
    one_clause_of_two,
    nothing_asked,
    a_script_that_declares_otherwise,
    a_member_less,
    a_lemma_that_is_everything,
    a_lemma_nested_deeply,
    needs_itself_alone,
    for_any_number_of_levels,
    lambda data: {**data, "policy": "rude"},
    lambda data: {**data, "policy": "dim"},
    lambda data: {**data, "policy": "rude", "knobs": {**data["knobs"], "polite": "off"}},
    lambda data: {**data, "policy": "rude", "set": {"polite": "on"}, "knobs": {**data["knobs"], "polite": "off"}},
    lambda data: {**data, "set": {"bright": "off"}},
    lambda data: {**data, "properties": []},
    lambda data: {**data, "properties": ["alone", "well-defined"]},
    lambda data: {**data, "questions": []},
    lambda data: {**data, "conjuncts": [], "questions": []},
    lambda data: {**data, "system": "kvm-vcpu-switch"},
]


def test_a_clause_that_is_left_out_is_named(spec: str, proof: Any, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(one_clause_of_two(copy.deepcopy(proof))))
    done = call("verify", str(file), "--system", spec, "--cvc5", "off")
    refused(done, 1)
    assert "'alone' has 2 clauses, and nothing shows number 2" in " ".join(done.output.split()), done.output


@pytest.mark.parametrize("number", range(len(CRAFTED)))
def test_crafted_proofs_are_not_verified(spec: str, proof: Any, tmp_path: Path, number: int) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(CRAFTED[number](copy.deepcopy(proof))))
    refused(call("verify", str(file), "--system", spec, "--cvc5", "off"), 1, 2)


def test_a_system_that_has_changed_is_not_what_was_proved(spec: str, proof: Any, tmp_path: Path) -> None:
    file, other = tmp_path / "proof.json", tmp_path / "room.py"
    file.write_text(json.dumps(proof))
    other.write_text(SYSTEM.replace("require(self.holder is None)", "require(True)"))
    refused(call("verify", str(file), "--system", f"{other}:Room", "--cvc5", "off"), 1)


# ------------------------------------------------------------------------------------------------------------- traces


@pytest.mark.parametrize("part", range(10))
def test_changed_traces_are_not_shown(trace: Any, tmp_path: Path, part: int) -> None:
    file = tmp_path / "trace.json"
    for changed in changes(trace, 40, part):
        file.write_text(json.dumps(changed))
        done = call("trace", str(file))
        larger = {**trace, "sizes": {**trace["sizes"], "Level": 4}}  # a step more of the lamp, which nobody takes
        less = {**trace, "shortest": False}  # that it is a shortest one is then not claimed any more
        if told(changed) in (told(trace), told(larger), told(less)):
            refused(done, 0, 2)
        else:
            refused(done, 2)


def rewritten(trace: Any, tmp_path: Path, change: Callable[[Trace], Trace]) -> Result:
    """The trace changed as a whole, with everything that is told of it told anew."""
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(trace))
    changed = change(read_trace(file).trace)
    file.write_text(json.dumps({**trace, **trace_json(changed)}))
    return call("trace", str(file))


def test_a_file_that_tells_less_since_it_is_older_is_shown_and_must_be_true(trace: Any, tmp_path: Path) -> None:
    older = copy.deepcopy(trace)
    for step in older["trace"]:
        for key in SINCE:
            del step[key]
        step["text"] = "in other words"
    for key in SINCE_OF_VIOLATION:
        del older["violation"][key]
    file = tmp_path / "older.json"
    file.write_text(json.dumps(older))
    shown = call("trace", str(file), "--format", "json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["trace"] == trace["trace"] and "in other words" not in shown.stdout
    older["trace"][0]["state"]["holder"] = None
    file.write_text(json.dumps(older))
    refused(call("trace", str(file)), 2)
    half = copy.deepcopy(trace)
    del half["violation"]["repeats_from"]
    file.write_text(json.dumps(half))
    refused(call("trace", str(file)), 2)


def test_what_nobody_changed_is_shown(trace: Any, tmp_path: Path) -> None:
    assert rewritten(trace, tmp_path, lambda t: t).exit_code == 0


@pytest.mark.parametrize("number", range(3))
def test_a_step_that_is_dropped_or_doubled_or_moved_is_noticed(trace: Any, tmp_path: Path, number: int) -> None:
    def dropped(t: Trace) -> Trace:
        return replace(t, steps=(*t.steps[:number], *t.steps[number + 1 :]))

    def doubled(t: Trace) -> Trace:
        return replace(t, steps=(*t.steps[: number + 1], *t.steps[number:]))

    def moved(t: Trace) -> Trace:
        steps = list(t.steps)
        steps.insert(0, steps.pop(number or 1))
        return replace(t, steps=tuple(steps))

    def waiting(t: Trace) -> Trace:
        before = t.states[number]
        return replace(t, steps=(*t.steps[:number], replace(t.steps[0], action="waits", state=before), *t.steps[number:]))

    assert len(trace["trace"]) == 3, "two enter, and they meet"
    for change in (dropped, doubled, moved, waiting):
        refused(rewritten(trace, tmp_path, change), 2)


def test_every_other_state_is_noticed(trace: Any, tmp_path: Path) -> None:
    def other(number: int, slot: int) -> Callable[[Trace], Trace]:
        def change(t: Trace) -> Trace:
            def changed(state: tuple[int, ...]) -> tuple[int, ...]:
                count = t.instance.cardinality(t.instance.slots[slot].sort)
                return (*state[:slot], (state[slot] + 1) % count, *state[slot + 1 :])

            if number == 0:
                return replace(t, initial=changed(t.initial))
            steps = list(t.steps)
            steps[number - 1] = replace(steps[number - 1], state=changed(steps[number - 1].state))
            return replace(t, steps=tuple(steps))

        return change

    slots = len(trace["initial"])
    for number in range(3):
        for slot in range(slots):
            refused(rewritten(trace, tmp_path, other(number, slot)), 2)


def test_the_policy_of_a_trace_gives_its_knobs(trace: Any, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    for change in ({"policy": "polite"}, {"policy": None}, {"set": {}}, {"set": {"bright": "off", "polite": "on"}}):
        file.write_text(json.dumps({**trace, **change}))
        refused(call("trace", str(file)), 2)


# ---------------------------------------------------------------------------------------------------- files of any kind

FILES = {
    "empty": b"",
    "bytes": b"\xff\x00\x80",
    "text": b"hello",
    "number": b"7",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested and cut off": b"[" * 100_000,
    "not a number": b'{"format": NaN}',
    "a long number": b"[" + b"9" * 10_000 + b"]",
    "twice": b'{"format": "flushproof-proof", "format": "flushproof-proof", "version": 2, "version": 2}',
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_neither_proof_nor_trace(tmp_path: Path, name: str) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(FILES[name])
    for command in ("verify", "trace"):
        refused(call(command, str(file)), 2)


def test_a_folder_and_a_file_cut_off(spec: str, proof: Any, trace: Any, tmp_path: Path) -> None:
    for command in ("verify", "trace"):
        refused(call(command, str(tmp_path)), 2)
    file = tmp_path / "file.json"
    for command, content in (("verify", proof), ("trace", trace)):
        text = json.dumps(content)
        for part in range(1, 10):
            file.write_text(text[: len(text) * part // 10])
            refused(call(command, str(file)), 2)
        deep = text.replace('"policy":', '"policy": ' + "[" * 100_000 + "]" * 100_000 + ', "other":')
        file.write_text(deep)
        refused(call(command, str(file)), 2)
