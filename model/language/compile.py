"""From a system's class to the intermediate representation.

Long because each kind of declaration has its way there, and all of them share what is known of the class.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from copy import copy
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from flushproof.model import ir
from flushproof.model.errors import ModelError
from flushproof.model.ir import terms
from flushproof.model.ir.waits import NO_STUCK

from . import core, declare
from .again import progress_of
from .closures import Effect, rounds
from .core import Function
from .declarations import Declarations, Member
from .declare import System
from .frames import Outcome, block
from .handover import handover_among, with_handover
from .mistakes import refuse_changes, refuse_mistakes, refuse_nameless
from .normalise import normalised
from .notes import Notes, noted_by
from .processes import ProcessCompiler
from .source import Source, class_place, source_of
from .templates import Template, first_line
from .types import HINTS, hints
from .values import Path, Scope, Static, Step, Tup, acting, articled, is_none, named_after
from .wording import name_them
from .words import Process, Words

RESERVED = {"no-deadlock", "well-defined", NO_STUCK}


def compile_system(
    cls: type[System],
    *,
    proofs: bool = False,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> ir.System:
    """The transition system of a class, for all values of its knobs.

    proofs: with its lemmas and hints; a wrong one disturbs nobody else.
    knobs: the values that are asked for, by name.  A class that can only be compiled once they are known (a local that is set under
        one knob and read under it again, code of which one version has what another has not) is compiled for these alone.
    sizes: those of sorts of whose size the class speaks (`System.sized`), by their names; else they have their own.

    Raises:
        ModelError: something in the class is not a valid model; the message names file, line, expression and reason.
    """
    compiled = _COMPILED.setdefault(cls, {})

    def made(known: Mapping[str, Any] | None) -> ir.System:
        values = sorted((known or {}).items(), key=lambda item: item[0])
        key = (proofs, tuple(sorted(sizes.items())), tuple(values))
        if key not in compiled:
            try:
                compiled[key] = compiled_deeply(cls, proofs, known, sizes)
            except ModelError as error:
                compiled[key] = copy(error)  # an error that was raised holds the class, and would be held for ever
        found = compiled[key]
        if isinstance(found, ModelError):
            raise copy(found)
        return found

    try:
        return made(None)
    except ModelError:
        if not knobs:
            raise
        return made(knobs)


def compiled_deeply(
    cls: type[System], proofs: bool, knobs: Mapping[str, Any] | None, sizes: Mapping[str, int]
) -> ir.System:
    try:
        return _compiled(cls, proofs, knobs, sizes)[1]
    except RecursionError:
        raise too_deep(cls) from None


def _compiled(
    cls: type[System], proofs: bool, knobs: Mapping[str, Any] | None, sizes: Mapping[str, int]
) -> tuple[Compiler, ir.System]:
    compiler = Compiler(cls, knobs, sizes)
    system = compiler.system(proofs)
    if not compiler.asked_early:
        return compiler, system
    again = Compiler(cls, knobs, sizes, compiler.known_processes)  # where processes wait is known only now
    system = again.system(proofs)
    assert all(compiler.known_processes[k].pc == p.pc for k, p in again.known_processes.items())
    return again, system


def compile_condition(
    cls: type[System], function: Callable[..., Any], knobs: Mapping[str, Any] | None, sizes: Mapping[str, int]
) -> ir.Hint:
    """What a function of a system and of some elements returns, though it is no method of the system.

    Raises:
        ModelError: it is no condition on the system's state.
    """
    try:
        compiler = _compiled(cls, False, knobs, sizes)[0]
        return compiler.hint(Member(compiler.declared.objects[""], function, declare.Role("hint"), function.__name__))
    except RecursionError:
        raise too_deep(cls) from None


def too_deep(cls: type[System]) -> ModelError:
    """What is said of terms that are too deep to be gone through."""
    hint = "Split the longest step, or keep a part of what it decides in state."
    return ModelError(
        f"{cls.__name__} has values or conditions that are nested too deeply", class_place(cls), hint=hint
    )


def forget_compiled() -> None:
    """Forget what was read of any class: Python may have given it, or what its methods name, another value since."""
    _COMPILED.clear()
    HINTS.clear()
    normalised.cache_clear()
    source_of.cache_clear()


_COMPILED: WeakKeyDictionary[type[System], dict[tuple[Any, ...], ir.System | ModelError]] = WeakKeyDictionary()
"""What became of each class, or why nothing did, by whether its proofs are read, sizes, and knobs."""


class Compiler(Words):
    """Compiles one class."""

    def __init__(
        self,
        cls: type[System],
        knobs: Mapping[str, Any] | None = None,
        sizes: Mapping[str, int] = MappingProxyType({}),
        processes: Mapping[Any, Process] = MappingProxyType({}),
    ) -> None:
        self.cls = cls
        super().__init__(Declarations(cls, sizes))
        refuse_mistakes(cls, [type(o.python) for o in self.declared.objects.values() if o.path])
        refuse_nameless(self.declared)
        self.known_processes = dict(processes)
        self.system_class = cls.proves or cls
        if cls.proves is not None:
            refuse_changes(cls, cls.proves)
        for name, value in (knobs or {}).items():
            if name in self.variables and (literal := self.static(value, self.variables[name].sort)) is not None:
                self.fixed[name] = literal
        self.undefined: list[ir.Clause] = []
        self.checked: list[ir.Property] = []

    # ------------------------------------------------------------------------------------------------------------ system

    def system(self, proofs: bool) -> ir.System:
        declared = self.declared
        self.notes = Notes(declared.of_kind("before", "after"), noted_by(self.cls))
        compilers = [ProcessCompiler(self, m) for m in declared.of_kind("process")]
        processes = [self.process(c) for c in compilers]
        self.closures = [Effect(m, self.closed_by(NOTHING, [m]).updates) for m in declared.of_kind("closure")]
        self.rounds = rounds(self.closures)
        actions = [self.finish(self.action(m)) for m in declared.of_kind("action")]
        actions += [self.finish(a) for process in processes for a in process]
        begun = self.finish(self.initial(), always=True)
        init = self.defined_start(begun, self.axioms({u.var for u in begun.updates}))
        self.notes.refuse_unused()
        finals = [self.condition(m)[0] for m in declared.of_kind("final")]
        properties = self.all_properties()
        lemmas = tuple(p for c in compilers for p in c.lemmas)
        hints_: tuple[ir.Hint, ...] = ()
        if proofs:
            lemmas += tuple(self.invariant(m) for m in declared.of_kind("lemma"))
            hints_ = tuple(self.hint(m) for m in declared.of_kind("hint"))
        sorts, sizes = declared.sort_sizes()
        system = ir.System(
            name=declare.system_name(self.cls),
            title=self.system_class.__name__,
            doc=inspect.getdoc(self.system_class) or "",
            sorts=sorts,
            sizes=sizes,
            variables=tuple(self.variables.values()),
            init=init,
            actions=tuple(actions),
            properties=properties,
            undefined=tuple(self.undefined),
            sized=frozenset(declared.sized),
            named=tuple(self.named),
            spelled=self.spelled,
            final=terms.or_(*finals),
            settle=self.finish(ir.Action("settle", (), ir.TRUE, ()), always=True),
            lemmas=lemmas,
            hints=hints_,
            progress=tuple(self.progress(actions, properties)),
            asks=tuple(self.system_class.asks),
        )
        return with_handover(system, handover_among(declared.of_kind("action")))

    # ----------------------------------------------------------------------------------------------------- single methods

    def parameters(self, member: Member, function: Function, scope: Scope, path: Path) -> list[ir.Var]:
        """Variables for the parameters after `self`, by their annotations."""
        annotations = hints(member.function)
        found = []
        for local, parameter in function.parameters[1:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                several = self.variadic(member, local.shown, function)
                path.env[scope, local] = Tup(tuple(several))
                found += several
                continue
            if parameter.name not in annotations:
                function.source.fail(
                    argument_of(function, local.shown),
                    f"the parameter '{local.shown}' has no sort",
                    f"Annotate it, as in `{local.shown}: Cpu`; each element is one way to take the step.",
                )
            node = argument_of(function, local.shown)
            annotation = annotations[parameter.name]
            sort = function.source.at(node, lambda annotation=annotation: self.declared.sort(annotation))  # type: ignore[misc]
            if isinstance(sort, ir.CounterSort):
                function.source.fail(node, f"the counter {sort.name} has no end to choose from")
            var = self.step.variable(local.shown, sort)
            path.env[scope, local] = var
            found.append(var)
        return found

    def variadic(self, member: Member, name: str, function: Function) -> list[ir.Var]:
        """``*entry`` in a part's step: one parameter for each of the part's `sorts`."""
        sorts = getattr(member.owner.python, "sorts", None)
        if not isinstance(sorts, tuple):
            function.source.fail(
                function.node,
                f"'*{name}' needs the part's `sorts`: the tuple of sorts that it stands for",
                name_them(member.function),
            )
        return [self.step.variable(named_after(sort), sort) for sort in map(self.declared.sort, sorts)]

    def ends(self, function: Function, scope: Scope, path: Path) -> list[Outcome]:
        return self.run((block(function.body, scope),), path.fork())

    def action(self, member: Member) -> ir.Action:
        function, scope, path = self.begin(member)
        params = self.parameters(member, function, scope, path)
        names, before = {member.name, member.attribute}, dict(path.env)
        self.note("before", names, [Outcome("return", path)], before, [scope])
        ends = self.ends(function, scope, path)
        self.note("after", names, ends, before, [scope])
        merged, _ = self.merge(path, [(e.path, Static(None)) for e in ends])
        step = self.step
        template = Template(first_line(member.function), function.source, function.source.tree)
        ways = [(e.path.cond, e.path.env) for e in ends]
        named = template.meanings(self, (*params, *step.params), scope, before, ways)
        made = ir.Action(
            name=member.name,
            params=(*params, *step.params),
            guard=terms.and_(*step.guards),
            updates=merged.updates,
            fresh=tuple(step.fresh),
            obligations=tuple(step.obligations),
            costs=tuple(step.costs),
            cpu=acting(params),
            doc=template.text,
            place=function.source.place(function.node),
            named=tuple((name, expr) for name, expr, _ in named),
        )
        self.checks_of(made, step.clauses, function.source)
        return made

    def checks_of(self, action: ir.Action, clauses: list[tuple[str, ir.Clause]], source: Source) -> None:
        """Note down what a step checks on its way: for all that it can choose, where the step is possible."""
        for name, clause in clauses:
            self.names_known(clause, action.params, source)
            full = replace(
                clause,
                params=(*action.params, *clause.params),
                guard=terms.and_(action.guard, clause.guard),
                event=action.name,
                cpu=action.cpu,
                doc=action.doc,
            )
            self.checked.append(ir.Property(name, (full,), place=clause.place))

    def names_known(self, clause: ir.Clause, params: Iterable[ir.Var], source: Source) -> None:
        """See to it that a check's sentence names parameters and variables."""
        known = [*(p.name for p in (*params, *clause.params)), *(name for name, _ in clause.named)]
        Template(clause.message, source, source.tree).check(known)

    def process(self, compiler: ProcessCompiler) -> list[ir.Action]:
        actions, checks = compiler.compile()
        for action in actions:
            self.checks_of(action, checks[action.name], compiler.source)
        if all(action.doc != compiler.doc for action in actions):  # otherwise it is checked as what a step says
            source = compiler.source
            Template(compiler.doc, source, source.tree).check(p.name for action in actions for p in action.params)
        return actions

    def initial(self) -> ir.Action:
        """What `initially` methods say, in order: one step, in which every choice is one of its own."""
        path, step, place = Path(), None, None
        for member in self.declared.of_kind("initially"):
            function, scope, start = self.begin(member)
            place = place or function.source.place(function.node)
            self.no_parameters(function, "an @initially")
            step = self.step = step or self.step
            start.updates, start.facts = path.updates, path.facts
            ends = self.ends(function, scope, start)
            self.note("after", {member.name, member.attribute}, ends, dict(start.env), [scope])
            path, _ = self.merge(start, [(e.path, Static(None)) for e in ends])
        step = step or Step(kind="initially")
        return ir.Action(
            "initially",
            tuple(step.params),
            terms.and_(*step.guards),
            path.updates,
            tuple(step.fresh),
            tuple(step.obligations),
            place=place,
        )

    def axioms(self, written: Set[str]) -> ir.Expr:
        """What the axioms say of the rigid maps, which are there before anything is done.

        written: what an @initially gives a value.
        """
        found = []
        for member in self.declared.of_kind("axiom"):
            holds, source = self.condition(member)
            fixed = {v.name for v in self.variables.values() if v.kind in ("rigid", "knob")} - written
            changing = min(terms.reads(holds) - fixed, default=None)
            if changing is not None:
                name = self.shown(changing)
                hint = f"Declare it Rigid[...], or begin with what should hold: an @initially sets '{name}'."
                source.fail(source.tree, f"an axiom says something of rigid maps, and '{name}' is given values", hint)
            found.append(holds)
        return terms.and_(*found)

    def defined_start(self, init: ir.Action, axioms: ir.Expr) -> ir.Action:
        """The initial step, which notes down in the state what it owes and does not have: `well-defined` then says so.

        Where something is owed, Python does not come to what requires more: there is such a beginning, and it is wrong.
        """
        updates, guard = list(init.updates), init.guard
        for number, owed in enumerate(init.obligations):
            name = f"initially~{number}"  # a name with ~ cannot be spelled by a user
            self.variables[name] = ir.StateVar(name, (), ir.BOOL, doc=owed.message, place=owed.place)
            broken = terms.and_(owed.when, terms.not_(owed.expr))
            updates.append(ir.Update(name, (), (), broken, ir.TRUE))
            fine = terms.not_(ir.Read(name, (), ir.BOOL))
            self.undefined.append(ir.Clause((), ir.TRUE, fine, message=owed.message, place=owed.place))
            guard = terms.or_(guard, broken)
        return replace(init, guard=terms.and_(axioms, guard), updates=tuple(updates), obligations=())

    def condition(self, member: Member) -> tuple[ir.Expr, Source]:
        """The condition that a method returns; where it is undefined, it does not hold."""
        function, scope, path = self.begin(member)
        self.no_parameters(function, articled(member.role.kind))
        return self.returned(function, scope, path), function.source

    def hint(self, member: Member) -> ir.Hint:
        function, scope, path = self.begin(member)
        params = self.parameters(member, function, scope, path)
        return ir.Hint(tuple(params), self.returned(function, scope, path))

    def returned(self, function: Function, scope: Scope, path: Path) -> ir.Expr:
        """The condition that the method returns, and that it is defined."""
        ends = self.ends(function, scope, path)
        _, value = self.merge(path, [(e.path, e.value) for e in ends])
        if any(e.path.updates for e in ends):
            kind = self.step.kind
            function.source.fail(function.node, f"{kind} changes state", "Return a condition.")
        if any(is_none(e.value) for e in ends):
            function.source.fail(
                function.node, f"'{function.name}' returns nothing on some way", "Return the condition."
            )
        holds = self.truth(value, returned_node(function), scope)
        owed = terms.and_(*(terms.implies(o.when, o.expr) for o in self.step.obligations))
        return terms.and_(owed, holds)

    # -------------------------------------------------------------------------------------------------------- properties

    def all_properties(self) -> tuple[ir.Property, ...]:
        """What steps check, invariants and event checks by name, in order of declaration; parts of one name are one property."""
        found: dict[str, ir.Property] = {}
        made = [("", prop) for prop in self.checked]
        for member in self.declared.of_kind("invariant", "event", "reachable"):
            mine = self.event(member) if member.role.kind == "event" else [self.invariant(member)]
            made += [(member.owner.path, prop) for prop in mine]
        for path, prop in made:
            if prop.name in RESERVED:
                raise ModelError(f"the property '{prop.name}' is built in", prop.place, hint="Choose another name.")
            old = found.get(prop.name)
            if old is not None and "reachable" in (old.kind, prop.kind):
                if old.kind != prop.kind or not path:
                    raise ModelError(
                        f"'{prop.name}' is the name of a @reachable and of another property",
                        prop.place,
                        hint="Rename one of them: a state to be reached is no property that must hold.",
                    )
                prop = replace(prop, name=f"{path}{prop.name}")
                old = None
            found[prop.name] = replace(old, clauses=old.clauses + prop.clauses) if old else prop
        return tuple(found.values())

    def progress(self, actions: Sequence[ir.Action], properties: Iterable[ir.Property]) -> Iterator[ir.Progress]:
        taken = {*RESERVED, *(p.name for p in properties)}
        for member in self.declared.of_kind("progress"):
            yield progress_of(member, actions, self.known_processes.values(), taken)
            taken.add(member.title)

    def invariant(self, member: Member) -> ir.Property:
        holds, source = self.condition(member)
        params: list[ir.Var] = []
        place = source.place(source.tree)
        kind = "reachable" if member.role.kind == "reachable" else "invariant"
        while kind == "invariant" and isinstance(holds, ir.Quant) and holds.kind == "forall":
            params.append(holds.var)
            holds = holds.body
        because = member.role.because or first_line(member.function)
        Template(because, source, source.tree).check(p.name for p in params)
        clause = ir.Clause(tuple(params), ir.TRUE, holds, message=because, place=place)
        return ir.Property(member.title, (clause,), kind, first_line(member.function), place)  # type: ignore[arg-type]

    def event(self, member: Member) -> list[ir.Property]:
        """The properties that an event checks.  What it owes is the built-in `well-defined`'s, and a check counts as far as that is
        there."""
        function, scope, path = self.begin(member)
        source = function.source
        params = self.parameters(member, function, scope, path)
        self.ends(function, scope, path)
        if not self.step.clauses:
            source.fail(
                source.tree, f"the event '{function.name}' checks nothing", 'Add check("property", ..., "...").'
            )
        Template(first_line(member.function), source, source.tree).check(p.name for p in params)
        event = ir.Clause((), ir.TRUE, ir.TRUE, member.name, acting(params), doc=first_line(member.function))
        for owed in self.step.obligations:
            mentioned = terms.free_vars(owed.when) | terms.free_vars(owed.expr)
            mine = tuple(p for p in params if p in mentioned or p == event.cpu)
            self.undefined.append(
                replace(event, params=mine, guard=owed.when, expr=owed.expr, message=owed.message, place=owed.place)
            )
        found: dict[str, ir.Property] = {}
        for name, clause in self.step.clauses:
            self.names_known(clause, params, source)
            full = replace(
                event,
                params=(*params, *clause.params),
                guard=clause.guard,
                expr=clause.expr,
                message=clause.message,
                place=clause.place,
                named=clause.named,
            )
            old = found.get(name)
            found[name] = ir.Property(name, (*(old.clauses if old else ()), full), place=clause.place)
        return list(found.values())

    # ----------------------------------------------------------------------------------------------------------- closures

    def finish(self, action: ir.Action, always: bool = False) -> ir.Action:
        """The action with those closures appended that its updates can concern, until nothing changes.

        What a closure adds depends only on what it reads, and it was done already in the state before: a step that
        touches none of it needs it not.
        """
        written = {u.var for u in action.updates}
        mine = []
        for _ in range(self.rounds):
            for effect in self.closures:
                if always or effect.names & written:
                    mine.append(effect.member)
                    written |= effect.writes
        return self.closed_by(action, mine) if mine else action

    def closed_by(self, action: ir.Action, closures: list[Member]) -> ir.Action:
        path = Path(updates=action.updates)
        names = {v.name for v in variables_of(action)}
        for member in closures:
            function, scope, start = self.begin(member)
            self.no_parameters(function, "a closure")
            self.step.names |= names
            start.updates = path.updates
            path, _ = self.merge(start, [(e.path, Static(None)) for e in self.ends(function, scope, start)])
            names |= self.step.names
            if self.step.obligations:
                owed = self.step.obligations[0]
                raise ModelError(f"a closure must be defined everywhere: {owed.message}", owed.place)
        return replace(action, updates=path.updates)


NOTHING = ir.Action("", (), ir.TRUE, ())


def variables_of(action: ir.Action) -> set[ir.Var]:
    """All variables of a step, bound ones too."""
    exprs = [e for u in action.updates for e in (*u.binders, *u.args, u.cond, u.value)]
    found = {e for e in ir.walk(*exprs) if isinstance(e, ir.Var)}
    found |= {e.var for e in ir.walk(*exprs) if isinstance(e, ir.Quant)}
    return found | {*action.params, *action.fresh}


def argument_of(function: Function, name: str) -> ast.AST:
    """Where a parameter stands in the source."""
    return next((n for n in ast.walk(function.node) if isinstance(n, ast.arg) and n.arg == name), function.node)


def returned_node(function: Function) -> ast.AST:
    """The expression that a function returns at its end."""
    last = function.body[-1] if function.body else None
    return last.value.node if isinstance(last, core.Return) and last.value is not None else function.node
