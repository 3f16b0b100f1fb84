"""What is not meant is said: arguments of a wrong type, what is given twice, choices that choose nothing, and outputs that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from click.testing import CliRunner
from flushproof.model.errors import FlushproofError
from flushproof.model.hardware import Cpu
from flushproof.model.language import (
    Expect,
    Knob,
    Map,
    Policy,
    Range,
    System,
    action,
    check,
    event,
    invariant,
    reachable,
)
from flushproof.model.language.instantiate import instantiate, warnings_of
from flushproof.model.language.load import load_system
from flushproof.search.simulate import simulate
from flushproof.search.task import Limits

from flushproof import checking
from flushproof.cli import main
from flushproof.engines import Resources
from flushproof.report.trace import Look
from flushproof.report.verdict import check_text


class Base(System):
    """One bit for each CPU."""

    on = Knob(bool, False, doc="whether it may be set")
    stale: Map[Cpu, bool]

    @action
    def changes(self, cpu: Cpu):
        """{cpu} changes"""
        self.stale[cpu] = self.on

    @invariant("{cpu} is stale")
    def clean(self):
        return all(not self.stale[cpu] for cpu in Cpu)


def declared(**members: Any) -> str:
    """What is said of a system with these members."""
    with pytest.raises(FlushproofError) as caught:
        instantiate(type("Declared", (Base,), members))
    return str(caught.value)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"policies": [Policy("x", {}, "holds")]}, "Declared.policies is the list"),
        ({"policies": None}, "Declared.policies is None"),
        ({"policies": {"p": None}}, "policy 'p' is no Policy"),
        ({"policies": {3: Policy("x", {}, "holds")}}, "a policy's name is 3"),
        ({"policies": {"p": Policy("x", None, "holds")}}, "policy 'p' has None for its knobs"),
        ({"policies": {"p": Policy("x", {}, None)}}, "policy 'p' expects None"),
        ({"policies": {"p": Policy({}, "x", "holds")}}, "policy 'p' has the dict {} for its description"),
        ({"policies": {"p": Policy("x", {on: True for on in (1,)}, "holds")}}, "policy 'p' names the knob 1"),
        ({"policies": {"p": Policy("x", {}, "holds", also=Expect("holds"))}}, "for `also`, which must be a tuple"),
        ({"policies": {"p": Policy("x", {}, "holds", also=("holds",))}}, "in `also`, 'holds' is no Expect"),
        ({"policies": {"p": Policy("x", {}, "holds", also=(Expect({"on": True}, "clean"),))}}, "the verdict is the dict"),
        ({"policies": {"p": Policy("x", {}, "holds", also=(Expect("clean", {Cpu: 3}),))}}, "the sort Cpu stands among the knobs"),
        ({"policies": {"p": Policy("x", {}, "holds", also=(Expect("clean", sizes=3),))}}, "the sizes are the int 3"),
        ({"policies": {"p": Policy("x", {}, "holds", also=(Expect("clean", sizes={3: 3}),))}}, "the sizes name"),
        ({"on": Knob(Annotated[int, Range(0, 2)], 0, "n")}, "knob 'on': its sort is"),
        ({"on": Knob(int, 0, "n")}, "knob 'on': its sort is int, and must be bool or an enumeration"),
        ({"on": Knob(bool, False, None)}, "knob 'on': its description is None"),
        ({"on": Knob(bool, 0, "n")}, "its default 0 is none of its values"),
        ({"on": Knob(bool, False, "n", toggle="yes")}, "its `toggle` is the str 'yes'"),
    ],
)  # fmt: skip
def test_declarations_of_a_wrong_type(members: Mapping[str, Any], said: str) -> None:
    assert said in declared(**members)


TWICE = '''
from flushproof.model.hardware import Cpu
from flushproof.model.language import Knob, Map, Policy, System, action, invariant

class Twice(System):
    """A system."""
    fb = Knob(bool, False, doc="a knob")
    stale: Map[Cpu, bool]
    SIZES
    policies = {
        "p": Policy("one", {"fb": True}, "holds"),
        "KEY": Policy("two", {"fb": FB}, "holds"),
    }

    @action
    def changes(self, cpu: Cpu):
        """{cpu} changes"""
        self.stale[cpu] = self.fb

    @invariant("never")
    def fine(self):
        return True
'''


@pytest.mark.parametrize(
    ("key", "fb", "sizes", "said"),
    [
        ("p", "True", "", ":12: the key 'p' is given twice, here and in line 11"),
        ("q", 'True, "fb": False', "", "the key 'fb' is given twice"),
        ("q", "True", "sizes = {Cpu: 2, Cpu: 3}", ":9: the key Cpu is given twice"),
        ("q", 'True, "FB": False', "", "policy 'q': the knob 'fb' is given twice: as 'fb' and as 'FB'"),
    ],
)
def test_a_key_given_twice(key: str, fb: str, sizes: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "twice.py"
    file.write_text(
        TWICE.replace("KEY", key).replace("FB,", fb).replace("FB}", fb + "}").replace("SIZES", sizes or "pass")
    )
    done = CliRunner().invoke(main, ["check", str(file), "--policy", "q"])
    assert done.exit_code == 2 and said in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"policy": 3}, "the policy is the int 3"),
        ({"knobs": ["flush"]}, "`knobs` is the list"),
        ({"knobs": {1: 2}}, "has no knob '1'"),
        ({"knobs": {"fb": "on", "FB": "on"}}, "the knob 'fb' is given twice"),
        ({"sizes": {"cpu": 2.9}}, "the size of Cpu is '2.9'"),
        ({"sizes": {"cpu": 2.0}}, "the size of Cpu is '2.0'"),
        ({"sizes": {"cpu": True}}, "the size of Cpu is 'True'"),
        ({"sizes": {"cpu": "٣"}}, "the size of Cpu is '٣'"),
        ({"sizes": {"cpu": "1_0"}}, "the size of Cpu is '1_0'"),
        ({"sizes": {"cpu": 2, "Cpu": 2}}, "the size of 'Cpu' is given twice"),
        ({"properties": "no-deadlock"}, "must be a sequence of names"),
        ({"properties": [1]}, "a property's name is the int 1"),
        ({"symmetry": "off"}, "`symmetry` is the str 'off'"),
        ({"bound": -1}, "the bound is -1"),
        ({"bound": 2.5}, "the bound is 2.5"),
        ({"engine": None}, "the engine is the NoneType None"),
        ({"limits": 10}, "`limits` is the int 10"),
        ({"resources": 10}, "`resources` is the int 10"),
    ],
)
def test_requests_of_a_wrong_type(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(FlushproofError) as caught:
        checking.check("kvm-vcpu-switch", **asked)
    assert said in str(caught.value)


@pytest.mark.parametrize("system", [5, None, int, []])
def test_what_is_no_system(system: Any) -> None:
    with pytest.raises(FlushproofError, match="is no system"):
        checking.check(system)


@pytest.mark.parametrize(
    "limits",
    [
        {"states": -1},
        {"states": 0},
        {"states": 1.5},
        {"depth": -1},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"memory_bytes": "2G"},
    ],
)
def test_limits_that_are_none(limits: dict[str, Any]) -> None:
    with pytest.raises(FlushproofError, match=f"the limit '{next(iter(limits))}' is"):
        Limits(**limits)


def test_workers_that_are_none() -> None:
    with pytest.raises(FlushproofError, match="the number of workers is 0"):
        Resources(workers=0)


# -------------------------------------------------------------------------------------------------- choices that choose nothing


class Unused(Base):
    """A knob that nothing reads, and policies that it alone tells apart."""

    kick = Knob(bool, False, doc="kicks")
    policies = {
        "a": Policy("", {"kick": True}, "holds"),
        "b": Policy("", {"kick": False}, "holds"),
        "c": Policy("", {"on": True}, "clean"),
    }


def test_choices_that_choose_nothing() -> None:
    unread, same = warnings_of(Unused, "a")
    assert unread == "the knob 'kick' is read by no step, no property and no cost: all its values are one system"
    assert same == "the policies 'a' and 'b' are one system: they differ in kick, on which nothing depends then"
    assert warnings_of(Unused, "c") == (unread,) and warnings_of(Base) == ()


class Forgotten(Base):
    """Methods that nothing uses: of those that do something the decorator may have been forgotten."""

    def looks(self):
        check("never", False, because="it looks")

    def waits(self):
        yield "waits"

    def writes(self):
        self.seen = True

    def is_seen(self):
        return self.seen

    def __used(self):
        self.seen = True

    @action
    def uses(self):
        """uses a private helper"""
        self.__used()

    seen: bool


def test_a_method_whose_decorator_was_forgotten_is_told() -> None:
    told = warnings_of(Forgotten)
    assert [text.partition("'")[2].partition("'")[0] for text in told] == ["looks", "waits", "writes"]
    assert all(text.endswith("was its decorator forgotten?") for text in told)
    assert checking.check(Forgotten).warnings == told


def test_a_knob_that_nothing_reads_stands_under_what_holds() -> None:
    text = check_text(checking.check(Unused, "a"), Look(100))
    assert "HOLDS at cpu=2: clean" in text and "Knobs that nothing reads: kick." in text


def test_warnings_are_on_standard_error_and_in_the_json(tmp_path: Path) -> None:
    file = tmp_path / "twice.py"
    reads = TWICE.replace("return True", "return all(not self.stale[cpu] for cpu in Cpu)")
    file.write_text(reads.replace("KEY", "q").replace("FB}", "True}").replace("SIZES", "pass"))
    done = CliRunner().invoke(main, ["check", str(file), "--policy", "q", "--format", "json"])
    (warning,) = json.loads(done.stdout)["warnings"]
    assert "'p' and 'q' are one system" in warning and done.stderr == f"flushproof: warning: {warning}\n"


# ----------------------------------------------------------------------------------------------------------------- vacuity


class Idle(Base):
    """Nothing ever comes to a check."""

    never_set: Map[Cpu, bool]

    @action
    def clears(self, cpu: Cpu):
        """{cpu} clears"""
        self.never_set[cpu] = False

    @event
    def looks(self, cpu: Cpu):
        """{cpu} looks"""
        if self.never_set[cpu]:
            check("unseen", not self.stale[cpu], "{cpu} is stale")

    @event
    def looks_where_it_may_be_set(self, cpu: Cpu):
        """{cpu} looks"""
        if self.on:
            check("off", self.stale[cpu] == self.stale[cpu], "never")


class Unreached(Base):
    """It is never stale."""

    @reachable
    def some_are_stale(self):
        return any(self.stale[cpu] for cpu in Cpu)

    @reachable
    def some_are_stale_where_it_is_on(self):
        return self.on and any(self.stale[cpu] for cpu in Cpu)


def test_a_property_that_no_event_comes_to_holds_vacuously() -> None:
    found = checking.check(Idle)
    assert (found.verdict, found.vacuous, found.never_came) == ("holds", ("unseen",), ("looks",))
    assert set(found.switched_off) == {"looks_where_it_may_be_set", "off"}
    assert found.never_possible == ()


def test_a_reachable_state_that_the_knobs_rule_out_is_no_fault() -> None:
    """Its text alone must be false with these knobs; that no step leads there is a fault."""
    found = checking.check(Unreached)
    assert found.vacuous == ("some-are-stale",) and found.not_reached == (
        "some-are-stale",
        "some-are-stale-where-it-is-on",
    )
    assert found.switched_off == ("some-are-stale-where-it-is-on",)
    asked = checking.check(Unreached, properties=["some-are-stale-where-it-is-on"])
    assert asked.violated == "some-are-stale-where-it-is-on", "who asks for it alone wants it reached"


LEVELS = '''
from flushproof.model.hardware import Cpu
from flushproof.model.language import Sort, System, action, invariant

class Level(Sort, ordered=True):
    """Two, unless asked for more."""

class Beyond(System):
    """Level 2 of two."""
    x: Level

    @action
    def rise(self, c: Cpu):
        """rises"""
        self.x = 2

    @invariant("x is neither 0 nor 1")
    def low(self):
        return self.x == 0 or self.x == 1
'''


@pytest.mark.parametrize("command", [["check"], ["simulate"], ["export", "--to", "tla"], ["costs"]])
def test_elements_that_do_not_exist_are_refused(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "levels.py"
    file.write_text(LEVELS)
    done = CliRunner().invoke(main, [command[0], str(file), *command[1:]])
    assert done.exit_code == 2 and "Level 2 does not exist: Level has 2 elements at this size" in done.stderr
    assert "Give level=3 or more" in done.stderr
    assert CliRunner().invoke(main, ["check", str(file), "--size", "level=3"]).exit_code == 1


# ------------------------------------------------------------------------------------------------------------------- sizes


def test_what_a_policy_declares_at_another_size_is_said() -> None:
    found = checking.check("kvm-vmid-generation", "merged", sizes={"cpu": 1})
    assert found.verdict == "holds" and found.expected is None
    assert any("declares that" in hint and "holds" in hint for hint in found.hints)
    assert checking.check("kvm-vcpu-switch", "none", sizes={"cpu": 2}).expected == "no-foreign-hit", (
        "it is the usual size"
    )


def test_too_few_elements_are_said() -> None:
    hints = checking.check("kvm-vmid-allocator", "fixed", sizes={"vmid": 1}).hints
    assert any("fewer Vmid than Cpu" in hint for hint in hints)
    assert checking.check("kvm-vcpu-switch", "last-ran").hints == ()


# --------------------------------------------------------------------------------------------------------------- all rows


def test_all_with_settings() -> None:
    def rows(*more: str) -> list[dict[str, Any]]:
        done = CliRunner().invoke(main, ["check", "kvm-vcpu-switch", "--all", "--jobs", "1", "--format", "json", *more])
        found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
        return found

    assert {row["policy"] for row in rows("--policy", "none")} == {"none"}
    assert all(row["knobs"]["fb"] == "off" for row in rows("--set", "fb=off"))
    one = rows("--size", "page=1", "--property", "no-deadlock")
    assert all(row["sizes"]["Page"] == 1 and row["properties"] == ["no-deadlock", "well-defined"] for row in one)
    assert len({(row["policy"], json.dumps(row["knobs"])) for row in one}) == len(one)


USERS = '''
import enum
from flushproof.model.hardware import Cpu
from flushproof.model.language import Expect, Knob, Map, Policy, System, action, invariant

class Scope(enum.Enum):
    """Of a user's own file."""
    NONE = 0
    ALL = 1

class Flush(System):
    """One bit for each CPU."""
    flush = Knob(Scope, Scope.ALL, doc="what is reached")
    stale: Map[Cpu, bool]
    policies = {"all": Policy("", {"flush": Scope.ALL}, "holds", also=(Expect("clean", {"flush": Scope.NONE}),))}

    @action
    def changes(self, cpu: Cpu):
        """{cpu} changes"""
        self.stale[cpu] = self.flush == Scope.NONE

    @invariant("{cpu} is stale")
    def clean(self):
        return all(not self.stale[cpu] for cpu in Cpu)
'''


def test_sizes_are_given_by_sorts_or_by_their_names() -> None:
    """In a class's own sizes by the sorts; where a name is given there, the message says so."""
    assert Expect("holds", sizes={Cpu: 3}) == Expect("holds", sizes={"Cpu": 3})
    asked = [checking.check(Base, sizes={key: 3}) for key in (Cpu, "Cpu", "cpu")]
    assert [dict(result.instance.sizes) for result in asked] == [{"Cpu": 3}] * 3
    assert "Write sizes = {Cpu: 3}, with the class itself." in declared(sizes={"cpu": 3})


def test_a_users_enumeration_in_other_processes(tmp_path: Path) -> None:
    file = tmp_path / "users.py"
    file.write_text(USERS)
    done = CliRunner().invoke(main, ["check", str(file), "--all", "--jobs", "2"])
    assert (
        done.exit_code == 0 and "2 verdicts in" in done.stdout and "of them exploring: all as expected" in done.stdout
    )


# ----------------------------------------------------------------------------------- what was edited a moment ago

TWO_FILES = {
    "system.py": """
from flushproof.model.language import *
from limits import MOST

class Lamp(System):
    lit: bool
    @action
    def press(self):
        self.lit = not self.lit if MOST > 0 else False
    @invariant("it burns")
    def dark(self):
        return self.lit == False or 0 == 1
    @reachable
    def begun(self):
        return not self.lit
""",
    "limits.py": "MOST = 1\n",
}


@pytest.mark.parametrize(("file", "before", "after"), [("system.py", "0 == 1", "1 == 1"), ("limits.py", "1", "0")])
def test_a_file_that_was_edited_within_a_second_is_read_anew(file: str, before: str, after: str, tmp_path: Path) -> None:
    """Python's bytecode is told from its source by the second and the size; users let Python write it."""
    command = [sys.executable, "-m", "flushproof", "check", "system.py"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for name, text in TWO_FILES.items():
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1e9, 1e9))
    first = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert first.returncode == 1 and "VIOLATED: dark" in first.stdout, first.stderr
    (tmp_path / file).write_text(TWO_FILES[file].replace(before, after))
    os.utime(tmp_path / file, (1e9, 1e9))
    second = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert second.returncode == 0 and "HOLDS" in second.stdout, second.stderr


def test_a_file_that_was_edited_is_read_anew_in_one_process(tmp_path: Path) -> None:
    file = tmp_path / "system.py"
    text = TWO_FILES["system.py"].replace("from limits import MOST", "MOST = 1")
    for said, verdict in (("0 == 1", "violated"), ("1 == 1", "holds"), ("0 == 1", "violated")):
        file.write_text(text.replace("0 == 1", said))
        os.utime(file, (1e9, 1e9))
        assert checking.check(str(file)).verdict == verdict


# -------------------------------------------------------------------------------------------------------------- what fails


@pytest.mark.parametrize(
    "raised", ["class E(BaseException): pass\nraise E('x')", "raise SystemExit(0)", "raise GeneratorExit"]
)
def test_a_module_that_raises_anything(raised: str, tmp_path: Path) -> None:
    file = tmp_path / "raises.py"
    file.write_text(raised)
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.exit_code == 2 and "importing it failed" in done.stderr and "Traceback" not in done.stderr


def test_json_that_is_nested_too_deep(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    done = CliRunner().invoke(main, ["trace", str(file)])
    assert done.exit_code == 2 and "nested too deep" in done.stderr


def shell(command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "PY": sys.executable}
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", ["list", "--help", "check --help", "check kvm-vcpu-switch --policy none"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-", "| head -c 0; exit ${PIPESTATUS[0]}"])
def test_an_output_that_fails(words: str, where: str) -> None:
    status, said = shell(f"$PY -m flushproof {words} {where}")
    if "head" in where and status == 0:
        pytest.skip("all was written before the pipe was closed")
    assert status == 2 and said.startswith("flushproof: the output cannot be written") and said.count("\n") == 1


@pytest.mark.parametrize("kilobytes", [300_000, 1_100_000])
def test_too_few_addresses(kilobytes: int) -> None:
    """Or just enough of them: then the verdict is there."""
    status, said = shell(f"ulimit -v {kilobytes}; $PY -m flushproof check kvm-vcpu-switch --policy none")
    assert "Traceback" not in said
    assert (status == 2 and "ulimit -v leaves" in said) or (status == 1 and kilobytes > 1_000_000)


def test_seeds_below_zero_are_seeds_of_their_own() -> None:
    inst = instantiate(load_system("kvm-vcpu-switch"), "last-ran")

    def taken(seed: int) -> Mapping[str, int]:
        return simulate(inst, seed=seed, walks=5, steps=50).taken

    assert taken(-1) == taken(-1) != taken(1)
    with pytest.raises(FlushproofError, match=r"the seed is the float 1\.5"):
        simulate(inst, seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(FlushproofError, match="the number of walks is 0"):
        simulate(inst, walks=0)


def test_how_walks_are_made_is_said() -> None:
    done = CliRunner().invoke(
        main, ["simulate", "kvm-vcpu-switch", "--policy", "last-ran", "--walks", "1", "--steps", "5"]
    )
    assert "each step takes one of the actions that are possible, all with the same chance" in " ".join(
        done.stdout.split()
    )
