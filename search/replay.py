"""Replaying on the interpreter what an engine found: from a path of states to a trace of real steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from flushproof.model.ir import Property, Var
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace

from .reductions.symmetry import Symmetry
from .reference.interpreter import Codes, Reference
from .task import Points

MANY = 20_000
"""Up to so many ways to begin are looked through for one that reads well."""


class ReplayError(Exception):
    """An engine claims what the interpreter does not confirm: a bug in flushproof, and no verdict about the system."""


class Replay:
    """Makes traces of paths whose states are real ones, or each a permutation of a real one if `symmetry` is on; their counters
    need not be renamed.

    hidden: actions that may have been fused to the end of the step before them; points: what the search began with.
    """

    def __init__(
        self, instance: Instance, symmetry: bool, hidden: Collection[str] = (), points: Points | None = None
    ) -> None:
        self.instance, self.hidden = instance, hidden
        self.reference = Reference(instance, points)
        self.canonical: Callable[[State], State] = Symmetry(instance).canonical if symmetry else lambda state: state

    def trace(self, name: str, prop: Property | None, path: Sequence[State]) -> Trace:
        """The trace along `path`, the last state of which violates the property (None for "no-deadlock").

        Raises:
            ReplayError: the interpreter cannot go this way, or nothing is violated at its end.
        """
        initial, steps = self.steps(name, path)
        trace = violating_trace(self.reference, name, prop, initial, steps)
        if trace is None:
            raise ReplayError(f"{self._who()}: the last state in the trace of '{name}' does not violate it")
        return trace

    def steps(self, name: str, path: Sequence[State]) -> tuple[State, list[Step]]:
        """A real initial state, and the real steps along `path`, which is to the violation of `name`.

        Raises:
            ReplayError: the interpreter cannot go this way.
        """
        first, *rest = (self.canonical(self.reference.renamed(state)) for state in path)
        initial = self._beginning(self.reference.renamed(path[0]), first)
        if initial is None:
            raise ReplayError(f"{self._who()}: the trace of '{name}' does not begin in an initial state")
        steps: list[Step] = []
        state = initial
        for number, target in enumerate(rest, 1):
            taken = self._steps(state, target)
            if taken is None:
                raise ReplayError(f"{self._who()}: no step leads to state {number} in the trace of '{name}'")
            steps += taken
            state = taken[-1].state
        return initial, steps

    def _beginning(self, given: State, first: State) -> State | None:
        """An initial state that begins like the path: the first that there is, whose names come in order; or, where there are too
        many, the path's own, since whatever differs from an initial state in names alone is one too."""
        if self.reference.choices > MANY:
            return given if self.reference.is_initial(given) else None
        return next((state for state in self.reference.initial_states() if self.canonical(state) == first), None)

    def _steps(self, state: State, target: State) -> list[Step] | None:
        """The step to the target, or the shortest way of one step and hidden ones after it."""
        ways = [[step] for step in self._possible(state)]
        seen: set[State] = set()
        for way in ways:
            after = way[-1].state
            if self.canonical(after) == target:
                return way
            if self.hidden and after not in seen:
                seen.add(after)
                ways += [[*way, step] for step in self._possible(after) if step.action in self.hidden]
        return None

    def _possible(self, state: State) -> Iterator[Step]:
        for action, codes, after in self.reference.successors(state):
            yield Step(action.name, binding(action.params, codes), after)

    def _who(self) -> str:
        return f"replaying {self.instance.system.name}"


def violating_trace(
    reference: Reference, name: str, prop: Property | None, initial: State, steps: Sequence[Step]
) -> Trace | None:
    """The trace that takes these steps to a violation (of None: to a deadlock), with the event that shows it as a last
    step where the clause has one; None if the last state violates nothing."""
    state = steps[-1].state if steps else initial
    if prop is None:
        stuck = not any(True for _ in reference.successors(state)) and not reference.is_final(state)
        return Trace(reference.instance, initial, tuple(steps), name) if stuck else None
    violation = reference.checker(prop)(state)
    if violation is None:
        return None
    clause = prop.clauses[violation.clause]
    witness = binding(clause.params, violation.witness)
    event = [Step(clause.event, witness, state, event=True)] if clause.event is not None else []
    return Trace(reference.instance, initial, (*steps, *event), name, violation.clause, witness)


def binding(params: tuple[Var, ...], codes: Codes) -> dict[str, int]:
    """The codes of parameters by the parameters' names."""
    return {p.name: code for p, code in zip(params, codes, strict=True)}
