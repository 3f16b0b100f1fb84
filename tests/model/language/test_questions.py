"""Conditions on states that somebody types in."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, shipped
from flushproof.model.language.questions import condition_of
from flushproof.search.walk import Walks

from flushproof.checking import check

SWITCH = "kvm-vcpu-switch"


@pytest.fixture(scope="module")
def switch() -> Instance:
    return instantiate(load_system(SWITCH), "none")


@pytest.mark.parametrize(
    ("text", "holds_after"),
    [
        ("vttbr[cpu0] == vm0", [3, 8, 9]),
        ("self.vttbr[cpu0] is vm0", [3, 8, 9]),
        ("any(self.vttbr[c] is not None for c in Cpu)", [3, 8, 9]),
        ("not in_guest[cpu0] and tlb.entry[cpu0, vm0, vcpu0, page0]", [4, 5, 6, 7]),
        ("count(vcpus.loaded[c] is not None for c in Cpu) == 1 and vcpus.loaded[cpu0] is vcpu1", [6, 7, 8, 9]),
        ('at(vcpu_thread, cpu0, "vcpu_load({vcpu})")', [0, 5]),
        ('local(vcpu_thread, cpu0, "vcpu_load.vcpu") is vcpu1', [6]),
        ("(lambda c: vttbr[c] is vm0)(cpu0)", [3, 8, 9]),
        ("remap[vcpu0] == STORED", []),
        ("flush == NONE and False", []),
    ],
)
def test_a_condition_holds_where_the_system_says(switch: Instance, text: str, holds_after: list[int]) -> None:
    trace = check(SWITCH, "none", audit=None).trace
    assert trace is not None
    holds = condition_of(load_system(SWITCH), switch, text)
    assert [n for n, state in enumerate(trace.states) if holds(state)] == holds_after


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vtbr[cpu0] is None", "there is no 'vtbr' here\n  Did you mean 'vttbr'?"),
        ("vttbr[cpu7] is None", "there is no 'cpu7' here"),
        ("vttbr[cpu0] = vm0", "not a condition: "),
        ("", "not a condition: "),
        ("vttbr[cpu0]", "Write self.vttbr[cpu0] is not None."),
        ("[c for c in Cpu]", "the language has no list comprehension"),
        ("all(vttbr[cpu0] is None for cpu0 in Cpu)", "'cpu0' is an element of Cpu\n  Call what runs through them otherwise."),
        ('vcpu_thread.pc[cpu0] == "x"', 'Write at(vcpu_thread, cpu0, "label").'),
        ("vcpu_thread.vcpu[cpu0] is vcpu0", 'Write local(vcpu_thread, cpu0, "vcpu").'),
        ('at(vcpu_thread, cpu0, "nowhere")', "nowhere"),
        ("require(in_guest[cpu0])", "cannot require"),
        ("vttbr[vcpu0] is None", "vcpu0 is a Vcpu where a Cpu is needed"),
        ("__import__('os').getcwd()", "__import__"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_reason(switch: Instance, text: str, says: str) -> None:
    with pytest.raises(FlushproofError) as refused:
        condition_of(load_system(SWITCH), switch, text)
    assert str(refused.value).startswith(f"{text}: ") and says in str(refused.value)


def test_what_the_knobs_make_no_part_of_the_states_is_refused(switch: Instance) -> None:
    cls = load_system(SWITCH)
    assert "last_cpu" not in switch.system.variable
    with pytest.raises(FlushproofError, match="nothing that matters depends on 'last_cpu' under these knobs"):
        condition_of(cls, switch, "last_cpu[vcpu0] is None")
    other = instantiate(cls, "on-migration")
    assert condition_of(cls, other, "last_cpu[vcpu0] is None")(Walks(other).starts(1)[0])


def test_a_method_of_the_system_means_the_same_when_it_is_typed() -> None:
    compared = 0
    for name, cls in shipped().items():
        instance = instantiate(cls, next(iter(cls.policies)))
        walks = Walks(instance)
        for prop in (p for p in instance.system.properties if p.kind == "reachable" and p.name != "no-stuck"):
            method = getattr(cls, prop.name.replace("-", "_"), None)
            body = [] if method is None else ast.parse(textwrap.dedent(inspect.getsource(method))).body[0].body  # type: ignore[attr-defined]
            last = body[-1] if len(body) == 2 else None  # behind its docstring: what is typed has no locals
            if not isinstance(last, ast.Return) or last.value is None:
                continue
            holds, here = condition_of(cls, instance, ast.unparse(last.value)), walks.starts(1)[0]
            for number in range(40):
                assert holds(here) == walks.reference.holds(prop, here), (name, prop.name, number)
                compared += 1
                steps = walks.possible(here)
                here = steps[number % len(steps)].state
    assert compared > 400
