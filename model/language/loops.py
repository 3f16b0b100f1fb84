"""Loops over sorts: all rounds at once, where that is the same as one after another; and what all(...) and sum(...) ask of them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable
from typing import Any, get_origin

from flushproof.model import ir
from flushproof.model.errors import ModelError
from flushproof.model.ir import terms

from . import core
from .conversions import MOST_VALUES, few, items_of
from .operations import Operations
from .values import Access, Bad, Generated, Once, Path, Product, Scope, Static, Tup, Value, named_after
from .wording import of_a_sort

AGAIN = Bad(
    "is given a value in a loop whose rounds all happen at once",
    "Gather with all(...), any(...), count(...) or sum(...); behind the loop name one element. "
    "A loop over tuple(Kind), of an enumeration, goes through its members one by one.",
)
LEAVING = {
    core.Stop: ("yield", "Use `while` with a Map[..., bool] of what is done, choosing one element a round."),
    core.Delegate: ("yield", "Use `while` with a Map[..., bool] of what is done, choosing one element a round."),
    core.Return: ("return", "Ask any(... for x in Sort) or all(...), and return behind the question."),
    core.Break: ("break", "Ask any(... for x in Sort) or all(...), or choose(Sort, where=...) the element that is looked for."),
}
"""What leaves a loop, and what to write instead."""


class Loops(Operations):
    """Executes loops over sorts; unrolling: one element after the other is gone through, in an order that nothing may depend on."""

    unrolling = False

    def block_once(self, body: core.Block, path: Path, at: Scope) -> None:
        """Execute statements that control leaves at their end."""
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------------- iterables

    def iterated(self, value: Value, node: ast.AST, at: Scope) -> Product | tuple[Value, ...]:
        """What is gone through: sorts, or a fixed group of values."""
        if isinstance(value, Product):
            return value
        parts = value.items if isinstance(value, Once) else items_of(value)
        if parts is not None:
            return parts
        if isinstance(value, Static) and isinstance(value.value, range):
            return tuple(map(Static, few(value.value, node, at)))
        if isinstance(value, Static) and get_origin(value.value) is not None:
            text = at.source.text(node)
            at.source.fail(node, f"Python goes through no {text}", f"Write `for (x,) in each({text})`.")
        return Product((self.finite(value, node, at),), False)

    def finite(self, value: Value, node: ast.AST, at: Scope) -> ir.Sort:
        named = isinstance(value, Static) and (isinstance(value.value, type) or get_origin(value.value) is not None)
        if isinstance(value, Static) and (named or not callable(value.value)):
            try:
                sort = self.declared.sort(value.value)
            except ModelError as error:
                if isinstance(value.value, type):
                    raise at.source.error(node, error.message, error.hint) from None
            else:
                if not isinstance(sort, ir.CounterSort):
                    return sort
                at.source.fail(node, f"the counter {sort.name} has no end to loop over")
        text = at.source.text(node)
        at.source.fail(node, f"{text} is not a sort", "Loop over a Sort, an Enum, bool, each(A, B), or a tuple.")

    def elements(self, names: tuple[str, ...], product: Product, path: Path) -> tuple[tuple[ir.Var, ...], Value]:
        """New variables for one element of each sort, and the value that the loop's variable gets."""
        if product.tuples:
            mine = names if len(names) == len(product.sorts) else tuple(map(named_after, product.sorts))
        else:
            mine = names[:1] or (named_after(product.sorts[0]),)
        variables = tuple(self.step.variable(n, s) for n, s in zip(mine, product.sorts, strict=True))
        path.binders = (*path.binders, *variables)
        return variables, Tup(variables) if product.tuples else variables[0]

    # ------------------------------------------------------------------------------------------------------------- loops

    def at_once(self, loop: core.For, product: Product, path: Path, at: Scope) -> None:
        """``for x in Sort``."""
        for statement in loop.body:
            self.refuse_leaving(statement, at, False, product)
        scope = at.of(loop.target)
        inner = path.fork()
        for local in loop.assigned:
            if not local.temporary:  # those are set in front of each use
                inner.env[scope, local] = AGAIN
        variables, element = self.elements(loop.names, product, inner)
        inner.env[scope, loop.target] = element
        accesses, self.step.accesses = self.step.accesses, []
        self.block_once(loop.body, inner, at)
        mine, self.step.accesses = self.step.accesses, accesses + self.step.accesses
        new = inner.updates[len(path.updates) :]
        path.updates += self.together(new, mine, variables, loop, at)
        for local in loop.assigned:
            path.env[scope, local] = AGAIN

    def refuse_leaving(self, statement: core.Statement, at: Scope, inner: bool, product: Product) -> None:
        """See to it that no round ends the loop.

        inner: the statement is inside of another loop in this one, which it may end.
        """
        found = None if inner and isinstance(statement, core.Break) else LEAVING.get(type(statement))
        if found is not None:
            what, hint = found
            match product.sorts:
                case (ir.Scalarset(ordered=True) as sort,):
                    hint = f"Write range(size({sort.name})) to go through its elements one after the other."
            at.source.fail(statement.node, f"a loop over a sort happens at once and cannot {what}", hint)
        for name in ("body", "other"):
            for inside in getattr(statement, name, ()):
                self.refuse_leaving(inside, at, inner or isinstance(statement, (core.For, core.Loop)), product)

    def together(
        self,
        new: tuple[ir.Update, ...],
        accesses: list[Access],
        variables: tuple[ir.Var, ...],
        loop: core.For,
        at: Scope,
    ) -> tuple[ir.Update, ...]:
        """The updates of all rounds, where no round reads or writes what another writes.

        Two rounds differ in some loop variable.  Where one writes and the other reads or writes the same map, each loop variable
        must therefore stand alone at one position of the index in both: then the locations differ too.
        """
        writes = [a for a in accesses if a.writes]
        found = []
        for update in new:
            apart = self.apart(update.args, update.args, variables)
            if not apart and (agreed := self.agreed(update, accesses, variables)) is not None:
                found.append(agreed)
                continue
            here = next((a for a in writes if a.variable == update.var and a.args == update.args), None)
            node, scope = (here.node, here.at) if here is not None else (loop.node, at)
            for var in variables:
                if var not in update.args:
                    whose = "may write the same place of" if update.args else "writes the same"
                    place = f"Write a location of its own in each round, self.{update.var}[{var.name}, ...], or one value."
                    hint = place if update.args else "Write one value, or gather with count(...), sum(...), any(...) or all(...)."
                    scope.source.fail(node, f"every round of this loop {whose} '{update.var}'", hint)
            for access in accesses:
                if access.variable == update.var and not self.apart(update.args, access.args, variables):
                    self.refuse_meeting(update, access, node, scope)
            found.append(with_binders(update, variables))
        return tuple(found)

    def apart(self, one: tuple[ir.Expr, ...], other: tuple[ir.Expr, ...], variables: tuple[ir.Var, ...]) -> bool:
        """Whether two accesses in different rounds are certainly to different locations."""
        return all(any(a is v and b is v for a, b in zip(one, other, strict=True)) for v in variables)

    def agreed(self, update: ir.Update, accesses: list[Access], variables: tuple[ir.Var, ...]) -> ir.Update | None:
        """One update for all rounds, if they write one value and nothing else in the loop touches what they write.

        A place that depends on the round is written where some round is at it.
        """
        if terms.free_vars(update.value) & set(variables):
            return None
        if len([a for a in accesses if a.variable == update.var]) != 1:
            return None
        args, places, cond = list(update.args), [], update.cond
        for position, arg in enumerate(update.args):
            if terms.free_vars(arg) & set(variables):
                place = self.step.variable("place", arg.sort)
                args[position] = place
                places.append(place)
                cond = terms.and_(cond, terms.eq(arg, place))
        for var in reversed(variables):
            cond = terms.exists(var, cond)
        return ir.Update(update.var, (*update.binders, *places), tuple(args), cond, update.value)

    def refuse_meeting(self, update: ir.Update, access: Access, node: ast.AST, at: Scope) -> None:
        there = access.at.source.place(access.node)
        here = at.source.place(node)
        if not access.writes:
            access.at.source.fail(
                access.node,
                f"a round of this loop reads '{update.var}' where another may write it (line {here.line})",
                "All rounds happen at once; read what was before into a local first, or split the step.",
            )
        at.source.fail(
            node,
            f"two rounds of this loop may write the same place of '{update.var}' (lines {here.line} and {there.line})",
            "All rounds happen at once; let each write a place of its own.",
        )

    # ----------------------------------------------------------------------------------------------------------- gathers

    def quantified(self, generated: Generated, kind: str, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """``all(... for x in Sort if ...)`` and ``any(...)``."""
        junction = terms.and_ if kind == "all" else terms.or_
        guard: Callable[[ir.Expr, ir.Expr], ir.Expr] = terms.implies if kind == "all" else terms.and_
        unit = ir.TRUE if kind == "all" else ir.FALSE

        def gather(body: core.Block, inner: Path, scope: Scope) -> ir.Expr:
            *before, last = body
            self.block_once(tuple(before), inner, scope)
            match last:
                case core.Emit(value):
                    return self.truth(self.ev(value, inner, scope), value.node, scope)
                case core.If():
                    cond = self.truth(self.ev(last.test, inner, scope), last.test.node, scope)
                    if cond is ir.FALSE:
                        return unit
                    yes = inner.fork(cond)
                    result = gather(last.body, yes, scope)
                    self.no_effects(yes, inner, node, at)
                    return guard(cond, result)
                case core.For():
                    return through(last, inner, scope)
            raise AssertionError(last)

        def through(loop: core.For, inner: Path, scope: Scope) -> ir.Expr:
            iterated = self.iterated(self.ev(loop.iterable, inner, scope), loop.iterable.node, scope)
            if not isinstance(iterated, Product):
                parts: list[ir.Expr] = []
                for item in iterated:
                    earlier = terms.and_(*(p if kind == "all" else terms.not_(p) for p in parts))
                    if earlier is ir.FALSE:
                        break
                    sub = inner.fork(earlier)  # else Python has stopped
                    sub.env[scope, loop.target] = item
                    parts.append(gather(loop.body, sub, scope))
                    self.no_effects(sub, inner, node, at)
                return junction(*parts)
            sub = inner.fork()
            variables, element = self.elements(loop.names, iterated, sub)
            sub.env[scope, loop.target] = element
            counts = len(self.step.clauses), len(self.step.costs)
            result = gather(loop.body, sub, scope)
            self.no_effects(sub, inner, node, at)
            if counts != (len(self.step.clauses), len(self.step.costs)):
                what = "a condition over many elements cannot check or count: Python stops at the first that decides it"
                at.source.fail(node, what, "Use a loop over the sort.")
            for var in reversed(variables):
                result = terms.forall(var, result) if kind == "all" else terms.exists(var, result)
            return result

        inner = path.fork()
        scope = self.enter_generator(generated, node, inner, at)
        result = gather(generated.closure.function.body, inner, scope)
        self.no_effects(inner, path, node, at)
        return result

    def collected(self, generated: Generated, what: str, node: ast.AST, path: Path, at: Scope) -> tuple[Value, ...]:
        """The values of a generator expression over fixed groups of values, which a function of Python's (`what`) takes."""
        found: list[Value] = []

        def gather(body: core.Block, inner: Path, scope: Scope) -> None:
            *before, last = body
            self.block_once(tuple(before), inner, scope)
            match last:
                case core.Emit(value):
                    found.append(self.ev(value, inner, scope))
                case core.If():
                    cond = self.truth(self.ev(last.test, inner, scope), last.test.node, scope)
                    if not isinstance(cond, ir.Lit):
                        reason = f"{what}() takes a fixed number of values, and how many there are depends on the state here"
                        scope.source.fail(last.test.node, reason, of_a_sort(what)[1])
                    if cond.value:
                        gather(last.body, inner, scope)
                case core.For():
                    iterated = self.iterated(self.ev(last.iterable, inner, scope), last.iterable.node, scope)
                    if isinstance(iterated, Product):
                        scope.source.fail(last.iterable.node, *of_a_sort(what))
                    for item in iterated:
                        inner.env[scope, last.target] = item
                        gather(last.body, inner, scope)

        inner = path.fork()
        scope = self.enter_generator(generated, node, inner, at)
        gather(generated.closure.function.body, inner, scope)
        self.no_effects(inner, path, node, at)
        return tuple(found)

    def unrolled(
        self, generated: Generated, what: str, node: ast.AST, path: Path, at: Scope
    ) -> list[tuple[ir.Expr, Value]]:
        """The values of a generator expression for every element of what it goes through, each with when it is given."""
        found: list[tuple[ir.Expr, Value]] = []

        def gather(body: core.Block, inner: Path, scope: Scope) -> None:
            *before, last = body
            self.block_once(tuple(before), inner, scope)
            match last:
                case core.Emit(atom):
                    cond = terms.and_(*inner.conds[len(path.conds) :])
                    found.append((cond, self.ev(atom, inner, scope)))
                case core.If():
                    cond = self.truth(self.ev(last.test, inner, scope), last.test.node, scope)
                    if cond is not ir.FALSE:
                        yes = inner.fork(cond)
                        gather(last.body, yes, scope)
                        self.no_effects(yes, inner, node, at)
                case core.For():
                    iterated = self.iterated(self.ev(last.iterable, inner, scope), last.iterable.node, scope)
                    for item in self.listed(iterated) if isinstance(iterated, Product) else iterated:
                        if len(found) > MOST_VALUES:
                            at.source.fail(node, f"{what}() goes through more than {MOST_VALUES:,} values")
                        sub = inner.fork()
                        sub.env[scope, last.target] = item
                        gather(last.body, sub, scope)
                        self.no_effects(sub, inner, node, at)

        inner = path.fork()
        scope = self.enter_generator(generated, node, inner, at)
        before, self.unrolling = self.unrolling, True
        gather(generated.closure.function.body, inner, scope)
        self.unrolling = before
        self.no_effects(inner, path, node, at)
        return found

    def listed(self, product: Product) -> list[Value]:
        """All elements of sorts, at these sizes."""
        if not product.tuples:
            return list(self.values(product.sorts[0]))
        return [Tup(items) for items in itertools.product(*map(self.values, product.sorts))]

    def enter_generator(self, generated: Generated, node: ast.AST, path: Path, at: Scope) -> Scope:
        function = generated.closure.function
        scope = at.inner(node, function, generated.closure.scope, node)
        path.env[scope, function.parameters[0][0]] = generated.through
        return scope

    def no_effects(self, sub: Path, path: Path, node: ast.AST, at: Scope) -> None:
        if sub.updates != path.updates:
            at.source.fail(
                node,
                "a condition over many elements must not change the state",
                "Make the change in a loop of its own.",
            )


def with_binders(update: ir.Update, variables: Iterable[ir.Var]) -> ir.Update:
    """The update for all values of the variables, each of which is an argument; a second occurrence becomes a condition."""
    args: list[Any] = list(update.args)
    binders, conds = list(update.binders), [update.cond]
    for var in variables:
        for position in [i for i, a in enumerate(args) if a is var][1:]:
            twin = terms.fresh_var(var, [*binders, *(v for a in args for v in terms.free_vars(a)), *variables])
            args[position] = twin
            binders.append(twin)
            conds.append(terms.eq(twin, var))
        binders.append(var)
    return ir.Update(update.var, tuple(binders), tuple(args), terms.and_(*conds), update.value)
