"""Progress, and who must be given a chance to make it: what an execution without an end is held to.

A *progress* property names steps, one of which must be taken again and again, however the execution goes on, as long as it is
weakly fair: whoever could take a step all the time from some moment on takes one.  Each process of each element is such a who;
so is each action that is no process's step, with each value of its parameters: hardware acts in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import terms
from .instance import Instance
from .system import Action, Expr, System, Var
from .waits import possible

Unit = tuple[str, tuple[int, ...]]
"""A process and the codes of its element, or an action and those of its parameters."""


@dataclass(frozen=True)
class Chance:
    """Someone who must be given a chance: unit; params and codes: whose it is; possible: that a step of it is."""

    unit: Unit
    params: tuple[Var, ...]
    possible: Expr


def unit_of(system: System, action: Action, codes: Sequence[int]) -> Unit:
    """Who takes a step with these values of the action's parameters."""
    if action.process is None:
        return action.name, tuple(codes)
    pc = system.variable.get(f"{action.process}.pc")
    return action.process, tuple(codes[: len(pc.index)] if pc is not None else codes)


def chances(instance: Instance) -> Iterator[Chance]:
    """All who must be given a chance."""
    system = instance.system
    together: dict[str, list[Action]] = {}
    for action in system.actions:
        together.setdefault(action.process or action.name, []).append(action)
    for name, actions in together.items():
        pc = system.variable.get(f"{name}.pc") if actions[0].process else None
        params = actions[0].params[: len(pc.index)] if pc is not None else actions[0].params
        expr = terms.or_(*(possible(action, params) for action in actions))
        for codes in instance.assignments(tuple(p.of for p in params)):
            yield Chance((name, codes), params, expr)
