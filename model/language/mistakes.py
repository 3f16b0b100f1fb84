"""What Python accepts without a word, and the author of a system or a proof did not mean."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from functools import cache

from flushproof.model import ir
from flushproof.model.errors import ModelError

from . import declare
from .declare import Part, System
from .notes import noted_by
from .source import class_source, source_of
from .types import hints, to_declared
from .values import articled


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
    - Of two methods, states, parts or knobs with one name in a class only the last exists.
    """
    classes = dict.fromkeys(c for owner in (cls, *parts) for c in owner.__mro__ if c not in (System, Part, object))
    sources = [found for c in classes if (found := class_source(c)) is not None]
    if len(sources) != len(classes):  # the first method that is read says so
        return
    for file, tree in sources:
        refuse_twins(file, tree)
    mentioned = {"acquire", "resume", "release"}.union(*(names_in(tree) for _, tree in sources))  # `with` uses these
    own = [c for c in classes if issubclass(c, System) or c.__module__ == cls.__module__]  # a shared part has more than one uses
    for name, value in (item for c in own for item in vars(c).items()):
        function = value.fget if isinstance(value, property) else value
        if not inspect.isfunction(function) or name == "__init__":
            continue
        source = source_of(function)
        if isinstance(value, property):
            if len(source.tree.args.args) > 1:
                source.fail(source.tree, f"the property '{name}' takes a parameter", "@action makes it a step.")
        elif (
            declare.role_of(value) is None
            and name not in mentioned
            and any(argument.annotation is not None for argument in source.tree.args.args)
        ):
            source.fail(
                source.tree,
                f"nothing uses '{name}', and it is no step",
                "Decorate it: @action makes it a step, @event a check. Or remove it.",
            )


@cache
def names_in(tree: ast.ClassDef) -> frozenset[str]:
    """The names and attributes that a class mentions."""
    nodes = (n for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Name)))
    return frozenset(n.attr if isinstance(n, ast.Attribute) else n.id for n in nodes)


PROPERTY = ("setter", "getter", "deleter")
"""Decorators that add to a property of the same name."""


def refuse_twins(file: str, tree: ast.ClassDef) -> None:
    """Refuse a method, a state, a part or a knob that a later one of the same class replaces, unless that is made of it."""
    known: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name):
                of_property = (isinstance(d, ast.Attribute) and d.attr in PROPERTY for d in node.decorator_list)
                kind, made_of_it = "method", any(of_property)
            case ast.AnnAssign(ast.Name(name), _, None):
                kind, made_of_it = "state", False
            case ast.Assign([ast.Name(name)], value):
                kind = "object" if isinstance(value, ast.Call) else "constant"
                made_of_it = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value))
            case _:
                continue
        before = known.get(name, "constant")
        if before != "constant" and not made_of_it:
            things = "methods" if before == kind == "method" else "things"
            raise ModelError(
                f"{tree.name} has two {things} called '{name}', and Python keeps the last one only",
                ir.Place(file, node.lineno),
                hint="Rename one of them.",
            )
        known[name] = kind
