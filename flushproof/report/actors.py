"""Who takes a step: the CPU that it runs on, or the element whose process or action it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flushproof.model.ir import Action, BoolSort, Clause, OptionSort, Scalarset, Sort, StateVar, Var
from flushproof.model.ir.instance import Instance, Slot, State
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


def actor_of(
    instance: Instance, acts: Action | Clause, binding: Mapping[str, int], facts: Iterable[Fact], state: State
) -> Actor:
    """Who takes a step of this action in this state, or causes this event.

    A CPU that is one of its own elements, or that the step names as its actor; the one CPU that its own element is on, as the parts
    of the machine say (`View`), or else as the step reads it; otherwise the element itself.
    """
    mine = own_elements(instance, acts)
    cpus = [p for p in mine if p.of.name == CPU]
    if acts.cpu is not None and not (isinstance(acts, Action) and acts.process is not None):
        cpus.append(acts.cpu)
    if cpus:
        return Actor(CPU, instance.show(cpus[0].of, binding[cpus[0].name]))
    if mine:
        own = {(p.of, binding[p.name]) for p in mine}
        for found in (_runs_on(instance, state, own), {cpu for fact in facts for cpu in _read_on(instance, fact, own)}):
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


Element = tuple[Sort, int]


def _runs_on(instance: Instance, state: State, own: set[Element]) -> set[str]:
    """The CPUs that run an element, as the machine's state says: `on[thread1] = cpu0`, `loaded[cpu0] = vcpu1`."""
    return {
        cpu
        for slot, code in zip(instance.slots, state, strict=True)
        if (view := instance.system.variable[slot.var].view) is not None and view.what == "context"
        for cpu in _cpus(instance, slot, code, own)
    }


def _read_on(instance: Instance, fact: Fact, own: set[Element]) -> set[str]:
    """The CPUs that a comparison puts an element on: `running[cpu0] = vcpu1`, `cpu_of[vcpu1] = cpu0`, `on[cpu0, vcpu1]`."""
    return {
        cpu
        for slot, code in fact.values.items()
        if fact.found and not _is_local(instance, instance.system.variable[slot.var])
        for cpu in _cpus(instance, slot, code, own)
    }


def _cpus(instance: Instance, slot: Slot, code: int, own: set[Element]) -> Iterable[str]:
    """The CPUs of which a location speaks together with one of these elements."""
    var = instance.system.variable[slot.var]
    if isinstance(var.sort, BoolSort) and not code:
        return ()
    named = {*zip(var.index, slot.index, strict=True), *_held(slot, code)}
    return [instance.show(sort, element) for sort, element in named if sort.name == CPU] if named & own else ()


def _held(slot: Slot, code: int) -> Iterable[Element]:
    """The element that a location holds, if it holds one."""
    match slot.sort:
        case OptionSort():
            return [(slot.sort.base, code - 1)] if code else []
    return [(slot.sort, code)]


def _is_local(instance: Instance, var: StateVar) -> bool:
    """Whether a variable is a process's own."""
    return any(a.process and var.name.startswith(f"{a.process}.") for a in instance.system.actions)
