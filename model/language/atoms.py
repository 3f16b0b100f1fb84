"""The values of atoms, and of lists of them."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from typing import NoReturn

from flushproof.model.errors import nearest

from . import core, declare
from .conversions import Conversions, few, items_of
from .core import Atom, Constant, Local, Star
from .declarations import SILENT, special
from .source import import_hint
from .values import (
    Bad,
    Object,
    Once,
    Path,
    Scope,
    Static,
    Value,
    articled,
)

UNSET = Bad("is set on some ways to this place only", "Give it a value on each of them.")


class Atoms(Conversions):
    """Looks up variables and constants on a path."""

    def ev(self, atom: Atom, path: Path, at: Scope) -> Value:
        """The value of an atom; one that cannot be used is refused here."""
        found = self.look(atom, path, at)
        if isinstance(found, Bad):
            named = isinstance(atom.of, Local) and not atom.of.temporary
            shown = f"'{atom.of.shown}'" if isinstance(atom.of, Local) and named else at.source.text(atom.node)
            at.source.fail(atom.node, f"{shown} {found.message}", found.hint)
        if isinstance(found, Static) and (way := own_way(type(found.value))) is not None:
            what = f"{at.source.text(atom.node)} is {articled(type(found.value).__name__)}, whose {way} is not read"
            at.source.fail(atom.node, what, "Make it a plain number, text, tuple or dictionary.")
        if isinstance(found, Static) and isinstance(found.value, declare.Knob):
            self.refuse_knob(found.value, atom, at)
        return found

    def refuse_knob(self, knob: declare.Knob, atom: Atom, at: Scope) -> NoReturn:
        """A knob has a value in an object of its class alone, where a policy gives it one."""
        hint = "Declare it in the class of the system, or of a part: `flush = Knob(...)`, and write self.flush."
        for path, owner in self.declared.objects.items():
            cls = owner.python if isinstance(owner.python, type) else type(owner.python)
            for name, value in declare.attributes(cls).items():
                if value is knob:
                    hint = f"Write self.{name} in a method of {cls.__name__}."
                    if path == "":
                        hint += " A part has knobs of its own, or is given a function that asks the system."
        at.source.fail(atom.node, f"{at.source.text(atom.node)} is a knob without its system, which gives it a value", hint)

    def look(self, atom: Atom, path: Path, at: Scope) -> Value:
        match atom.of:
            case Constant(value):
                return Static(value)
            case Local() as local:
                scope = at.of(local)
                found = path.env.get((scope, local))
                return self.nothing(local, scope, path, at) if found is None else found
            case core.Unknown(name):
                at.source.fail(atom.node, f"the name '{name}' is unknown", self.name_hint(name, path, at))

    def nothing(self, local: Local, scope: Scope, path: Path, at: Scope) -> Bad:
        """Why a variable has no value."""
        if scope is not at and all(of is not scope for of, _ in path.env):
            what = "a comprehension" if scope.function.generator else f"'{scope.function.name}'"
            return Bad(
                f"is a variable of {what}, which is over",
                "Use a lambda where it is written, or give it what it needs as an argument.",
            )
        hint = self.member_hint(local.shown, path, at)
        return Bad(UNSET.message, hint) if hint else UNSET

    def member_hint(self, name: str, path: Path, at: Scope) -> str:
        """Whether a member is meant, without its `self`."""
        objects = [(x.shown, v) for (of, x), v in path.env.items() if of is at and not x.temporary and isinstance(v, Object)]
        for owner, value in objects:
            if value.path + name in self.variables or hasattr(value.python, name):
                return f"Did you mean '{owner}.{name}'?"
        return ""

    def name_hint(self, name: str, path: Path, at: Scope) -> str:
        """What may be meant by a name that nothing has: a member without its `self`, a word not imported, a slip."""
        mine = {local.shown: value for (scope, local), value in path.env.items() if scope is at and not local.temporary}
        if hint := self.member_hint(name, path, at):
            return hint
        if hint := import_hint(name):
            return hint
        space = at.source.function.__globals__
        known = [*mine, *(n for n, v in space.items() if isinstance(v, (type, declare.Part)) or callable(v))]
        guess = nearest(name, known, "names").split(" The names are")[0]
        return guess if guess.startswith("Did") else ""

    def items(self, items: tuple[core.Item, ...], path: Path, at: Scope) -> list[tuple[Atom, Value]]:
        """The values of a tuple's elements or of arguments, starred ones taken apart."""
        found: list[tuple[Atom, Value]] = []
        for item in items:
            if isinstance(item, Atom):
                found.append((item, self.ev(item, path, at)))
            else:
                found += [(item.atom, v) for v in self.starred(item, path, at)]
        return found

    def starred(self, star: Star, path: Path, at: Scope) -> tuple[Value, ...]:
        value = self.ev(star.atom, path, at)
        parts = value.items if isinstance(value, Once) else items_of(value)
        if isinstance(value, Static) and isinstance(value.value, range):
            parts = tuple(map(Static, few(value.value, star.atom.node, at)))
        if parts is None:
            hint = "A sort has any number of elements: use all(...), any(...), or a loop."
            at.source.fail(star.atom.node, "only a tuple can be unpacked here", hint)
        return parts


COLLECTED = (int, str, tuple, list, set, frozenset, Mapping)
SILENT_OF_CONSTANTS = SILENT | {"__new__", "__init__", "__hash__", "__getnewargs__"}
"""Special methods of theirs that no operation on a constant calls."""


def own_way(cls: type) -> str | None:
    """The special method with which a class of numbers, texts or collections differs from Python's own, if there is one."""
    if not issubclass(cls, COLLECTED) or issubclass(cls, enum.Enum):
        return None
    own = itertools.takewhile(lambda c: c.__module__ != "builtins", cls.__mro__)
    return next((name for c in own for name in special(c) if name not in SILENT_OF_CONSTANTS), None)
