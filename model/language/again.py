"""What a @progress method names: the steps of processes by their labels, and actions by their names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest

from .declarations import Member
from .source import source_of
from .words import Process


def progress_of(
    member: Member, actions: Sequence[ir.Action], processes: Iterable[Process], taken: Iterable[str]
) -> ir.Progress:
    """The steps that get done what the method says.

    taken: the names of other properties.

    Raises:
        ModelError: no step has such a label or name; the method has a body; another property has its name.
    """
    source = source_of(member.function)
    place = source.place(source.tree)
    if member.title in taken:
        raise ModelError(f"'{member.title}' is the name of another property", place, hint="Rename one of them.")
    body = source.tree.body if isinstance(source.tree, ast.FunctionDef) else []
    for statement in body:
        if not isinstance(statement, ast.Pass) and not (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            source.fail(statement, "a @progress method does nothing", "It has a docstring, and names its steps above.")
    if not member.role.sorts:
        source.fail(source.tree, "@progress names no step", 'Write @progress("the step\'s label").')
    named: dict[str, list[str]] = {a.name: [a.name] for a in actions if a.process is None}
    for process in processes:
        for label, own in process.labels.items():
            steps = [a.name for a in actions if a.process == process.name and a.label in own]
            named.setdefault(label, []).extend(steps)
    found: dict[str, None] = {}
    for label in member.role.sorts:
        if label not in named:
            source.fail(source.tree, f"no step begins at '{label}'", nearest(str(label), sorted(named), "labels"))
        found |= dict.fromkeys(named[label])
    doc = (member.function.__doc__ or "").strip().split("\n")[0]
    return ir.Progress(member.title, tuple(found), doc, place)
