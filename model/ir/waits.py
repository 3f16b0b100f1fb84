"""Where processes wait, and for what: the labels at which a process stands, each with the condition under which it goes on.

A process *waits* where it stands at a label whose step is not possible.  Only its own step takes it away from a label, so that it
waits until that step becomes possible.  A process that stands where it starts has nothing under way: it is idle, and may be so for
ever.  Two built-in properties speak of waits:

- `no-deadlock`: some step is possible, or the state is final; the report tells who waits for what;
- `no-stuck`: from every reachable state, a state can be reached in which a given process does not wait, or one that is final.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import terms
from .system import Action, EnumSort, Expr, Lit, OptionSort, Read, StateVar, System, Var

NO_STUCK = "no-stuck"


@dataclass(frozen=True)
class Wait:
    """A label of a process.

    process: its name; who: variables for whose process it is; pc: its program counter.
    begins: the process starts here, and is idle rather than waiting.
    here: that it stands here, of `who`; possible: that its step is possible besides, whatever else the step chooses.
    actions: the steps that begin here; none where the knobs left none.
    """

    process: str
    who: tuple[Var, ...]
    pc: StateVar
    label: str
    begins: bool
    here: Expr
    possible: Expr
    actions: tuple[Action, ...]

    @property
    def pc_code(self) -> int:
        """What the program counter is here, as a code."""
        assert isinstance(self.pc.sort, EnumSort)
        return self.pc.sort.members.index(self.label)

    @property
    def waiting(self) -> Expr:
        """That it stands here and cannot go on."""
        return terms.and_(self.here, terms.not_(self.possible))


def waits(system: System) -> tuple[Wait, ...]:
    """Every label of every process, in order of declaration.

    Raises:
        LookupError: whether a step is possible depends on a fresh value otherwise than by comparing it.
    """
    return tuple(wait for pc in _counters(system) for wait in _labels(system, pc))


def waiting(of: Iterable[Wait]) -> Expr:
    """That one of these labels, all of one process, is where the process `who` waits, unless it starts there."""
    return terms.or_(*(wait.waiting for wait in of if not wait.begins))


def _counters(system: System) -> Iterator[StateVar]:
    """The program counters of the processes that have steps."""
    for process in dict.fromkeys(a.process for a in system.actions if a.process is not None):
        pc = system.variable.get(f"{process}.pc")
        if pc is not None and isinstance(pc.sort, EnumSort):
            yield pc


def _labels(system: System, pc: StateVar) -> Iterator[Wait]:
    assert isinstance(pc.sort, EnumSort)
    process = pc.name.removesuffix(".pc")
    steps = [a for a in system.actions if a.process == process]
    who = steps[0].params[: len(pc.index)]
    at = Read(pc.name, who, pc.sort)
    for label in pc.sort.members:
        here = terms.eq(at, Lit(label, pc.sort))
        actions = tuple(a for a in steps if a.label == label)
        goes_on = terms.or_(*(possible(action, who) for action in actions))
        yield Wait(process, who, pc, label, label == pc.sort.members[0], here, goes_on, actions)


def possible(action: Action, who: tuple[Var, ...]) -> Expr:
    """That the action is possible for some choice of all but its first parameters, which are `who`.

    Raises:
        LookupError: that depends on a fresh value otherwise than by comparing it.
    """
    guard = terms.without_fresh(action.guard, action.fresh)
    mine = action.params[: len(who)]
    if not terms.free_vars(guard) <= {*action.params}:
        raise LookupError(action.name)
    for param in reversed(action.params[len(who) :]):
        guard = _some(param, guard)
    return terms.substitute(guard, dict(zip(mine, who, strict=True)))


def _some(param: Var, body: Expr) -> Expr:
    """That the body holds for some value of a parameter, which may be of an option."""
    if not isinstance(param.of, OptionSort):
        return terms.exists(param, body)
    held = terms.fresh_var(Var(param.name, param.of.base), terms.free_vars(body))
    none = terms.substitute(body, {param: Lit(None, param.of)})
    return terms.or_(none, terms.exists(held, terms.substitute(body, {param: terms.some(held)})))

