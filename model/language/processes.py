"""From a process, a procedure with labelled steps, to actions over a program counter.

A step runs from one `yield` to the next.  Every place where the procedure can stop is a label; every local variable that is
still needed there becomes state, with its default value wherever it is not needed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from flushproof.model import ir
from flushproof.model.ir import terms

from .declarations import Member
from .statements import Block, Executor, Outcome, Stack, block
from .types import to_sort
from .values import Name, Static, Value, same


@dataclass
class Point:
    """A place where a process waits: its label, what remains to be executed, and the locals that are known for certain."""

    label: str
    stack: Stack
    fixed: dict[Name, Value]
    stored: dict[Name, ir.Sort]


@dataclass
class Exit:
    """One way out of a segment: to the point `target`, with the values of all locals there."""

    cond: ir.Expr
    target: int
    values: dict[Name, ir.Expr]


@dataclass
class Segment:
    """The step that starts at a point."""

    params: list[ir.Var]
    fresh: list[ir.Var]
    guard: ir.Expr
    obligations: list[ir.Obligation]
    costs: list[ir.Cost]
    updates: tuple[ir.Update, ...]
    exits: list[Exit]


@dataclass
class Attempt:
    """One try at a process: it fails where a local turns out to need storing, or a wider sort."""

    points: list[Point] = field(default_factory=list)
    by_stack: dict[tuple[str, Stack], int] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    again: bool = False


class ProcessCompiler:
    """Compiles the processes of one system; `executor` runs the statements."""

    def __init__(self, executor: Executor) -> None:
        self.x = executor
        self.lemmas: list[ir.Property] = []

    def compile(self, member: Member) -> list[ir.Action]:
        """The actions of a process; its program counter and stored locals are declared on the way."""
        self.member = member
        self.source, self.scope, start = self.x.begin(member)
        sorts = [to_sort(s) for s in member.role.sorts]
        names = [a.arg for a in self.source.tree.args.args[1:]]
        if len(names) != len(sorts):
            wanted = ", ".join(s.name for s in sorts)
            self.source.fail(self.source.tree, f"'{self.source.tree.name}' needs one parameter for each of ({wanted})")
        self.me = tuple(ir.Var(n, s) for n, s in zip(names, sorts, strict=True))
        self.base = dict(start.env)
        for name, var in zip(names, self.me, strict=True):
            self.base[self.scope.id, name] = var
        forced: dict[Name, ir.Sort] = {}
        while True:
            attempt = self.attempt(forced)
            if not attempt.again:
                return self.emit(attempt)

    # ---------------------------------------------------------------------------------------------------------- segments

    def attempt(self, forced: dict[Name, ir.Sort]) -> Attempt:
        attempt = Attempt()
        first = (block(self.source.tree.body, self.scope),)
        attempt.points.append(Point("", first, dict(self.base), {}))
        attempt.by_stack["", ()] = 0
        while len(attempt.segments) < len(attempt.points) and not attempt.again:
            attempt.segments.append(self.segment(attempt, attempt.points[len(attempt.segments)], forced))
        return attempt

    def segment(self, attempt: Attempt, point: Point, forced: dict[Name, ir.Sort]) -> Segment:
        """Execute from a point to the next yields."""
        _, _, path = self.x.begin(self.member)
        step = self.x.step
        step.names |= {v.name for v in self.me}
        path.env = {**point.fixed, **{name: self.load(name, sort) for name, sort in point.stored.items()}}
        outcomes = self.x.run(point.stack, path)
        exits = [e for e in (self.exit(attempt, outcome, forced) for outcome in outcomes) if e is not None]
        updates = tuple(u for outcome in outcomes for u in outcome.path.updates)
        guard = terms.and_(*step.guards)
        return Segment(step.params, step.fresh, guard, step.obligations, step.costs, updates, exits)

    def exit(self, attempt: Attempt, outcome: Outcome, forced: dict[Name, ir.Sort]) -> Exit | None:
        """Register where a path stopped, and what its locals are there."""
        path = outcome.path
        if outcome.kind == "return":
            return Exit(path.cond, 0, {})
        alive = {frame.scope.id for frame in outcome.stack}
        env = {name: value for name, value in path.env.items() if name[0] in alive}
        key = (outcome.label, outcome.stack)
        if key not in attempt.by_stack:
            attempt.by_stack[key] = len(attempt.points)
            fixed = {n: v for n, v in env.items() if n not in forced and self.certain(v)}
            stored = {n: forced.get(n) or value_sort(v) for n, v in env.items() if n not in fixed}
            attempt.points.append(Point(outcome.label, outcome.stack, fixed, stored))
        number = attempt.by_stack[key]
        point = attempt.points[number]
        values: dict[Name, ir.Expr] = {}
        for name, value in point.fixed.items():
            if name not in env:
                attempt.again = True
                forced[name] = self.sort_of(name, value)
            elif not same(env[name], value):
                forced[name] = self.join(name, self.sort_of(name, value), env[name])
                attempt.again = True
        for name, sort in point.stored.items():
            if name in env:
                wide = self.join(name, sort, env[name])
                if wide != sort:
                    forced[name], attempt.again = wide, True
                else:
                    values[name] = self.x.expr(env[name], self.source.tree, self.scope, sort)
        return Exit(path.cond, number, values)

    def certain(self, value: Value) -> bool:
        """Whether a value is the same on every way to this point: no state and no choice goes into it."""
        return not isinstance(value, ir.Node) or value in self.me

    def sort_of(self, name: Name, value: Value) -> ir.Sort:
        return (
            self.x.expr(value, self.source.tree, self.scope).sort if not self.is_none(value) else ir.OptionSort(ir.BOOL)
        )

    def is_none(self, value: Value) -> bool:
        return isinstance(value, Static) and value.value is None

    def join(self, name: Name, sort: ir.Sort, value: Value) -> ir.Sort:
        """The smallest sort that holds both `sort` and the value."""
        if self.is_none(value):
            return sort if isinstance(sort, ir.OptionSort) else ir.OptionSort(sort)
        if isinstance(value, Static):
            literal = self.x.static(value.value, sort)
            if literal is not None:
                return sort
        other = self.x.expr(value, self.source.tree, self.scope).sort
        if sort == ir.OptionSort(ir.BOOL) and other != ir.BOOL:
            return other if isinstance(other, ir.OptionSort) else ir.OptionSort(other)
        match sort, other:
            case (ir.IntSort(), ir.IntSort()):
                return ir.IntSort(min(sort.lo, other.lo), max(sort.hi, other.hi))
            case (ir.OptionSort(), _) if sort.base == other:
                return sort
            case (_, ir.OptionSort()) if other.base == sort:
                return other
        if sort != other:
            self.source.fail(
                self.source.tree,
                f"the local '{name[1]}' is a {sort.name} on one way to a yield and a {other.name} on another",
            )
        return sort

    # ------------------------------------------------------------------------------------------------------------ locals

    def variable_name(self, name: Name) -> str:
        """`vcpu_run.vcpu`; a helper's local carries the helper's name too."""
        scope, local = name
        inner = [part.split("@")[0] for part in scope.split("/")[1:]]
        return ".".join([self.member.name, *inner, local])

    def stored_sort(self, sort: ir.Sort) -> ir.Sort:
        """The sort of the state that keeps a local: an option where the sort has no default."""
        return ir.OptionSort(sort) if isinstance(sort, ir.Scalarset) and not sort.ordered else sort

    def read(self, name: Name, sort: ir.Sort) -> ir.Read:
        return ir.Read(self.variable_name(name), self.me, self.stored_sort(sort))

    def load(self, name: Name, sort: ir.Sort) -> ir.Expr:
        read = self.read(name, sort)
        return read if read.sort == sort else terms.the(read)

    def keep(self, sort: ir.Sort, value: ir.Expr) -> ir.Expr:
        return value if self.stored_sort(sort) == sort else option(value)

    # -------------------------------------------------------------------------------------------------------------- emit

    def emit(self, attempt: Attempt) -> list[ir.Action]:
        first = self.first_point(attempt)
        live = self.liveness(attempt)
        labels = self.label_names(attempt, first)
        pc_sort = ir.EnumSort(f"{self.member.name}.pc", tuple(labels[i] for i in self.order(attempt, first)))
        self.pc = ir.StateVar(f"{self.member.name}.pc", tuple(v.of for v in self.me), pc_sort, place=self.place())
        self.x.variables[self.pc.name] = self.pc
        sorts: dict[Name, ir.Sort] = {}
        for point, names in zip(attempt.points, live, strict=True):
            for name in sorted(names):
                sorts[name] = point.stored[name]
        for name, sort in sorts.items():
            stored = ir.StateVar(self.variable_name(name), self.pc.index, self.stored_sort(sort), place=self.place())
            self.x.variables[stored.name] = stored
            self.lemmas += self.local_lemmas(name, sort, [labels[i] for i in labels if name in live[i]])
        return [
            self.segment_action(number, attempt, live, labels, first)
            for number in range(len(attempt.points))
            if not (number == 0 and first != 0)
        ]

    def local_lemmas(self, name: Name, sort: ir.Sort, needed: list[str]) -> list[ir.Property]:
        """What holds of a stored local by construction: it has a value where it is needed, and its default elsewhere."""
        assert isinstance(self.pc.sort, ir.EnumSort)
        read, pc = self.read(name, sort), ir.Read(self.pc.name, self.me, self.pc.sort)
        there = terms.or_(*(terms.eq(pc, ir.Lit(label, self.pc.sort)) for label in needed))
        title = self.variable_name(name)
        lemmas = [("unset", terms.not_(there), terms.eq(read, ir.Lit(ir.default_value(read.of), read.of)))]
        if read.sort != sort:
            lemmas.append(("set", there, terms.not_(terms.is_none(read))))
        return [
            ir.Property(f"{title}-{word}", (ir.Clause(self.me, guard, expr, place=self.place()),), place=self.place())
            for word, guard, expr in lemmas
        ]

    def place(self) -> ir.Place:
        return self.source.place(self.source.tree)

    def order(self, attempt: Attempt, first: int) -> list[int]:
        rest = [i for i in range(len(attempt.points)) if i not in (0, first)]
        return [first, *rest]

    def first_point(self, attempt: Attempt) -> int:
        """The number of the point where the process starts: the first label, if nothing happens before it."""
        segment = attempt.segments[0]
        effects = (*segment.updates, *segment.params, *segment.obligations, *segment.costs)
        silent = not effects and segment.guard is ir.TRUE
        if silent and len(segment.exits) == 1 and all(map(self.is_default, segment.exits[0].values.values())):
            return segment.exits[0].target
        return 0

    def is_default(self, value: ir.Expr) -> bool:
        """Whether a local's value is the one that its state has where it is not needed."""
        return isinstance(value, ir.Lit) and self.keep(value.sort, value) is ir.Lit(
            ir.default_value(self.stored_sort(value.sort)), self.stored_sort(value.sort)
        )

    def label_names(self, attempt: Attempt, first: int) -> dict[int, str]:
        """A distinct name for each point; the start without a label is called "start"."""
        taken: dict[str, int] = {}
        names = {}
        for number, point in enumerate(attempt.points):
            label = point.label or "start"
            if number == 0 and first != 0:
                continue
            taken[label] = taken.get(label, 0) + 1
            names[number] = label if taken[label] == 1 else f"{label} ({taken[label]})"
        return names

    def liveness(self, attempt: Attempt) -> list[set[Name]]:
        """For each point the stored locals that some step from there on may read."""
        readers = [{self.read(name, sort): name for name, sort in point.stored.items()} for point in attempt.points]

        def used(number: int, *exprs: ir.Expr) -> set[Name]:
            return {readers[number][e] for e in ir.walk(*exprs) if isinstance(e, ir.Read) and e in readers[number]}

        live: list[set[Name]] = []
        for number, segment in enumerate(attempt.segments):
            exprs = [segment.guard, *(e.cond for e in segment.exits)]
            exprs += [e for o in segment.obligations for e in (o.when, o.expr)]
            exprs += [c.cond for c in segment.costs]
            exprs += [e for u in segment.updates for e in (*u.args, u.cond, u.value)]
            live.append(used(number, *exprs))
        changed = True
        while changed:
            changed = False
            for number, segment in enumerate(attempt.segments):
                for exit_ in segment.exits:
                    needed = [exit_.values[n] for n in live[exit_.target] if n in exit_.values]
                    more = used(number, *needed)
                    if not more <= live[number]:
                        live[number] |= more
                        changed = True
        return live

    def segment_action(
        self, number: int, attempt: Attempt, live: list[set[Name]], labels: dict[int, str], first: int
    ) -> ir.Action:
        segment, point = attempt.segments[number], attempt.points[number]
        assert isinstance(self.pc.sort, ir.EnumSort)
        here = terms.eq(ir.Read(self.pc.name, self.me, self.pc.sort), ir.Lit(labels[number], self.pc.sort))
        updates = list(segment.updates)
        for way in segment.exits:
            restart = way.target == 0 and first != 0
            exit_ = replace(way, target=first, values=attempt.segments[0].exits[0].values) if restart else way
            target = exit_.target
            if target != number:
                updates.append(ir.Update(self.pc.name, (), self.me, exit_.cond, ir.Lit(labels[target], self.pc.sort)))
            updates += self.local_updates(exit_, target, attempt, live, number)
        name = self.member.name if not point.label else f"{self.member.name}: {labels[number]}"
        return ir.Action(
            name=name,
            params=(*self.me, *segment.params),
            guard=terms.and_(here, segment.guard),
            updates=tuple(u for u in updates if u.cond is not ir.FALSE),
            fresh=tuple(segment.fresh),
            obligations=tuple(replace(o, when=terms.and_(here, o.when)) for o in segment.obligations),
            costs=tuple(segment.costs),
            cpu=next(
                (v for v in (*self.me, *segment.params) if isinstance(v.of, ir.Scalarset) and v.of.name == "Cpu"), None
            ),
            process=self.member.name,
            label=labels[number],
            doc=labels[number] if point.label else (self.source.function.__doc__ or "").strip().split("\n")[0],
            place=self.source.place(self.node_of(attempt, number)),
        )

    def node_of(self, attempt: Attempt, number: int) -> ast.stmt:
        """The first statement after the label."""
        for frame in reversed(attempt.points[number].stack):
            if isinstance(frame, Block) and frame.next < len(frame.body):
                return frame.body[frame.next]
        return self.source.tree

    def local_updates(
        self, exit_: Exit, target: int, attempt: Attempt, live: list[set[Name]], number: int
    ) -> list[ir.Update]:
        """Keep the locals that the target needs; give back their default to those that it does not."""
        updates = []
        point = attempt.points[number]
        for name in sorted(live[target]):
            sort = attempt.points[target].stored[name]
            if name not in exit_.values:
                self.source.fail(
                    self.node_of(attempt, target),
                    f"'{name[1]}' is read from here on, and set on some ways to this place only",
                    "Give it a value on each of them.",
                )
            value = exit_.values[name]
            old = point.stored.get(name)
            unchanged = name in live[number] and old == sort and value is self.load(name, sort)
            if not unchanged:
                updates.append(ir.Update(self.variable_name(name), (), self.me, exit_.cond, self.keep(sort, value)))
        for name in sorted(live[number] - live[target]):
            sort = self.stored_sort(point.stored[name])
            updates.append(
                ir.Update(self.variable_name(name), (), self.me, exit_.cond, ir.Lit(ir.default_value(sort), sort))
            )
        return updates


def value_sort(value: Value) -> ir.Sort:
    assert isinstance(value, ir.Node)
    return value.sort


def option(value: ir.Expr) -> ir.Expr:
    """`value` as an option; an option that was unwrapped becomes itself again."""
    return value.arg if isinstance(value, ir.The) else terms.some(value)
