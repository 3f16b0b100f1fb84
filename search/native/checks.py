"""The properties of a system as LLVM functions.

i64 @check(i64 word0, ...)      bit number i is set if property i is violated (of a "reachable" one: reached)
i1 @final(i64 word0, ...)       whether having no successor is all right
"""

from __future__ import annotations

from collections.abc import Sequence

from flushproof.model.language import terms
from flushproof.model.language.ir import Clause, Expr, Property, Var

from ..task import WELL_DEFINED
from .code import Code
from .expressions import Expressions
from .layout import Layout
from .steps import Budget, bind_fresh, choices, conjuncts_of


def check_function(layout: Layout, properties: Sequence[Property], budget: Budget) -> str:
    """`@check` for these properties, at most 64."""
    words = [f"%word{i}" for i in range(layout.words)]
    code = Code("check", "i64", [f"i64 {w}" for w in words])
    expressions = Expressions(code, layout, words, budget.quantifier)
    found = code.variable("i64", 0)
    for number, prop in enumerate(properties):
        for clause in prop.clauses:
            _clause(expressions, clause, _fresh(layout, prop, clause), found, number, prop.kind == "reachable", budget)
    code.line(f"ret i64 {code.get(found)}")
    return code.text()


def final_function(layout: Layout, final: Expr, budget: Budget) -> str:
    """`@final`."""
    words = [f"%word{i}" for i in range(layout.words)]
    code = Code("final", "i1", [f"i64 {w}" for w in words])
    code.line(f"ret i1 {Expressions(code, layout, words, budget.quantifier)(final)}")
    return code.text()


def _fresh(layout: Layout, prop: Property, clause: Clause) -> tuple[Var, ...]:
    """What an obligation may mention besides parameters: the fresh values of its action."""
    if prop.name != WELL_DEFINED:
        return ()
    return next((a.fresh for a in layout.instance.system.actions if a.name == clause.event), ())


def _clause(
    expressions: Expressions,
    clause: Clause,
    fresh: tuple[Var, ...],
    found: str,
    number: int,
    reachable: bool,
    budget: Budget,
) -> None:
    """Sets the property's bit where the clause is violated (or its expression reached)."""
    code = expressions.code
    wanted = clause.expr if reachable else terms.not_(clause.expr)
    conjuncts = conjuncts_of(clause.guard, wanted)

    def note() -> None:
        code.set(found, code.bits_or(code.get(found), 1 << number))

    size = 1 + sum(map(expressions.size, conjuncts))
    bind_fresh(expressions, fresh)
    with expressions.scope():
        choices(expressions, clause.params, conjuncts, budget.action // size, note)
