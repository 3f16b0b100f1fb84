"""What Python accepts without a word, and the author of a system or a proof did not mean."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any, assert_never

from flushproof.model import ir
from flushproof.model.errors import ModelError

from . import declare
from .declarations import Declarations
from .declare import Part, System
from .load import proof_of
from .notes import noted_by
from .source import class_place, class_source, source_of
from .types import hints, to_declared
from .values import Object, articled


def refuse_changes(proof: type[System], system: type[System]) -> None:
    """See to it that a proof adds to its system nothing but lemmas, hints, helpers, and ghosts that it notes down."""
    found = class_source(proof)
    place = None if found is None else ir.Place(found[0], found[1].lineno)
    if proof.__bases__ != (system,):
        hint = f"Write class {proof.__name__}({system.__name__}, proof=True)."
        raise ModelError(f"the proof {proof.__name__} inherits from more than its system", place, hint=hint)
    for name, value in vars(proof).items():
        role = declare.role_of(value)
        if role is not None and role.kind not in ("lemma", "hint", "before", "after"):
            source = source_of(value)
            source.fail(source.tree, f"{articled(role.kind)} belongs to the system, not to its proof", "Move it there.")
        if isinstance(value, (declare.Part, declare.Knob)):
            raise ModelError(f"'{name}' belongs to the system, not to its proof", place, hint="Move it there.")
        if not name.startswith("__") and name != "proves" and hasattr(system, name):
            raise ModelError(f"the proof changes '{name}' of {system.__name__}", place, hint="Give it a name of its own.")
    for name in noted_by(proof):
        if (declared := to_declared(hints(proof)[name])) is not None and declared.kind != "ghost":
            raise ModelError(
                f"{proof.__name__}.{name} is state of a proof, and no ghost", place, hint=f"Write {name}: Ghost[...]."
            )


def refuse_mistakes(cls: type[System], parts: Iterable[type]) -> None:
    """Refuse what Python accepts without a word, and its author did not mean.

    - A method with sorts for its parameters that has no role, and that nothing mentions, is a step whose `@action` was forgotten;
      without that step a policy might hold which does not.  A property with parameters is no better.
    - Of two things with one name in a class only the last exists.
    """
    classes = dict.fromkeys(c for owner in (cls, *parts) for c in owner.__mro__ if c not in (System, Part, object))
    sources = [found for c in classes if (found := class_source(c)) is not None]
    if len(sources) != len(classes):  # the first method that is read says so
        return
    for file, tree in sources:
        refuse_twins(file, tree)
    own = own_of(cls, classes)  # a shared part has more than one uses
    for name, value in (item for c in own for item in vars(c).items()):
        if isinstance(value, property) and inspect.isfunction(value.fget):
            source = source_of(value.fget)
            if len(source.tree.args.args) > 1:
                source.fail(source.tree, f"the property '{name}' takes a parameter", "@action makes it a step.")
    for name, function in unused(own, classes):
        source = source_of(function)
        if any(argument.annotation is not None for argument in source.tree.args.args):
            source.fail(
                source.tree,
                f"nothing uses '{name}', and it is no step",
                "Decorate it: @action makes it a step, @event a check. Or remove it.",
            )


def forgotten(cls: type[System]) -> list[str]:
    """The methods of a system that do something and have no role, and that nothing mentions: a decorator may have been forgotten.

    Refused are only those that say themselves that they are steps, by sorts for their parameters: Python lets a helper be unused.
    """
    parts = [type(value) for c in cls.__mro__ for value in vars(c).values() if isinstance(value, Part)]
    classes = [c for c in cls.__mro__ if c not in (System, object)]
    readers = dict.fromkeys((*classes, proof_of(cls), *(c for part in parts for c in part.__mro__ if issubclass(c, Part))))
    return [
        f"nothing uses '{name}' (line {function.__code__.co_firstlineno}), which is no step and no check: "
        "was its decorator forgotten?"
        for name, function in unused(own_of(cls, classes), readers)
        if does_something(source_of(function).tree)
    ]


def own_of(cls: type[System], classes: Iterable[type]) -> list[type]:
    """Those of these classes that are the system's own: systems, and what stands in its file."""
    return [c for c in classes if issubclass(c, System) or c.__module__ == cls.__module__]


def unused(own: Iterable[type], readers: Iterable[type]) -> Iterator[tuple[str, FunctionType]]:
    """The methods without a role that none of the readers mentions, by name."""
    sources = (found for c in readers if (found := class_source(c)) is not None)
    mentioned = {"acquire", "resume", "release"}.union(*(names_in(tree) for _, tree in sources))  # `with` uses these
    for name, value in (item for c in own for item in vars(c).items()):
        if not inspect.isfunction(value) or name == "__init__" or declare.role_of(value) is not None:
            continue
        if not {name, value.__name__} & mentioned:  # a private method is known by another name than it is called by
            yield name, value


def does_something(tree: ast.AST) -> bool:
    """Whether a method waits, checks, demands, or writes what is not its own."""
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom))
        or (isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("check", "require"))
        for node in ast.walk(tree)
    )


def refuse_nameless(declared: Declarations) -> None:
    """Refuse parts, steps and properties in tuples, dictionaries and nested classes, where nobody finds them."""
    classes = {c for owner in declared.objects.values() for c in class_of(owner).__mro__}
    functions = {member.function for member in declared.members}
    for owner in declared.objects.values():
        cls = class_of(owner)
        own = {} if isinstance(owner.python, type) else vars(owner.python)
        for name, value in {**declare.attributes(cls), **own}.items():
            for thing in () if name.startswith("__") else inside(value, classes):
                what = ""
                if isinstance(thing, Part) and id(thing) not in declared.parts:
                    what, hint = type(thing).__name__, "Give each part a name of its own in the class: `first = Lock()`."
                elif (role := declare.role_of(thing)) is not None and thing not in functions:
                    what, hint = role.word, "Write it as a method of the system, or of a part."
                if what:
                    reason = f"'{name}' of {cls.__name__} holds {articled(what)}, which has no name of its own and does not happen"
                    raise ModelError(reason, class_place(cls), hint=hint)


def class_of(owner: Object) -> type:
    return owner.python if isinstance(owner.python, type) else type(owner.python)


def inside(value: Any, classes: set[type], seen: tuple[Any, ...] = ()) -> Iterator[Any]:
    """What a container holds, and those in it; and what is in a class that nobody inherits from."""
    found: Iterable[Any] = ()
    if any(value is s for s in seen):
        return
    if isinstance(value, dict):
        found = (*value, *value.values())
    elif isinstance(value, (tuple, list, set, frozenset)):
        found = value
    elif isinstance(value, type) and value.__bases__ == (object,) and value not in classes:
        found = vars(value).values()
    for thing in found:
        yield thing
        yield from inside(thing, classes, (*seen, value))


@cache
def names_in(tree: ast.ClassDef) -> frozenset[str]:
    """The names and attributes that a class mentions."""
    nodes = (n for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Name)))
    return frozenset(n.attr if isinstance(n, ast.Attribute) else n.id for n in nodes)


def refuse_twins(file: str, tree: ast.ClassDef) -> None:
    """Refuse what a later thing of the same name in the same class replaces, unless that is made of it."""
    _Bound(file, tree.name).block(tree.body, {})


@dataclass(frozen=True)
class _Bound:
    """Goes through the statements of a class body, with the names bound so far: by a method, a loop or another thing."""

    file: str
    owner: str

    def block(self, statements: Iterable[ast.stmt], known: dict[str, str]) -> None:
        for statement in statements:
            self.statement(statement, known)

    def statement(self, node: ast.stmt, known: dict[str, str]) -> None:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                kind = "method" if isinstance(node, ast.FunctionDef) else "thing"
                self.bind({name}, {n.id for d in node.decorator_list for n in names_of(d)}, kind, node, known)
            case ast.AnnAssign(ast.Name(name)):
                self.bind({name}, set(), "thing", node, known)
            case ast.Import(names) | ast.ImportFrom(names=names):
                self.bind({a.asname or a.name.partition(".")[0] for a in names}, set(), "thing", node, known)
            case ast.Delete(targets):
                for target in targets:
                    known.pop(ast.unparse(target), None)
            case ast.If() | ast.For() | ast.While() | ast.With() | ast.Try() | ast.Match():
                if isinstance(node, ast.For):
                    self.bind({n.id for n in names_of(node.target)}, set(), "loop", node, known)
                before = dict(known)
                for way in ways_of(node):
                    after = dict(before)
                    self.block(way, after)
                    known.update(after)
            case _:
                found = list(names_of(node))
                read = {n.id for n in found if isinstance(n.ctx, ast.Load) or isinstance(node, ast.AugAssign)}
                self.bind({n.id for n in found if isinstance(n.ctx, ast.Store)}, read, "thing", node, known)

    def bind(self, names: set[str], read: set[str], kind: str, node: ast.stmt, known: dict[str, str]) -> None:
        for name in sorted(names - read - {"_"}):
            before = known.get(name, "loop")
            if before != "loop":
                things = "methods" if before == kind == "method" else "things"
                raise ModelError(
                    f"{self.owner} has two {things} called '{name}', and Python keeps the last one only",
                    ir.Place(self.file, node.lineno),
                    hint="Rename one of them.",
                )
        known.update(dict.fromkeys(names, kind))


def ways_of(node: ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match) -> list[list[ast.stmt]]:
    """The blocks of a compound statement of which Python executes one."""
    match node:
        case ast.If():
            return [node.body, node.orelse]
        case ast.For() | ast.While():
            return [node.body + node.orelse]
        case ast.With():
            return [node.body]
        case ast.Try():
            return [way + node.finalbody for way in (node.body + node.orelse, *(h.body for h in node.handlers))]
        case ast.Match():
            return [case.body for case in node.cases]
    assert_never(node)


def names_of(node: ast.AST) -> Iterator[ast.Name]:
    """The names in a statement of a class body, without those inside of its functions and comprehensions."""
    if isinstance(node, ast.Name):
        yield node
    elif not isinstance(node, (ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)):
        for child in ast.iter_child_nodes(node):
            yield from names_of(child)
