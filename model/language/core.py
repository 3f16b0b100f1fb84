"""The core: what every method, helper, lambda and comprehension of a system is rewritten into before it is compiled.

One operation a statement, in Python's order of evaluation, each sub-expression evaluated once.  `and`, `or`, conditional
expressions, chained comparisons, `while` conditions and early exits are branches.  Every variable is one object (`Local`),
whatever it is called: two scopes never share one, and what the compiler adds cannot be spelled by a user.

The core is Python too: `core_text` prints it, Python runs it, and tests hold that it does what the source does.  `normalise`
makes it from source, `statements` compiles it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

from .source import Source

# ---------------------------------------------------------------------------------------------------------------- atoms


@dataclass(eq=False)
class Local:
    """A variable of one function.

    name: how the core prints it, unique in the whole method; shown: how the user wrote it, or for a variable that the core
    adds, what it is; owner: the function that it belongs to; temporary: the core added it; hint: the user's variable in whose
    assignment a temporary stands; asked: nothing is done with its values but to ask whether they hold.
    """

    name: str
    shown: str
    owner: Function
    temporary: bool = False
    hint: str = ""
    asked: bool = False

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Constant:
    """A Python value that is known before anything runs: a literal, a global, a name of an enclosing function.

    text: how the core prints it.
    """

    value: Any
    text: str


@dataclass(frozen=True, eq=False)
class Unknown:
    """A name that nothing has; compiling it is an error, if it is ever reached."""

    name: str


Name = Union[Local, Constant, Unknown]


@dataclass(frozen=True, eq=False)
class Atom:
    """A variable or a constant where it is used; `node` is the expression that the user wrote."""

    of: Name
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Star:
    """``*atom`` in a tuple, an argument list or an index."""

    atom: Atom


@dataclass(frozen=True, eq=False)
class Open:
    """``:`` or ``...`` in an index: all elements of one position, or of all that are not given."""

    text: str
    node: ast.AST


Item = Union[Atom, Star]

# ----------------------------------------------------------------------------------------------------------- operations


@dataclass(frozen=True, eq=False)
class Use:
    """The value of an atom."""

    atom: Atom


@dataclass(frozen=True, eq=False)
class Attribute:
    owner: Atom
    name: str
    """As the user wrote it; inside of a class Python mangles `__name`, and `mangled` is that."""
    mangled: str


@dataclass(frozen=True, eq=False)
class Subscript:
    """``owner[index]``; `single`: the index is written without a comma."""

    owner: Atom
    index: tuple[Item | Open, ...]
    single: bool


@dataclass(frozen=True, eq=False)
class Slice:
    """``owner[lower:upper:step]`` of a tuple; parts that are not written are None."""

    owner: Atom
    bounds: tuple[Atom | None, Atom | None, Atom | None]


@dataclass(frozen=True, eq=False)
class Call:
    function: Atom
    args: tuple[Item, ...]
    keywords: tuple[tuple[str | None, Atom], ...]
    """The name is None for ``**mapping``."""


@dataclass(frozen=True, eq=False)
class Binary:
    left: Atom
    operator: ast.operator
    right: Atom


@dataclass(frozen=True, eq=False)
class Compare:
    left: Atom
    operator: ast.cmpop
    right: Atom


@dataclass(frozen=True, eq=False)
class Unary:
    operator: ast.unaryop
    operand: Atom


@dataclass(frozen=True, eq=False)
class Pack:
    """A tuple."""

    items: tuple[Item, ...]


@dataclass(frozen=True, eq=False)
class Super:
    """``super()``."""


Operation = Union[Use, Attribute, Subscript, Slice, Call, Binary, Compare, Unary, Pack, Super]

# ----------------------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, eq=False)
class Set:
    """``target = operation``."""

    target: Local
    operation: Operation
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Declare:
    """``target: annotation``: every value that the variable gets has this sort."""

    target: Local
    annotation: ast.expr
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Unpack:
    """``a, b = value``."""

    targets: tuple[Local, ...]
    value: Atom
    node: ast.AST


@dataclass(frozen=True, eq=False)
class SetAttribute:
    """``owner.name = value``."""

    owner: Atom
    name: str
    mangled: str
    value: Atom
    node: ast.AST
    """The whole assignment; `target`: its left side."""
    target: ast.expr


@dataclass(frozen=True, eq=False)
class SetItem:
    """``owner[index] = value``."""

    owner: Atom
    index: tuple[Item | Open, ...]
    single: bool
    value: Atom
    node: ast.AST
    target: ast.Subscript


@dataclass(frozen=True, eq=False)
class Do:
    """An operation whose value nobody wants."""

    operation: Operation
    node: ast.AST


@dataclass(frozen=True, eq=False)
class If:
    """leaves: control can leave one of the branches other than at its end."""

    test: Atom
    body: Block
    other: Block
    node: ast.AST
    leaves: bool


@dataclass(frozen=True, eq=False)
class Loop:
    """``while True``; `node` is the user's loop."""

    body: Block
    node: ast.AST


@dataclass(frozen=True, eq=False)
class For:
    """``for target in iterable``.

    names: what the user calls the elements (several where the target is a tuple), for who reads a trace.
    assigned: all variables that the body gives a value, the target included.
    """

    target: Local
    iterable: Atom
    body: Block
    node: ast.AST
    names: tuple[str, ...]
    assigned: frozenset[Local]


@dataclass(frozen=True, eq=False)
class With:
    """``with manager``: a part that is held for the time of the body."""

    manager: Atom
    body: Block
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Break:
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Continue:
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Return:
    value: Atom | None
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Stop:
    """``yield label``: the step ends here."""

    value: ast.expr | None
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Delegate:
    """``target = yield from function(args)``: go on in a helper."""

    target: Local
    call: Call
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Emit:
    """``yield value`` in a generator expression."""

    value: Atom
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Define:
    """``def``: a lambda, a local function, or a generator expression; `defaults` are evaluated here."""

    target: Local
    function: Function
    defaults: tuple[tuple[Local, Atom], ...]
    node: ast.AST


Statement = Union[
    Set, Declare, Unpack, SetAttribute, SetItem, Do, If, Loop, For, With, Break, Continue, Return, Stop, Delegate, Emit,
    Define,
]  # fmt: skip

Block = tuple[Statement, ...]


@dataclass(eq=False)
class Function:
    """A method, helper, lambda, local function or generator expression in the core.

    parameters: in order, with the kind that `inspect` gives them; locals: all variables of its own.
    generator: it is a generator expression, and its one parameter is what its first `for` goes through.
    stops: it has a `yield` of its own, or a `yield from`; kept: the temporaries that live across one.
    declared: the annotations of its variables; spent: the temporaries that nobody uses behind a statement.
    """

    name: str
    source: Source
    node: ast.AST
    parameters: tuple[tuple[Local, Any], ...] = ()
    body: Block = ()
    locals: dict[str, Local] = field(default_factory=dict)
    outer: Function | None = None
    generator: bool = False
    stops: bool = False
    kept: frozenset[Local] = frozenset()
    declared: dict[Local, Any] = field(default_factory=dict)
    spent: dict[Statement, tuple[Local, ...]] = field(default_factory=dict)
    python: Callable[..., Any] | None = None

    def local(self, name: str) -> Local | None:
        """The variable of this function that the user calls so."""
        return self.locals.get(name)
