"""From a class to an instance: knobs, sizes, pruning, and what is said to a user who gets a name wrong."""

from __future__ import annotations

import collections
import enum
import gc
import os
import subprocess
import sys
import weakref
from typing import Annotated, Any, Optional

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.language import compile as compiling
from flushproof.model.language.declare import (
    Counter,
    Expect,
    Knob,
    Map,
    Part,
    Policy,
    Range,
    Sort,
    System,
    action,
    check,
    fresh,
    invariant,
    process,
    require,
    size,
)
from flushproof.model.language.instantiate import instantiate, settings, switched_off, unread, warnings_of
from flushproof.model.language.policies import knobs_of


class Cpu(Sort):
    """A CPU."""


class Vm(Sort, size=3):
    """A VM."""


class Generation(Counter):
    """A generation."""


class Scope(enum.Enum):
    NONE = 0
    LOCAL = 1
    INNER_SHAREABLE = 2


class Tlb(Part):
    """A part with a knob of its own."""

    literal = Knob(bool, False, "entries come and go")
    valid: Map[Cpu, bool]


class Flusher(System):
    """A system whose knobs make steps dead."""

    tlb = Tlb()
    scope = Knob(Scope, Scope.LOCAL, "what is flushed")
    wait = Knob(bool, True, "wait for completion")
    sizes = {Cpu: 3}
    last: Map[Cpu, Optional[Vm]]
    generation: Generation
    policies = {
        "lazy": Policy("nothing waits", {"wait": False, "tlb.literal": True}, "holds"),
        "typo": Policy("a policy with a mistake", {"wiat": False}, "holds"),
    }

    @action
    def roll(self, vm: Vm) -> None:
        """roll over"""
        self.generation = fresh(Generation)

    @process(Cpu)
    def flush(self, cpu: Cpu) -> Any:
        """one CPU"""
        yield "issue"
        require(self.tlb.valid[cpu])
        if self.scope is Scope.INNER_SHAREABLE:
            yield "broadcast"
            self.last[cpu] = None
        if self.wait:
            yield "wait"

    @action
    def touch(self, cpu: Cpu) -> None:
        """touch"""
        if self.tlb.literal:
            self.tlb.valid[cpu] = True

    @invariant("{cpu} is wrong")
    def fine(self) -> bool:
        return all(self.last[cpu] is None for cpu in Cpu)


def steps(**asked: Any) -> set[str]:
    return {a.name for a in instantiate(Flusher, **asked).system.actions}


def test_knobs_of_parts_are_named_after_the_part() -> None:
    assert set(knobs_of(Flusher)) == {"tlb.literal", "scope", "wait"}


def test_the_users_knobs_win_over_the_policys_and_those_over_the_defaults() -> None:
    assert instantiate(Flusher).knobs == {"tlb.literal": "off", "scope": "local", "wait": "on"}
    assert instantiate(Flusher, "lazy").knobs == {"tlb.literal": "on", "scope": "local", "wait": "off"}
    assert instantiate(Flusher, "lazy", {"wait": "on"}).knobs["wait"] == "on"


@pytest.mark.parametrize("text", ["inner-shareable", "INNER_SHAREABLE", "Inner-Shareable", Scope.INNER_SHAREABLE])
def test_a_value_in_any_spelling(text: Any) -> None:
    assert instantiate(Flusher, knobs={"scope": text}).knobs["scope"] == "inner-shareable"


class Way(enum.StrEnum):
    """Its members are texts, and each is the other one's name."""

    A = "b"
    B = "a"


class Chosen(System):
    way = Knob(Way, Way.A, doc="")
    policies = {"b": Policy("", {"way": Way.B}, "holds", (Expect("holds", {"way": Way.A}),))}


def test_a_member_that_is_a_text_is_that_member() -> None:
    assert instantiate(Chosen, "b").knobs["way"] == "b"
    assert instantiate(Chosen, "b", {"way": Way.A}).knobs["way"] == "a"
    assert instantiate(Chosen, "b", {"way": "a"}).knobs["way"] == "a"
    assert settings({"way": Way.B, "other": "a"}) == "way=b other=a"


def test_a_policy_that_is_made_when_it_is_asked_for_is_none() -> None:
    class Any(System):
        policies = collections.defaultdict(lambda: Policy("", {}, "holds"))

    with pytest.raises(FlushproofError, match="any has no policy 'none'"):
        instantiate(Any, "none")


@pytest.mark.parametrize("text", ["on", "true", "YES", "1", True])
def test_a_switch_in_any_spelling(text: Any) -> None:
    assert instantiate(Flusher, knobs={"TLB.literal": text}).knobs["tlb.literal"] == "on"


def test_no_knob_remains_in_the_system() -> None:
    made = instantiate(Flusher, "lazy")
    assert not [v.name for v in made.system.variables if v.kind == "knob"]


def test_a_step_that_no_program_counter_reaches_is_dropped() -> None:
    every = {"roll", "touch", "flush: issue", "flush: broadcast", "flush: wait"}
    assert steps(knobs={"scope": "inner-shareable"}) == every
    assert steps() == every - {"flush: broadcast"}
    assert steps(policy="lazy") == every - {"flush: broadcast", "flush: wait"}


def test_a_variable_that_no_verdict_depends_on_is_dropped() -> None:
    assert "generation" not in {v.name for v in instantiate(Flusher).system.variables}, "it is written and never read"

    class Idle(Flusher):
        """The same, without what used the generation."""

        never: Map[Cpu, bool]

    assert "never" not in {v.name for v in instantiate(Idle).system.variables}
    assert "last" in {v.name for v in instantiate(Idle).system.variables}


def test_sizes_in_any_case_and_from_the_class() -> None:
    assert instantiate(Flusher).sizes == {"Cpu": 3, "Vm": 3}
    assert instantiate(Flusher, sizes={"cpu": "2", "VM": 1}).sizes == {"Cpu": 2, "Vm": 1}


@pytest.mark.parametrize(
    ("asked", "reason", "advice"),
    [
        ({"policy": "lasy"}, "no policy 'lasy'", "Did you mean 'lazy'?"),
        ({"policy": "typo"}, "policy 'typo': flusher has no knob 'wiat'", "Did you mean 'wait'?"),
        ({"knobs": {"scop": "local"}}, "no knob 'scop'", "Did you mean 'scope'?"),
        ({"knobs": {"scope": "locl"}}, "'scope' has no value 'locl'", "Did you mean 'local'?"),
        ({"knobs": {"wait": "maybe"}}, "'wait' has no value 'maybe'", "The values are: off, on."),
        ({"knobs": {"wait": 7}}, "'wait' has no value '7'", "The values are"),
        ({"sizes": {"cpus": 2}}, "'cpus' is not one of its sorts", "Did you mean 'Cpu'?"),
        ({"sizes": {"generation": 2}}, "is a counter", "any number of values is explored"),
        ({"sizes": {"cpu": 0}}, "the size of Cpu is '0'", "1 or more"),
        ({"sizes": {"cpu": "-1"}}, "the size of Cpu is '-1'", "1 or more"),
        ({"sizes": {"cpu": "two"}}, "the size of Cpu is 'two'", "as in cpu=2"),
        ({"sizes": {"cpu": 10**7}}, "too large with cpu=10000000", "Choose smaller sizes."),
    ],
)
def test_bad_names_and_values_are_named_with_the_nearest_valid_one(
    asked: dict[str, Any], reason: str, advice: str
) -> None:
    with pytest.raises(FlushproofError) as caught:
        instantiate(Flusher, **asked)
    assert reason in str(caught.value) and advice in str(caught.value)


class Wrong(Flusher):
    """What its subclasses declare does not exist."""

    policies = {}


def wrong(**members: Any) -> str:
    with pytest.raises(FlushproofError) as caught:
        instantiate(type("Wrong", (Wrong,), members))
    return str(caught.value)


def test_declarations_that_name_what_does_not_exist() -> None:
    assert "knob 'level': its default True is none of its values" in wrong(level=Knob(Scope, True, "a level"))
    assert "policy 'p' is no Policy" in wrong(policies={"p": {"wait": True}})
    assert "Did you mean 'fine'?" in wrong(policies={"p": Policy("", {}, "fin")})
    assert "sizes: there is no sort 'Cpus'. " in wrong(sizes={"Cpus": 2}).replace("\n  ", ". ")
    assert "sizes gives Cpu the size 0, and the least is 1" in wrong(sizes={Cpu: 0})
    assert "sizes: 'Cpu' is not the sort Cpu" in wrong(sizes={"Cpu": 3})


class Spelled(enum.Enum):
    """Members that are one on a command line."""

    a_b = 0
    A_B = 1


def test_names_that_are_one_on_a_command_line() -> None:
    knob = Knob(bool, False, "a knob")
    assert "two knobs are both written 'FAST'" in wrong(fast=knob, FAST=knob)
    assert "two values of the knob 'k' are both written 'a-b'" in wrong(k=Knob(Spelled, Spelled.a_b, "a knob"))


def test_a_decorator_without_its_parentheses() -> None:
    with pytest.raises(FlushproofError, match=r'Write @invariant\("what is wrong"\)'):
        invariant(lambda self: True)  # type: ignore[arg-type]
    with pytest.raises(FlushproofError, match=r"Write @process\(Cpu\)"):
        process(lambda self: True)


PRINT_ALL = """
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import shipped

for cls in shipped().values():
    print(instantiate(cls, next(iter(cls.policies))))
"""


def test_an_instance_is_the_same_in_every_process() -> None:
    """Python hashes strings anew in each process; no order may come from that, or traces would differ from run to run."""
    made = set()
    for seed in ("1", "2", "3"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        made.add(
            subprocess.run(
                [sys.executable, "-c", PRINT_ALL], env=env, capture_output=True, text=True, check=True
            ).stdout
        )
    assert len(made) == 1 and "kvm-vcpu-switch" in made.pop()


class Growing(System):
    """Beyond two CPUs it speaks of another sort as well, checks what it did not check, and reads a knob."""

    on: Map[Cpu, bool]
    runs: Map[Vm, bool]
    served: Annotated[int, Range(0, 9)]
    careful = Knob(bool, False, "read with three CPUs only")

    @action
    def turn(self, cpu: Cpu):
        self.on[cpu] = True
        if size(Cpu) > 2:
            if self.careful and self.on[cpu]:
                check("in-range", self.served < 9, "too many")
            self.served = size(Vm)


def test_a_system_that_speaks_of_more_sorts_at_other_sizes() -> None:
    small, large = instantiate(Growing), instantiate(Growing, sizes={"cpu": 3, "vm": 4})
    assert not small.system.sized & {"Vm"} and large.system.sized == {"Cpu", "Vm"}
    assert large.system.sizes["Vm"] == large.sizes["Vm"] == 4
    assert unread(Growing) == ["careful"] and unread(Growing, large.sizes) == []
    assert warnings_of(Growing) and not warnings_of(Growing, sizes=large.sizes)
    assert switched_off(Growing, large).properties == ("in-range",)


def test_why_a_class_is_not_compiled_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that can only be compiled once its knobs are known is refused without them, by the same message each time."""

    class Twice(System):
        on: Map[Cpu, bool]
        fast = Knob(bool, True, "")

        @action
        def turn(self, cpu: Cpu):
            if self.fast:
                found = self.on[cpu]
            if self.fast:
                self.on[cpu] = not found

    tried: list[Any] = []
    deeply = compiling.compiled_deeply
    monkeypatch.setattr(compiling, "compiled_deeply", lambda *given: tried.append(given) or deeply(*given))
    for _ in range(2):
        assert instantiate(Twice).system.actions
        with pytest.raises(FlushproofError, match="'found' is set on some ways to this place only"):
            instantiate(Twice, free=("fast",))
    assert [known for _, _, known, _ in tried] == [None, {"fast": True}]
    released = weakref.ref(Twice)
    del Twice
    tried.clear()
    gc.collect()
    assert released() is None
