"""What a system and its parts declare: state, knobs, methods with a role, and the sizes of sorts."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest

from .declare import Kind, Knob, Map, Part, Role, Sort, System, role_of
from .types import Declared, hints, of_sorts, sort_classes, to_declared, to_sort
from .values import Object


@dataclass(frozen=True)
class Member:
    """A decorated method, with the system or part that it belongs to."""

    owner: Object
    function: Any
    role: Role

    @property
    def name(self) -> str:
        return self.owner.path + str(self.function.__name__)

    @property
    def title(self) -> str:
        """The name of a property: with hyphens, without its part's."""
        return str(self.function.__name__).replace("_", "-")


class Declarations:
    """The declarations of one system, its parts included.

    objects: the system (path "") and its parts by path; variables: state and knobs by name; members: methods with a role, in
    order; classes: the sorts that are mentioned, by name.
    """

    def __init__(self, cls: type[System]) -> None:
        self.objects: dict[str, Object] = {}
        self.variables: dict[str, ir.StateVar] = {}
        self.members: list[Member] = []
        self.classes: dict[str, type[Sort]] = {}
        self.cls = cls
        self._collect(Object("", cls))

    def of_kind(self, *kinds: str) -> Iterator[Member]:
        return (m for m in self.members if m.role.kind in kinds)

    def parent(self, part: Object) -> Object:
        """The object whose attribute the part is."""
        above = part.path[:-1].rpartition(".")[0]
        return self.objects[above + "." if above else ""]

    def _collect(self, owner: Object) -> None:
        """Gather the state, methods and parts of a system or part, base classes first."""
        self.objects[owner.path] = owner
        cls = owner.python if isinstance(owner.python, type) else type(owner.python)
        base = System if isinstance(owner.python, type) else Part
        place = class_place(cls)
        for name, annotation in hints(cls).items():
            if name not in hints(base):
                try:
                    declared = to_declared(annotation)
                except ModelError as error:
                    raise ModelError(f"{cls.__name__}.{name}: {error.message}", place, hint=error.hint) from None
                if declared is not None:
                    if any(name in vars(c) for c in cls.__mro__):
                        raise ModelError(
                            f"{cls.__name__}.{name} is state, and `= ...` behind its annotation gives it no value",
                            place,
                            hint=f"Assign self.{name} in a method decorated with @initially.",
                        )
                    self.know(annotation)
                    self._declare(owner.path + name, declared, place)
        names = dict.fromkeys(n for c in reversed(cls.__mro__) for n in vars(c))
        for name in names:
            value = inspect.getattr_static(cls, name)
            if isinstance(value, Knob):
                self._declare(owner.path + name, Declared((), to_sort(value.sort), "knob"), place, value.doc)
            elif isinstance(value, Part):
                self._collect(Object(f"{owner.path}{name}.", value))
            elif (role := role_of(value)) is not None:
                for sort in role.sorts:
                    self.know(sort)
                self.members.append(Member(owner, value, role))
        if not isinstance(owner.python, type):
            for name, value in vars(owner.python).items():
                if isinstance(value, Map):
                    for sort in value.sorts:
                        self.know(sort)
                    kind = Kind.GHOST.value if value.ghost else "state"
                    self._declare(owner.path + name, of_sorts(value.sorts, kind), place, value.doc)
                elif isinstance(value, Part):
                    self._collect(Object(f"{owner.path}{name}.", value))

    def know(self, annotation: Any) -> None:
        """Note down the classes of sorts: their default sizes."""
        for cls in sort_classes(annotation):
            if not isinstance(cls.size, int) or cls.size < 1:
                raise ModelError(f"the sort {cls.__name__} has size {cls.size!r}, and the least is 1", class_place(cls))
            known = self.classes.setdefault(cls.__name__, cls)
            if known is not cls:
                raise ModelError(
                    f"there are two sorts called {cls.__name__}", class_place(cls), hint="Rename one of them."
                )

    def _declare(self, name: str, declared: Declared, place: ir.Place | None, doc: str = "") -> None:
        kind = declared.kind
        free = kind in ("rigid", "knob") or (isinstance(declared.sort, ir.Scalarset) and not declared.sort.ordered)
        variable = ir.StateVar(name, declared.index, declared.sort, kind, free, doc, place)  # type: ignore[arg-type]
        self.variables[name] = variable

    def sort_sizes(
        self, params: Iterable[ir.Var]
    ) -> tuple[tuple[ir.Scalarset | ir.CounterSort, ...], Mapping[str, int]]:
        """All scalarsets and counters in use, in variables or only in parameters, and the scalarsets' default sizes."""
        found: dict[str, ir.Scalarset | ir.CounterSort] = {}
        for sort in (*(s for v in self.variables.values() for s in (*v.index, v.sort)), *(p.of for p in params)):
            base = sort.base if isinstance(sort, ir.OptionSort) else sort
            if isinstance(base, (ir.Scalarset, ir.CounterSort)):
                found[base.name] = base
        sizes = {name: self.classes[name].size for name, sort in found.items() if isinstance(sort, ir.Scalarset)}
        for sort_class, size in self.cls.sizes.items():
            name = getattr(sort_class, "__name__", str(sort_class))
            if name not in self.classes:
                raise ModelError(
                    f"sizes: there is no sort '{name}'", class_place(self.cls), hint=nearest(name, sizes, "sorts")
                )
            if not isinstance(size, int) or size < 1:
                raise ModelError(f"sizes: {name} has size {size!r}, and the least is 1", class_place(self.cls))
            if name in sizes:
                sizes[name] = size
        return tuple(found.values()), sizes


def class_place(cls: type) -> ir.Place | None:
    try:
        return ir.Place(inspect.getsourcefile(cls) or "?", inspect.getsourcelines(cls)[1])
    except (OSError, TypeError):
        return None
