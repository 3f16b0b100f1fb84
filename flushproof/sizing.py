"""What sizes leave out: elements too few for what a system speaks of, and orders between sizes other than the system's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from flushproof.model.ir import Expr, OptionSort, Quant, Scalarset, Sort, System, Var, children
from flushproof.model.ir.instance import Instance


def hints(instance: Instance, system: System) -> tuple[str, ...]:
    """What the sizes of this instance leave out, in words; `system` has its own sizes."""
    return (*_too_few(instance), *_turned(instance, system))


def _too_few(instance: Instance) -> Iterator[str]:
    """Sorts with fewer elements than some step or property speaks of at once."""
    roles: dict[str, tuple[int, str]] = {}
    for action in instance.system.actions:
        _note(roles, _most(action.params, action.guard), f"the step '{action.name}'")
    for prop in instance.system.properties:
        for clause in prop.clauses:
            most = _most(clause.params, clause.guard) | _most(clause.params, clause.expr)
            _note(roles, most, f"the property '{prop.name}'")
    for name, (count, what) in roles.items():
        size = instance.sizes[name]
        if size < count:
            yield (
                f"{name} has {size} element{'' if size == 1 else 's'}, and {what} speaks of {count}: it was never looked at with "
                f"{count} different ones. Try --size {name.lower()}={count}."
            )


def _note(roles: dict[str, tuple[int, str]], most: Counter[str], what: str) -> None:
    for name, count in most.items():
        if count > roles.get(name, (1, ""))[0]:
            roles[name] = (count, what)


def _most(params: Sequence[Var], expr: Expr) -> Counter[str]:
    """Of each sort, how many variables an expression has at once: parameters, and those of quantifiers around each other."""
    memo: dict[Expr, Counter[str]] = {}

    def inside(e: Expr) -> Counter[str]:
        if e not in memo:
            found: Counter[str] = Counter()
            for child in children(e):
                found |= inside(child)
            if isinstance(e, Quant):
                found += _sorts([e.var.of])
            memo[e] = found
        return memo[e]

    return _sorts([p.of for p in params]) + inside(expr)


def _sorts(sorts: Sequence[Sort]) -> Counter[str]:
    plain = [s.base if isinstance(s, OptionSort) else s for s in sorts]
    return Counter(s.name for s in plain if isinstance(s, Scalarset))


def _turned(instance: Instance, system: System) -> Iterator[str]:
    """Where there are too few values for each place to hold one of its own, though the system's own sizes have enough (or one
    to spare, and now none): as many VMIDs as CPUs, say."""
    seen = set()
    for variable in instance.system.variables:
        value = variable.sort.base if isinstance(variable.sort, OptionSort) else variable.sort
        for index in variable.index:
            if not isinstance(value, Scalarset) or not isinstance(index, Scalarset) or (index, value) in seen:
                continue
            seen.add((index, value))
            usual = system.sizes[value.name] - system.sizes[index.name]
            here = instance.sizes[value.name] - instance.sizes[index.name]
            if here < 0 <= usual or here == 0 < usual:
                words, so = (
                    ("fewer", "they never all have different ones")
                    if here < 0
                    else ("no more", "when each has one of its own, none is to spare")
                )
                yield (
                    f"There are {words} {value.name} than {index.name} here, and usually {'more' if usual else 'as many'} "
                    f"('{variable.name}' gives each {index.name} a {value.name}): {so}."
                )
