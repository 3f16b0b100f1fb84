"""A system run by Python itself beside its compiled form: random walks on which both must take the same steps.

A walk begins in an initial state and takes one step after the other, each by Python (`run.Machine`) and by the interpreter of the
IR.  Everything that can be seen is compared: which steps are possible, the state that a step leads to, what it costs, which
properties are broken, what is reached, the labels at which processes wait, and the local variables that the IR keeps.  It must be
walks, and not visited states: two ways to one state of the IR may differ in what Python remembers.

What a process remembers and the IR keeps elsewhere cannot be told apart at once.  So a walk is in a *set* of states of the IR: all
those that agree with what Python did so far.  The two readings differ when none is left.

The compiled form may be that of the system's proof, of whose ghosts Python knows nothing: so they change nothing of what is seen.

Long because it is one comparison, whose parts (states, steps, starts, locals) all share what Python and the IR call alike.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import terms
from flushproof.model.ir.evaluate import decode, encode, environment, evaluate
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.declare import Counter, NotEnabled, System, is_number
from flushproof.model.language.instantiate import knobs_before
from flushproof.model.language.load import proof_of
from flushproof.model.language.notes import noted_by
from flushproof.model.language.run import FIRST, UNDEFINED, Foreign, Key, Machine, Restless, Script, Undefined, plain
from flushproof.search.reference.interpreter import Codes, Reference

Ways = tuple[int, ...]
Seen = tuple[tuple[int, ...], tuple[str, ...], tuple[tuple[str, int], ...]]
"""What is seen of a step: the declared state after it, the labels, and what it cost."""

MOST_WAYS = 256
"""So many ways of choosing are tried where all ways of a step are compared."""

LONGEST = 60
"""Steps in one walk."""

MOST_DENIED = 100
"""Steps that are tried where the compiled system has none."""

BROKEN = "breaks "
"""In front of a check's name, where what a step costs is compared."""

_KEPT = 20_000
_GUESSES = 200
_LISTED = 4096


class Difference(Exception):
    """The two readings differ; the text says in what."""


@dataclass(frozen=True)
class Step:
    """A step of a walk in Python's terms, with the way of each choice."""

    name: str
    args: tuple[Any, ...]
    ways: Ways


@dataclass(frozen=True)
class Walk:
    """Python's way through the system: the values that were free, the choices made at the start, and the steps.

    tried: a step that is tried at the end, and taken back.
    """

    free: tuple[Any, ...]
    start: Ways
    steps: tuple[Step, ...] = ()
    tried: Step | None = None


@dataclass
class Walked:
    """How much was compared.

    walks, steps: how many; denied: steps tried that neither reading allows; could_not_run: what Python could not run, each once.
    """

    walks: int = 0
    steps: int = 0
    denied: int = 0
    could_not_run: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What Python made of a step: what is seen, and the frames of the process that took it."""

    seen: Seen
    frames: tuple[Mapping[str, Any], ...]


class Agreement:
    """One system at one policy and size, in both readings."""

    def __init__(self, cls: type[System], instance: Instance, knobs: Mapping[str, Any], seed: int = 0) -> None:
        self.instance = instance
        self.reference = Reference(instance)
        system = instance.system
        begins = _begins(system)
        primed = frozenset(p for p, at_label in begins.items() if at_label)
        before = knobs_before(cls, knobs)
        self.machine = Machine(cls, instance.sizes, knobs, primed, before=before)
        self.other = Machine(cls, instance.sizes, knobs, primed, like=self.machine, before=before)
        # Nothing is left in the compiled system of a first step that is never taken; where it waits is then nobody's business.
        for name in self.machine.processes.keys() - begins.keys():
            instances = itertools.product(*map(self.machine.domain, self.machine.processes[name].sorts))
            with self.machine.running():
                if self.machine.silent(name, next(instances)):
                    primed |= {name}
        self.machine.primed = self.other.primed = primed
        self.rng = random.Random(seed)
        self.walked = Walked()
        self.taken: Counts[str] = Counts()
        self.looked_at: set[Any] = set()
        self.begins = True  # until it is found that the compiled system has no initial state
        self._target: State | None = None
        self.walking, self.looking = time.thread_time(), 0.0
        self.tried = 0
        self._called: dict[str, tuple[str, list[list[Any]]]] = {}
        self._groups: dict[State, Mapping[Any, list[tuple[ir.Action, Codes, State]]]] = {}
        steps = {a.name for a in system.actions}
        kept = (replace(p, clauses=tuple(c for c in p.clauses if c.event not in steps)) for p in system.properties)
        self.invariants = {p.name: self.reference.checker(p) for p in kept if p.kind == "invariant"}
        self.checks: dict[str, dict[str, list[ir.Clause]]] = {}  # what a step checks itself: compared when it is taken
        for prop in system.properties:
            for clause in prop.clauses:
                if clause.event in steps:
                    self.checks.setdefault(clause.event or "", {}).setdefault(prop.name, []).append(clause)
        self.reachables = {p.name: self.reference.checker(p) for p in system.properties if p.kind == "reachable"}
        self.defined = self.reference.checker(terms.well_defined(system))
        self.owed = self._owed()
        self.arity = {name: len(sorts) for name, sorts in self.machine.arguments.items()}
        self.arity.update({name: len(process.sorts) for name, process in self.machine.processes.items()})
        self.most = tuple(instance.cardinality(slot.sort) for slot in instance.slots)
        self._number_slots()

    def _owed(self) -> Mapping[str, Callable[[State], object]]:
        """For each action that owes something, whether it is undefined in a state."""
        prop = terms.well_defined(self.instance.system)
        names = dict.fromkeys(c.event for c in prop.clauses if c.event is not None)
        return {
            name: self.reference.checker(replace(prop, clauses=tuple(c for c in prop.clauses if c.event == name)))
            for name in names
        }

    def _number_slots(self) -> None:
        """Which slots of the IR are declared state, which are labels, and which are local variables."""
        machine = self.machine
        noted = noted_by(proof_of(machine.cls))
        self.shared: list[tuple[int, Key, Mapping[Any, int] | None, ir.Sort]] = []
        self.labels: list[tuple[int, Key, tuple[str, ...]]] = []
        self.locals: dict[Key, list[tuple[int, str, ir.Sort, int]]] = {}
        self.free: dict[Key, tuple[int, Mapping[Any, int]]] = {}
        instances: dict[str, dict[Any, Any]] = {}
        for number, slot in enumerate(self.instance.slots):
            name = machine.primary(slot.var)
            if name in machine.variables:
                variable = machine.variables[name]
                key = (name, tuple(machine.domain(s)[c] for s, c in zip(variable.index, slot.index, strict=True)))
                counter = _counter(slot.sort)
                codes = None if counter else _codes_of(machine.domain(variable.value))
                self.shared.append((number, key, codes, slot.sort))
                continue
            process = max((p for p in machine.processes if name.startswith(p + ".")), key=len, default=None)
            if process is None and (name.startswith("initially~") or slot.var in noted):  # whether the start was defined
                continue
            if process is None:
                raise Difference(f"the compiled system has a variable '{slot.var}', and Python has none")
            if process not in instances:
                sorts = machine.processes[process].sorts
                ways = itertools.product(*(list(enumerate(machine.domain(s))) for s in sorts))
                instances[process] = {tuple(c for c, _ in way): tuple(v for _, v in way) for way in ways}
            key = (process, instances[process][slot.index])
            if name == process + ".pc":
                if not isinstance(slot.sort, ir.EnumSort):
                    raise Difference(
                        f"the label at which '{process}' waits is a {slot.sort.name} in the compiled system"
                    )
                self.labels.append((number, key, tuple(_label(m) for m in slot.sort.members)))
            else:
                default = encode(slot.sort, ir.default_value(slot.sort))
                self.locals.setdefault(key, []).append((number, name.rpartition(".")[2], slot.sort, default))
        by_key = {key: (number, codes) for number, key, codes, _ in self.shared}
        self.free = {
            (name, location): (number, codes)
            for name, location, _ in machine.free
            if (name, location) in by_key
            for number, codes in [by_key[name, location]]
            if codes is not None
        }
        self.counted = any(codes is None for _, _, codes, _ in self.shared)

    @cached_property
    def known(self) -> Mapping[Any, tuple[Any, ...]]:
        """The arguments of every step that Python may take, by its name and their plain form."""
        return {(name, tuple(map(plain, args))): args for name, args in self.machine.steps()}

    # ----------------------------------------------------------------------------------------------------- what is seen

    def of_python(self, machine: Machine) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The declared state as codes, counters renamed by rank, and the labels."""
        store = machine.store
        codes: list[Any] = [
            store[key] if codes is None else codes.get(store[key], -1) for _, key, codes, _ in self.shared
        ]
        if self.counted:
            self._rank(codes, lambda v: v.value if isinstance(v, Counter) else v)
        waiting = machine.waiting
        return tuple(codes), tuple(_label(str(waiting[key])) for _, key, _ in self.labels)

    def of_ir(self, state: State) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The same of a state of the IR."""
        codes: list[Any] = [state[number] for number, _, _, _ in self.shared]
        if self.counted:
            for at, (_, _, shared, sort) in enumerate(self.shared):
                if shared is None and isinstance(sort, ir.OptionSort):
                    codes[at] = codes[at] - 1 if codes[at] else None
            self._rank(codes, lambda v: v)
        return tuple(codes), tuple(members[state[number]] for number, _, members in self.labels)

    def _rank(self, codes: list[Any], number: Callable[[Any], int | None]) -> None:
        """Each counter's values as ranks among those that are compared; 0 stays 0, and None becomes -1."""
        slots: dict[str, list[int]] = {}
        for at, (_, _, shared, sort) in enumerate(self.shared):
            if shared is None:
                counter = _counter(sort)
                assert counter is not None
                slots.setdefault(counter.name, []).append(at)
        for places in slots.values():
            values = {at: number(codes[at]) for at in places}
            order = {v: r for r, v in enumerate(sorted({0, *(v for v in values.values() if v is not None)}))}
            for at, value in values.items():
                codes[at] = -1 if value is None else order[value]

    def told(
        self, seen: tuple[tuple[int, ...], tuple[str, ...]], other: tuple[tuple[int, ...], tuple[str, ...]]
    ) -> str:
        """In what Python's state (`seen`) differs from another one, in words."""
        parts = []
        for (_, (name, index), _, sort), mine, its in zip(self.shared, seen[0], other[0], strict=True):
            if mine != its:
                place = f"[{', '.join(map(repr, index))}]" if index else ""
                parts.append(
                    f"{name}{place} is {self._shown(sort, mine)} in Python and {self._shown(sort, its)} compiled"
                )
        for (_, (name, index), _), here, there in zip(self.labels, seen[1], other[1], strict=True):
            if here != there:
                who = ", ".join(map(repr, index))
                parts.append(f"{name}({who}) waits at '{here}' in Python and at '{there}' compiled")
        return "; ".join(parts) or "the costs differ"

    def _shown(self, sort: ir.Sort, code: int) -> str:
        return str(code) if _counter(sort) else self.instance.show(sort, code) if code >= 0 else "something else"

    def fits(
        self, state: State, process: str, args: tuple[Any, ...], frames: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """Whether the locals that the IR keeps of a process are what Python has, where Python has one of that name; None if so."""
        for number, name, sort, default in self.locals.get((process, args), ()):
            code = state[number]
            if code == default or _counter(sort):  # perhaps it is not needed any more
                continue
            held = [frame[name] for frame in frames if name in frame]
            if held and _plain_code(sort, code) not in map(_plain_literal(sort), held):
                return f"the local '{name}' of {process} is {held[0]!r} in Python and {self.instance.show(sort, code)} compiled"
        return None

    def groups(self, state: State) -> Mapping[Any, list[tuple[ir.Action, Codes, State]]]:
        """The steps that the IR takes from a state, by Python's name of them and the plain arguments."""
        found = self._groups.get(state)
        if found is None:
            if len(self._groups) > _KEPT:
                self._groups.clear()
            made: dict[Any, list[tuple[ir.Action, Codes, State]]] = {}
            for action, codes, after in self.reference.successors(state):
                name, forms = self._called.get(action.name) or self.called(action)
                args = tuple(form[code] for form, code in zip(forms, codes, strict=False))
                made.setdefault((name, args), []).append((action, codes, after))
            found = self._groups[state] = made
        return found

    def called(self, action: ir.Action) -> tuple[str, list[list[Any]]]:
        """Python's name of a step of the IR, and for each of its arguments the plain form of every code."""
        name = self.machine.primary(action.process or action.name)
        if name not in self.arity:
            raise Difference(f"the compiled system has a step '{name}', and Python has none")
        sorts = [p.of for p in action.params[: self.arity[name]]]
        forms = [[_plain_code(s, c) for c in range(self.instance.cardinality(s))] for s in sorts]
        return self._called.setdefault(action.name, (name, forms))

    def undefined(self, state: State, name: str) -> bool:
        """Whether the IR says of the step itself that it is not defined here: then it may lead anywhere."""
        return any(
            self.machine.primary(action.process or action.name) == name and self.owed[action.name](state) is not None
            for action in self.instance.system.actions
            if action.name in self.owed
        )

    def cost(self, action: ir.Action, codes: Codes, state: State) -> tuple[tuple[str, int], ...]:
        """What a step costs, and which of its own checks it breaks."""
        checks = self.checks.get(action.name)
        if not action.costs and not checks:
            return ()
        seen = Counts(name for name, _ in self.reference.costs(action, codes, state))
        for name, clauses in (checks or {}).items():
            if any(self.breaks(clause, action, codes, state) for clause in clauses):
                seen[f"{BROKEN}{name}"] = 1
        return tuple(sorted(seen.items()))

    def breaks(self, clause: ir.Clause, action: ir.Action, codes: Codes, state: State) -> bool:
        """Whether a step with these parameters, in this state, breaks a check of its own."""
        env = environment(action, codes, state, self.instance)
        mine = [p for p in clause.params if p not in env]
        for more in self.instance.assignments(tuple(p.of for p in mine)):
            inner = {**env, **{p: decode(p.of, c) for p, c in zip(mine, more, strict=True)}}
            if evaluate(clause.guard, inner, state, self.instance) and not evaluate(clause.expr, inner, state, self.instance):
                return True
        return False

    # ------------------------------------------------------------------------------------------------------------ steps

    def attempt(self, machine: Machine, step: Step, script: Script) -> Result | str:
        """Python's step: the result, or "denied", "undefined", or what went wrong."""
        try:
            machine.take(step.name, step.args, script)
        except NotEnabled:
            return "denied"
        except Undefined:
            return UNDEFINED
        except (Foreign, Restless) as error:
            raise Difference(f"{_call(step)}: {error}") from None
        except FlushproofError:
            raise
        except Exception as error:
            return self.failed(step.name, error)
        frames = machine.frames(step.name, step.args) if step.name in machine.processes else []
        seen = {**machine.costs, **{f"{BROKEN}{name}": 1 for name in machine.broken}}
        return Result((*self.of_python(machine), tuple(sorted(seen.items()))), tuple(frames))

    def failed(self, name: str, error: Exception) -> str:
        return f"'{name}' ({type(error).__name__}: {error})"

    def given_up(self, what: str) -> None:
        self.walked.could_not_run[what] = None

    def advance(
        self, step: Step, states: Sequence[State], wishes: tuple[Any, ...], walk: Walk
    ) -> tuple[Step, list[State]] | None:
        """Takes a step that some state of the IR allows; the step with its ways, and the states that agree.

        None where it may be undefined, or Python cannot run it: the walk ends.

        Raises:
            Difference: no state agrees.
        """
        script = Script(step.ways, wishes, self.rng)
        result = self.attempt(self.machine, step, script)
        step = replace(step, ways=script.ways)
        if any(self.undefined(s, step.name) for s in states):  # Python may be in this one, and then it may lead anywhere
            return None
        if not isinstance(result, Result):
            if result == UNDEFINED:
                raise Difference(f"{_call(step)} is undefined in Python, and compiled it is not")
            if result != "denied":
                self.given_up(result)
                return None
            if script.taken:  # another choice may be possible: all are looked at
                self.every_way(step, states, walk)
                return None
            if any((step.name, tuple(map(plain, step.args))) not in self.groups(s) for s in states):
                return None  # Python is in one of those that do not allow it
            raise Difference(f"{_call(step)} is possible in the compiled system, and not in Python")
        return step, self.agreeing(step, states, result)

    def agreeing(self, step: Step, states: Sequence[State], result: Result) -> list[State]:
        """The successors of these states that agree with Python's.

        Raises:
            Difference: none does.
        """
        key = (step.name, tuple(map(plain, step.args)))
        found: dict[State, None] = {}
        others: list[Seen] = []
        misfit = None
        for state in states:
            for action, codes, after in self.groups(state).get(key, ()):
                self.within(step, after)
                seen = (*self.of_ir(after), self.cost(action, codes, state))
                others.append(seen)
                if seen == result.seen:
                    misfit = self.fits(after, step.name, step.args, result.frames)
                    if misfit is None:
                        found[after] = None
        if found:
            return list(found)
        if misfit is not None:
            raise Difference(f"after {_call(step)} {misfit}")
        if not others:
            raise Difference(f"{_call(step)} is possible in Python, and not in the compiled system")
        nearest = min(others, key=lambda other: _distance(result.seen, other))
        if nearest[:2] == result.seen[:2]:
            raise Difference(f"{_call(step)} costs {dict(result.seen[2])} in Python and {dict(nearest[2])} compiled")
        raise Difference(f"after {_call(step)} {self.told(result.seen[:2], nearest[:2])}")

    def within(self, step: Step, state: State) -> None:
        """That each slot holds a code of its sort: engines that pack states keep no other.

        Raises:
            Difference: one does not.
        """
        for slot, code, most in zip(self.instance.slots, state, self.most, strict=True):
            if not 0 <= code < most:
                raise Difference(
                    f"{_call(step)} gives '{slot.var}' a value that the compiled system's {slot.sort.name} has not "
                    f"(number {code} of {most})"
                )

    def every_way(self, step: Step, states: Sequence[State], walk: Walk | None) -> None:
        """Compares all that a step may lead to, whatever it chooses, with what the IR says.

        walk: how to come to where a process takes the step; None where the step can be taken back.

        Raises:
            Difference: no state agrees.
        """
        results: list[Result] = []
        ways: Ways | None = ()
        for _ in range(MOST_WAYS):
            if ways is None:
                break
            machine, script = self.machine, Script(ways)
            if walk is None:
                with machine.undone():
                    result = self.attempt(machine, step, script)
            else:
                machine = self.other
                self.follow(machine, walk)
                result = self.attempt(machine, step, script)
            if isinstance(result, Result):
                results.append(result)
            elif result != "denied":
                if result == UNDEFINED:
                    if not any(self.undefined(s, step.name) for s in states):
                        raise Difference(f"{_call(step)} is undefined in Python, and compiled it is not")
                else:
                    self.given_up(result)
                return
            ways = script.following()
        else:
            return
        mine = {result.seen for result in results}
        key = (step.name, tuple(map(plain, step.args)))
        reason = ""
        for state in states:
            if self.undefined(state, step.name):
                return
            steps = [
                (a, c, after, (*self.of_ir(after), self.cost(a, c, state)))
                for a, c, after in self.groups(state).get(key, ())
            ]
            its = {seen for *_, seen in steps}
            if mine == its:
                strange = [
                    after
                    for _, _, after, seen in steps
                    if all(r.seen != seen or self.fits(after, step.name, step.args, r.frames) for r in results)
                ]
                if not strange:
                    return
                reason = f"{_call(step)} leads to local variables that Python does not have"
            elif its - mine:
                extra = next(iter(its - mine))
                reason = f"{_call(step)} leads somewhere in the compiled system, and not in Python"
                if mine:
                    near = min(mine, key=lambda m: _distance(m, extra))
                    reason += f": {self.told(near[:2], extra[:2])}"
            else:
                extra = next(iter(mine - its))
                reason = f"{_call(step)} leads somewhere in Python, and not in the compiled system"
                if its:
                    reason += f": {self.told(extra[:2], min(its, key=lambda m: _distance(m, extra))[:2])}"
        raise Difference(reason)

    def every_way_once(self, step: Step, states: Sequence[State]) -> None:
        """`every_way` of an action, unless the same was compared before: it depends on what is stored and where processes wait."""
        machine = self.machine
        key = (step.name, step.args, tuple(states), *machine.store.values(), *machine.waiting.values())
        if key not in self.looked_at:
            self.every_way(step, states, None)
            self.looked_at.add(key)

    def follow(self, machine: Machine, walk: Walk) -> None:
        """Goes Python's way again."""
        machine.start(walk.free, Script(walk.start))
        for step in walk.steps:
            machine.take(step.name, step.args, Script(step.ways))

    def refused(self, step: Step, states: Sequence[State]) -> None:
        """Tries a step that no state of the IR allows.

        Raises:
            Difference: Python takes it.
        """
        script = Script(step.ways, random=self.rng)
        with self.machine.undone():
            result = self.attempt(self.machine, step, script)
        step = replace(step, ways=script.ways)
        if result == "denied":
            self.walked.denied += 1
        elif any(self.undefined(s, step.name) for s in states):
            return
        elif result == UNDEFINED:
            raise Difference(f"{_call(step)} is undefined in Python, and compiled it is not")
        elif isinstance(result, Result):
            raise Difference(f"{_call(step)} is possible in Python, and not in the compiled system")
        else:
            self.given_up(result)

    def look(self, states: list[State]) -> list[State]:
        """Compares what holds here; the states that agree.

        Raises:
            Difference: none does.
        """
        here = self.of_python(self.machine)
        if (key := (here, tuple(states))) in self.looked_at:
            return states
        try:
            broken, reached, final = self.machine.violated(), self.machine.reached(), self.machine.final()
        except (Undefined, Foreign) as error:
            raise Difference(str(error)) from None
        except FlushproofError:
            raise
        except Exception as error:
            self.given_up(self.failed("a property", error))
            return states
        agreed, reason = [], ""
        for state in states:
            its = {name for name, check in self.invariants.items() if check(state) is not None}
            mine = broken - {UNDEFINED}
            if mine != its or (UNDEFINED in broken and self.defined(state) is None):
                names = ", ".join(sorted((mine ^ its) or broken))
                reason = f"'{names}' is judged otherwise by Python and by the compiled system"
            elif reached != (got := {name for name, missed in self.reachables.items() if missed(state) is None}):
                reason = f"'{', '.join(sorted(reached ^ got))}' is reached in one reading, and not in the other"
            elif final != self.reference.is_final(state):
                reason = "whether this state is final is judged otherwise by Python and by the compiled system"
            else:
                agreed.append(state)
        if not agreed:
            raise Difference(reason)
        self.looked_at.add(key)
        return agreed

    def timed_look(self, states: list[State]) -> list[State]:
        """`look`, whose time is noted: where events have very many arguments, it must not take all of it."""
        begun = time.thread_time()
        try:
            return self.look(states)
        finally:
            self.looking += time.thread_time() - begun

    # ------------------------------------------------------------------------------------------------------------ walks

    def begin(self, walk: Walk) -> tuple[Walk, list[State]] | None:
        """Starts Python with these free values; the walk with the choices that were made, and the states of the IR that agree.

        None where an axiom forbids the values, or Python cannot run the beginning.

        Raises:
            Difference: no initial state of the IR agrees.
        """
        script = Script(walk.start, random=self.rng)
        possible = self.started(walk.free, script)
        if possible is None:
            return None
        walk = replace(walk, start=script.ways)
        before = self.before(walk.free)
        if not possible:
            if not script.taken and next(self.reference.begun(before), None) is not None:
                raise Difference("the compiled system has an initial state that Python's axioms forbid")
            return None
        here = self.of_python(self.machine)
        found = dict.fromkeys(s for s in self.reference.begun(before) if self.of_ir(s) == here)
        if not found:
            others = [self.of_ir(s) for s in self.reference.begun(before)]
            reason = f": {self.told(here, others[0])}" if others else ""
            raise Difference(f"Python has an initial state that the compiled system has not{reason}")
        return walk, list(found)

    def started(self, free: tuple[Any, ...], script: Script) -> bool | None:
        """Whether Python can start so; None where it cannot run it."""
        try:
            self.machine.start(free, script)
        except NotEnabled:
            return False
        except Undefined as error:
            if all(self.defined(state) is None for state in self.reference.begun(self.before(free))):
                raise Difference(f"at the start: {error}") from None
            return None
        except (Foreign, Restless) as error:
            raise Difference(f"at the start: {error}") from None
        except FlushproofError:
            raise
        except Exception as error:
            self.given_up(self.failed("the start", error))
            return None
        return True

    def before(self, free: tuple[Any, ...]) -> State:
        """The state of the IR before its initial action, with Python's free values."""
        state = list(self.reference.guess(random.Random(0)))
        for (name, location, _), value in zip(self.machine.free, free, strict=True):
            if (name, location) in self.free:
                number, codes = self.free[name, location]
                state[number] = codes[value]
        for slot in self.instance.slots:
            variable = self.instance.system.variable[slot.var]
            key = self.machine.primary(slot.var)
            if variable.free and key not in {name for name, _, _ in self.machine.free}:
                raise Difference(f"'{slot.var}' starts with any value in the compiled system, and not in Python")
        return tuple(state)

    def all_beginnings(self, free: tuple[Any, ...], until: float | None = None) -> None:
        """Compares all initial states with these free values; not, if there are too many for a tenth of the time.

        Raises:
            Difference: one reading has one that the other has not.
        """
        mine = set()
        ways: Ways | None = ()
        now = time.thread_time()
        for _ in range(MOST_WAYS):
            if ways is None:
                break
            if until is not None and time.thread_time() > now + max(0.0, until - now) / 10:
                return
            script = Script(ways)
            possible = self.started(free, script)
            if possible is None:
                return
            if possible:
                mine.add(self.of_python(self.machine))
            ways = script.following()
        else:
            return
        its = {self.of_ir(s) for s in self.reference.begun(self.before(free))}
        if its - mine:
            extra = next(iter(its - mine))
            reason = f": {self.told(next(iter(mine)), extra)}" if mine else ""
            raise Difference(f"the compiled system has an initial state that Python has not{reason}")
        if mine - its:
            raise Difference("Python has an initial state that the compiled system has not")

    def free_values(self, directed: bool) -> tuple[Any, ...]:
        """Values of what starts with any: those of an initial state of the IR if `directed`, or else random ones."""
        machine = self.machine
        values = {(n, i): self.rng.choice(machine.domain(s)) for n, i, s in machine.free}
        if directed and self.free and self.begins:
            state = next(
                (s for s in (self.reference.guess(self.rng) for _ in range(_GUESSES)) if any(self.reference.begun(s))),
                None,
            )
            if state is None:
                state = next((before for before, _, _ in self.reference.beginnings()), None)
                self.begins = state is not None
            if state is not None:
                for name, location, sort in machine.free:
                    if (name, location) in self.free:
                        values[name, location] = machine.domain(sort)[state[self.free[name, location][0]]]
        return tuple(values[n, i] for n, i, _ in machine.free)

    def compare(self, steps: int | None, until: float | None) -> Walked:
        """Walks until so many steps are made, or until that time (`time.thread_time()`).

        Raises:
            Disagreement: the readings differ.
        """
        begun = tried = 0
        self.walking, self.looking = time.thread_time(), 0.0
        while (steps is None or self.walked.steps < steps) and (until is None or time.thread_time() < until):
            before = self.walked.steps
            tried += 1
            walk = Walk(self.free_values(directed=tried % 2 == 0 or begun == 0), ())
            longest = LONGEST if steps is None else min(LONGEST, steps - self.walked.steps)
            begun += self.walk(walk, until, longest)
            if self.walked.steps == before and tried > 3 + 10 * begun + (100 if begun == 0 else 0):
                break  # nothing moves here
            if begun > 20 and not self.walked.steps:
                break
        if not begun:
            self.given_up("the start: no initial state was found")
        return self.walked

    def walk(self, walk: Walk, until: float | None = None, longest: int = LONGEST) -> bool:
        """One walk of so many steps at most; whether it could begin.

        Raises:
            Disagreement: the readings differ.
        """
        try:
            self.tried += 1
            if self.tried % 4 == 2:
                self.all_beginnings(walk.free, until)
            started = self.begin(walk)
            if started is None:
                return False
            walk, states = started
            self.walked.walks += 1
            for _ in range(longest):
                if until is not None and time.thread_time() > until:
                    return True
                if until is None or self.looking <= (time.thread_time() - self.walking) / 2:
                    states = self.timed_look(states)
                walk = replace(walk, tried=None)
                chosen = self.choose(states)
                self.tries(walk, states, MOST_DENIED if chosen is None else 2)
                if chosen is None:
                    break
                step, wishes, many = chosen
                walk = replace(walk, tried=step)
                if step.name not in self.machine.processes and many:
                    self.every_way_once(step, states)
                target = self.advance(step, states, wishes, walk)
                if target is None:
                    return True
                taken, after = target
                if many and step.name in self.machine.processes and self._target not in after:  # it chose otherwise
                    self.every_way(taken, states, walk)
                walk, states = replace(walk, steps=(*walk.steps, taken), tried=None), after
                self.walked.steps += 1
            self.end(walk, states)
        except Difference as difference:
            raise Disagreement(str(difference), walk) from None
        return True

    def choose(self, states: Sequence[State]) -> tuple[Step, tuple[Any, ...], bool] | None:
        """A step that a state of the IR allows, taken seldom so far; the values that it chooses, and whether there are others."""
        state = self.rng.choice(states)
        groups = self.groups(state)
        if not groups:
            return None
        ways: dict[str, list[Any]] = {}
        for key, steps in groups.items():
            for way in steps:
                ways.setdefault(way[0].name, []).append((key, way))
        name = min(ways, key=lambda n: (self.taken[n], self.rng.random()))
        if self.rng.random() < 0.4:
            name = self.rng.choice(list(ways))
        key, (action, codes, after) = self.rng.choice(ways[name])
        self.taken[name] += 1
        if key not in self.known:
            raise Difference(f"the compiled system takes the step {key[0]}{key[1]}, and Python has none such")
        self._target = after
        arity = self.arity[key[0]]
        wishes = tuple(_plain_code(p.of, c) for p, c in zip(action.params[arity:], codes[arity:], strict=True))
        return Step(key[0], self.known[key], ()), wishes, len(groups[key]) > 1 or bool(wishes)

    def tries(self, walk: Walk, states: Sequence[State], most: int) -> None:
        """Tries a few steps of actions that the IR does not allow here."""
        denied = self.denied(states)
        actions = [k for k in denied if k[0] not in self.machine.processes]
        for name, args in self.rng.sample(actions, min(most, len(actions))):
            step = Step(name, args, ())
            try:
                self.refused(step, states)
            except Difference as difference:
                raise Disagreement(str(difference), replace(walk, tried=step)) from None

    def denied(self, states: Sequence[State]) -> list[Key]:
        """The steps that none of these states allows."""
        allowed = {key for state in states for key in self.groups(state)}
        return [(key[0], args) for key, args in self.known.items() if key not in allowed]

    def end(self, walk: Walk, states: Sequence[State]) -> None:
        """At a walk's end the processes take the steps that the IR denies: each has a generator of its own to lose."""
        for name, args in self.denied(states):
            if name in self.machine.processes:
                step = Step(name, args, ())
                try:
                    self.refused(step, states)
                except Difference as difference:
                    raise Disagreement(str(difference), replace(walk, tried=step)) from None

    # ------------------------------------------------------------------------------------------------------- small ones

    def differs(self, walk: Walk) -> str | None:
        """What differs on this walk, compared in full at its end; None if nothing does, or if it cannot be walked."""
        try:
            if not walk.steps and walk.tried is None:
                self.all_beginnings(walk.free)
            started = self.begin(walk)
            if started is None:
                return None
            _, states = started
            done = replace(walk, steps=(), tried=None)
            self.looked_at.clear()
            states = self.look(states)
            for step in walk.steps:
                if not any((step.name, tuple(map(plain, step.args))) in self.groups(s) for s in states):
                    self.refused(step, states)
                    return None
                target = self.advance(step, states, (), done)
                if target is None:
                    return None
                taken, states = target
                done = replace(done, steps=(*done.steps, taken))
                states = self.look(states)
            if (step_ := walk.tried) is not None:
                if any((step_.name, tuple(map(plain, step_.args))) in self.groups(s) for s in states):
                    self.advance(step_, states, (), done)
                    self.every_way(step_, states, done)
                else:
                    self.refused(step_, states)
        except Difference as difference:
            return str(difference)
        except (NotEnabled, FlushproofError, StopIteration, KeyError, IndexError):
            return None
        return None

    def smaller(self, walk: Walk, said: str, seconds: float) -> tuple[Walk, str]:
        """A walk with fewer steps that differs too, and in what."""
        until = time.thread_time() + seconds
        progress = True
        while progress:
            progress = False
            for at in reversed(range(len(walk.steps))):
                if time.thread_time() > until:
                    return walk, said
                shorter = replace(walk, steps=(*walk.steps[:at], *walk.steps[at + 1 :]))
                found = self.differs(shorter)
                if found is not None:
                    walk, said, progress = shorter, found, True
        # What no single step can be left out of may do with a few of them: a round of a loop is several steps.
        for some in _subsets(walk.steps) if len(walk.steps) <= FEW else ():
            if time.thread_time() > until:
                break
            shorter = replace(walk, steps=some)
            found = self.differs(shorter)
            if found is not None:
                return shorter, found
        return walk, said


FEW = 12
"""Of so many steps all subsets are tried, to make a reproduction small."""


def _subsets(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """Those with fewer steps, the smallest first."""
    return (some for count in range(len(steps)) for some in itertools.combinations(steps, count))


class Disagreement(Exception):
    """Python and the compiled system differ, on this walk."""

    def __init__(self, said: str, walk: Walk) -> None:
        super().__init__(said)
        self.said, self.walk = said, walk


def _begins(system: ir.System) -> dict[str, bool]:
    """Whether a process begins at its first label, and not in front of it; of those that have a step there."""
    found = {}
    for action in system.actions:
        if action.process is not None:
            sort = system.variable[f"{action.process}.pc"].sort
            assert isinstance(sort, ir.EnumSort)
            if action.label == sort.members[0]:
                found[action.process] = action.name != action.process
    return found


class _Numbered(Mapping[Any, int]):
    """The codes of values, worked out as they are asked for: of a long range no table is made."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.ordered = values

    def __getitem__(self, value: Any) -> int:
        try:
            return self.ordered.index(value)
        except ValueError:
            raise KeyError(value) from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.ordered)

    def __len__(self) -> int:
        return len(self.ordered)


def _codes_of(values: Sequence[Any]) -> Mapping[Any, int]:
    """The code of each value."""
    return {v: c for c, v in enumerate(values)} if len(values) <= _LISTED else _Numbered(values)


def _counter(sort: ir.Sort) -> ir.CounterSort | None:
    base = sort.base if isinstance(sort, ir.OptionSort) else sort
    return base if isinstance(base, ir.CounterSort) else None


def _label(member: str) -> str:
    """A label without the number that tells it from another one of the same name; `start` is where a process has not begun."""
    return re.sub(r"( \(\d+\))+$", "", member) or FIRST


def _plain_code(sort: ir.Sort, code: int) -> Any:
    """A code in the form of `run.plain`."""
    match sort:
        case ir.BoolSort():
            return ("bool", bool(code))
        case ir.EnumSort():
            return (sort.name, sort.members[code])
        case ir.IntSort():
            return ("int", sort.lo + code)
        case ir.OptionSort():
            return None if code == 0 else _plain_code(sort.base, code - 1)
        case ir.Scalarset() | ir.CounterSort():
            return (sort.name, code)


def _plain_literal(sort: ir.Sort) -> Callable[[Any], Any]:
    """What a value in a Python frame is in the form of `run.plain`, where it is held as this sort: a literal as an element."""
    base = sort.base if isinstance(sort, ir.OptionSort) else sort

    def told(value: Any) -> Any:
        if isinstance(base, ir.Scalarset) and is_number(value):
            return (base.name, int(value))
        return plain(value)

    return told


def _distance(one: Seen, other: Seen) -> int:
    return sum(a != b for left, right in zip(one[:2], other[:2], strict=True) for a, b in zip(left, right, strict=True))


def _call(step: Step) -> str:
    chosen = f" (choices {', '.join(map(str, step.ways))})" if step.ways else ""
    return f"{step.name}({', '.join(map(repr, step.args))}){chosen}"


def written(walk: Walk, free: Iterable[tuple[str, tuple[Any, ...], Any]]) -> dict[str, Any]:
    """A walk as JSON: its free values, choices by number, and steps."""

    def told(step: Step) -> dict[str, Any]:
        return {"step": step.name, "arguments": [repr(a) for a in step.args], "choices": list(step.ways)}

    return {
        "free": {
            f"{name}[{', '.join(map(repr, index))}]" if index else name: str(value)
            for (name, index, _), value in zip(free, walk.free, strict=True)
        },
        "choices_at_the_start": list(walk.start),
        "steps": [told(step) for step in walk.steps],
        "tried_at_the_end": told(walk.tried) if walk.tried else None,
    }
