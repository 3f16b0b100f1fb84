"""From a system's class to the intermediate representation."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest
from flushproof.model.ir import terms

from . import declare
from .declarations import Declarations, Member
from .declare import System
from .processes import ProcessCompiler
from .source import Source, source_of
from .statements import Executor, block
from .types import hints, to_sort
from .values import Path, Scope, Static, Tup

RESERVED = {"no-deadlock", "well-defined"}


def compile_system(cls: type[System]) -> ir.System:
    """The transition system of a class.

    Raises:
        ModelError: something in the class is not a valid model; the message names file, line, expression and reason.
    """
    found = _COMPILED.get(cls)
    if found is None:
        found = _COMPILED[cls] = Compiler(cls).system()
    return found


_COMPILED: WeakKeyDictionary[type[System], ir.System] = WeakKeyDictionary()


class Compiler(Executor):
    """Compiles one class."""

    def __init__(self, cls: type[System]) -> None:
        self.cls = cls
        self.declared = Declarations(cls)
        super().__init__(self.declared)
        self.processes = ProcessCompiler(self)

    # ------------------------------------------------------------------------------------------------------------ system

    def system(self) -> ir.System:
        declared = self.declared
        refuse_forgotten(self.cls)
        processes = [self.process(m) for m in declared.of_kind("process")]
        closures = list(declared.of_kind("closure"))
        self.touched = [self.closure_names(m) for m in closures]
        actions = [self.finish(self.action(m), closures) for m in declared.of_kind("action")]
        actions += [self.finish(a, closures) for process in processes for a in process]
        init = self.finish(self.initial(), closures, always=True)
        sorts, sizes = declared.sort_sizes(v for action in (init, *actions) for v in action.params)
        finals = [self.condition(m)[0] for m in declared.of_kind("final")]
        return ir.System(
            name=declare.system_name(self.cls),
            title=self.cls.__name__,
            doc=inspect.getdoc(self.cls) or "",
            sorts=sorts,
            sizes=sizes,
            variables=tuple(self.variables.values()),
            init=init,
            actions=tuple(actions),
            properties=self.all_properties(),
            final=terms.or_(*finals),
            settle=self.closed_by(ir.Action("settle", (), ir.TRUE, ()), closures),
            lemmas=(*self.processes.lemmas, *(self.invariant(m) for m in declared.of_kind("lemma"))),
            hints=tuple(self.hint(m) for m in declared.of_kind("hint")),
        )

    # ----------------------------------------------------------------------------------------------------- single methods

    def parameters(self, member: Member, source: Source, scope: Scope, path: Path) -> list[ir.Var]:
        """Variables for the parameters after `self`, by their annotations."""
        annotations = hints(member.function)
        found = []
        for argument in source.tree.args.args[1:]:
            if argument.arg not in annotations:
                source.fail(
                    argument,
                    f"the parameter '{argument.arg}' has no sort",
                    f"Annotate it, as in `{argument.arg}: Cpu`; each element is one way to take the step.",
                )
            self.declared.know(annotations[argument.arg])
            try:
                sort = to_sort(annotations[argument.arg])
            except ModelError as error:
                raise source.error(argument, error.message, error.hint) from None
            if isinstance(sort, ir.CounterSort):
                source.fail(argument, f"the counter {sort.name} has no end to choose from")
            var = self.step.variable(argument.arg, sort)
            path.env[scope.id, argument.arg] = var
            found.append(var)
        if source.tree.args.vararg is not None:
            found += self.variadic(member, source, scope, path, annotations)
        return found

    def variadic(self, member: Member, source: Source, scope: Scope, path: Path, annotations: Any) -> list[ir.Var]:
        """``*entry`` in a part's step: one parameter for each of the part's `sorts`."""
        assert source.tree.args.vararg is not None
        name = source.tree.args.vararg.arg
        sorts = getattr(member.owner.python, "sorts", None)
        if not isinstance(sorts, tuple):
            source.fail(source.tree, f"'*{name}' needs the part's `sorts`: the tuple of sorts that it stands for")
        variables = [self.step.variable(s.__name__.lower(), to_sort(s)) for s in sorts]
        path.env[scope.id, name] = Tup(tuple(variables))
        return variables

    def action(self, member: Member) -> ir.Action:
        source, scope, path = self.begin(member)
        params = self.parameters(member, source, scope, path)
        ends = self.run((block(source.tree.body, scope),), path.fork())
        merged, _ = self.merge(path, [(e.path, Static(None)) for e in ends], source.tree, scope)
        step = self.step
        self.check_doc(member, (*params, *step.params))
        return ir.Action(
            name=member.name,
            params=(*params, *step.params),
            guard=terms.and_(*step.guards),
            updates=merged.updates,
            fresh=tuple(step.fresh),
            obligations=tuple(step.obligations),
            costs=tuple(step.costs),
            cpu=acting(params),
            doc=first_line(member.function),
            place=source.place(source.tree),
        )

    def process(self, member: Member) -> list[ir.Action]:
        actions = self.processes.compile(member)
        self.check_doc(member, [p for action in actions for p in action.params])
        return actions

    def initial(self) -> ir.Action:
        """What `initially` and `axiom` methods say, in order."""
        path, params, guards, fresh, obligations = Path(), [], [], [], []
        for member in self.declared.of_kind("initially"):
            source, scope, start = self.begin(member)
            start.updates = path.updates
            ends = self.run((block(source.tree.body, scope),), start.fork())
            path, _ = self.merge(start, [(e.path, Static(None)) for e in ends], source.tree, scope)
            params += self.step.params
            guards += self.step.guards
            fresh += self.step.fresh
            obligations += self.step.obligations
        for member in self.declared.of_kind("axiom"):
            guards.append(self.condition(member)[0])
        return ir.Action(
            "initially", tuple(params), terms.and_(*guards), path.updates, tuple(fresh), tuple(obligations)
        )

    def condition(self, member: Member) -> tuple[ir.Expr, Source]:
        """The condition that a method returns; where it is undefined, it does not hold."""
        source, scope, path = self.begin(member)
        if source.tree.args.args[1:]:
            source.fail(source.tree, f"a {member.role.kind} takes no parameters", "Use all(... for x in Sort).")
        return self.returned(source, scope, path), source

    def hint(self, member: Member) -> ir.Hint:
        source, scope, path = self.begin(member)
        params = self.parameters(member, source, scope, path)
        return ir.Hint(tuple(params), self.returned(source, scope, path))

    def returned(self, source: Source, scope: Scope, path: Path) -> ir.Expr:
        """The condition that the method returns, and that it is defined."""
        ends = self.run((block(source.tree.body, scope),), path.fork())
        _, value = self.merge(path, [(e.path, e.value) for e in ends], source.tree, scope)
        if isinstance(value, Static) and value.value is None:
            source.fail(source.tree, f"'{source.tree.name}' returns nothing", "Return the condition.")
        holds = self.truth(value, source.tree, scope)
        owed = terms.and_(*(terms.implies(o.when, o.expr) for o in self.step.obligations))
        return terms.and_(owed, holds)

    # -------------------------------------------------------------------------------------------------------- properties

    def all_properties(self) -> tuple[ir.Property, ...]:
        """Invariants and event checks by name, in order of declaration; parts of one name are one property."""
        found: dict[str, ir.Property] = {}
        for member in self.declared.of_kind("invariant", "event", "reachable"):
            made = self.event(member) if member.role.kind == "event" else [self.invariant(member)]
            for prop in made:
                if prop.name in RESERVED:
                    raise ModelError(f"the property '{prop.name}' is built in", prop.place, hint="Choose another name.")
                old = found.get(prop.name)
                found[prop.name] = replace(old, clauses=old.clauses + prop.clauses) if old else prop
        return tuple(found.values())

    def invariant(self, member: Member) -> ir.Property:
        holds, source = self.condition(member)
        params: list[ir.Var] = []
        place = source.place(source.tree)
        kind = "reachable" if member.role.kind == "reachable" else "invariant"
        while kind == "invariant" and isinstance(holds, ir.Quant) and holds.kind == "forall":
            params.append(holds.var)
            holds = holds.body
        because = member.role.because or first_line(member.function)
        self.check_template(because, [p.name for p in params], source, source.tree)
        clause = ir.Clause(tuple(params), ir.TRUE, holds, message=because, place=place)
        return ir.Property(member.title, (clause,), kind, first_line(member.function), place)  # type: ignore[arg-type]

    def event(self, member: Member) -> list[ir.Property]:
        source, scope, path = self.begin(member)
        params = self.parameters(member, source, scope, path)
        ends = self.run((block(source.tree.body, scope),), path.fork())
        if any(e.path.updates for e in ends):
            source.fail(source.tree, f"the event '{source.tree.name}' changes the state", "Make it an @action.")
        if not self.step.clauses:
            source.fail(
                source.tree, f"the event '{source.tree.name}' checks nothing", 'Add check("property", ..., "...").'
            )
        self.check_doc(member, params)
        owed = terms.and_(*(terms.implies(o.when, o.expr) for o in self.step.obligations))
        found: dict[str, ir.Property] = {}
        for name, clause in self.step.clauses:
            self.check_template(clause.message, [p.name for p in params], source, source.tree)
            full = replace(
                clause,
                params=tuple(params),
                guard=terms.or_(terms.not_(owed), clause.guard),
                expr=terms.and_(owed, clause.expr),
                event=member.name,
                cpu=acting(params),
                doc=first_line(member.function),
            )
            old = found.get(name)
            found[name] = ir.Property(name, (*(old.clauses if old else ()), full), place=clause.place)
        return list(found.values())

    def check_doc(self, member: Member, params: Iterable[ir.Var]) -> None:
        """See to it that the line which a trace shows of a step names only its parameters and choices."""
        source = source_of(member.function)
        self.check_template(first_line(member.function), [p.name for p in params], source, source.tree)

    def check_template(self, text: str, names: list[str], source: Source, node: ast.AST) -> None:
        """See to it that an explanation names only what it can name."""
        import string

        try:
            fields = [f for _, f, _, _ in string.Formatter().parse(text) if f is not None]
        except ValueError as error:
            source.fail(node, f"the explanation cannot be read: {error}")
        for name in fields:
            if name not in names:
                source.fail(node, f"the explanation names '{{{name}}}'", nearest(name, names, "names that it can use"))

    # ----------------------------------------------------------------------------------------------------------- closures

    def closure_names(self, member: Member) -> frozenset[str]:
        """The variables that a closure reads or writes."""
        action = self.closed_by(ir.Action("", (), ir.TRUE, ()), [member])
        exprs = [e for u in action.updates for e in (*u.args, u.cond, u.value)]
        return terms.reads(*exprs) | {u.var for u in action.updates}

    def finish(self, action: ir.Action, closures: list[Member], always: bool = False) -> ir.Action:
        """The action with those closures appended that its updates can concern.

        What a closure adds depends only on what it reads, and it was done already in the state before: a step that
        touches none of it needs it not.
        """
        written = {u.var for u in action.updates}
        mine = [m for m, names in zip(closures, self.touched, strict=True) if always or names & written]
        return self.closed_by(action, mine) if mine else action

    def closed_by(self, action: ir.Action, closures: list[Member]) -> ir.Action:
        path = Path(updates=action.updates)
        for member in closures:
            source, scope, start = self.begin(member)
            self.step.names |= {v.name for v in (*action.params, *action.fresh)}
            start.updates = path.updates
            ends = self.run((block(source.tree.body, scope),), start.fork())
            path, _ = self.merge(start, [(e.path, Static(None)) for e in ends], source.tree, scope)
            if self.step.obligations:
                owed = self.step.obligations[0]
                raise ModelError(f"a closure must be defined everywhere: {owed.message}", owed.place)
        return replace(action, updates=path.updates)


def refuse_forgotten(cls: type[System]) -> None:
    """A method with sorts for its parameters that has no role, and that nothing mentions, is a step whose `@action` was
    forgotten; without that step a policy might hold which does not."""
    classes = cls.__mro__[: cls.__mro__.index(System)]
    try:
        nodes = [node for c in classes for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(c))))]
    except (OSError, TypeError):  # no source: the first method that is read says so
        return
    mentioned = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
        n.id for n in nodes if isinstance(n, ast.Name)
    }
    for name, value in vars(cls).items():
        if inspect.isfunction(value) and declare.role_of(value) is None and name not in mentioned:
            source = source_of(value)
            if any(argument.annotation is not None for argument in source.tree.args.args):
                source.fail(
                    source.tree,
                    f"nothing uses '{name}', and it is no step",
                    "Decorate it: @action makes it a step, @event a check. Or remove it.",
                )


def acting(params: list[ir.Var]) -> ir.Var | None:
    """The parameter that is the acting CPU."""
    return next((p for p in params if isinstance(p.of, ir.Scalarset) and p.of.name == "Cpu"), None)


def first_line(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n")[0]
