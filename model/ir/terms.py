"""Making and changing expressions: constructors that fold constants, substitution, knobs turned into constants.

Every constructor returns an expression with the same meaning as the plain node of `ir`, only smaller where that is cheap
to see.  Code that builds expressions uses these, so that a fixed knob makes everything that depended on it disappear.

Long because each kind of node has its constructor, and its place in every change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import assert_never

from .system import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    And,
    BoolSort,
    Clause,
    Cost,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    Not,
    Obligation,
    OptionSort,
    Or,
    Plus,
    Property,
    Quant,
    Read,
    Scalarset,
    Some,
    Sort,
    System,
    The,
    Update,
    Var,
    walk,
)


def lit(value: bool) -> Lit:
    return TRUE if value else FALSE


def literal(sort: Sort, code: int) -> Lit:
    """The value with this code (see `instance`); also of a scalarset, whose elements no model names."""
    match sort:
        case BoolSort():
            return TRUE if code else FALSE
        case EnumSort():
            return Lit(sort.members[code], sort)
        case IntSort():
            return Lit(sort.lo + code, sort)
        case OptionSort():
            return Lit(None if code == 0 else literal(sort.base, code - 1).value, sort)
        case Scalarset() | CounterSort():
            return Lit(code, sort)
    assert_never(sort)


def not_(arg: Expr) -> Expr:
    match arg:
        case Lit():
            return lit(not arg.value)
        case Not():
            return arg.arg
        case _:
            return Not(arg)


def and_(*args: Expr) -> Expr:
    return _junction(And, TRUE, FALSE, args)


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """What must hold together, one by one."""
    return expr.args if isinstance(expr, And) else (expr,)


def or_(*args: Expr) -> Expr:
    return _junction(Or, FALSE, TRUE, args)


def _junction(node: type[And] | type[Or], unit: Expr, zero: Expr, args: Iterable[Expr]) -> Expr:
    flat: dict[Expr, None] = {}
    for arg in args:
        for part in arg.args if isinstance(arg, node) else (arg,):
            if part is zero or not_(part) in flat:
                return zero
            if part is not unit:
                flat[part] = None
    if not flat:
        return unit
    return next(iter(flat)) if len(flat) == 1 else node(tuple(flat))


def implies(left: Expr, right: Expr) -> Expr:
    return or_(not_(left), right)


def eq(left: Expr, right: Expr) -> Expr:
    if left is right:
        return TRUE
    match left, right:
        case (Lit(), Lit()):
            return lit(left.value == right.value)
        case (Some(), Some()):
            return eq(left.arg, right.arg)
        case (Some(), Lit(None)) | (Lit(None), Some()):
            return FALSE
        case (Some(), Lit()):
            return eq(left.arg, Lit(right.value, left.arg.sort))
        case (Lit(), Some()):
            return eq(right, left)
        case (Lit(), _) if left.of == BOOL:
            return right if left.value else not_(right)
        case (_, Lit()) if right.of == BOOL:
            return left if right.value else not_(left)
        case (Ite(), Lit() | Some()) if isinstance(left.then, (Lit, Some)) or isinstance(left.other, (Lit, Some)):
            return ite(left.cond, eq(left.then, right), eq(left.other, right))
        case (Lit() | Some(), Ite()):
            return eq(right, left)
    return Eq(left, right)


def less(left: Expr, right: Expr) -> Expr:
    if left is right:
        return FALSE
    match left, right:
        case (Lit(), Lit()):
            return lit(_rank(left) < _rank(right))
        case (_, Lit(0, CounterSort())):
            return FALSE
    return Less(left, right)


def _rank(literal: Lit) -> int:
    if isinstance(literal.of, EnumSort):
        return literal.of.members.index(str(literal.value))
    assert isinstance(literal.value, int)
    return literal.value


def ite(cond: Expr, then: Expr, other: Expr) -> Expr:
    if cond is TRUE or then is other:
        return then
    if cond is FALSE:
        return other
    if other is cond:
        return and_(cond, then)
    if then is cond:
        return or_(cond, other)
    if isinstance(cond, Not):
        return ite(cond.arg, other, then)
    if then.sort == BOOL:
        if then is TRUE:
            return or_(cond, other)
        if then is FALSE:
            return and_(not_(cond), other)
        if other is TRUE:
            return or_(not_(cond), then)
        if other is FALSE:
            return and_(cond, then)
    return Ite(cond, then, other)


def some(arg: Expr) -> Expr:
    return Some(arg)


def the(arg: Expr) -> Expr:
    match arg:
        case Some():
            return arg.arg
        case Lit(value, OptionSort(base)) if value is not None:
            return Lit(value, base)
        case Ite(cond, then, Lit(None)):
            return the(then)
        case Ite(cond, Lit(None), other):
            return the(other)
        case Ite(cond, then, other) if isinstance(then, Some) or isinstance(other, Some):
            return ite(cond, the(then), the(other))
        case _:
            return The(arg)


def is_none(arg: Expr) -> Expr:
    return eq(arg, Lit(None, arg.sort))


def plus(*args: Expr | int) -> Expr:
    """The sum; what is known of it stands in one literal at its end."""
    known, low, high = 0, 0, 0  # the literals' sum, and the sum of their ranges
    rest: list[Expr] = []
    for arg in args:
        for part in arg.args if isinstance(arg, Plus) else (arg,):
            match part:
                case int():
                    known, low, high = known + part, low + part, high + part
                case Lit(int() as value, IntSort(lo, hi)):
                    known, low, high = known + value, low + lo, high + hi
                case _:
                    rest.append(part)
    if (known, low, high) != (0, 0, 0) or not rest:
        rest.append(Lit(known, IntSort(low, high)))
    return rest[0] if len(rest) == 1 else Plus(tuple(rest))


def negated(arg: Expr) -> Expr:
    match arg:
        case Lit(int() as value, IntSort(lo, hi)):
            return Lit(-value, IntSort(-hi, -lo))
        case Negated():
            return arg.arg
    return Negated(arg)


def narrow(arg: Expr, to: IntSort) -> Expr:
    if arg.sort == to:
        return arg
    if isinstance(arg, Lit):
        return Lit(min(max(int(arg.value or 0), to.lo), to.hi), to)
    return Narrow(arg, to)


def forall(var: Var, body: Expr) -> Expr:
    return Quant("forall", var, body) if var in free_vars(body) else body


def exists(var: Var, body: Expr) -> Expr:
    return Quant("exists", var, body) if var in free_vars(body) else body


def close(params: Iterable[Var], body: Expr) -> Expr:
    """`forall params. body`, for finite and for non-empty unbounded sorts alike."""
    for var in reversed(tuple(params)):
        body = forall(var, body)
    return body


def closed(clause: Clause) -> Expr:
    """The clause as one closed formula."""
    return close(clause.params, implies(clause.guard, clause.expr))


def formula(prop: Property) -> Expr:
    """The property as one closed formula (for a "reachable" one: what must be reached)."""
    return and_(*map(closed, prop.clauses))


_FREE: dict[Expr, frozenset[Var]] = {}


def free_vars(expr: Expr) -> frozenset[Var]:
    """The variables that no quantifier inside `expr` binds."""
    found = _FREE.get(expr)
    if found is None:
        match expr:
            case Var():
                found = frozenset((expr,))
            case Quant():
                found = free_vars(expr.body) - {expr.var}
            case _:
                from .system import children

                found = frozenset().union(*map(free_vars, children(expr)))
        _FREE[expr] = found
    return found


def reads(*exprs: Expr) -> frozenset[str]:
    """The names of the state variables that are read."""
    return frozenset(e.name for e in walk(*exprs) if isinstance(e, Read))


def rewrite(expr: Expr, change: Callable[[Expr], Expr | None], memo: dict[Expr, Expr] | None = None) -> Expr:
    """`expr` with every subexpression for which `change` returns an expression replaced by that one, from the leaves up,
    rebuilt with the folding constructors.  `change` sees nodes whose children are already rewritten.

    Binders are not renamed: what `change` puts in must not mention a variable bound above it (see `substitute`).
    """
    memo = {} if memo is None else memo

    def go(e: Expr) -> Expr:
        done = memo.get(e)
        if done is None:
            done = _rebuild(e, go)
            changed = change(done)
            if changed is not None:
                done = changed
            memo[e] = done
        return done

    return go(expr)


def _rebuild(expr: Expr, go: Callable[[Expr], Expr]) -> Expr:
    match expr:
        case Lit() | Var():
            return expr
        case Read():
            return Read(expr.name, tuple(map(go, expr.args)), expr.of)
        case Not():
            return not_(go(expr.arg))
        case And():
            return and_(*map(go, expr.args))
        case Or():
            return or_(*map(go, expr.args))
        case Eq():
            return eq(go(expr.left), go(expr.right))
        case Less():
            return less(go(expr.left), go(expr.right))
        case Ite():
            return ite(go(expr.cond), go(expr.then), go(expr.other))
        case Some():
            return some(go(expr.arg))
        case The():
            return the(go(expr.arg))
        case Plus():
            return plus(*map(go, expr.args))
        case Negated():
            return negated(go(expr.arg))
        case Narrow():
            return narrow(go(expr.arg), expr.of)
        case Quant():
            body = go(expr.body)
            return forall(expr.var, body) if expr.kind == "forall" else exists(expr.var, body)


def substitute(expr: Expr, values: Mapping[Var, Expr]) -> Expr:
    """`expr` with free variables replaced; bound variables are renamed where they would capture one."""
    values = {v: e for v, e in values.items() if v in free_vars(expr) and v is not e}
    if not values:
        return expr
    memo: dict[Expr, Expr] = {}

    def go(e: Expr) -> Expr:
        if not free_vars(e) & values.keys():
            return e
        done = memo.get(e)
        if done is None:
            if isinstance(e, Var):
                done = values[e]
            elif isinstance(e, Quant):
                inner = {v: x for v, x in values.items() if v is not e.var}
                var = e.var
                captured = frozenset().union(*(free_vars(x) for v, x in inner.items() if v in free_vars(e.body)))
                if var in captured:
                    var = fresh_var(var, captured | free_vars(e.body))
                    inner[e.var] = var
                body = substitute(e.body, inner)
                done = forall(var, body) if e.kind == "forall" else exists(var, body)
            else:
                done = _rebuild(e, go)
            memo[e] = done
        return done

    return go(expr)


def without_fresh(expr: Expr, fresh: Sequence[Var]) -> Expr:
    """An expression as it is for fresh values: they are above all others, in order.

    Where one is compared with a value that is fresh under a condition, such as `new if flag else old`, each way is looked at.
    """
    order: dict[Expr, int] = {var: place for place, var in enumerate(fresh)}

    def place(side: Expr) -> int | None:
        """Of a fresh value its place, of what has none in it -1."""
        value = side.arg if isinstance(side, Some) else side
        return order.get(value, -1 if free_vars(value).isdisjoint(fresh) else None)

    def change(e: Expr) -> Expr | None:
        if not isinstance(e, (Eq, Less)):
            return None
        left, right = place(e.left), place(e.right)
        if left == right == -1:
            return None
        if left is not None and right is not None:
            return lit(left == right if isinstance(e, Eq) else left < right)
        compare = eq if isinstance(e, Eq) else less
        match e.left, e.right:
            case Ite(cond, then, other), side if left is None:
                ways = compare(then, side), compare(other, side)
            case side, Ite(cond, then, other) if right is None:
                ways = compare(side, then), compare(side, other)
            case _:
                return None
        return rewrite(ite(cond, *ways), change)

    return rewrite(expr, change) if fresh else expr


def fresh_var(var: Var, taken: Iterable[Var]) -> Var:
    """A variable like `var` with a name that none of `taken` has."""
    names = {v.name for v in taken}
    return Var(next(n for i in count(2) if (n := f"{var.name}{i}") not in names), var.of)


def deciding(action: Action) -> list[Expr]:
    """What the outcome of a step depends on."""
    return [action.guard, *(e for u in action.updates for e in (*u.args, u.cond, u.value))]


def exprs_of(action: Action) -> list[Expr]:
    """Everything that an action evaluates."""
    owed = [e for o in action.obligations for e in (o.when, o.expr)]
    return [*deciding(action), *owed, *(c.cond for c in action.costs)]


def map_action(action: Action, f: Callable[[Expr], Expr]) -> Action:
    """The action with `f` applied to each of its expressions; updates whose condition became false are dropped."""
    updates = tuple(
        Update(u.var, u.binders, tuple(map(f, u.args)), cond, f(u.value))
        for u in action.updates
        if (cond := f(u.cond)) is not FALSE
    )
    obligations = tuple(
        Obligation(when, expr, o.message, o.place)
        for o in action.obligations
        if (when := f(o.when)) is not FALSE and (expr := f(o.expr)) is not TRUE
    )
    costs = tuple(
        Cost(c.name, c.binders, cond, c.entry and f(c.entry), c.event)  # type: ignore[arg-type]  # a read stays a read
        for c in action.costs
        if (cond := f(c.cond)) is not FALSE
    )
    named = tuple((name, f(expr)) for name, expr in action.named)
    return replace(
        action, guard=f(action.guard), updates=updates, obligations=obligations, costs=costs, named=named
    )


def map_clauses(clauses: Iterable[Clause], f: Callable[[Expr], Expr]) -> tuple[Clause, ...]:
    return tuple(
        replace(c, guard=f(c.guard), expr=f(c.expr), named=tuple((name, f(expr)) for name, expr in c.named)) for c in clauses
    )


def map_property(prop: Property, f: Callable[[Expr], Expr]) -> Property:
    return replace(prop, clauses=map_clauses(prop.clauses, f))


def map_system(system: System, f: Callable[[Expr], Expr]) -> System:
    """The system with `f` applied to each of its expressions; actions whose guard became false are dropped.

    Not those that owe something: such a step is undefined before it comes to what forbids it.
    """
    mapped = [map_action(a, f) for a in system.actions]
    actions = tuple(a for a in mapped if a.guard is not FALSE or a.obligations)
    return replace(
        system,
        init=map_action(system.init, f),
        actions=actions,
        properties=tuple(map_property(p, f) for p in system.properties),
        undefined=tuple(c for c in map_clauses(system.undefined, f) if FALSE is not c.guard and c.expr is not TRUE),
        lemmas=tuple(map_property(p, f) for p in system.lemmas),
        hints=tuple(replace(h, expr=f(h.expr)) for h in system.hints),
        progress=tuple(replace(p, within=f(p.within)) for p in system.progress),
        final=f(system.final),
        named=tuple(replace(n, when=when) for n in system.named if (when := f(n.when)) is not FALSE),
        settle=map_action(system.settle, f),
    )


def fix_knobs(system: System, values: Mapping[str, Expr]) -> System:
    """The system with these knobs replaced by what they are, folded away if that is a constant, and no longer state variables."""
    memo: dict[Expr, Expr] = {}

    def change(expr: Expr) -> Expr | None:
        return values.get(expr.name) if isinstance(expr, Read) else None

    fixed, gone = map_system(system, lambda e: rewrite(e, change, memo)), values.keys() - reads(*values.values())
    return replace(fixed, variables=tuple(v for v in fixed.variables if v.name not in gone))


def well_defined(system: System) -> Property:
    """The built-in property that every action's obligations hold as far as the action comes, and those of events and of the
    initial state.

    Of an action's parameters a clause has those that it mentions, and the CPU that acts: the others have no say in it.
    """
    clauses = []
    for a in system.actions:
        for o in a.obligations:
            mentioned = free_vars(o.when) | free_vars(o.expr)
            params = tuple(p for p in a.params if p in mentioned or p == a.cpu)
            clauses.append(Clause(params, o.when, o.expr, event=a.name, cpu=a.cpu, message=o.message, place=o.place))
    return Property(
        "well-defined", (*clauses, *system.undefined), doc="No step reads the element of a None, or leaves the range of a number."
    )
