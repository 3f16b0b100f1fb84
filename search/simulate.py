"""Random walks, through sizes that no search finishes: what they meet is real, what they do not meet may still exist."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.errors import FlushproofError, of_type, whole
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace

from .chances import Law, random_initial_state
from .explore import ask
from .outcome import Violated
from .reference.interpreter import Reference
from .replay import binding, violating_trace
from .task import NO_DEADLOCK, TO_BE_ASKED, Limits


@dataclass(frozen=True)
class Simulation:
    """What the walks met.

    walks, steps: how many were made in all; deepest: the most steps in one walk; states: distinct ones met.
    taken: how often each action was taken, in order of declaration; costs: how often each operation was executed.
    violations: each violated property with the shortest trace to it on any walk, the shortest first; none of them need
        be a shortest one there is.
    reached: the least depth at which each "reachable" property was met; not_reached: the others.
    seconds: of walking.
    reason: why it ended before all walks were made, None if it did not.
    """

    seed: int
    walks: int
    steps: int
    deepest: int
    states: int
    taken: Mapping[str, int]
    costs: Mapping[str, int]
    violations: tuple[Violated, ...]
    reached: Mapping[str, int]
    not_reached: tuple[str, ...]
    seconds: float
    reason: str | None = None

    @property
    def never_taken(self) -> tuple[str, ...]:
        """The actions that no walk took."""
        return tuple(name for name, count in self.taken.items() if not count)


def simulate(
    instance: Instance,
    *,
    seed: int = 0,
    walks: int = 100,
    steps: int = 1000,
    properties: Sequence[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Callable[[Simulation], None] | None = None,
) -> Simulation:
    """Walks at random from random initial states; the same arguments give the same walks.

    A step takes one of the possible actions, each with the same chance however many bindings it has, then one of its
    bindings.  A walk ends after `steps` steps or in a state without successors; it goes on after a violation.

    properties: as in `explore`; limits: of states (distinct) and seconds; progress: called after a walk, at most a few
    times a second.

    Raises:
        FlushproofError: there is no property of that name, or no initial state; a number that is none; a property that is about all
            that can follow, of which a walk is one part.
    """
    of_type("the seed", seed, int)
    whole("the number of walks", walks, 1)
    whole("the number of steps", steps, 0)
    endless = (*TO_BE_ASKED, *(p.name for p in instance.system.progress))
    if beyond := [name for name in properties or () if name in endless]:
        raise FlushproofError(
            f"'{beyond[0]}' is about all that can follow a state, and a random walk goes one way: ask `flushproof check` for it."
        )
    return _Walker(instance, seed, properties, limits).run(walks, steps, progress)


class _Walker:
    """The walks, and what they have met so far."""

    def __init__(self, instance: Instance, seed: int, properties: Sequence[str] | None, limits: Limits) -> None:
        self.instance, self.seed, self.limits = instance, seed, limits
        self.rng = random.Random(seed if seed >= 0 else str(seed))  # Python takes -1 for 1
        self.reference = Reference(instance)
        self.law = Law(self.reference)
        asked = ask(instance, properties)
        self.names, self.deadlock = asked.names, asked.deadlock
        self.properties = {p.name: p for p in asked.invariants}
        self.checks = {p.name: self.reference.checker(p) for p in asked.invariants}
        self.misses = {p.name: self.reference.checker(p) for p in asked.reachables}
        self.states: set[State] = set()
        self.taken = {action.name: 0 for action in instance.system.actions}
        self.costs: Counter[str] = Counter()
        self.traces: dict[str, Trace] = {}
        self.reached: dict[str, int] = {}
        self.walks = self.deepest = 0
        self.started = time.monotonic()

    def run(self, walks: int, steps: int, progress: Callable[[Simulation], None] | None) -> Simulation:
        reported = self.started
        reason = None
        try:
            for _ in range(walks):
                self.walk(steps)
                if progress is not None and time.monotonic() - reported > 0.25:
                    reported = time.monotonic()
                    progress(self.summary(None))
        except _Stop as stop:
            reason = str(stop)
        except KeyboardInterrupt:
            reason = "stopped by an interrupt"
        return self.summary(reason)

    def summary(self, reason: str | None) -> Simulation:
        violated = [Violated(n, sum(not s.event for s in trace.steps), trace) for n, trace in self.traces.items()]
        violated.sort(key=lambda v: (v.depth, self.names.index(v.property)))
        return Simulation(
            self.seed,
            self.walks,
            sum(self.taken.values()),
            self.deepest,
            len(self.states),
            dict(self.taken),
            dict(self.costs),
            tuple(violated),
            dict(self.reached),
            tuple(name for name in self.misses if name not in self.reached),
            time.monotonic() - self.started,
            reason,
        )

    def walk(self, steps: int) -> None:
        initial = random_initial_state(self.reference, self.rng)
        way: list[Step] = []
        self.walks += 1
        self.meet(initial, initial, way)
        while len(way) < steps:
            step = self.step(way[-1].state if way else initial)
            if step is None:
                if self.deadlock:
                    self.note(NO_DEADLOCK, None, initial, way)
                return
            way.append(step)
            self.taken[step.action] += 1
            self.deepest = max(self.deepest, len(way))
            self.meet(step.state, initial, way)

    def step(self, state: State) -> Step | None:
        """A random step, or None if none is possible."""
        way = self.law.choices(state).pick(self.rng)
        if way is None:
            return None
        self.costs.update(name for name, _ in self.law.counted(state, way))
        return Step(way.action.name, binding(way.action.params, way.codes), way.after)

    def meet(self, state: State, initial: State, way: list[Step]) -> None:
        """Looks at a state that was not met before, or is met sooner."""
        if self.limits.seconds is not None and time.monotonic() - self.started > self.limits.seconds:
            raise _Stop(f"stopped by the limit of {self.limits.seconds:g} seconds")
        for name, violation in self.checks.items():
            known = self.traces.get(name)
            if (known is None or len(way) < len(known.steps)) and violation(state) is not None:
                self.note(name, self.properties[name], initial, way)
        for name, missed in self.misses.items():
            if len(way) < self.reached.get(name, len(way) + 1) and missed(state) is None:
                self.reached[name] = len(way)
        self.states.add(state)
        if self.limits.states is not None and len(self.states) >= self.limits.states:
            raise _Stop(f"stopped by the limit of {self.limits.states} states")

    def note(self, name: str, prop: Property | None, initial: State, way: list[Step]) -> None:
        """Keeps the trace of a violation if it is the shortest so far."""
        trace = violating_trace(self.reference, name, prop, initial, way)
        if trace is not None and (name not in self.traces or len(trace.steps) < len(self.traces[name].steps)):
            self.traces[name] = trace


class _Stop(Exception):
    """A limit was reached; the text says which."""
