"""What a system and its parts declare: state, knobs, methods with a role, and the sizes of sorts."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CellType, MappingProxyType
from typing import Any, ClassVar, assert_never, get_origin

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest

from .declare import Counter, Kind, Knob, Map, OrderedEnum, Part, Role, Sort, System, attributes, is_number, role_of
from .source import attribute_place, class_place, source_of
from .types import Declared, classes_in, hints, of_sorts, to_declared, to_sort
from .values import Method, Object, articled, sort_in


@dataclass(frozen=True)
class Member:
    """A decorated method, with the system or part that it belongs to."""

    owner: Object
    function: Any
    role: Role
    attribute: str

    @property
    def name(self) -> str:
        return self.owner.path + self.attribute

    @property
    def title(self) -> str:
        """The name of a property: with hyphens, without its part's."""
        return self.attribute.replace("_", "-")


class Declarations:
    """The declarations of one system, its parts included.

    objects: the system (path "") and its parts by path; variables: state and knobs by name; members: methods with a role, in
    order; classes: the sorts that are mentioned, by name; enumerations, counters: likewise.

    asked: sizes that were asked for, by the sorts' names; sized: the sorts of whose size a range or a step speaks.

    A part is an object: under two names, or in two other parts, it is the same one, and has the first of its paths.
    """

    def __init__(self, cls: type[System], asked: Mapping[str, int] = MappingProxyType({})) -> None:
        self.asked, self.sized = asked, set[str]()
        self.objects: dict[str, Object] = {}
        self.variables: dict[str, ir.StateVar] = {}
        self.members: list[Member] = []
        self.classes: dict[str, type[Sort]] = {}
        self.enumerations: dict[str, type[enum.Enum]] = {}
        self.counters: dict[str, type[Counter]] = {}
        self.parts: dict[int, Object] = {}
        self.owners: dict[str, list[str]] = {}
        self.cls = cls
        self._collect(Object("", cls))

    def of_kind(self, *kinds: str) -> Iterator[Member]:
        return (m for m in self.members if m.role.kind in kinds)

    def part(self, part: Part) -> Object:
        """The object that a part is."""
        return self.parts[id(part)]

    def parent(self, part: Object) -> Object:
        """The object whose attribute the part is; of several the one nearest to the system.

        Raises:
            ModelError: several are equally near, and the part calls back.
        """
        owners = sorted(self.owners[part.path], key=lambda path: path.count("."))
        if len(owners) > 1 and owners[0].count(".") == owners[1].count("."):
            raise ModelError(
                f"the part '{part.path[:-1]}' calls its owner, and has several",
                class_place(type(part.python)),
                hint="Give the function to the part as a method of the system, and the part to one owner.",
            )
        return self.objects[owners[0]]

    def happens(self, method: Method) -> bool:
        """Whether a method with a role happens by itself; one that a class below overrides does not, and is called by `super`, or
        by its class's name."""
        owners = [m.owner.path for m in self.members if m.function is method.function]
        return bool(owners) if method.owner is None else method.owner.path in owners

    def sort(self, annotation: Any) -> ir.Sort:
        """The sort that an annotation names; its classes are noted down.

        Raises:
            ModelError: it names none, or two classes have one name.
        """
        found = to_sort(annotation, self.size_of)
        self.know(annotation)
        return found

    def size_of(self, sort: type[Sort]) -> int:
        """How many elements a sort has, by whoever asks: a system that does so is another one at another size."""
        self.sized.add(sort.__name__)
        self.know(sort)
        return self.asked.get(sort.__name__, self.cls.sizes.get(sort, sort.size))

    def cardinality(self, sort: ir.Sort) -> int:
        """How many values a sort has, at these sizes."""
        match sort:
            case ir.BoolSort():
                return 2
            case ir.EnumSort():
                return len(sort.members)
            case ir.IntSort():
                return sort.hi - sort.lo + 1
            case ir.OptionSort():
                return 1 + self.cardinality(sort.base)
            case ir.Scalarset():
                return self.size_of(self.classes[sort.name])
            case ir.CounterSort():
                raise TypeError(f"the counter {sort.name} has no end")
        assert_never(sort)

    def _collect(self, owner: Object) -> None:
        """Gather the state, methods and parts of a system or part, base classes first."""
        self.objects[owner.path] = owner
        if isinstance(owner.python, Part):
            self.parts[id(owner.python)] = owner
        cls = owner.python if isinstance(owner.python, type) else type(owner.python)
        base = System if isinstance(owner.python, type) else Part
        place = class_place(cls)
        refuse_special(cls, base)
        self._annotations(owner, cls, base, place)
        self._members(owner, cls, place)
        if not isinstance(owner.python, type):
            self._attributes(owner, cls, place)

    def _annotations(self, owner: Object, cls: type, base: type, place: ir.Place | None) -> None:
        """Declare the state that annotations of the class name."""
        for name, annotation in hints(cls).items():
            refuse_word(cls, base, name, annotation, place)
            if name not in hints(base):
                try:
                    declared = to_declared(annotation, self.size_of)
                except ModelError as error:
                    raise ModelError(f"{cls.__name__}.{name}: {error.message}", place, hint=error.hint) from None
                if declared is not None:
                    if inspect.isfunction(inspect.getattr_static(cls, name, None)):
                        raise ModelError(
                            f"{cls.__name__}.{name} is state and a method", place, hint="Rename one of them."
                        )
                    if any(name in vars(c) for c in cls.__mro__):
                        hint = f"Assign self.{name} in a method decorated with @initially."
                        if isinstance(inspect.getattr_static(cls, name), Knob):
                            hint = f"A knob has no annotation: write {name} = Knob(...)."
                        reason = f"{cls.__name__}.{name} is state, and `= ...` behind its annotation gives it no value"
                        raise ModelError(reason, place, hint=hint)
                    self.know(annotation)
                    self._declare(owner.path + name, declared, place)

    def _members(self, owner: Object, cls: type, place: ir.Place | None) -> None:
        """Gather knobs, parts and methods with a role."""
        for name, value in attributes(cls).items():
            refuse_overriding(cls, name, value, place)
            if isinstance(value, Knob):
                if not (isinstance(value.sort, type) and (value.sort is bool or issubclass(value.sort, enum.Enum))):
                    raise ModelError(
                        f"the knob '{owner.path + name}' is over {value.sort!r}",
                        place,
                        hint="A Knob is over bool, or over an enum.Enum class.",
                    )
                self._declare(owner.path + name, Declared((), self.sort(value.sort), "knob"), place, value.doc)
            elif isinstance(value, Part):
                self._part(owner, name, value)
            elif (role := role_of(value)) is not None:
                for sort in role.sorts:
                    self.know(sort)
                if not inspect.isfunction(value):
                    what = type(value).__name__.strip("_")
                    raise ModelError(
                        f"{cls.__name__}.{name} is {articled(role.word)} inside of a {what}, which is not read",
                        place,
                        hint="Decorate a plain method with nothing else.",
                    )
                twin = next((m for m in self.members if m.owner is owner and m.function is value), None)
                if twin is not None:
                    raise ModelError(
                        f"{cls.__name__} has {articled(role.word)} under two names, '{twin.attribute}' and '{name}'",
                        place,
                        hint="Remove one of them.",
                    )
                self.members.append(Member(owner, value, role, name))
            else:
                refuse_hidden(cls, name, value, place)

    def _attributes(self, owner: Object, cls: type, place: ir.Place | None) -> None:
        """Declare the maps that a part made for itself, and gather its parts."""
        for name, value in vars(owner.python).items():
            refuse_overriding(cls, name, value, place)
            if owner.path + name in self.variables and not isinstance(value, Map):
                what, hint = "state", f"Assign self.{name} in a method decorated with @initially."
                if self.variables[owner.path + name].kind == "knob":
                    what, hint = "a knob", f"Write a class for it: class Mine({cls.__name__}), which gives {name} another value."
                raise ModelError(f"{cls.__name__}.{name} is {what}, and its value in __init__ is not read", place, hint=hint)
            if isinstance(value, Map):
                for sort in value.sorts:
                    self.know(sort)
                kind = Kind.GHOST.value if value.ghost else "state"
                declared = self._made(owner, name, lambda v=value, k=kind: of_sorts(v.sorts, k, v.view, self.size_of))  # type: ignore[misc]
                self._declare(owner.path + name, declared, place, value.doc)
            elif isinstance(value, Part):
                self._part(owner, name, value)

    def _made(self, owner: Object, name: str, work: Callable[[], Declared]) -> Declared:
        """What a part's map declares; what is wrong with it, was wrong where the system made the part."""
        try:
            return work()
        except ModelError as error:
            here = attribute_place(self.cls, owner.path.partition(".")[0])
            raise ModelError(
                f"'{owner.path + name}': {error.message}", *(here or (class_place(self.cls), "")), error.hint
            ) from None

    def _part(self, owner: Object, name: str, part: Part) -> None:
        known = self.parts.get(id(part))
        if known is None:
            known = Object(f"{owner.path}{name}.", part)
            self.owners[known.path] = [owner.path]
            self._collect(known)
        elif owner.path not in self.owners.setdefault(known.path, []):
            self.owners[known.path].append(owner.path)

    def know(self, annotation: Any) -> None:
        """Note down the classes of sorts: two of one name would be one sort to everything behind."""
        for cls in classes_in(annotation):
            if issubclass(cls, (Sort, Counter, enum.Enum)):
                refuse_order(cls)
            if issubclass(cls, Sort):
                refuse_sizes(cls)
                self._once(self.classes, cls)
            elif issubclass(cls, Counter):
                self._once(self.counters, cls)
            elif issubclass(cls, enum.Enum):
                self._once(self.enumerations, cls)

    def _once(self, known: dict[str, Any], cls: type) -> None:
        for found in (self.classes, self.counters, self.enumerations):
            other = found.get(cls.__name__)
            if other is not None and other is not cls:
                kind = "enumerations" if issubclass(cls, enum.Enum) and found is self.enumerations else "sorts"
                raise ModelError(
                    f"there are two {kind} called {cls.__name__}", class_place(cls), hint="Rename one of them."
                )
        alike = next((n for n in known if n != cls.__name__ and n.lower() == cls.__name__.lower()), None)
        if alike is not None and known is self.classes:
            raise ModelError(
                f"the sorts {alike} and {cls.__name__} are both written '{alike.lower()}'",
                class_place(cls),
                hint="Sizes and elements are called by their sort in lower case: rename one of them.",
            )
        known[cls.__name__] = cls

    def _declare(self, name: str, declared: Declared, place: ir.Place | None, doc: str = "") -> None:
        kind = declared.kind
        free = kind in ("rigid", "knob") or (isinstance(declared.sort, ir.Scalarset) and not declared.sort.ordered)
        variable = ir.StateVar(
            name,
            declared.index,
            declared.sort,
            kind,  # type: ignore[arg-type]
            free,
            doc,
            place,
            declared.view,
        )
        self.variables[name] = variable

    def sort_sizes(self) -> tuple[tuple[ir.Scalarset | ir.CounterSort, ...], Mapping[str, int]]:
        """All scalarsets and counters, whoever names them, and the scalarsets' default sizes."""
        found: dict[str, ir.Scalarset | ir.CounterSort] = {}
        mentioned = [s for v in self.variables.values() for s in (*v.index, v.sort)]
        for sort in (*mentioned, *map(to_sort, self.classes.values()), *map(to_sort, self.counters.values())):
            base = sort_in(sort)
            if isinstance(base, (ir.Scalarset, ir.CounterSort)):
                found[base.name] = base
        sizes = {name: self.classes[name].size for name, sort in found.items() if isinstance(sort, ir.Scalarset)}
        for sort_class, size in self.cls.sizes.items():
            name = getattr(sort_class, "__name__", str(sort_class))
            meant = next((n for n in self.classes if n.lower() == name.lower()), name)
            if meant not in self.classes:
                raise ModelError(
                    f"sizes: there is no sort '{name}'", class_place(self.cls), hint=nearest(name, sizes, "sorts")
                )
            if self.classes[meant] is not sort_class:
                hint = f"Write sizes = {{{meant}: {size!r}}}, with the class itself."
                raise ModelError(f"sizes: {sort_class!r} is not the sort {meant}", class_place(self.cls), hint=hint)
            sizes[name] = size
        return tuple(found.values()), {**sizes, **self.asked}


SILENT = {"__init_subclass__", "__class_getitem__", "__repr__", "__str__", "__format__"}
"""Special methods that no statement of a model calls."""

COMPARING = {"__eq__", "__ne__", "__bool__"}
"""Special methods of an enumeration that would change what its members are; of `<` see `ordered_enumeration`."""


def special(cls: type) -> Iterator[str]:
    return (n for n, v in vars(cls).items() if n[:2] == n[-2:] == "__" and inspect.isfunction(v))


def refuse_special(cls: type, base: type) -> None:
    """Refuse special methods of a system or part: Python calls them where a reader sees no call."""
    known = SILENT | ({"__init__"} if base is Part else set())
    for c in cls.__mro__:
        if c in (base, object):
            continue
        for name in special(c):
            if name not in known:
                hint = "Assign to state in a method decorated with @initially." if name == "__init__" else ""
                raise ModelError(
                    f"{c.__name__}.{name} is a special method, which is not read",
                    class_place(c),
                    hint=hint or "Write a plain method, and call it by its name.",
                )


def refuse_order(cls: type) -> None:
    """Refuse a sort, counter or enumeration whose elements compare otherwise than those of its kind."""
    for c in inspect.getmro(type(cls)):
        if c in (type(Sort), enum.EnumMeta, type):
            break
        for name in special(c):
            raise ModelError(
                f"{cls.__name__} is made by {c.__name__}, whose {name} is not read",
                class_place(cls),
                hint="Leave the metaclass out: what there is of a sort, is its elements as they are listed.",
            )
    for c in cls.__mro__:
        if c in (Sort, Counter, OrderedEnum) or c.__module__ in ("enum", "builtins"):
            break
        for name in special(c):
            if name in COMPARING or (not issubclass(cls, enum.Enum) and name not in SILENT):
                raise ModelError(
                    f"{c.__name__}.{name} is a special method, which is not read",
                    class_place(c),
                    hint="Elements are equal if they are one, and have the order in which they are listed.",
                )


def refuse_hidden(cls: type, name: str, value: Any, place: ir.Place | None) -> None:
    """Refuse a step or property that is not seen, since something stands around it."""
    inside = [getattr(value, a, None) for a in ("fget", "func", "__func__", "__wrapped__")]
    if inspect.isfunction(value):
        inside += [c.cell_contents for c in value.__closure__ or () if c != CellType()]
    hidden = next((f for f in inside if inspect.isfunction(f) and role_of(f) is not None), None)
    if hidden is not None:
        kind = role_of(hidden).word  # type: ignore[union-attr]
        what = "decorator" if inspect.isfunction(value) else type(value).__name__.strip("_")
        raise ModelError(
            f"'{name}' is {articled(kind)} inside of a {what}, which hides it",
            place,
            hint=f"Write @{kind} above the other decorator." if what == "decorator" else "Use a plain method.",
        )


def refuse_sizes(cls: type[Sort]) -> None:
    """Refuse a sort whose class gives something else than numbers for what are numbers, and truth values for what are such."""
    if not is_number(cls.size) or cls.size < 1:
        raise ModelError(f"the sort {cls.__name__} has size {cls.size!r}, and the least is 1", class_place(cls))
    if not is_number(cls.first) or cls.first < 0:
        reason = f"the sort {cls.__name__} has first={cls.first!r}, which is no number of an element"
        raise ModelError(reason, class_place(cls), hint=f"Write class {cls.__name__}(Sort, first=1).")
    if not isinstance(cls.ordered, bool):
        reason = f"the sort {cls.__name__} has ordered={cls.ordered!r}, which is neither True nor False"
        raise ModelError(reason, class_place(cls), hint=f"Write class {cls.__name__}(Sort, ordered=True).")


def refuse_word(cls: type, base: type, name: str, annotation: Any, place: ir.Place | None) -> None:
    """Refuse state that has the name of something that every system has: `sizes: Map[Cpu, bool]` would be no state."""
    known = hints(base).get(name, annotation)
    if known == annotation or get_origin(annotation) is ClassVar or annotation is ClassVar:
        return
    if all(vars(c).get(name) is None for c in cls.__mro__ if c is not base):
        reason = f"{cls.__name__}.{name} is state, and in every system '{name}' is something else"
        raise ModelError(reason, place, hint="Give the state another name.")


def refuse_overriding(cls: type, name: str, value: Any, place: ir.Place | None) -> None:
    """Refuse what takes the place of a step or property of a class above without being one."""
    above = next((role for c in cls.__mro__ if (role := role_of(vars(c).get(name))) is not None), None)
    if above is None or value is None or role_of(value) is not None:
        return
    text, away = f"'{name}' overrides {articled(above.word)}, and is none", f"`{name} = None` takes it away."
    if inspect.isfunction(value):
        source = source_of(value)
        source.fail(source.tree, text, f"Decorate it with @{above.word}; {away}")
    raise ModelError(text, place, hint=f"Give it a name of its own; {away}")
