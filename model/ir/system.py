"""The intermediate representation: a first-order transition system.

Everything that flushproof does, it does to these few classes.  The front end (`model.language.compile`) makes them from Python;
the interpreter, the native engine, Z3 and the exporters read them, and none of those knows Python's syntax.

Meaning of a `System`, in the terms of the field:

- A *state* gives each `StateVar` a total map from its index sorts to its value sort.
- *Initial* states: every variable has its default value (see `default_value`), except that variables with
  `free=True` (rigid maps; maps into a scalarset, which has no distinguished element) take every value; then the
  `init` action is applied, for each choice of its parameters for which its guard holds.
- A *transition* takes an action and a value for each of its parameters such that the guard holds in the present
  state.  All expressions of the action read the *present* state.  The updates are applied in order; where two
  write the same location, the later one wins.
- An `Update` writes ``var[args] := value`` for all values of its binders for which `cond` holds.  Each binder stands
  exactly once in `args`, as an argument of its own, so that the new map is the term
  ``lambda xs. ite(cond', value', var(xs))`` with each binder replaced by the corresponding `x`.
- A *counter* is a dense strict order without a greatest element.  `Action.fresh` binds values that are greater than
  every value of that counter in the present state (several fresh ones increase in order).
- A `Property` holds in a state when each of its clauses does.

Expressions are interned: two equal expressions are one object, so that `==` is identity and memo tables are cheap.

Long because it is one interface, read as a whole: each class says what it means, and half of the lines are that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Union

from flushproof.model.errors import Place

__all__ = [
    "BOOL",
    "DROPPED",
    "FALSE",
    "TAKEN_OVER",
    "TRUE",
    "UNNAMED",
    "Action",
    "And",
    "BoolSort",
    "Clause",
    "Cost",
    "CounterSort",
    "EnumSort",
    "Eq",
    "Expr",
    "Hint",
    "IntSort",
    "Ite",
    "Less",
    "Lit",
    "Named",
    "Narrow",
    "Negated",
    "Node",
    "Not",
    "Obligation",
    "OptionSort",
    "Or",
    "Place",
    "Plus",
    "Progress",
    "Property",
    "Quant",
    "Read",
    "Scalarset",
    "Some",
    "Sort",
    "StateVar",
    "System",
    "The",
    "Update",
    "Var",
    "View",
    "children",
    "default_value",
    "walk",
]

# ---------------------------------------------------------------------------------------------------------------- sorts


@dataclass(frozen=True)
class BoolSort:
    """Truth values; a literal's value is `True` or `False`."""

    @property
    def name(self) -> str:
        return "bool"


@dataclass(frozen=True)
class EnumSort:
    """A fixed list of named values, ordered as listed (so `Less` applies); a literal's value is a member's name."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Scalarset:
    """Interchangeable elements: `Cpu`, `Vm`, `Vmid`.  No order, and no literals but in sums over all elements (`System.sized`),
    which a permutation of the elements changes into themselves: symmetry comes from the type.

    With `ordered=True` the elements are 0 < 1 < ..., `Less` applies, a literal's value is an index, and there is no
    symmetry.  The number of elements is given by an `Instance`, or left open in a proof.  `first` is the number that the
    first element is shown with (VMIDs start at 1, since 0 is the host's).
    """

    name: str
    ordered: bool = False
    first: int = 0


@dataclass(frozen=True)
class IntSort:
    """The integers from `lo` to `hi`, both included."""

    lo: int
    hi: int

    @property
    def name(self) -> str:
        return f"{self.lo}..{self.hi}"


@dataclass(frozen=True)
class CounterSort:
    """A fresh counter (a generation number): compared (`Eq`, `Less`) and advanced (`Action.fresh`) only.

    The only literal is 0, the value at the start, below every other.
    """

    name: str


@dataclass(frozen=True)
class OptionSort:
    """None, or an element of `base` (which is itself no option); the literal None has the value `None`."""

    base: Union[BoolSort, EnumSort, Scalarset, IntSort, CounterSort]

    @property
    def name(self) -> str:
        return f"Optional[{self.base.name}]"


Sort = Union[BoolSort, EnumSort, Scalarset, IntSort, CounterSort, OptionSort]

BOOL = BoolSort()


def default_value(sort: Sort) -> bool | int | str | None:
    """The literal value that a variable of this sort starts with; for an unordered `Scalarset` there is none.

    Raises:
        ValueError: the sort has no distinguished element.
    """
    match sort:
        case BoolSort():
            return False
        case EnumSort():
            return sort.members[0]
        case IntSort():
            return min(max(0, sort.lo), sort.hi)
        case CounterSort():
            return 0
        case OptionSort():
            return None
        case Scalarset():
            if sort.ordered:
                return 0
            raise ValueError(f"{sort.name} has no distinguished element")


# ---------------------------------------------------------------------------------------------------------- expressions


class _Interned(type):
    """Makes equal nodes one object: `Not(x) is Not(x)`."""

    _table: ClassVar[dict[Any, Any]] = {}

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        node = super().__call__(*args, **kwargs)
        key = (cls, *(_key(getattr(node, f.name)) for f in fields(node)))
        return _Interned._table.setdefault(key, node)


def _key(value: Any) -> Any:
    """A part of a node's identity; `True` and `1` are different literals though equal in Python."""
    return (type(value), value)


@dataclass(frozen=True, eq=False)
class Node(metaclass=_Interned):
    """An expression; `sort` is the sort of its value."""

    @property
    def sort(self) -> Sort:
        raise NotImplementedError

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))


@dataclass(frozen=True, eq=False)
class Lit(Node):
    """A literal; see each sort for what its `value` may be."""

    value: bool | int | str | None
    of: Sort

    @property
    def sort(self) -> Sort:
        return self.of


@dataclass(frozen=True, eq=False)
class Var(Node):
    """A parameter of an action, or a variable bound by a quantifier or an update."""

    name: str
    of: Sort

    @property
    def sort(self) -> Sort:
        return self.of


@dataclass(frozen=True, eq=False)
class Read(Node):
    """The value of a state variable at `args` in the present state."""

    name: str
    args: tuple[Expr, ...]
    of: Sort

    @property
    def sort(self) -> Sort:
        return self.of


@dataclass(frozen=True, eq=False)
class Not(Node):
    arg: Expr

    @property
    def sort(self) -> Sort:
        return BOOL


@dataclass(frozen=True, eq=False)
class And(Node):
    args: tuple[Expr, ...]

    @property
    def sort(self) -> Sort:
        return BOOL


@dataclass(frozen=True, eq=False)
class Or(Node):
    args: tuple[Expr, ...]

    @property
    def sort(self) -> Sort:
        return BOOL


@dataclass(frozen=True, eq=False)
class Eq(Node):
    """Equality of two expressions of the same sort (any sort, Bool and options too)."""

    left: Expr
    right: Expr

    @property
    def sort(self) -> Sort:
        return BOOL


@dataclass(frozen=True, eq=False)
class Less(Node):
    """Strict order on one `IntSort` pair (of any ranges), `CounterSort`, `EnumSort` or ordered `Scalarset`."""

    left: Expr
    right: Expr

    @property
    def sort(self) -> Sort:
        return BOOL


@dataclass(frozen=True, eq=False)
class Ite(Node):
    """`then` if `cond`, else `other`; both of one sort."""

    cond: Expr
    then: Expr
    other: Expr

    @property
    def sort(self) -> Sort:
        return self.then.sort


@dataclass(frozen=True, eq=False)
class Some(Node):
    """The option that holds `arg`."""

    arg: Expr

    @property
    def sort(self) -> Sort:
        sort = self.arg.sort
        assert not isinstance(sort, OptionSort)
        return OptionSort(sort)


@dataclass(frozen=True, eq=False)
class The(Node):
    """The element that an option holds.  Of None it is some element of the sort: an obligation sees to it that this never
    matters, and readings may choose (the finite ones take the first)."""

    arg: Expr

    @property
    def sort(self) -> Sort:
        sort = self.arg.sort
        assert isinstance(sort, OptionSort)
        return sort.base


@dataclass(frozen=True, eq=False)
class Plus(Node):
    """Integer sum of `args`, each of an `IntSort`; its own range is the sum of theirs.  So its code (see `instance`) is the sum of
    their codes."""

    args: tuple[Expr, ...]

    @property
    def sort(self) -> Sort:
        lo = hi = 0
        for arg in self.args:
            assert isinstance(arg.sort, IntSort)
            lo, hi = lo + arg.sort.lo, hi + arg.sort.hi
        return IntSort(lo, hi)


@dataclass(frozen=True, eq=False)
class Negated(Node):
    """The integer `arg` with the other sign; its code counts down from that of the highest."""

    arg: Expr

    @property
    def sort(self) -> Sort:
        sort = self.arg.sort
        assert isinstance(sort, IntSort)
        return IntSort(-sort.hi, -sort.lo)


@dataclass(frozen=True, eq=False)
class Narrow(Node):
    """`arg`, an integer of another range, as an integer of the range `of`; an obligation sees to it that it fits."""

    arg: Expr
    of: IntSort

    @property
    def sort(self) -> Sort:
        return self.of


@dataclass(frozen=True, eq=False)
class Quant(Node):
    """`kind` is "forall" or "exists"; `var` ranges over its whole sort (never a counter or an option)."""

    kind: Literal["forall", "exists"]
    var: Var
    body: Expr

    @property
    def sort(self) -> Sort:
        return BOOL


Expr = Union[Lit, Var, Read, Not, And, Or, Eq, Less, Ite, Some, The, Plus, Negated, Narrow, Quant]

TRUE = Lit(True, BOOL)
FALSE = Lit(False, BOOL)


# --------------------------------------------------------------------------------------------------- transition system


@dataclass(frozen=True)
class View:
    """What a variable is in a machine, for who draws one; no step and no verdict depends on it.

    what: "cache": each location that is true, or holds an element, is an entry; "pending": each such location is an operation
        that was issued and has yet to be performed; "context": what is in the registers of an element, or runs there; "table":
        a table in memory; "slots": what an allocator gave to whom; "lock": who holds it; "inside":
        whether an element is in a kind of code, or how far that has come, which the steps of its processes show anyway.
    title: its name in manuals and kernels: `TLB`.
    of: whose it is: the position of that element in the index.
    tag: of a cache, how many of the sorts behind the first one the hardware compares; what follows is what an entry holds.
    by: which positions in the index say who made an entry, which the hardware does not know.
    holds: what the others behind the tag are called, where their values do not say what they are of.
    """

    what: Literal["cache", "pending", "context", "table", "slots", "lock", "inside"]
    title: str
    of: int = 0
    tag: int = 0
    by: tuple[int, ...] = ()
    holds: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateVar:
    """A named total map from `index` sorts to `sort`.

    kind: "state" changes; "rigid" never does; "knob" is rigid, without index, and part of a policy; "ghost" exists for
        properties alone (no guard and no update of another kind reads it).
    free: starts with any value rather than the default.
    view: what it is in the machine, where its declaration says so.
    """

    name: str
    index: tuple[Sort, ...]
    sort: Sort
    kind: Literal["state", "rigid", "knob", "ghost"] = "state"
    free: bool = False
    doc: str = ""
    place: Place | None = None
    view: View | None = None


@dataclass(frozen=True)
class Update:
    """``var[args] := value`` for all values of `binders` for which `cond` holds; see the module's text."""

    var: str
    binders: tuple[Var, ...]
    args: tuple[Expr, ...]
    cond: Expr
    value: Expr


@dataclass(frozen=True)
class Obligation:
    """What a model owes: a value that must not be None here, a number in its range, a location not written twice.

    `expr` must be true whenever `when` is (the step has come as far as this place).  Where it is not, the model itself is
    wrong; the built-in property `well-defined` says so, with a trace.
    """

    when: Expr
    expr: Expr
    message: str
    place: Place | None = None


@dataclass(frozen=True)
class Named:
    """An element of an ordered sort that the source names by its number, where a step may come to it.

    An instance in which it does not exist is none, also where its value plays no role.
    """

    literal: Lit
    when: Expr
    place: Place | None = None


TAKEN_OVER = "taken_over~"
"""The variable that tells whether the policy under check is in force; a name with ~ cannot be spelled by a user."""

UNNAMED = "choice"
"""What a parameter is called that stands for a choice to which the system gives no name."""

DROPPED = "dropped"
"""The name of the cost under which dropped entries are counted."""


@dataclass(frozen=True)
class Cost:
    """What a step costs, for those who compare policies; it changes no state and no verdict.

    The step costs one `name` (`bc_tag`, `ipi`) for each assignment to `binders` for which `cond` holds in the present state.
    entry: where a cached entry is dropped, the location that holds it; None for an operation.
    event: whether it is no cost but an event of the world (`vcpu_load`, `rollover`), by which costs are counted.
    """

    name: str
    binders: tuple[Var, ...]
    cond: Expr
    entry: Read | None = None
    event: bool = False


@dataclass(frozen=True)
class Action:
    """A guarded atomic step.

    name: unique in its system; for a step of a process "process: label".
    params: what the step chooses; any finite sort (also options).
    fresh: new counter values, see the module's text.
    cpu: the parameter (of a sort called Cpu) that acts, if one does: the column of a trace.
    process, label: for a step of a process, its name and the label at which the step starts.
    doc: one sentence for people; parameters in braces, and whatever else `named` gives a value in the present state.
    """

    name: str
    params: tuple[Var, ...]
    guard: Expr
    updates: tuple[Update, ...]
    fresh: tuple[Var, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    costs: tuple[Cost, ...] = ()
    cpu: Var | None = None
    process: str | None = None
    label: str | None = None
    doc: str = ""
    place: Place | None = None
    named: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True)
class Clause:
    """One way to break a property: for all `params`, if `guard` holds then `expr` does.

    event: the name of the event (a TLB hit, an instruction fetch) that shows the violation as a last, state-preserving
        step of a trace; None for a plain invariant.
    cpu: the parameter that acts in the event.
    message: a sentence with parameters in braces, and whatever else `named` gives a value in the state that is looked at: what went
        wrong, for whom, and why that is wrong.
    doc: what a trace says of the event itself; parameters in braces.
    """

    params: tuple[Var, ...]
    guard: Expr
    expr: Expr
    event: str | None = None
    cpu: Var | None = None
    message: str = ""
    place: Place | None = None
    doc: str = ""
    named: tuple[tuple[str, Expr], ...] = ()

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """All that it speaks of."""
        return (self.guard, self.expr, *(expr for _, expr in self.named))


@dataclass(frozen=True)
class Property:
    """What must hold in every reachable state ("invariant"), or in at least one ("reachable").

    A "reachable" property has one clause without parameters and with a true guard; its `expr` is what must be reached.
    """

    name: str
    clauses: tuple[Clause, ...]
    kind: Literal["invariant", "reachable"] = "invariant"
    doc: str = ""
    place: Place | None = None


@dataclass(frozen=True)
class Progress:
    """What must happen again and again in every fair execution without an end (see `fairness`): one of these actions.

    within: only executions that stay in such states owe it.
    """

    name: str
    actions: tuple[str, ...]
    doc: str = ""
    place: Place | None = None
    within: Expr = TRUE


@dataclass(frozen=True)
class Hint:
    """A condition on the parameters that lemmas may speak of; it is false where it is undefined."""

    params: tuple[Var, ...]
    expr: Expr


@dataclass(frozen=True)
class System:
    """A compiled system: every knob is still free here (`terms.fix_knobs` makes constants of those that are fixed).

    name: as on the command line; title: the class's name.
    sorts: every scalarset and counter in use, in order of first use, with its default size (None for counters).
    init: the action that makes the initial states; its guard holds the axioms about rigid maps as well.
    final: a state in which no action is possible is a deadlock unless this holds there.
    settle: what hardware does by itself within every step (the closures), alone: it changes no reachable state.
    lemmas: candidate auxiliary invariants, for proofs; hints: what further ones may speak of.
    undefined: what events and the initial state owe, as clauses of the built-in property `well-defined`.
    progress: what must happen again and again.
    asks: built-in properties that are looked for besides those that always are (`no-stuck`).
    handover: the action with which the policy under check takes over from the one that reaches its initial states, which sets
        `TAKEN_OVER`; None where that policy is in force from the beginning.
    sized: the sorts of whose number of elements it speaks (ranges that end there, sums over all elements): it is meant for
        `sizes` of them alone, and at other sizes it is another system.
    named: the elements that steps write or go to by their numbers, whatever becomes of it.
    spelled: where the source has an element's number first.
    """

    name: str
    title: str
    doc: str
    sorts: tuple[Scalarset | CounterSort, ...]
    sizes: Mapping[str, int]
    variables: tuple[StateVar, ...]
    init: Action
    actions: tuple[Action, ...]
    properties: tuple[Property, ...]
    final: Expr = FALSE
    settle: Action = Action("settle", (), TRUE, ())
    lemmas: tuple[Property, ...] = ()
    hints: tuple[Hint, ...] = ()
    undefined: tuple[Clause, ...] = ()
    progress: tuple[Progress, ...] = ()
    asks: tuple[str, ...] = ()
    handover: str | None = None
    sized: frozenset[str] = frozenset()
    named: tuple[Named, ...] = ()
    spelled: Mapping[Lit, Place] = field(default_factory=dict, repr=False, compare=False)
    variable: Mapping[str, StateVar] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "variable", {v.name: v for v in self.variables})


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct subexpressions, in order."""
    match expr:
        case Lit() | Var():
            return ()
        case Read() | And() | Or() | Plus():
            return expr.args
        case Not() | Some() | The() | Negated() | Narrow():
            return (expr.arg,)
        case Eq() | Less():
            return (expr.left, expr.right)
        case Ite():
            return (expr.cond, expr.then, expr.other)
        case Quant():
            return (expr.body,)


def walk(*exprs: Expr) -> Iterator[Expr]:
    """Every distinct subexpression once, parents before children."""
    seen: set[int] = set()
    stack = list(reversed(exprs))
    while stack:
        expr = stack.pop()
        if id(expr) not in seen:
            seen.add(id(expr))
            yield expr
            stack.extend(reversed(children(expr)))
