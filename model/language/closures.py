"""Closures: hardware that acts by itself after every step, until nothing changes any more.

That end is the same in whatever order closures run, if each is monotone: it gives every variable that it writes one constant,
and what it reads of such variables can only make it do more.  How often all must run then follows from which of them feeds which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import networkx as nx
from flushproof.model import ir
from flushproof.model.errors import ModelError
from flushproof.model.ir import terms

from .declarations import Member
from .source import source_of


@dataclass(frozen=True)
class Effect:
    """What one closure does, alone: its updates, in order."""

    member: Member
    updates: tuple[ir.Update, ...]

    @property
    def writes(self) -> frozenset[str]:
        return frozenset(u.var for u in self.updates)

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads or writes."""
        return self.writes | terms.reads(*(e for u in self.updates for e in (*u.args, u.cond, u.value)))

    def fail(self, message: str, hint: str) -> ModelError:
        source = source_of(self.member.function)
        return source.error(source.tree, message, hint)


def rounds(effects: Sequence[Effect]) -> int:
    """How often all closures must run, one after another in this order, until nothing changes.

    Raises:
        ModelError: one is not monotone, or they feed each other in a circle, so that there is no such number.
    """
    targets: dict[str, bool] = {}
    for effect in effects:
        for update in effect.updates:
            if not (isinstance(update.value, ir.Lit) and update.value.of == ir.BOOL):
                raise effect.fail(
                    f"the closure '{effect.member.attribute}' gives '{update.var}' a value that is no constant truth value",
                    "A closure only adds what may be cached: write `if ...: self.m[x] = True`.",
                )
            value = bool(update.value.value)
            if targets.setdefault(update.var, value) != value:
                raise effect.fail(
                    f"closures both set and clear '{update.var}'", "Then what they come to depends on their order."
                )
    graph: nx.DiGraph[str] = nx.DiGraph()
    again = 1
    order = [(effect, update) for effect in effects for update in effect.updates]
    for number, (effect, update) in enumerate(order):
        graph.add_node(update.var)
        later = {u.var for _, u in order[number:]}
        for name in sorted(terms.reads(*update.args) & set(targets)):
            raise effect.fail(
                f"the closure '{effect.member.attribute}' writes where '{name}' says, which a closure changes",
                "A closure is monotone: what hardware did already never leads it elsewhere.",
            )
        for read, positive in polar(update.cond, True):
            if read.name not in targets:
                continue
            if positive != targets[read.name]:
                raise effect.fail(
                    f"the closure '{effect.member.attribute}' does less where '{read.name}' was done by a closure",
                    "A closure is monotone: what hardware did already never keeps it from doing more.",
                )
            if read.name == update.var and read.args == update.args:
                continue  # whether the location itself has the value already makes no difference
            graph.add_edge(read.name, update.var)
            if read.name in later:
                again += 1
    circle = next(nx.simple_cycles(graph), None)
    if circle is not None:
        effect = next(e for e in effects if circle[0] in e.writes)
        names = ", ".join(f"'{name}'" for name in circle)
        raise effect.fail(
            f"closures feed {names} from one element to another, and no number of rounds is enough for any size",
            "Write what all rounds together come to.",
        )
    return min(again, 1 + nx.dag_longest_path_length(graph) if graph else 1)


def polar(expr: ir.Expr, positive: bool) -> Iterator[tuple[ir.Read, bool]]:
    """Each read of state in a condition, and whether it can only help the condition to hold (or, negated, only hinder it)."""
    match expr:
        case ir.Read() if expr.of == ir.BOOL:
            yield expr, positive
            for arg in expr.args:
                yield from both(arg)
        case ir.Not():
            yield from polar(expr.arg, not positive)
        case ir.And() | ir.Or():
            for arg in expr.args:
                yield from polar(arg, positive)
        case ir.Quant():
            yield from polar(expr.body, positive)
        case ir.Ite() if expr.sort == ir.BOOL:
            yield from both(expr.cond)
            yield from polar(expr.then, positive)
            yield from polar(expr.other, positive)
        case _:
            yield from both(expr)


def both(expr: ir.Expr) -> Iterator[tuple[ir.Read, bool]]:
    """Reads where they may help as well as hinder."""
    for inside in ir.walk(expr):
        if isinstance(inside, ir.Read):
            yield inside, True
            yield inside, False
