"""What remains to be executed: an explicit stack of frames, so that it can be kept at a `yield` and taken up in the next step.

Two equal stacks are one place in the program: that is what a label names.  Frames hold no values: those are in variables, which are
kept where they live across a step.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal, Union

from . import core
from .core import Local
from .values import (
    Path,
    Scope,
    Static,
    Value,
)


@dataclass(frozen=True)
class Block:
    """The statements of `body` from number `next` on."""

    body: core.Block = field(compare=False)
    key: int
    next: int
    scope: Scope


@dataclass(frozen=True)
class Rounds:
    """``while True``, about to go round once more."""

    loop: core.Loop
    scope: Scope


@dataclass(frozen=True)
class Items:
    """A loop over a fixed group of values, about to take number `next`."""

    loop: core.For
    next: int
    scope: Scope


@dataclass(frozen=True)
class Exit:
    """The end of a `with`: the part's release."""

    held: core.With
    scope: Scope


@dataclass(frozen=True)
class Return:
    """The place to which a helper returns: the variable that gets its result, in the caller's scope."""

    target: Local
    node: ast.AST
    scope: Scope
    callee: Scope


Frame = Union[Block, Rounds, Items, Exit, Return]
Stack = tuple[Frame, ...]


@dataclass
class Outcome:
    """How one path through a step ended: at a yield (with its label and the stack that remains), or by returning."""

    kind: Literal["yield", "return"]
    path: Path
    value: Value = field(default_factory=lambda: Static(None))
    node: ast.AST | None = None
    label: str = ""
    stack: Stack = ()


def block(body: core.Block, scope: Scope) -> Block:
    return Block(body, id(body), 0, scope)
