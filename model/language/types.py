"""Annotations of the modelling language, as sorts of the intermediate representation."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest

from .declare import Counter, Kind, Map, Part, Range, Size, Sort
from .source import class_place

SizeOf = Callable[[Any], int]
"""How many elements a sort has."""


@dataclass(frozen=True)
class Declared:
    """A state variable as it was declared: its index sorts, its value's sort, how it may be used, and what it is in the machine."""

    index: tuple[ir.Sort, ...]
    sort: ir.Sort
    kind: str = "state"
    view: ir.View | None = None


def usual_size(sort: Any) -> int:
    """The size that a sort's class gives it."""
    return int(sort.size)


def to_sort(annotation: Any, size_of: SizeOf = usual_size) -> ir.Sort:
    """The sort that an annotation names, at these sizes.

    Raises:
        ModelError: it names none.
    """
    match annotation:
        case type() if annotation is bool:
            return ir.BOOL
        case type() if issubclass(annotation, enum.Flag):
            raise ModelError(
                f"{annotation.__name__} is a Flag, whose values are combined", hint="Use a bool for each flag."
            )
        case type() if issubclass(annotation, enum.Enum):
            if not len(annotation):
                raise ModelError(f"{annotation.__name__} has no members")
            return ir.EnumSort(annotation.__name__, tuple(member.name for member in annotation))
        case type() if issubclass(annotation, Sort):
            if annotation.ordered and annotation.first:
                reason = f"{annotation.__name__} is ordered, so that its first element is written 0 and not {annotation.first}"
                raise ModelError(reason, hint=f"Leave out first={annotation.first}.")
            return ir.Scalarset(annotation.__name__, annotation.ordered, annotation.first)
        case type() if issubclass(annotation, Counter):
            return ir.CounterSort(annotation.__name__)
        case Range():
            return int_sort(annotation, size_of)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [a for a in args[1:] if isinstance(a, Range)]
        if len(bounds) != 1 or args[0] is not int:
            what = f"Annotated[{getattr(args[0], '__name__', args[0])}, ...]"
            hint = "Write Annotated[int, Range(0, 3)] of a number, with one Range, and any other sort alone."
            if get_origin(args[0]) is Map and get_args(args[0])[-1] is int:
                index = ", ".join(getattr(sort, "__name__", str(sort)) for sort in get_args(args[0])[:-1])
                hint = f"Write Map[{index}, Annotated[int, Range(0, 3)]]: the range is that of the map's numbers."
            raise ModelError(f"{what} is no sort", hint=hint)
        return to_sort(bounds[0], size_of)
    if origin in (Union, types.UnionType) and len(args) == 2 and type(None) in args:
        base = to_sort(next(a for a in args if a is not type(None)), size_of)
        if isinstance(base, ir.OptionSort):
            raise ModelError("an Optional of an Optional is no sort")
        return ir.OptionSort(base)
    if origin is Map or annotation is Map:
        hint = "All indices stand in one Map, behind which is the value: Map[Cpu, Page, bool], Map[Cpu, Optional[Page]]."
        raise ModelError("a Map is no single value", hint=hint)
    if origin is tuple or annotation is tuple:
        parts = ", ".join(getattr(a, "__name__", str(a)) for a in args)
        hint = "A state holds single values: declare each part, as in `page: Page` and `dirty: bool`; a local may be a tuple."
        raise ModelError(f"tuple[{parts}] is no single value", hint=hint)
    shown = getattr(annotation, "__name__", str(annotation))
    hint = (
        "Write Annotated[int, Range(0, 3)]: an integer needs its bounds, so that the state space is finite."
        if annotation is int
        else "A sort is bool, an enum.Enum class, a Sort or Counter class, Annotated[int, Range(lo, hi)], or Optional[...] of one."
    )
    if isinstance(annotation, type) and issubclass(annotation, Part):
        hint = f"A part is a value, without an annotation: `lock = {shown}(...)`."
    elif isinstance(annotation, type) and annotation.__module__ != "builtins":
        hint = f"Write class {shown}(Sort). {hint}"
    raise ModelError(f"{shown} is not a sort", hint=hint)


MOST_VALUES = 1 << 32
"""A range may have so many values: more are no small machine's."""


def int_sort(bounds: Range, size_of: SizeOf = usual_size) -> ir.IntSort:
    """The sort of a range.

    Raises:
        ModelError: its bounds are none.
    """
    lo, hi = (bound_of(bound, size_of) for bound in (bounds.lo, bounds.hi))
    if lo > hi:
        raise ModelError(f"Range({lo}, {hi}) is empty", hint=f"Write Range({hi}, {lo}).")
    if hi - lo >= MOST_VALUES:
        raise ModelError(f"Range({lo}, {hi}) has too many values: {MOST_VALUES:,} are the most")
    return ir.IntSort(lo, hi)


def bound_of(bound: Any, size_of: SizeOf) -> int:
    """A bound of a range as a number."""
    if isinstance(bound, Size):
        for sort in bound.sorts:
            refuse_no_sort(sort)
        return bound.at(size_of)
    if not isinstance(bound, int) or isinstance(bound, (bool, enum.Enum)):
        hint = "Write Range(0, 3), with whole numbers, or Range(0, size(Cpu))."
        raise ModelError(f"{bound!r} is no bound of a range", hint=hint)
    return bound


def refuse_no_sort(sort: Any) -> None:
    """See to it that `size` is asked of what has a size that a run decides."""
    if not (isinstance(sort, type) and issubclass(sort, Sort)):
        shown = getattr(sort, "__name__", repr(sort))
        raise ModelError(f"size() takes a Sort class, and {shown} is none", hint="Write size(Cpu).")


T = TypeVar("T")


def without(annotation: Any, extra: type[T]) -> tuple[Any, list[T]]:
    """An annotation without what it says besides of this class, such as `Rigid[...]`, and what it says so.

    Python makes one `Annotated` of several around each other.
    """
    if get_origin(annotation) is not Annotated:
        return annotation, []
    base, *extras = get_args(annotation)
    others = tuple(e for e in extras if not isinstance(e, extra))
    return (Annotated.__class_getitem__((base, *others)) if others else base), [
        e for e in extras if isinstance(e, extra)
    ]


def to_declared(annotation: Any, size_of: SizeOf = usual_size) -> Declared | None:
    """What a class annotation declares, or None where it declares no state (a `ClassVar`)."""
    if get_origin(annotation) is ClassVar or annotation is ClassVar:
        return None
    annotation, kinds = without(annotation, Kind)
    annotation, views = without(annotation, ir.View)
    if len(kinds) > 1:
        raise ModelError("state is Rigid or Ghost, not both", hint="Ghost state that no step writes is rigid as well.")
    if len(views) > 1:
        raise ModelError("state has one View", hint="Remove one of them.")
    kind, view = kinds[0].value if kinds else "state", views[0] if views else None
    if get_origin(annotation) is Map:
        if len(get_args(annotation)) < 2:
            raise ModelError(
                "a Map needs an index and a value", hint="Write Map[Cpu, bool]; a single value needs no Map."
            )
        return of_sorts(get_args(annotation), kind, view, size_of)
    if annotation is Map:
        raise ModelError("a Map needs its sorts", hint="Write Map[Cpu, bool]: the last one is the value's sort.")
    return Declared((), to_sort(annotation, size_of), kind, viewed((), view))


def of_sorts(
    sorts: tuple[Any, ...], kind: str = "state", view: ir.View | None = None, size_of: SizeOf = usual_size
) -> Declared:
    """The declaration of ``Map[sorts]``, or of ``Map(sorts)``, which a part makes: with a value alone it has no index."""
    if not sorts:
        raise ModelError("a Map needs a value", hint="Write Map(Cpu, bool).")
    if any(get_origin(s) is tuple for s in sorts[:-1]):
        hint = "Each part of an index stands by itself: Map[Cpu, Page, bool], read as m[cpu, page]."
        raise ModelError("a Map is indexed by no tuple", hint=hint)
    *index, value = (to_sort(s, size_of) for s in sorts)
    for sort in index:
        if isinstance(sort, ir.CounterSort) or (
            isinstance(sort, ir.OptionSort) and isinstance(sort.base, ir.CounterSort)
        ):
            raise ModelError(f"a Map cannot be indexed by the counter {sort.name}", hint="Counters are unbounded.")
    return Declared(tuple(index), value, kind, viewed(tuple(index), view))


def viewed(index: tuple[ir.Sort, ...], view: ir.View | None) -> ir.View | None:
    """The view of a variable with this index.

    Raises:
        ModelError: it speaks of what the variable does not have.
    """
    if view is None:
        return None
    if not isinstance(view, ir.View):
        raise ModelError(f"{view!r} is no View", hint='Write View("cache", "TLB", tag=1).')
    known = get_args(get_type_hints(ir.View)["what"])
    if view.what not in known:
        raise ModelError(f"a View is of no {view.what!r}", hint=nearest(str(view.what), known, "kinds of View"))
    if not 0 <= view.of < max(len(index), 1) or (view.what == "cache" and not index):
        raise ModelError(
            f"View(of={view.of}) is no position in an index of {len(index)}",
            hint="It says whose the locations are; 0 is the first of the index.",
        )
    if not 0 <= view.tag < max(len(index), 1):
        raise ModelError(
            f"View(tag={view.tag}) is more than there is behind the first of the index",
            hint="It says how many sorts of the index the hardware compares.",
        )
    if not all(view.tag < position < len(index) for position in view.by):
        raise ModelError(
            f"View(by={view.by}) names what is no position behind the tag",
            hint="It says which positions in the index tell who made an entry, and the hardware compares none of them.",
        )
    content = len([n for n in range(len(index)) if n > view.tag and n not in view.by and n != view.of])
    if len(view.holds) not in (0, content):
        raise ModelError(
            f"View(holds={view.holds}) names {len(view.holds)} parts of an entry that holds {content}",
            hint="It says what each is called that stands behind the tag in the index and does not tell who made the entry.",
        )
    return view


def classes_in(annotation: Any) -> Iterator[type]:
    """The classes that an annotation mentions."""
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from classes_in(part)


def hints(owner: Any) -> Mapping[str, Any]:
    """The evaluated annotations of a class, a function or a method, inherited ones included.

    Raises:
        ModelError: a name in an annotation is unknown.
    """
    owner = getattr(owner, "__func__", owner)
    try:
        if owner not in HINTS:
            HINTS[owner] = get_type_hints(owner, include_extras=True)
        return HINTS[owner]
    except (NameError, TypeError) as error:
        name, code = getattr(owner, "__qualname__", str(owner)), getattr(owner, "__code__", None)
        place = ir.Place(code.co_filename, code.co_firstlineno) if code else class_place(owner)
        raise ModelError(
            f"an annotation of {name} cannot be read: {error}", place, hint="Is the sort imported or defined above?"
        ) from None


HINTS: WeakKeyDictionary[Any, Mapping[str, Any]] = WeakKeyDictionary()
"""What the annotations of each class and function came to: they are asked for each time that Python runs a system."""
