"""What a system declares for its users to choose: knobs, policies and what they expect; and what of it chooses nothing."""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import linecache
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import networkx as nx
from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest
from flushproof.model.ir.terms import exprs_of, fix_knobs, reads
from flushproof.model.ir.waits import NO_STUCK

from .declare import Expect, Knob, Part, Policy, Sort, System, is_number
from .source import class_place, class_source, parsed

_POLICY = 'Write Policy("what it does", {"knob": value}, expect="holds").'
_EXPECT = 'Write Expect("holds", {"knob": value}, {"sort": 2}): the verdict, the knobs, the sizes.'
_ASKS = f'Write asks = ("{NO_STUCK}",) in the class.'
_KNOB = 'Write Knob(bool, False, "what it is"), or the class of an enumeration in the place of bool.'


def knobs_of(cls: type[System]) -> dict[str, Knob]:
    """All knobs of a system and of its parts, by the names that users give them."""
    return dict(_knobs(cls, "", set()))


def _knobs(owner: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Knob]]:
    """A part under two names is one part: its knobs have the first of them."""
    seen.add(id(owner))
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    found: dict[str, Any] = {}
    for cls in reversed(classes):
        found.update(vars(cls))
    if not isinstance(owner, type):
        found.update(vars(owner))
    for name, value in found.items():
        if isinstance(value, Knob):
            yield prefix + name, value
        elif isinstance(value, Part) and id(value) not in seen:
            yield from _knobs(value, f"{prefix}{name}.", seen)


# --------------------------------------------------------------------------------------------------- what is well formed


def check_declared(cls: type[System]) -> None:
    """That knobs and policies are what they must be, as far as the class alone can tell.

    Raises:
        ModelError: a knob without values, an argument in the wrong place, a key that is given twice.
    """
    place = class_place(cls)
    known = knobs_of(cls)
    refuse_twins("knobs", known, place)
    for name, knob in known.items():
        if problem := _wrong_knob(knob):
            raise ModelError(f"knob '{name}': {problem}", place, hint=_KNOB)
        if not any(knob.default is value for value in knob.values()):
            raise ModelError(
                f"knob '{name}': its default {knob.default!r} is none of its values",
                place,
                hint=f"They are: {', '.join(map(Knob.text, knob.values()))}.",
            )
        refuse_twins(f"values of the knob '{name}'", map(Knob.text, knob.values()), place)
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(vars(cls)["__abstractmethods__"]))
        reason = f"{cls.__name__} is abstract, and Python makes no object of it: nothing defines {missing}"
        raise ModelError(reason, place, hint="Define it in the class, or name a class below that does.")
    if not isinstance(cls.name, str):
        raise ModelError(f"{cls.__name__}.name is {_a(cls.name)}, and must be a text", place)
    if problem := _wrong_sizes(cls.sizes):
        raise ModelError(f"{cls.__name__}.sizes {problem}", place, hint="Write sizes = {Cpu: 3}.")
    if not isinstance(cls.policies, Mapping):
        raise ModelError(
            f"{cls.__name__}.policies is {_a(cls.policies)}, and must be a dictionary: name -> Policy",
            place,
            hint=_POLICY,
        )
    if cls.asks != () and cls.asks != (NO_STUCK,):
        raise ModelError(
            f"{cls.__name__}.asks is {cls.asks!r}: only '{NO_STUCK}' is there to be asked for", place, hint=_ASKS
        )
    for policy_name, policy in cls.policies.items():
        if not isinstance(policy_name, str) or not policy_name:
            raise ModelError(f"a policy's name is {policy_name!r}, and must be a text", place)
        if problem := _wrong_policy(policy):
            raise ModelError(f"policy '{policy_name}' {problem}", place, hint=_POLICY)
        for expect in policy.also:
            if problem := _wrong_expect(expect):
                raise ModelError(f"policy '{policy_name}': in `also`, {problem}", place, hint=_EXPECT)
    for twice in _keys_given_twice(cls):
        raise twice


def check_verdicts(cls: type[System], properties: Iterable[str]) -> None:
    """That policies expect what can come out: that something holds, or that one of these properties is violated.

    Raises:
        ModelError: another verdict.
    """
    verdicts = ("holds", *properties)
    for name, policy in cls.policies.items():
        for verdict in (policy.expect, *(also.verdict for also in policy.also)):
            if verdict not in verdicts:
                raise ModelError(
                    f"policy '{name}' expects '{verdict}'",
                    class_place(cls),
                    hint=_ASKS if verdict == NO_STUCK else nearest(verdict, verdicts, "verdicts"),
                )


def plain(name: str) -> str:
    """What all spellings of a name have in common that a command line takes for one."""
    return name.lower().replace("-", "_")


def refuse_twins(what: str, names: Iterable[str], place: ir.Place | None) -> None:
    """See to it that no two names are one on a command line."""
    seen: set[str] = set()
    for name in names:
        if plain(name) in seen:
            hint = "On a command line upper and lower case, hyphens and underscores are alike: rename one of them."
            raise ModelError(f"two {what} are both written '{name}'", place, hint=hint)
        seen.add(plain(name))


def _wrong_sizes(sizes: Any) -> str | None:
    if not isinstance(sizes, Mapping):
        return f"is {_a(sizes)}, and must be a dictionary: sort -> number"
    for sort, size in sizes.items():
        if not is_number(size) or size < 1:
            return f"gives {getattr(sort, '__name__', sort)} the size {size!r}, and the least is 1"
    return None


def _wrong_knob(knob: Knob) -> str | None:
    sort = knob.sort
    if sort is not bool and not (isinstance(sort, type) and issubclass(sort, enum.Enum)):
        return f"its sort is {getattr(sort, '__name__', sort)!s}, and must be bool or an enumeration"
    if not knob.values():
        return f"the enumeration {sort.__name__} has no members"
    if not isinstance(knob.doc, str):
        return f"its description is {_a(knob.doc)}, and must be a text"
    if not isinstance(knob.toggle, bool):
        return f"its `toggle` is {_a(knob.toggle)}, and must be True or False"
    return _wrong_order(knob)


def _wrong_order(knob: Knob) -> str | None:
    if isinstance(knob.order, tuple):
        for pair in knob.order:
            if not (
                isinstance(pair, tuple) and len(pair) == 2 and all(any(v is x for v in knob.values()) for x in pair)
            ):
                return f"its `order` has {pair!r}, which is no pair (weaker, stronger) of its values"
        below = at_most(knob)
        if any(below[i][j] and below[j][i] for i, j in itertools.combinations(range(len(below)), 2)):
            return "its `order` says of two values that each is weaker than the other"
        return None
    if knob.order not in (None, "rising", "falling"):
        return f'its `order` is {_a(knob.order)}, and must be "rising", "falling", None, or pairs (weaker, stronger)'
    return None


def at_most(knob: Knob) -> tuple[tuple[bool, ...], ...]:
    """Of each value, by its number: whether it is declared to be as weak as each other one, or weaker; it is as weak as itself."""
    values = knob.values()
    numbers = range(len(values))
    match knob.order:
        case None:
            pairs: set[tuple[int, int]] = set()
        case "rising":
            pairs = set(itertools.combinations(numbers, 2))
        case "falling":
            pairs = {(j, i) for i, j in itertools.combinations(numbers, 2)}
        case tuple() as order:
            pairs = {(values.index(weaker), values.index(stronger)) for weaker, stronger in order}
        case wrong:
            raise AssertionError(wrong)
    graph = nx.DiGraph(pairs)
    graph.add_nodes_from(numbers)
    return tuple(tuple(i == j or nx.has_path(graph, i, j) for j in numbers) for i in numbers)


def _wrong_policy(policy: Any) -> str | None:
    if not isinstance(policy, Policy):
        return "is no Policy"
    if not isinstance(policy.doc, str):
        return f"has {_a(policy.doc)} for its description, which must be a text"
    if not isinstance(policy.knobs, Mapping):
        return f"has {_a(policy.knobs)} for its knobs, which must be a dictionary"
    if wrong := [key for key in policy.knobs if not isinstance(key, str)]:
        return f"names the knob {wrong[0]!r}, which must be a text"
    if not isinstance(policy.expect, str):
        return f'expects {_a(policy.expect)}, which must be "holds" or the name of a property'
    return (
        None
        if isinstance(policy.also, tuple)
        else f"has {_a(policy.also)} for `also`, which must be a tuple: (Expect(...),)"
    )


def _wrong_expect(expect: Any) -> str | None:
    if not isinstance(expect, Expect):
        return f"{expect!r} is no Expect"
    if not isinstance(expect.verdict, str):
        return f"the verdict is {_a(expect.verdict)}, which must be a text"
    for what, given in (("knobs", expect.knobs), ("sizes", expect.sizes)):
        if not isinstance(given, Mapping):
            return f"the {what} are {_a(given)}, which must be a dictionary"
        for key in given:
            if isinstance(key, type) and issubclass(key, Sort) and what == "knobs":
                return f"the sort {key.__name__} stands among the knobs"
            if not isinstance(key, str):
                return f"the {what} name {key!r}, which must be a text"
    return None


def _a(value: Any) -> str:
    """A value in a message, with its type where that is not plain."""
    return "None" if value is None else f"the {type(value).__name__} {value!r}"


def _keys_given_twice(cls: type[System]) -> Iterator[ModelError]:
    """Each dictionary in the body of the class (or of one that it inherits from) in which a key is given twice: Python keeps
    the last."""
    for owner in cls.__mro__[: cls.__mro__.index(System)]:
        source = class_source(owner)
        if source is None:  # nothing is said of it
            continue
        file, tree = source
        lines = linecache.getlines(file)
        module = parsed("".join(lines)).body
        for body in (*(n for n in module if not isinstance(n, (ast.FunctionDef, ast.ClassDef))), tree):
            for node in _displays(body):
                seen: dict[str, ast.expr] = {}
                for key in filter(None, node.keys):
                    if seen.setdefault(ast.dump(key), key) is not key:
                        where = ir.Place(file, key.lineno, key.col_offset + 1)
                        text = ast.unparse(key)
                        yield ModelError(
                            f"the key {text} is given twice, here and in line {seen[ast.dump(key)].lineno}",
                            where,
                            lines[key.lineno - 1].rstrip(),
                            "Python keeps the last alone. Rename or remove one.",
                        )


def _displays(node: ast.AST) -> Iterator[ast.Dict]:
    """The dictionaries written in a class or statement, but not in its functions."""
    if isinstance(node, ast.Dict):
        yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _displays(child)


# ----------------------------------------------------------------------------------------------------- what changes nothing


def unread_knobs(system: ir.System, used: Iterable[str]) -> list[str]:
    """The knobs on which nothing depends, where `used` are the variables on which something does."""
    names = set(used)
    return [v.name for v in system.variables if v.kind == "knob" and v.name not in names]


def same_as(
    cls: type[System], system: ir.System, policy: str, values: Mapping[str, Mapping[str, ir.Lit]]
) -> Iterator[tuple[str, list[str]]]:
    """The other policies that make the same system of it, each with the knobs in which it differs.

    values: of each policy, the value of every knob.  Knobs that neither of two policies sets are left open: where one that is
    off by default tells them apart, they are two.
    """
    mine = values[policy]
    for other, theirs in values.items():
        differ = {name for name in mine if mine[name] != theirs[name]}
        either = differ | {*cls.policies[policy].knobs, *cls.policies[other].knobs}
        fixed = [name for name in mine if name in either]
        part = _reading(system, differ)
        if other != policy and fix_knobs(part, {n: mine[n] for n in fixed}) == fix_knobs(
            part, {n: theirs[n] for n in fixed}
        ):
            yield other, sorted(differ)


def _reading(system: ir.System, names: set[str]) -> ir.System:
    """The system without the parts that read none of these variables."""
    nothing = ir.Action("", (), ir.TRUE, ())

    def some(action: ir.Action) -> bool:
        return not names.isdisjoint(reads(*exprs_of(action)))

    return replace(
        system,
        init=system.init if some(system.init) else nothing,
        actions=tuple(filter(some, system.actions)),
        properties=tuple(
            p for p in system.properties if reads(*(e for c in p.clauses for e in (c.guard, c.expr))) & names
        ),
        settle=system.settle if some(system.settle) else nothing,
        lemmas=(),
        hints=(),
    )
