"""Constructs of Python that the language does not have, in a user's words, each with what to write instead."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

Words = Mapping[type[ast.AST], tuple[str, str]]

STATEMENTS: Words = {
    ast.Try: ("try statement", "A model has no exceptions; a step that is not possible says so with require(...)."),
    ast.TryStar: ("try statement", "A model has no exceptions; a step that is not possible says so with require(...)."),
    ast.Raise: ("raise statement", "A step that is not possible says so with require(...)."),
    ast.Assert: ("assert statement", "Use require(...) for a guard, and a property for what must hold."),
    ast.ClassDef: ("class inside of a method", "Define sorts and enumerations at module level."),
    ast.Delete: ("del statement", "Assign None or False."),
    ast.Import: ("import inside of a method", "Import at module level."),
    ast.ImportFrom: ("import inside of a method", "Import at module level."),
    ast.Global: ("global statement", "All state is declared in the class."),
    ast.Nonlocal: ("nonlocal statement", "Return the value, and assign it where the function is called."),
    ast.Match: ("match statement", "Use if and elif."),
    ast.AsyncFor: ("async for", "Steps are separated by yield."),
    ast.AsyncWith: ("async with", "Steps are separated by yield."),
    ast.AsyncFunctionDef: ("async function", "Steps are separated by yield."),
}

EXPRESSIONS: Words = {
    ast.ListComp: ("list comprehension", "Leave out its brackets in all(...) or any(...), or use a for loop over a sort."),
    ast.SetComp: ("set comprehension", "Use a Map[..., bool] as a set."),
    ast.DictComp: ("dictionary comprehension", "Use a Map as a dictionary."),
    ast.List: ("list", "Use a Map; a fixed group of values is a tuple."),
    ast.Dict: ("dictionary", "Use a Map as a dictionary."),
    ast.Set: ("set", "Use a Map[..., bool] as a set; a fixed group of values is a tuple."),
    ast.JoinedStr: ("f-string", "Messages name parameters in braces, as plain strings."),
    ast.Await: ("await", "Steps are separated by yield."),
    ast.Yield: ("yield inside of an expression", "A yield is a statement of its own, in a process."),
    ast.Starred: ("starred expression here", "A star stands in a tuple, an index or a list of arguments."),
    ast.Slice: ("slice here", "Write `:` for all elements of a map."),
}


def named(node: ast.AST, words: Words) -> tuple[str, str]:
    """What a construct is called, and what to write instead."""
    return words.get(type(node), (f"{type(node).__name__} here", ""))


FUNCTIONS: Mapping[object, str] = {
    print: "A trace shows every step and state; leave it out.",
    int: "Write `1 if ... else 0`.",
    str: "Messages name parameters in braces, as plain strings.",
    repr: "Messages name parameters in braces, as plain strings.",
    set: "Use a Map[..., bool] as a set; a fixed group of values is a tuple.",
    frozenset: "Use a Map[..., bool] as a set; a fixed group of values is a tuple.",
    list: "Use a Map; a fixed group of values is a tuple.",
    dict: "Use a Map as a dictionary.",
    map: "Write a generator expression: all(... for x in Sort).",
    filter: "Write a generator expression with a condition: any(... for x in Sort if ...).",
    iter: "Loop over a Sort, an Enum, bool, each(A, B), or a tuple.",
    sorted: "All rounds of a loop over a sort happen at once: it has no order.",
    divmod: "Write // and %.",
    pow: "Write a product.",
    round: "Numbers are whole.",
    type: "Sorts are known when compiling.",
    hasattr: "What the system has is known when compiling.",
    getattr: "Write self.name; a choice among several is an `if`.",
    setattr: "Write self.name = ...; a choice among several is an `if`.",
    id: "Write `is`.",
    super: "Write super() without arguments.",
}
"""What to write instead of those functions of Python's that the language has not."""


def function_hint(function: object) -> str:
    """What to write instead of a function of Python's; "" if that is not known."""
    try:
        return FUNCTIONS.get(function, "")
    except TypeError:  # not hashable, so none of them
        return ""


def name_them(method: Callable[..., Any]) -> str:
    """What to write instead of a step's starred parameters: a decorator's wrapper names those of what it wraps."""
    parameters = inspect.signature(method).parameters
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters.values()):
        return "Name the parameters."
    return f"Name the parameters: def {method.__code__.co_name}({', '.join(parameters)})."


OF_A_SORT = {
    "sum": "Keep a count of your own, which each step changes, or ask all(...) or any(...) of the sort.",
    "zip": "Write each(A, B) for all pairs; the elements of a sort have no order in which they could be paired.",
    "enumerate": "The elements of a sort have no numbers; keep what you need in a map.",
    "reversed": "All rounds of a loop over a sort happen at once: it has no order.",
}


def of_a_sort(function: str) -> tuple[str, str]:
    """Why a function of Python's takes no sort, and what to write instead."""
    reason = f"{function}() takes a fixed number of values, and a sort has any number of elements"
    return reason, OF_A_SORT.get(function, "Ask all(...) or any(...) of the sort.")
