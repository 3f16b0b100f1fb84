"""What the language's own words mean in a step: require, choose, check, ..."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest
from flushproof.model.ir import terms

from . import core, declare
from .functions import KEYWORDS, MOST_ARGUMENTS, PYTHON, Functions, Given, as_number
from .operations import SETTLED
from .templates import Template
from .types import refuse_no_sort
from .values import (
    Closure,
    Method,
    Path,
    Product,
    Scope,
    Static,
    Value,
    articled,
    is_none,
)

MOST_CHOICES = 64
"""A step may choose so often: each choice multiplies its ways."""


@dataclass(frozen=True)
class Use:
    """One call of a word.

    given: the arguments by the names of the word's parameters; starred parameters have several; target: the user's name for the
    variable that gets the value.
    """

    node: ast.AST
    path: Path
    at: Scope
    given: Mapping[str, Any]
    call: core.Call
    target: str


class Words(Functions):
    """Executes calls of the language's words."""

    def words(self) -> list[str]:
        return sorted(f.__name__ for f in (*WORDS, *PYTHON) if f is not isinstance)

    def word(
        self, call: core.Call, function: Static, node: ast.AST, path: Path, at: Scope, target: str
    ) -> Value | None:
        try:
            meaning = WORDS.get(function.value)
            plain = PYTHON.get(function.value)
        except TypeError:  # not hashable, so none of them
            return None
        if meaning is None and plain is None:
            return None
        args = [Given(v, a.node) for a, v in self.items(call.args, path, at)]
        nodes = {name: atom.node for name, atom in call.keywords}
        keywords = {k: Given(v, nodes.get(k, node)) for k, v in self.keywords(call, path, at).items()}
        if plain is not None:
            name = function.value.__name__
            if name in ("enumerate", "sum") and len(args) == 1 and "start" in keywords:
                args.append(keywords.pop("start"))
            for keyword in keywords:
                at.source.fail(node, f"{name}() takes no {keyword}= here", KEYWORDS.get(keyword, ""))
            if len(args) > MOST_ARGUMENTS.get(name, len(args)):
                at.source.fail(node, f"{name}() takes {MOST_ARGUMENTS[name]} here, not {len(args)}")
            return plain(self, args, node, path, at)
        signature = inspect.signature(function.value)
        try:
            bound = signature.bind(*args, **keywords)
        except TypeError:
            takes = ", ".join(signature.parameters)
            at.source.fail(node, f"{function.value.__name__} takes ({takes})")
        assert meaning is not None
        return meaning(self, Use(node, path, at, bound.arguments, call, target))

    # ----------------------------------------------------------------------------------------------------- what can happen

    def require(self, use: Use) -> Value:
        at, path, test = use.at, use.path, use.given["condition"]
        if self.step.kind in (*SETTLED, "closure", "before", "after"):
            what = articled(self.step.kind) if self.step.kind in ("closure", "before", "after") else "a property"
            at.source.fail(use.node, f"{what} cannot require", "Write `if`, or return the condition.")
        cond = self.truth(test.value, test.node, at)
        self.no_ghost("a guard", test.node, at, cond, *path.conds)
        if path.binders:
            at.source.fail(
                use.node, "a loop cannot require", "Write require(all(... for x in Sort)) instead of the loop."
            )
        if self.choosing:
            at.source.fail(use.node, "a `where` cannot require", "It returns whether the element can be chosen.")
        self.step.guards.append(terms.implies(path.cond, cond))
        path.facts = (*path.facts, cond)
        return Static(None)

    def choose(self, use: Use) -> Value:
        at, path, of = use.at, use.path, use.given["sort"]
        if self.step.kind not in ("action", "process", "initially"):
            hint = "A parameter stands for each element." if self.step.kind == "event" else "Ask all(...) or any(...)."
            at.source.fail(use.node, f"{articled(self.step.kind)} cannot choose", hint)
        if path.binders or self.choosing:
            hint = "Choose before the loop, or leave the map without an initial value."
            at.source.fail(use.node, "a loop cannot choose", hint)
        if len(self.step.params) >= MOST_CHOICES:
            at.source.fail(use.node, f"a step chooses {MOST_CHOICES} times at the most", "Make several steps of it.")
        sort = self.sort_to_choose(of, at)
        where = use.given.get("where")
        name = use.target or self.parameter_name(where) or ir.UNNAMED
        self.no_ghost("a guard", use.node, at, *path.conds)
        cond = path.cond
        value: ir.Expr
        if cond is ir.TRUE:
            value = chosen = self.step.variable(name, sort)
        elif isinstance(sort, ir.OptionSort):
            value = chosen = self.step.variable(name, sort)
            self.step.guards.append(terms.or_(cond, terms.is_none(value)))
        else:
            # On paths that do not come here the choice is None, so that each step is counted once.
            chosen = self.step.variable(name, ir.OptionSort(sort))
            present = terms.not_(terms.is_none(chosen))
            self.step.guards.append(terms.eq(cond, present))
            path.facts = (*path.facts, present)
            value = terms.the(chosen)
        self.step.params.append(chosen)
        if where is not None and not is_none(where.value):
            self.such_that(value, where, cond, use)
        return value

    def sort_to_choose(self, of: Given, at: Scope) -> ir.Sort:
        sort, hint = None, ""
        named = of.value.value if isinstance(of.value, Static) else None
        try:
            sort = self.declared.sort(named)
        except ModelError as error:
            if isinstance(named, type) and issubclass(named, declare.Sort):
                raise at.source.error(of.node, error.message, error.hint) from None
            hint = error.hint
        if sort is None or isinstance(sort, ir.CounterSort):
            at.source.fail(of.node, f"{at.source.text(of.node)} is not a sort to choose from", hint)
        return sort

    def parameter_name(self, where: Given | None) -> str:
        if where is not None and isinstance(where.value, Closure) and where.value.function.parameters:
            return where.value.function.parameters[0][0].shown
        return ""

    def such_that(self, value: ir.Expr, where: Given, cond: ir.Expr, use: Use) -> None:
        """The choice is one for which `where` holds."""
        at, path = use.at, use.path
        function = where.value
        if isinstance(function, Static) and inspect.isfunction(function.value):
            function = Method(function.value, None)
        if not isinstance(function, (Closure, Method)):
            at.source.fail(where.node, "`where` takes a lambda", "Write where=lambda x: ...")
        before = path.updates
        self.choosing = True
        result = self.invoke(function, [value], {}, use.call, where.node, path, at)
        self.choosing = False
        if path.updates != before:
            at.source.fail(where.node, "a `where` must not change the state")
        wanted = self.truth(result, self.body_of(function, where.node), at)
        self.no_ghost("a guard", where.node, at, wanted)
        self.step.guards.append(terms.implies(cond, wanted))
        path.facts = (*path.facts, wanted)

    def body_of(self, function: Closure | Method, node: ast.AST) -> ast.AST:
        if isinstance(function, Closure) and isinstance(function.function.node, ast.Lambda):
            return function.function.node.body
        return node

    def fresh(self, use: Use) -> Value:
        at, counter = use.at, use.given["counter"]
        if self.step.kind not in ("action", "process", "initially"):
            at.source.fail(
                use.node, f"{articled(self.step.kind)} takes no fresh value", "Take it in an @action or a @process."
            )
        if use.path.binders or self.choosing or self.unrolling:
            at.source.fail(
                use.node,
                "a loop whose rounds all happen at once takes no fresh value",
                "Take one before the loop, if all rounds may share it.",
            )
        cls = counter.value.value if isinstance(counter.value, Static) else None
        if not (isinstance(cls, type) and issubclass(cls, declare.Counter)):
            at.source.fail(use.node, "fresh() takes a Counter class", "Write fresh(Generation).")
        sort = self.declared.sort(cls)
        var = self.step.variable(sort.name.lower(), sort)
        self.step.fresh.append(var)
        return var

    def cost(self, use: Use) -> Value:
        name = self.name_of(use, "cost() takes the operation's name as a plain string", 'Write cost("bc_tag").')
        self.step.costs.append(ir.Cost(name, use.path.binders, use.path.cond))
        return Static(None)

    def occurs(self, use: Use) -> Value:
        name = self.name_of(use, "occurs() takes the event's name as a plain string", 'Write occurs("vcpu_load").')
        self.step.costs.append(ir.Cost(name, use.path.binders, use.path.cond, event=True))
        return Static(None)

    def name_of(self, use: Use, wrong: str, instead: str) -> str:
        """The name of what is counted here."""
        name = use.given["name"].value
        if not (isinstance(name, Static) and isinstance(name.value, str) and name.value):
            use.at.source.fail(use.node, wrong, instead)
        self.counted(use)
        return name.value

    def dropped(self, use: Use) -> Value:
        entry = use.given["entry"]
        found = entry.value
        if not (isinstance(found, ir.Read) and found.sort == ir.BOOL):
            use.at.source.fail(
                entry.node,
                f"{use.at.source.text(entry.node)} is no cached entry as it was before this step",
                "Write dropped(self.entry[cpu, tag]) in front of what drops it, entry being a Map[..., bool].",
            )
        self.counted(use)
        cond = terms.and_(use.path.cond, found)
        self.step.costs.append(ir.Cost(ir.DROPPED, use.path.binders, cond, found))
        return Static(None)

    def counted(self, use: Use) -> None:
        if self.step.kind not in ("action", "process"):
            kind = articled(self.step.kind)
            use.at.source.fail(use.node, f"{kind} costs nothing", "Count in an @action or a @process.")

    def check(self, use: Use) -> Value:
        """A condition that must hold wherever Python comes here: in an event, or in the middle of a step."""
        at, path = use.at, use.path
        name, because, condition = (use.given[k] for k in ("name", "because", "condition"))
        if self.step.kind not in ("event", "action", "process"):
            hint = "An @invariant returns its condition."
            at.source.fail(use.node, f"check() belongs in an event or a step, not in {articled(self.step.kind)}", hint)
        texts = [g.value.value if isinstance(g.value, Static) else None for g in (name, because)]
        if not all(isinstance(t, str) for t in texts) or not str(texts[0]).strip():
            at.source.fail(use.node, "check() takes the property's name and the explanation as plain strings")
        cond = self.truth(condition.value, condition.node, at)
        owed = [
            terms.implies(o.when, o.expr) for o in self.step.obligations
        ]  # where one fails, Python does not come here
        guard = terms.and_(*self.step.guards, path.cond, *owed)
        if terms.free_vars(terms.and_(guard, cond)) & set(self.step.fresh):
            hint = "Check it in an @event, or a step later: then it is a value like any other."
            at.source.fail(use.node, "a check speaks of no value that is fresh in the same step", hint)
        template = Template(str(texts[1]), at.source, use.node)
        named = tuple(template.values(self, at, path.env, self.step.fresh))
        clause = ir.Clause(path.binders, guard, cond, message=template.text, place=at.source.place(use.node), named=named)
        self.step.clauses.append((str(texts[0]), clause))
        return Static(None)

    def each(self, use: Use) -> Value:
        sorts = tuple(self.finite(g.value, g.node, use.at) for g in use.given.get("sorts", ()))
        return Product(sorts, True)

    # ------------------------------------------------------------------------------------------------------ who is where

    def step_at(self, use: Use) -> Value:
        """``at(self.run, cpu, "label", ...)``: whether that process waits at one of the labels."""
        if self.is_to_come(use):
            self.asked_early = True
            return ir.Read("at~", (), ir.BOOL)  # a name with ~ cannot be spelled by a user
        process, args, rest = self.process_at(use, "labels")
        if not rest:
            use.at.source.fail(use.node, "at() takes at least one label", nearest("", process.labels, "labels"))
        where = self.read(process.pc, args, use.node, use.path, use.at)
        found = []
        for given in rest:
            label = given.value.value if isinstance(given.value, Static) else None
            members = process.labels.get(label) if isinstance(label, str) else None
            if members is None and self.step.kind in ("lemma", "hint") and label in process.members:
                members = [label]  # of a label that stands twice, a proof may name either place, as traces do: "wait (2)"
            if members is None:
                guess = nearest(str(label), process.labels, "labels")
                use.at.source.fail(use.node, f"{process.name} has no label '{label}'", guess)
            found += [terms.eq(where, ir.Lit(member, process.pc.sort)) for member in members]
        return terms.or_(*found)

    def is_to_come(self, use: Use) -> bool:
        """Whether a process is asked for that is compiled only after the step which asks: what its labels are is then not known."""
        method = use.given["process"].value
        if not isinstance(method, Method) or method.owner is None:
            return False
        path = method.owner.path
        known = (path, method.function) in self.known_processes
        role = declare.role_of(method.function)
        return not known and role is not None and role.kind == "process" and self.declared.happens(method)

    def process_at(self, use: Use, what: str) -> tuple[Process, tuple[ir.Expr, ...], list[Given]]:
        """A process, the arguments that say which instance, and what comes behind them."""
        method, rest = use.given["process"].value, list(use.given.get("where", ()))
        word = use.at.source.text(use.call.function.node)
        if not isinstance(method, Method) or method.owner is None:
            use.at.source.fail(use.node, f"{word}() takes a process, its parameters and {what}")
        process = self.known_processes.get((method.owner.path, method.function))
        if process is None:
            name = method.owner.path + method.function.__name__
            use.at.source.fail(use.node, f"'{name}' is not a process")
        count = len(process.pc.index)
        args = tuple(
            self.expr(g.value, g.node, use.at, s, use.path)
            for g, s in zip(rest[:count], process.pc.index, strict=False)
        )
        if len(args) != count:
            use.at.source.fail(use.node, f"{word}() takes a process, its {count} parameters and {what}")
        return process, args, rest[count:]

    def local_at(self, use: Use) -> Value:
        """``local(self.run, cpu, "helper.name")``: what a process keeps in a local variable."""
        if self.step.kind not in ("lemma", "hint"):
            hint = "Keep what others read in state of its own."
            use.at.source.fail(use.node, "only lemmas read a local variable", hint)
        process, args, rest = self.process_at(use, "the name of a local variable")
        wanted = rest[0].value.value if len(rest) == 1 and isinstance(rest[0].value, Static) else None
        found = process.locals.get(wanted, []) if isinstance(wanted, str) else []
        if len(found) != 1:
            if found:
                sorts = " and ".join(v.sort.name for v in found)
                use.at.source.fail(
                    use.node, f"{process.name} keeps several locals '{wanted}': {sorts}", "Give each a name."
                )
            text = f"{process.name} keeps no local '{wanted}' from one step to another"
            use.at.source.fail(use.node, text, nearest(str(wanted), process.locals, "locals that it keeps"))
        return self.read(found[0], args, use.node, use.path, use.at)

    def size(self, use: Use) -> Value:
        """``size(Cpu)``."""
        sort = use.given["sort"]
        named = sort.value.value if isinstance(sort.value, Static) else None
        use.at.source.at(sort.node, lambda: refuse_no_sort(named))
        return Static(self.declared.size_of(named))  # type: ignore[arg-type]

    def count(self, use: Use) -> Value:
        """``count(... for c in Cpu if ...)``: how many conditions hold, or elements there are."""
        given, at = use.given["values"], use.at
        counted = []
        for cond, value in self.emitted(given, "count", use.node, use.path, at):
            sort = self.sort_of(value)
            if isinstance(sort, (ir.IntSort, ir.OptionSort)) or sort is None:
                hint = "Write sum(...) to add numbers up, and `... is not None` to count what is there."
                at.source.fail(given.node, "count() counts conditions that hold, or elements", hint)
            holds = self.truth(value, given.node, at) if sort == ir.BOOL else ir.TRUE
            counted.append(as_number(terms.and_(cond, holds)))
        return terms.plus(*counted)

    choosing = False
    asked_early = False
    """Whether a step asked where a process is that was not compiled yet."""
    known_processes: dict[Any, Process]


@dataclass(frozen=True)
class Process:
    """A compiled process, for who asks where it is.

    pc: its program counter; labels: the program counter's values by the user's label (several, if the label stands twice); locals:
    the variables that keep its locals, by the user's name for them.
    """

    name: str
    pc: ir.StateVar
    labels: Mapping[str, list[str]]
    locals: Mapping[str, list[ir.StateVar]]

    @property
    def members(self) -> tuple[str, ...]:
        """The values of the program counter."""
        assert isinstance(self.pc.sort, ir.EnumSort)
        return self.pc.sort.members


WORDS: Mapping[Any, Callable[[Words, Use], Value]] = {
    declare.require: Words.require,
    declare.choose: Words.choose,
    declare.fresh: Words.fresh,
    declare.cost: Words.cost,
    declare.occurs: Words.occurs,
    declare.dropped: Words.dropped,
    declare.check: Words.check,
    declare.each: Words.each,
    declare.size: Words.size,
    declare.count: Words.count,
    declare.at: Words.step_at,
    declare.local: Words.local_at,
}
