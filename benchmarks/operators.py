"""Systems changed in one place: something left out, two statements in the other order, a step split in two, an actor more.

What is left out and who is added is changed in the compiled system; statements are changed in its source and in that of what it
inherits, where they stand in the order of the code.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from flushproof.model import ir
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import terms
from flushproof.model.ir.instance import Instance
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.reductions.fusion import fuse_hidden

from .sources import whole_source

Operator = Literal["left out", "reordered", "split", "actor"]
OPERATORS: Mapping[Operator, str] = {
    "left out": "a conjunct of a guard, or what one step writes to one variable, is left out",
    "reordered": "two neighbouring statements change places; the labels that end steps stay where they are",
    "split": "a step is two: others may come between two neighbouring statements",
    "actor": "somebody else may take a step of a process at any time, whatever the process has done before",
}

UNCOUNTED = {"cost", "count_invalidation", "dropped", "occurs"}
"""Calls that count: no verdict depends on them."""

AND_THEN = "and then"
"""How the label begins that splits a step."""


@dataclass(frozen=True)
class Setting:
    """A policy of a system, with further knobs, at the system's own sizes where no others are given."""

    policy: str
    knobs: tuple[tuple[str, Any], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()

    def instance(self, cls: type[System]) -> Instance:
        return _instance(cls, self)


@lru_cache(maxsize=30)
def _instance(cls: type[System], setting: Setting) -> Instance:
    return instantiate(cls, setting.policy, dict(setting.knobs), dict(setting.sizes))


@dataclass(frozen=True)
class Mutant:
    """A system with one thing changed; `name` says which, and is the same under every setting.

    made: the mutant under a setting; None where it is the system itself there, or is none (what was changed is not there).
    """

    operator: Operator
    name: str
    made: Callable[[Setting], Instance | None]


def mutants(
    cls: type[System], setting: Setting, folder: Path, environment: Sequence[str] = ()
) -> Iterator[Mutant]:
    """All mutants of a system that differ from it under this setting, by operator.

    folder: for the changed sources.
    environment: actions whose names begin so, and methods, are left as they are: what guests may do, VMs that come and go.
    """
    names: Counter[tuple[str, str]] = Counter()
    for operator, name, made in (
        *_compiled(cls, setting, environment),
        *_written(cls, whole_source(cls), folder, environment),
    ):
        names[operator, name] += 1
        several = names[operator, name]
        yield Mutant(operator, name if several == 1 else f"{name} ({several})", made)


_Found = tuple[Operator, str, Callable[[Setting], "Instance | None"]]

# ----------------------------------------------------------------------------------------------- of the compiled system


def _compiled(cls: type[System], setting: Setting, environment: Sequence[str]) -> Iterator[_Found]:
    system = setting.instance(cls).system
    for action in system.actions:
        if not action.name.startswith(tuple(environment)):
            for operator, what, _ in _changes(system, action):
                yield operator, f"{action.label or action.name} / {what}", _again(cls, action.name, operator, what)


def _again(cls: type[System], name: str, operator: Operator, what: str) -> Callable[[Setting], Instance | None]:
    def made(setting: Setting) -> Instance | None:
        instance = setting.instance(cls)
        for number, action in enumerate(instance.system.actions):
            if action.name == name:
                for o, w, changed in _changes(instance.system, action):
                    if (o, w) == (operator, what):
                        actions = instance.system.actions
                        around = actions[:number], actions[number + 1 :]
                        return replace(
                            instance, system=replace(instance.system, actions=(*around[0], *changed, *around[1]))
                        )
        return None

    return made


def _changes(system: ir.System, action: ir.Action) -> Iterator[tuple[Operator, str, tuple[ir.Action, ...]]]:
    """What may become of an action, each change under a name of its own."""
    seen: Counter[str] = Counter()

    def told(what: str) -> str:
        seen[what] += 1
        return what if seen[what] == 1 else f"{what}, {seen[what]}"

    fills = frozenset((u.var, u.value) for u in system.settle.updates)
    for what, changed in (*_weaker_guards(action), *_fewer_writes(system, action, fills)):
        yield "left out", told(what), (changed,)
    actor = _by_somebody_else(action, fills)
    if actor is not None:
        yield "actor", "by somebody else", (action, actor)


def _weaker_guards(action: ir.Action) -> Iterator[tuple[str, ir.Action]]:
    parts = terms.conjuncts(action.guard)
    for part in parts:
        names = sorted(terms.reads(part))
        if names and not any(name.endswith(".pc") for name in names):
            rest = terms.and_(*(p for p in parts if p is not part))
            yield f"requires {', '.join(names)}", replace(action, guard=rest)


_Fills = frozenset[tuple[str, ir.Expr]]
"""What closures write: variables, and the one constant that each of them gets."""


def _fewer_writes(system: ir.System, action: ir.Action, fills: _Fills) -> Iterator[tuple[str, ir.Action]]:
    """Left alone are program counters, without which there are no steps; what closures add; the default values that process
    locals get back when they are not needed any more; and locals of sorts without a default: who reads one that was never
    written is no program."""
    names = dict.fromkeys(u.var for u in action.updates if not _is_kept(action, u, fills))
    names = {n: None for n in names if not (_is_own(action, n) and _has_no_default(system.variable[n].sort))}
    for name in names:
        kept = tuple(u for u in action.updates if u.var != name or _is_kept(action, u, fills))
        yield f"writes {name}", replace(action, updates=kept)


def _is_kept(action: ir.Action, update: ir.Update, fills: _Fills) -> bool:
    counter = update.var.endswith(".pc")
    return (
        counter
        or (update.var, update.value) in fills
        or (_is_own(action, update.var) and isinstance(update.value, ir.Lit))
    )


def _has_no_default(sort: ir.Sort) -> bool:
    return isinstance(sort, ir.Scalarset) and not sort.ordered


def _is_own(action: ir.Action, name: str) -> bool:
    """Whether this is the program counter or a local of the action's process."""
    return action.process is not None and name.startswith(f"{action.process}.")


def _by_somebody_else(action: ir.Action, fills: _Fills) -> ir.Action | None:
    """The step of a process as an action of its own, for any values of what the process knows; None where it changes nothing
    but what the process knows, or that has values no action chooses (of counters)."""
    updates = tuple(u for u in action.updates if not _is_own(action, u.var))
    if action.process is None or not any(not _is_kept(action, u, fills) for u in updates):
        return None
    chosen: dict[ir.Expr, ir.Var] = {}

    def choose(expr: ir.Expr) -> ir.Expr | None:
        if not isinstance(expr, ir.Read) or not _is_own(action, expr.name):
            return None
        return chosen.setdefault(expr, ir.Var(f"{expr.name.rpartition('.')[2]}_{len(chosen)}", expr.of))

    guard = terms.and_(*(p for p in terms.conjuncts(action.guard) if not _asks_where(action, p)))
    free = terms.map_action(
        replace(action, guard=guard, updates=updates, costs=(), named=(), doc=""), choose_in(choose)
    )
    bound = {v for e in terms.exprs_of(free) for v in _variables(e)} - set(chosen.values())
    unfit = any(isinstance(base(v.of), ir.CounterSort) for v in chosen.values())
    if unfit or any(v in bound for v in chosen.values()) or _depend_on_bound(chosen, action):
        return None
    label = f"{action.label}, by somebody else"
    return replace(
        free,
        name=f"{action.name}, by somebody else",
        params=(*free.params, *chosen.values()),
        process=None,
        label=label,
    )


def choose_in(choose: Callable[[ir.Expr], ir.Expr | None]) -> Callable[[ir.Expr], ir.Expr]:
    return lambda expr: terms.rewrite(expr, choose)


def base(sort: ir.Sort) -> ir.Sort:
    return sort.base if isinstance(sort, ir.OptionSort) else sort


def _asks_where(action: ir.Action, part: ir.Expr) -> bool:
    return f"{action.process}.pc" in terms.reads(part)


def _variables(expr: ir.Expr) -> Iterator[ir.Var]:
    return (e for e in ir.walk(expr) if isinstance(e, ir.Var))


def _depend_on_bound(chosen: Mapping[ir.Expr, ir.Var], action: ir.Action) -> bool:
    """Whether a local is read of another element than the step's own parameters."""
    return any(not set(_variables(read)) <= set(action.params) for read in chosen)


# ------------------------------------------------------------------------------------------------------- of its source


@dataclass(frozen=True)
class _Block:
    """Statements of a method that follow one another; path: of fields and numbers, from the file's tree."""

    method: str
    path: tuple[str | int, ...]
    generator: bool


def _written(cls: type[System], text: str, folder: Path, environment: Sequence[str]) -> Iterator[_Found]:
    tree = _without_costs(ast.parse(text))
    number = 0
    for block in _blocks(tree, environment):
        body = _at(tree, block.path)
        places = [place for place, statement in enumerate(body) if not (_is_label(statement) or _is_text(statement))]
        for one, other in pairwise(places):
            number += 1
            between = f"{block.method}: {_short(body[one])} | {_short(body[other])}"
            if not isinstance(body[other], (ast.Return, ast.Break, ast.Continue)):
                changed = deepcopy(tree)
                there = _at(changed, block.path)
                there[one], there[other] = there[other], there[one]
                yield "reordered", between, _compiled_from(cls, changed, folder / f"reordered{number}.py")
            if block.generator and other == one + 1:
                changed = deepcopy(tree)
                _at(changed, block.path).insert(other, _label(f"{AND_THEN} {number}"))
                yield "split", between, _compiled_from(cls, changed, folder / f"split{number}.py")
        if block.generator:
            yield from _in_helpers(cls, tree, block, folder)


def _in_helpers(cls: type[System], tree: ast.Module, block: _Block, folder: Path) -> Iterator[_Found]:
    """A step split within a helper that takes no steps of its own, where one place calls it."""
    helpers = {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not _is_generator(node) and not node.decorator_list
    }
    for place, statement in enumerate(_at(tree, block.path)):
        called = _helper_of(statement)
        if called not in helpers:
            continue
        body = helpers[called].body
        for cut in range(1, len(body)):
            if _is_text(body[cut - 1]):
                continue
            name = f"{called}_in_two_{cut}"
            split = deepcopy(helpers[called])
            split.name = name
            split.body.insert(cut, _label(f"{AND_THEN} {name}"))
            changed = deepcopy(tree)
            call = _at(changed, block.path)[place]
            call.value.func.attr = name
            call.value = ast.YieldFrom(call.value)
            _class_with(changed, called).body.append(split)
            where = f"{block.method}: {called}: {_short(body[cut - 1])} | {_short(body[cut])}"
            file = folder / f"split_{'_'.join(map(str, block.path))}_{place}_{name}.py"
            yield "split", where, _compiled_from(cls, changed, file)


def _compiled_from(cls: type[System], tree: ast.Module, file: Path) -> Callable[[Setting], Instance | None]:
    @cache
    def loaded() -> type[System]:
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)))
        return load_system(f"{file}:{cls.__name__}")

    def made(setting: Setting) -> Instance | None:
        try:
            instance = _instance(loaded(), setting)
        except FlushproofError:  # the language refuses it
            return None
        return None if _is_the_same(instance.system, setting.instance(cls).system) else instance

    return made


def _is_the_same(system: ir.System, other: ir.System) -> bool:
    """Whether they are one system: the same steps, or a step more that nobody can tell from the one before it."""
    if _meaning(system) == _meaning(other):
        return True
    hidden = [name for name in fuse_hidden(system, system.properties).hidden if AND_THEN in name]
    return bool(hidden)


def _meaning(system: ir.System) -> object:
    """What a system does, whatever the order in which its steps, their guards' parts and its labels are listed."""

    def listed(expr: ir.Expr) -> ir.Expr | None:
        if isinstance(expr, (ir.Lit, ir.Read)) and isinstance(expr.of, ir.EnumSort) and expr.of.name.endswith(".pc"):
            return replace(expr, of=replace(expr.of, members=tuple(sorted(expr.of.members))))
        return None

    def of(action: ir.Action) -> object:
        guard = frozenset(terms.conjuncts(action.guard))
        owed = frozenset((o.when, o.expr) for o in action.obligations)
        return (action.name, action.params, action.fresh, guard, frozenset(_last(action.updates)), owed)

    system = terms.map_system(system, choose_in(listed))
    clauses = [(p.name, p.kind, [(c.params, c.guard, c.expr) for c in p.clauses]) for p in system.properties]
    return of(system.init), frozenset(of(a) for a in system.actions), clauses, system.final


def _last(updates: Sequence[ir.Update]) -> Iterator[tuple[object, ...]]:
    """The updates, each with how many of the same variable come before it: of others the order does not matter."""
    seen: Counter[str] = Counter()
    for update in updates:
        seen[update.var] += 1
        yield update.var, seen[update.var], update.binders, update.args, update.cond, update.value


def _blocks(tree: ast.Module, environment: Sequence[str]) -> Iterator[_Block]:
    for number, item in enumerate(tree.body):
        if isinstance(item, ast.ClassDef):
            for place, method in enumerate(item.body):
                if isinstance(method, ast.FunctionDef) and not _is_left_alone(method, environment):
                    path = ("body", number, "body", place)
                    yield from _blocks_in(method, method.name, path, _is_generator(method))


def _blocks_in(node: ast.AST, method: str, path: tuple[str | int, ...], generator: bool) -> Iterator[_Block]:
    for name in ("body", "orelse"):
        body = getattr(node, name, None)
        if isinstance(body, list):
            yield _Block(method, (*path, name), generator)
            for number, statement in enumerate(body):
                yield from _blocks_in(statement, method, (*path, name, number), generator)


def _is_left_alone(method: ast.FunctionDef, environment: Sequence[str]) -> bool:
    """Properties, lemmas and the initial state are no steps; and the environment is as it is."""
    words = {"event", "invariant", "reachable", "initially", "axiom", "final", "closure", "lemma", "hint", "progress"}
    names = {n.id for d in method.decorator_list for n in ast.walk(d) if isinstance(n, ast.Name)}
    return bool(names & words) or method.name.startswith(tuple(environment))


def _at(tree: ast.AST, path: Sequence[str | int]) -> Any:
    found: Any = tree
    for part in path:
        found = getattr(found, part) if isinstance(part, str) else found[part]
    return found


def _without_costs(tree: ast.Module) -> ast.Module:
    class Without(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            called = node.value.func if isinstance(node.value, ast.Call) else None
            counts = isinstance(called, ast.Name) and called.id in UNCOUNTED
            return ast.copy_location(ast.Pass(), node) if counts else node

    tree = Without().visit(tree)
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and len(body) > 1:
                kept = [statement for statement in body if not isinstance(statement, ast.Pass)]
                setattr(node, name, kept or body[:1])
    return tree


def _class_with(tree: ast.Module, method: str) -> ast.ClassDef:
    """The last one is what a system has of it: bases stand before what inherits them."""
    return next(
        item
        for item in reversed(tree.body)
        if isinstance(item, ast.ClassDef)
        and any(isinstance(m, ast.FunctionDef) and m.name == method for m in item.body)
    )


def _helper_of(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("self"), name))):
            return name
        case _:
            return None


def _is_generator(method: ast.FunctionDef) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(method))


def _is_label(statement: ast.stmt) -> bool:
    """Whether it is a label, or one of several that a condition chooses."""
    if isinstance(statement, ast.If) and statement.orelse:
        return all(_is_label(part) for part in (*statement.body, *statement.orelse))
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _label(text: str) -> ast.stmt:
    return ast.Expr(ast.Yield(ast.Constant(text)))


def _short(statement: ast.stmt) -> str:
    """The first line of a statement, as it stands in the source."""
    line = ast.unparse(statement).partition("\n")[0]
    return line if len(line) <= 60 else f"{line[:59]}…"
