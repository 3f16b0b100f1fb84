"""Python's own run of a system beside its IR: from every reachable state the same steps, to the same states."""

from __future__ import annotations

import itertools
from collections import Counter as Counter_
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import Counter, Knob, NotEnabled, Sort
from flushproof.model.language.run import UNDEFINED, Machine, Script, Undefined, argument_sorts
from flushproof.search.reference.interpreter import Reference

Steps = tuple[tuple[str, tuple[Any, ...], tuple[int, ...]], ...]


@dataclass(frozen=True)
class Way:
    """How Python reaches a state: the free values, the choices made at the start, and the steps with their choices."""

    free: tuple[Any, ...]
    start: tuple[int, ...]
    steps: Steps = ()


class Agreement:
    """Walks both readings of a class side by side."""

    def __init__(self, cls: Any, sizes: Mapping[str, int], knobs: Mapping[str, Any]) -> None:
        self.cls, self.sizes, self.knobs = cls, sizes, knobs
        compiled = compile_system(cls)
        values = {}
        for var in compiled.variables:
            if var.kind == "knob":
                value = knobs[var.name]
                values[var.name] = ir.Lit(value if isinstance(value, bool) else value.name, var.sort)
        self.system = terms.fix_knobs(compiled, values)
        self.instance = Instance(self.system, sizes)
        self.reference = Reference(self.instance)
        self.checkers = [(p.name, self.reference.checker(p)) for p in self.system.properties if p.kind == "invariant"]
        self.defined = self.reference.checker(terms.well_defined(self.system))
        self.primed = {
            v.name[: -len(".pc")]: v.sort.members[0] != "start"
            for v in self.system.variables
            if v.name.endswith(".pc") and isinstance(v.sort, ir.EnumSort)
        }
        machine = self.machine()
        self.declared = {name for name, _ in machine.store}
        self.members, self.processes = machine.members, machine.processes
        self.steps_seen = 0

    def machine(self) -> Machine:
        return Machine(self.cls, self.sizes, self.knobs, self.primed)

    def replay(self, way: Way) -> Machine:
        machine = self.machine()
        machine.start(way.free, Script(way.start))
        for name, args, script in way.steps:
            machine.take(name, args, Script(script))
        return machine

    # ----------------------------------------------------------------------------------------------- one state, two views

    def of_python(self, machine: Machine) -> tuple[Any, ...]:
        shot = {(n, tuple(map(plain, i))): plain(v) for (n, i), v in machine.snapshot().items()}
        labels = tuple(sorted((n, tuple(map(plain, i)), label) for (n, i), label in machine.waiting.items()))
        return tuple(sorted(shot.items(), key=repr)), labels

    def of_ir(self, state: State) -> tuple[Any, ...]:
        shot, labels, ranks = {}, [], {}
        for slot, code in zip(self.instance.slots, state, strict=True):
            index = self.index(slot)
            if slot.var in self.declared:
                shot[slot.var, index] = (value := self.value(slot.sort, code))
                if isinstance(slot.sort, ir.CounterSort):
                    ranks.setdefault(slot.sort.name, set()).add(value[1])
            elif slot.var.endswith(".pc"):
                assert isinstance(slot.sort, ir.EnumSort)
                labels.append((slot.var[: -len(".pc")], index, slot.sort.members[code].split(" (")[0]))
        order = {name: {v: r for r, v in enumerate(sorted({0, *values}))} for name, values in ranks.items()}
        for key, value in shot.items():
            if isinstance(value, tuple) and value[0] in order:
                shot[key] = (value[0], order[value[0]][value[1]])
        return tuple(sorted(shot.items(), key=repr)), tuple(sorted(labels))

    def index(self, slot: Any) -> tuple[Any, ...]:
        return tuple(self.value(s, c) for s, c in zip(self.system.variable[slot.var].index, slot.index, strict=True))

    def value(self, sort: ir.Sort, code: int) -> Any:
        match sort:
            case ir.Scalarset() | ir.CounterSort():
                return (sort.name, code)
            case ir.OptionSort():
                return None if code == 0 else self.value(sort.base, code - 1)
            case ir.EnumSort():
                return sort.members[code]
            case ir.IntSort():
                return sort.lo + code
        return bool(code)

    def locals_fit(self, state: State, machine: Machine) -> bool:
        """Whether each local that the IR keeps is what Python's generator has."""
        for slot, code in zip(self.instance.slots, state, strict=True):
            process, _, local = slot.var.rpartition(".")
            if process in machine.processes and local != "pc" and code:
                instance = next(i for n, i in machine.live if n == process and tuple(map(plain, i)) == self.index(slot))
                frame = machine.live[process, instance].gi_frame  # type: ignore[attr-defined]
                if frame is None or plain(frame.f_locals.get(local)) != self.value(slot.sort, code):
                    if isinstance(slot.sort, ir.CounterSort):
                        continue
                    return False
        return True

    # ---------------------------------------------------------------------------------------------------------- the walk

    def initial(self, most: int) -> dict[State, Way]:
        """The initial states with Python's way to each; only some, if there are more than `most`."""
        python = dict(itertools.islice(self.python_initial(), most))
        mine = {self.of_ir(s): s for s in self.reference.initial_states()}
        assert set(python) <= set(mine), "Python starts where the IR does not"
        assert len(python) == most or set(python) == set(mine), "initial states differ"
        return {mine[key]: way for key, way in python.items()}

    def python_initial(self) -> Iterator[tuple[Any, Way]]:
        """Each initial state that Python reaches, once."""
        machine = self.machine()
        with machine.running():
            ways = [machine.domain(annotation) for _, _, annotation in machine.free]
        seen = set()
        for free in itertools.product(*ways):
            script: tuple[int, ...] | None = ()
            while script is not None:
                machine, run = self.machine(), Script(script)
                try:
                    machine.start(free, run)
                    if (key := self.of_python(machine)) not in seen:
                        seen.add(key)
                        yield key, Way(free, tuple(w for w, _ in run.taken))
                except NotEnabled:
                    pass
                script = run.following()

    def key(self, action: ir.Action, codes: tuple[int, ...]) -> tuple[str, tuple[Any, ...]]:
        """The step in Python's terms: without the values that `choose` adds."""
        count = self.arity(action)
        values = tuple(self.value(p.of, c) for p, c in zip(action.params[:count], codes[:count], strict=True))
        return action.process or action.name, values

    def arity(self, action: ir.Action) -> int:
        name = action.process or action.name
        if action.process:
            return len(self.processes[name].sorts)
        return len(argument_sorts(next(m for n, _, m in self.members if n == name)))

    def run(self, most: int, initial: int = 10_000) -> int:
        """Compare from every reachable state, up to `most`; returns how many were visited.

        initial: at most so many initial states; fewer are all of them.

        Raises:
            AssertionError: the readings differ.
        """
        ways = self.initial(initial)
        queue = deque(ways)
        visited = 0
        while queue and visited < most:
            state = queue.popleft()
            visited += 1
            for after, way in self.compare(state, ways[state]).items():
                if after not in ways:
                    ways[after] = way
                    queue.append(after)
        return visited

    def compare(self, state: State, way: Way) -> dict[State, Way]:
        machine = self.replay(way)
        assert self.of_python(machine) == self.of_ir(state)
        violated = {name for name, check in self.checkers if check(state) is not None}
        found = machine.violated()
        if UNDEFINED in found:
            assert self.defined(state) is not None, "an event is undefined, and the IR does not say so"
            found.remove(UNDEFINED)
        assert found == violated, "the properties differ"
        mine: dict[Any, list[tuple[State, Any]]] = {}
        for action, codes, after in self.reference.successors(state):
            spent = Counter_(name for name, _ in self.reference.costs(action, codes, state))
            mine.setdefault(self.key(action, codes), []).append((after, sorted(spent.items())))
        found: dict[State, Way] = {}
        for name, args in machine.steps():
            key = (name, tuple(map(plain, args)))
            results, undefined = self.taken(way, name, args)
            if undefined:
                assert self.defined(state) is not None, f"{key} is undefined, and the IR does not say so"
                continue
            afters = mine.pop(key, [])
            self.steps_seen += len(afters)
            expected = {self.of_ir(a) for a, _ in afters}
            assert expected == {self.of_python(m) for m, _ in results}, f"{key} leads elsewhere"
            spent = {(self.of_python(m), tuple(sorted(m.costs.items()))) for m, _ in results}
            assert {(self.of_ir(a), tuple(c)) for a, c in afters} == spent, f"{key} costs something else"
            for after, _ in afters:
                fitting = [
                    s for m, s in results if self.of_python(m) == self.of_ir(after) and self.locals_fit(after, m)
                ]
                assert fitting, f"the locals after {key} differ"
                found[after] = Way(way.free, way.start, (*way.steps, (name, args, fitting[0])))
        if mine:
            assert self.defined(state) is not None, f"the IR has steps that Python has not: {set(mine)}"
        return found

    def taken(self, way: Way, name: str, args: tuple[Any, ...]) -> tuple[list[tuple[Machine, tuple[int, ...]]], bool]:
        """All results of one step in Python, with the choices that led there."""
        results, undefined = [], False
        script: tuple[int, ...] | None = ()
        while script is not None:
            machine, run = self.replay(way), Script(script)
            try:
                machine.take(name, args, run)
                results.append((machine, tuple(w for w, _ in run.taken)))
            except NotEnabled:
                pass
            except Undefined:
                undefined = True
            script = run.following()
        return results, undefined


def plain(value: Any) -> Any:
    """A Python value of the language in a form that both readings share."""
    match value:
        case Sort():
            return (type(value).__name__, value.index)
        case Counter():
            return (type(value).__name__, value.value)
        case bool() | int() | None:
            return value
    return getattr(value, "name", value)


def knobs_of(cls: Any) -> dict[str, Any]:
    """The default of every knob of a class without parts that have some."""
    return {n: v.default for n, v in vars(cls).items() if isinstance(v, Knob)}
