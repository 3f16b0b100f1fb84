"""From a process, a procedure with labelled steps, to actions over a program counter.

A step runs from one `yield` to the next.  Every place where the procedure can stop is a point; what its variables may be there is
found by running all steps until nothing new comes in (`locals`).  Every local variable that is still needed at a point becomes
state, with its default value wherever it is not needed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from flushproof.model import ir
from flushproof.model.ir import terms

from .atoms import UNSET
from .declarations import Member
from .frames import Block, Outcome, Stack, block
from .locals import Endless, Kept, Leaf, Locals, Stored, called
from .templates import Template, label_of
from .values import Bad, Name, Path, Scope, Value, acting, articled
from .words import Process, Words

Checks = Mapping[str, list[tuple[str, ir.Clause]]]
"""What the steps of a process check, by their names: each property's name, and the condition."""

START = "start"
"""What the place where a process begins is called, if no label stands there."""


@dataclass
class Exit:
    """One way out of a step: to the point `target`, with the variables as they are then."""

    path: Path
    target: int
    env: dict[Name, Value]

    @property
    def cond(self) -> ir.Expr:
        return self.path.cond


@dataclass
class Segment:
    """The step that starts at a point."""

    params: list[ir.Var]
    fresh: list[ir.Var]
    guard: ir.Expr
    obligations: list[ir.Obligation]
    costs: list[ir.Cost]
    clauses: list[tuple[str, ir.Clause]]
    updates: tuple[ir.Update, ...]
    exits: list[Exit]
    named: list[tuple[str, ir.Expr, Name | None]]

    @property
    def exprs(self) -> list[ir.Expr]:
        """All that the step reads, but for what it hands on in locals."""
        found = [self.guard, *(e.cond for e in self.exits)]
        found += [e for o in self.obligations for e in (o.when, o.expr)]
        found += [c.cond for c in self.costs]
        found += [e for _, c in self.clauses for e in c.exprs]
        return found + [e for u in self.updates for e in (*u.args, u.cond, u.value)]


@dataclass
class Point:
    """A place where a process waits: its label, what remains to be executed, and what is known of its variables."""

    label: str
    stack: Stack
    kept: dict[Name, Kept] = field(default_factory=dict)
    segment: Segment | None = None


class ProcessCompiler:
    """Compiles one process; `x` runs the statements."""

    def __init__(self, x: Words, member: Member) -> None:
        self.x, self.member = x, member
        self.lemmas: list[ir.Property] = []
        self.function, self.scope, start = x.begin(member)
        self.source = self.function.source
        self.doc = (self.source.function.__doc__ or "").strip().split("\n")[0]
        sorts = [x.declared.sort(s) for s in member.role.sorts]
        for sort in sorts:
            if isinstance(sort, ir.CounterSort):
                self.source.fail(self.function.node, f"the counter {sort.name} has no end to run processes for")
        names = [local for local, _ in self.function.parameters[1:]]
        if len(names) != len(sorts):
            wanted = ", ".join(s.name for s in sorts)
            self.source.fail(self.function.node, f"'{self.function.name}' needs one parameter for each of ({wanted})")
        for local, sort, of in zip(names, sorts, member.role.sorts, strict=True):
            said = member.function.__annotations__.get(local.shown, of)
            if isinstance(said, type) and said is not of:
                what = f"'{local.shown}' is {articled(sort.name)} of this process, and annotated as {articled(said.__name__)}"
                self.source.fail(self.function.node, what, "Leave out the annotation.")
        self.me = tuple(ir.Var(n.shown, s) for n, s in zip(names, sorts, strict=True))
        self.base = dict(start.env)
        for local, var in zip(names, self.me, strict=True):
            self.base[self.scope, local] = var
        numbers = {n.value for n in ast.walk(self.source.tree) if isinstance(n, ast.Constant) and type(n.value) is int}
        self.locals = Locals(x, self.me, member.name, frozenset(numbers))
        self.points: list[Point] = []
        self.numbers: dict[tuple[str, Stack], int] = {}

    def compile(self) -> tuple[list[ir.Action], Checks]:
        """The actions of the process, and what each checks; its program counter and stored locals are declared on the way."""
        first = Point("", (block(self.function.body, self.scope),))
        first.kept = {name: self.locals.of(value, Path()) for name, value in self.base.items()}
        self.points.append(first)
        self.numbers["", first.stack] = 0
        waiting = [0]
        while waiting:
            number = waiting.pop(0)
            for changed in self.step_from(number):
                if changed not in waiting:
                    waiting.append(changed)
        if not self.function.stops:
            hint = 'Decorate it with @action, or write yield "label" where others may run.'
            self.source.fail(self.function.node, f"the process '{self.function.name}' has no yield", hint)
        return self.emit()

    # ------------------------------------------------------------------------------------------------------------- steps

    def step_from(self, number: int) -> list[int]:
        """Execute the step that starts at a point; the points of whose variables more is known now."""
        point = self.points[number]
        _, _, path = self.x.begin(self.member)
        step = self.x.step
        step.names |= {v.name for v in self.me}
        path.env = {name: self.locals.load(name, kept) for name, kept in point.kept.items()}
        before = dict(path.env)
        scopes = list(dict.fromkeys(frame.scope for frame in point.stack))
        names = {point.label or self.member.name}
        self.x.note("before", names, [Outcome("yield", path, stack=point.stack)], before, scopes)
        self.x.resume(point.stack, path)
        outcomes = self.x.run(point.stack, path)
        if len(outcomes) > 1:
            scope, node = self.where(point)
            for outcome in outcomes:
                self.x.no_ghost("what decides where the process goes on", node, scope, outcome.path.cond)
        self.x.note("after", names, outcomes, before, scopes)
        changed: list[int] = []
        exits = [self.exit(outcome, changed) for outcome in outcomes]
        updates = Path.written(outcome.path for outcome in outcomes)
        guard = terms.and_(*step.guards)
        template, scope = self.template(point)
        ways = [(outcome.path.cond, outcome.path.env) for outcome in outcomes]
        named = list(template.meanings(self.x, (*self.me, *step.params), scope, before, ways))
        point.segment = Segment(step.params, step.fresh, guard, step.obligations, step.costs, step.clauses, updates, exits, named)
        return changed

    def template(self, point: Point) -> tuple[Template, Scope]:
        """What a trace says of the step that starts at a point, and the function in which that stands."""
        if not point.label:
            return Template(self.doc, self.source, self.source.tree), self.scope
        scope, node = label_of(point.label, list(dict.fromkeys(frame.scope for frame in point.stack)))
        return Template(point.label, scope.source, node), scope

    def exit(self, outcome: Outcome, changed: list[int]) -> Exit:
        """Note down where a path stopped, and what its variables are there."""
        path = outcome.path
        if outcome.kind == "return":
            return Exit(path, 0, dict(self.base))
        alive = {frame.scope for frame in outcome.stack}
        env = {
            (scope, local): value
            for (scope, local), value in path.env.items()
            if scope in alive and (not local.temporary or local in scope.function.kept)
        }
        key = (outcome.label, outcome.stack)
        arrived = {name: self.locals.of(value, path) for name, value in env.items()}
        if key not in self.numbers:
            number = self.numbers[key] = len(self.points)
            self.points.append(Point(outcome.label, outcome.stack, arrived))
            changed.append(number)
            return Exit(path, number, env)
        number = self.numbers[key]
        point = self.points[number]
        joined = {
            name: self.join((number, name), point.kept.get(name, UNSET), arrived.get(name, UNSET))
            for name in {**point.kept, **arrived}
        }
        if joined != point.kept:
            point.kept = joined
            changed.append(number)
        return Exit(path, number, env)

    def join(self, key: tuple[int, Name], one: Kept, other: Kept) -> Kept:
        try:
            return self.locals.join(key, one, other)
        except Endless:
            name = key[1][1].shown
            scope, node = self.where(self.points[key[0]])
            scope.source.fail(
                node,
                f"'{name}' changes in each round, and no bound of it can be seen",
                f"Give it one: {name}: Annotated[int, Range(0, 3)] = ...",
            )

    # -------------------------------------------------------------------------------------------------------------- emit

    def emit(self) -> tuple[list[ir.Action], Checks]:
        first = self.first_point()
        self.place = self.source.place(self.function.node)
        labels = self.label_names(first)
        order = [first, *(i for i in range(len(self.points)) if i not in (0, first))]
        pc_name = f"{self.member.name}.pc"
        pc_sort = ir.EnumSort(pc_name, tuple(labels[i] for i in order))
        self.pc = ir.StateVar(pc_name, tuple(v.of for v in self.me), pc_sort, place=self.place)
        self.x.variables[pc_name] = self.pc
        live = self.liveness(first)
        leaves = [sorted(x.items(), key=lambda item: order_of(item[0])) for x in live]
        names = self.locals.named((x for point in leaves for x in point), self.x.variables)
        change = renaming(names)
        actions, checks = [], {}
        for number, point in enumerate(self.points):
            if number or first == 0:
                assert point.segment is not None
                action = renamed(self.segment_action(number, live, labels, first), names, change)
                actions.append(action)
                checks[action.name] = [(n, terms.map_clauses([c], change)[0]) for n, c in point.segment.clauses]
        self.declare(leaves, labels, names)
        return actions, checks

    def declare(self, live: list[list[tuple[Leaf, Stored]]], labels: dict[int, str], names: dict[str, str]) -> None:
        """Declare the state of the locals that live somewhere, and tell of the process who asks for it."""
        needed: dict[str, list[str]] = {}
        sorts: dict[str, tuple[ir.StateVar, ir.Sort]] = {}
        shown: dict[str, list[ir.StateVar]] = {}
        for number, leaves in enumerate(live):
            for leaf, kept in leaves:
                found = self.locals.variable(leaf, kept)
                variable = replace(found, name=names[found.name], place=self.place)
                if variable.name not in sorts:
                    self.x.variables[variable.name] = variable
                    shown.setdefault(called(leaf), []).append(variable)
                    if kept.ghost:
                        self.x.ghosts.add(variable.name)
                sorts[variable.name] = variable, kept.sort
                needed.setdefault(variable.name, []).append(labels[number])
        for variable, sort in sorts.values():
            self.lemmas += self.local_lemmas(variable, sort, needed[variable.name])
        by_label: dict[str, list[str]] = {}
        for number, name in labels.items():
            by_label.setdefault(self.points[number].label or START, []).append(name)
        process = Process(self.member.name, self.pc, by_label, shown)
        self.x.known_processes[self.member.owner.path, self.member.function] = process

    def local_lemmas(self, variable: ir.StateVar, sort: ir.Sort, needed: list[str]) -> list[ir.Property]:
        """What holds of a stored local by construction: it has a value where it is needed, and its default elsewhere."""
        assert isinstance(self.pc.sort, ir.EnumSort)
        read = ir.Read(variable.name, self.me, variable.sort)
        pc = ir.Read(self.pc.name, self.me, self.pc.sort)
        there = terms.or_(*(terms.eq(pc, ir.Lit(label, self.pc.sort)) for label in needed))
        lemmas = [("unset", terms.not_(there), terms.eq(read, ir.Lit(ir.default_value(read.of), read.of)))]
        if read.sort != sort:
            lemmas.append(("set", there, terms.not_(terms.is_none(read))))
        return [
            ir.Property(
                f"{variable.name}-{word}", (ir.Clause(self.me, guard, expr, place=self.place),), place=self.place
            )
            for word, guard, expr in lemmas
        ]

    def first_point(self) -> int:
        """The number of the point where the process starts: the first label, if nothing happens before it."""
        segment = self.points[0].segment
        assert segment is not None
        effects = (
            *segment.updates,
            *segment.params,
            *segment.fresh,
            *segment.obligations,
            *segment.costs,
            *segment.clauses,
        )
        silent = not effects and segment.guard is ir.TRUE
        if silent and len(segment.exits) == 1 and (target := segment.exits[0].target) != 0:
            leaves = [x for name, kept in self.points[target].kept.items() for x in self.locals.leaves(name, kept)]
            if all(self.starts_with_default(segment.exits[0], leaf, kept) for leaf, kept in leaves):
                return target
        return 0

    def starts_with_default(self, way: Exit, leaf: Leaf, kept: Stored) -> bool:
        """Whether a local's value is the one that its state has where it is not needed."""
        sort = self.locals.kept_sort(kept.sort)
        value = self.value(way, leaf, kept)
        return value is not None and value is ir.Lit(ir.default_value(sort), sort)

    def value(self, way: Exit, leaf: Leaf, kept: Stored) -> ir.Expr | None:
        """What the state of a local gets on one way, or None where it has no value there."""
        name, parts = leaf
        if name not in way.env or isinstance(way.env[name], Bad):
            return None
        return self.locals.stored_value(self.locals.part(way.env[name], parts), kept)

    def label_names(self, first: int) -> dict[int, str]:
        """A distinct name for each point; no user's label is taken for a second point of another one."""
        mine = {p.label for p in self.points if p.label}
        if first == 0 and START in mine:
            self.source.fail(
                self.function.node,
                f"the label '{START}' is what the place is called where the process begins",
                "Give the step another label.",
            )
        names: dict[int, str] = {}
        taken: set[str] = set()
        for number, point in enumerate(self.points):
            if number == 0 and first != 0:
                continue
            label = name = point.label or START
            count = 2
            while name in taken or (name != label and name in mine):
                name, count = f"{label} ({count})", count + 1
            taken.add(name)
            names[number] = name
        return names

    def liveness(self, first: int) -> list[dict[Leaf, Stored]]:
        """For each point the stored locals that some step from there on may read."""
        stored = [dict(x for n, k in p.kept.items() for x in self.locals.leaves(n, k)) for p in self.points]
        readers = [{self.locals.read(leaf, kept): leaf for leaf, kept in leaves.items()} for leaves in stored]

        def used(number: int, *exprs: ir.Expr) -> set[Leaf]:
            return {readers[number][e] for e in ir.walk(*exprs) if isinstance(e, ir.Read) and e in readers[number]}

        segments = [p.segment for p in self.points]
        live = [used(n, *s.exprs) for n, s in enumerate(segments) if s is not None]
        changed = True
        while changed:
            changed = False
            for number, segment in enumerate(segments):
                assert segment is not None
                for way in segment.exits:
                    values = [self.value(way, leaf, stored[way.target][leaf]) for leaf in live[way.target]]
                    more = used(number, *(v for v in values if v is not None))
                    if not more <= live[number]:
                        live[number] |= more
                        changed = True
        return [{leaf: stored[n][leaf] for leaf in leaves} for n, leaves in enumerate(live)]

    def segment_action(
        self, number: int, live: list[dict[Leaf, Stored]], labels: dict[int, str], first: int
    ) -> ir.Action:
        point = self.points[number]
        segment = point.segment
        assert segment is not None and isinstance(self.pc.sort, ir.EnumSort)
        here = terms.eq(ir.Read(self.pc.name, self.me, self.pc.sort), ir.Lit(labels[number], self.pc.sort))
        updates = list(segment.updates)
        for way in segment.exits:
            if (
                way.target == 0 and first != 0
            ):  # the procedure starts over, and what it does before its first label is nothing
                begin = self.points[0].segment
                assert begin is not None
                way = replace(begin.exits[0], path=way.path)
            if way.target != number:
                to = ir.Lit(labels[way.target], self.pc.sort)
                updates.append(ir.Update(self.pc.name, (), self.me, way.cond, to))
            updates += self.local_updates(way, live, number)
        return ir.Action(
            name=self.member.name if not point.label else f"{self.member.name}: {labels[number]}",
            params=(*self.me, *segment.params),
            guard=terms.and_(here, segment.guard),
            updates=tuple(u for u in updates if u.cond is not ir.FALSE),
            fresh=tuple(segment.fresh),
            obligations=tuple(replace(o, when=terms.and_(here, o.when)) for o in segment.obligations),
            costs=tuple(segment.costs),
            cpu=acting((*self.me, *segment.params)),
            process=self.member.name,
            label=labels[number],
            doc=point.label or self.doc,
            place=self.place_of(point),
            named=tuple(self.named(number, live)),
        )

    def named(self, number: int, live: list[dict[Leaf, Stored]]) -> Iterator[tuple[str, ir.Expr]]:
        """What the label's names stand for: what a variable is at the label is known as long as it may still be read."""
        point = self.points[number]
        assert point.segment is not None
        for name, expr, variable in point.segment.named:
            if variable is not None and any(x not in live[number] for x, _ in self.locals.leaves(variable, point.kept[variable])):
                template, _ = self.template(point)
                message = f"“{template.text}” names '{{{name}}}', which nothing reads from there on, so that it is not kept"
                template.source.fail(template.node, message, "Name what the step itself reads.")
            yield name, expr

    def where(self, point: Point) -> tuple[Scope, ast.AST]:
        """The first statement after the label, and the function in which it stands, which may be one of another file."""
        for frame in reversed(point.stack):
            if isinstance(frame, Block) and frame.next < len(frame.body):
                return frame.scope, frame.body[frame.next].node
        return self.scope, self.function.node

    def place_of(self, point: Point) -> ir.Place:
        scope, node = self.where(point)
        return scope.source.place(node)

    def local_updates(self, way: Exit, live: list[dict[Leaf, Stored]], number: int) -> list[ir.Update]:
        """Keep the locals that the target needs; give back their default to those that it does not."""
        updates, written = [], set()
        for leaf, kept in sorted(live[way.target].items(), key=lambda item: in_code(item[0])):
            value = self.value(way, leaf, kept)
            assert value is not None
            read = self.locals.read(leaf, kept)
            written.add(read.name)
            if value is not read:
                updates.append(ir.Update(read.name, (), self.me, way.cond, value))
        for leaf, kept in sorted(live[number].items(), key=lambda item: order_of(item[0])):
            variable = self.locals.variable(leaf, kept)
            if variable.name not in written:
                default = ir.Lit(ir.default_value(variable.sort), variable.sort)
                updates.append(ir.Update(variable.name, (), self.me, way.cond, default))
        return updates


def order_of(leaf: Leaf) -> tuple[object, ...]:
    (scope, local), parts = leaf
    return (*scope.names, local.shown), parts


def in_code(leaf: Leaf) -> tuple[object, ...]:
    """Where a local comes first in the source: a caller's before those of the helpers that it calls, a temporary last."""
    (scope, local), parts = leaf
    mine = list(scope.function.locals.values())
    return scope.names, mine.index(local) if local in mine else len(mine), local.shown, parts


def renamed(action: ir.Action, names: Mapping[str, str], change: Callable[[ir.Expr], ir.Expr]) -> ir.Action:
    """The action with the state variables called by their names, in expressions by `change`."""
    changed = terms.map_action(action, change) if names else action
    return replace(changed, updates=tuple(replace(u, var=names.get(u.var, u.var)) for u in changed.updates))


def renaming(names: Mapping[str, str]) -> Callable[[ir.Expr], ir.Expr]:
    """What calls the state variables of an expression by their names."""

    def change(expr: ir.Expr) -> ir.Expr | None:
        if isinstance(expr, ir.Read) and expr.name in names:
            return ir.Read(names[expr.name], expr.args, expr.of)
        return None

    memo: dict[ir.Expr, ir.Expr] = {}
    return lambda expr: terms.rewrite(expr, change, memo)
