"""The properties of a system as LLVM functions.

i64 @check(i64 word0, ...)      bit number i is set if property i is violated (of a "reachable" one: reached)
i64 @watch(i64 seen, i64 word0, ...)    the same for what is watched, as far as its bits are not in `seen` yet
i1 @final(i64 word0, ...)       whether having no successor is all right
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flushproof.model.ir import Clause, Expr, Property, Var, terms

from ..task import WELL_DEFINED
from .code import Code
from .expressions import Expressions
from .layout import Layout
from .steps import Budget, bind_fresh, choices, conjuncts_of, tests


def check_function(layout: Layout, properties: Sequence[Property], budget: Budget) -> str:
    """`@check` for these properties, at most 64."""
    words = [f"%word{i}" for i in range(layout.words)]
    code = Code("check", "i64", [f"i64 {w}" for w in words], most=budget.lines)
    expressions = Expressions(code, layout, words, budget.quantifier)
    found = code.variable("i64", 0)

    def note(number: int) -> None:
        code.set(found, code.bits_or(code.get(found), 1 << number))

    for number, prop in enumerate(properties):
        for clauses in _alike(prop):
            bind_fresh(expressions, _fresh(layout, prop, clauses[0]))
            with expressions.scope():
                _clauses(expressions, prop, clauses, lambda number=number: note(number), budget)  # type: ignore[misc]
    code.line(f"ret i64 {code.get(found)}")
    return code.text()


def watch_function(layout: Layout, watched: Sequence[Property], first: int, budget: Budget) -> str:
    """`@watch`; the first of these has the bit `first`."""
    words = [f"%word{i}" for i in range(layout.words)]
    code = Code("watch", "i64", ["i64 %seen", *(f"i64 {w}" for w in words)], "noinline nounwind", budget.lines)
    expressions = Expressions(code, layout, words, budget.quantifier)
    found = code.variable("i64", 0)
    for number, prop in enumerate(watched, first):
        known = code.bits_and("%seen", 1 << number)
        with expressions.when(code.equal(known, 0)):
            for clause in prop.clauses:
                with expressions.scope():
                    _clauses(
                        expressions,
                        prop,
                        [clause],
                        lambda number=number: code.set(found, code.bits_or(code.get(found), 1 << number)),  # type: ignore[misc]
                        budget,
                    )
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


def _alike(prop: Property) -> list[list[Clause]]:
    """Clauses with the same parameters and event together: the obligations of one action share its guard."""
    groups: dict[object, list[Clause]] = {}
    for clause in prop.clauses:
        groups.setdefault((clause.params, clause.event), []).append(clause)
    return list(groups.values())


def _clauses(
    expressions: Expressions, prop: Property, clauses: Sequence[Clause], note: Callable[[], None], budget: Budget
) -> None:
    """Writes `note` where one of the clauses is violated (or its expression reached)."""
    wanted = [c.expr if prop.kind == "reachable" else terms.not_(c.expr) for c in clauses]
    conjuncts = [conjuncts_of(c.guard, w) for c, w in zip(clauses, wanted, strict=True)]
    common = [c for c in conjuncts[0] if all(c in others for others in conjuncts)]

    def tested() -> None:
        for parts in conjuncts:
            tests(expressions, [c for c in parts if c not in common], note)

    size = 1 + sum(expressions.size(c) for parts in conjuncts for c in parts)
    unrolled = max(1, budget.action // size) if budget.action else 0
    choices(expressions, clauses[0].params, common, unrolled, tested)
