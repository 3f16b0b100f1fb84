"""Who takes a step: the CPU that it runs on, or the element whose process or action it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flushproof.model.ir import Action, BoolSort, Clause, OptionSort, Scalarset, Sort, StateVar, Var
from flushproof.model.ir.instance import Instance, Slot
from flushproof.report.reads import Fact

CPU = "Cpu"
"""The sort on whose elements everything else runs."""

NOBODY = "system"
"""What acts where no element, no process and no part does."""


@dataclass(frozen=True)
class Actor:
    """Who acts: an element (`cpu0`) of a sort (`Cpu`), or without one a process, or a part of the system, by its name."""

    sort: str | None
    name: str


def own_elements(instance: Instance, acts: Action | Clause) -> tuple[Var, ...]:
    """The parameters that say whose step it is: all of a process, otherwise the first that is an element."""
    if isinstance(acts, Action) and acts.process is not None:
        return acts.params[: len(instance.system.variable[f"{acts.process}.pc"].index)]
    return tuple(p for p in acts.params if isinstance(p.of, Scalarset))[:1]


def actor_of(instance: Instance, acts: Action | Clause, binding: Mapping[str, int], facts: Iterable[Fact]) -> Actor:
    """Who takes a step of this action, or causes this event.

    A CPU that is one of its own elements, or that the step names as its actor; the one CPU that its own element is on, as far as
    the step reads that; otherwise the element itself.
    """
    mine = own_elements(instance, acts)
    cpus = [p for p in mine if p.of.name == CPU]
    if acts.cpu is not None and not (isinstance(acts, Action) and acts.process is not None):
        cpus.append(acts.cpu)
    if cpus:
        return Actor(CPU, instance.show(cpus[0].of, binding[cpus[0].name]))
    if mine:
        found = {cpu for fact in facts for cpu in _cpus(instance, fact, mine, binding)}
        if len(found) == 1:
            return Actor(CPU, found.pop())
        return Actor(", ".join(p.of.name for p in mine), ", ".join(instance.show(p.of, binding[p.name]) for p in mine))
    if isinstance(acts, Action):
        *parts, _ = acts.name.split(".")
        return Actor(None, acts.process or ".".join(parts) or NOBODY)
    return Actor(None, NOBODY)


def runs_as(instance: Instance, acts: Action | Clause, binding: Mapping[str, int], actor: Actor) -> str | None:
    """The element whose process takes the step, where another one is the actor: the thread on a CPU."""
    if not isinstance(acts, Action) or acts.process is None:
        return None
    mine = [instance.show(p.of, binding[p.name]) for p in own_elements(instance, acts)]
    return ", ".join(m for m in mine if m != actor.name) or None


def _cpus(instance: Instance, fact: Fact, mine: tuple[Var, ...], binding: Mapping[str, int]) -> Iterable[str]:
    """The CPUs that a comparison puts the own element on: `running[cpu0] = vcpu1`, `cpu_of[vcpu1] = cpu0`, `on[cpu0, vcpu1]`."""
    own = {(p.of, binding[p.name]) for p in mine}
    for slot, code in fact.values.items():
        var = instance.system.variable[slot.var]
        if fact.sign == "=" and not _is_local(instance, var) and (code or not isinstance(var.sort, BoolSort)):
            named = {*zip(var.index, slot.index, strict=True), *_held(slot, code)}
            if named & own:
                yield from (instance.show(sort, element) for sort, element in named if sort.name == CPU)


def _held(slot: Slot, code: int) -> Iterable[tuple[Sort, int]]:
    """The element that a location holds, if it holds one."""
    match slot.sort:
        case OptionSort():
            return [(slot.sort.base, code - 1)] if code else []
    return [(slot.sort, code)]


def _is_local(instance: Instance, var: StateVar) -> bool:
    """Whether a variable is a process's own."""
    return any(a.process and var.name.startswith(f"{a.process}.") for a in instance.system.actions)
