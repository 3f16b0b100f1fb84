"""Expressions in the modelling language's own words, ready to paste into a system as lemmas."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import assert_never

from flushproof.model.ir import (
    And,
    Clause,
    EnumSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    Not,
    OptionSort,
    Or,
    Plus,
    Quant,
    Read,
    Some,
    Sort,
    The,
    Var,
    walk,
)
from flushproof.model.ir.terms import closed

# How tightly an operator binds, in Python.
_TEST, _OR, _AND, _NOT, _COMPARISON, _SUM, _ATOM = range(7)

WIDTH = 100


def show(expr: Expr) -> str:
    """The expression as Python source in a system's method, with variables under names of their own."""
    return _Printer(_names(expr)).text(expr, _TEST)


def show_lemma(name: str, clause: Clause, processes: Iterable[str] = ()) -> str:
    """A whole method: the clause as a lemma of the given name; `processes` are those of the system, whose locals it reads."""
    expr = whole = closed(clause)
    quantified: list[Var] = []
    while isinstance(expr, Quant) and expr.kind == "forall":
        quantified.append(expr.var)
        expr = expr.body
    printer = _Printer(_names(whole), processes)
    body = [f"return {printer.text(expr, _TEST)}"]
    if quantified:
        loops = " ".join(f"for {printer.names[v]} in {_sort_name(v.of)}" for v in quantified)
        body = ["return all(", *_wrapped(printer.text(expr, _TEST)), f"    {loops}", ")"]
    method = re.sub(r"\W", "_", name)
    return "\n".join(["@lemma", f"def {method}(self):", *(f"    {line}" for line in body)])


def _wrapped(text: str) -> list[str]:
    """The text in lines, broken at spaces outside of labels."""
    whole = re.sub(r'"[^"]*"', lambda label: label.group().replace(" ", "\0"), text)
    lines = textwrap.wrap(whole, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return [line.replace("\0", " ") for line in lines]


def _names(expr: Expr) -> Mapping[Var, str]:
    """A different Python name for each variable, its own where possible."""
    taken: set[str] = set()
    names: dict[Var, str] = {}
    for var in [e for e in walk(expr) if isinstance(e, Var)] + [e.var for e in walk(expr) if isinstance(e, Quant)]:
        if var not in names:
            base = re.sub(r"\W", "_", var.name)
            name, count = base, 2
            while name in taken or keyword.iskeyword(name):
                name, count = f"{base}{count}", count + 1
            taken.add(name)
            names[var] = name
    return names


class _Printer:
    def __init__(self, names: Mapping[Var, str], processes: Iterable[str] = ()) -> None:
        self.names = names
        self.processes = sorted(processes, key=len, reverse=True)

    def text(self, expr: Expr, around: int) -> str:
        """The expression, in brackets if an operator around it binds more tightly."""
        shown, own = self._shown(expr)
        return f"({shown})" if own < around else shown

    def _shown(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Lit():
                return self._literal(expr.of, expr.value), _ATOM
            case Var():
                return self.names[expr], _ATOM
            case Read():
                return self._read(expr), _ATOM
            case Not():
                return self._negation(expr.arg)
            case And():
                return " and ".join(self.text(a, _AND) for a in expr.args), _AND
            case Or():
                return self._disjunction(expr)
            case Eq():
                return self._equality(expr, "==", "is")
            case Less():
                return f"{self.text(expr.left, _SUM)} < {self.text(expr.right, _SUM)}", _COMPARISON
            case Ite():
                then, cond = self.text(expr.then, _OR), self.text(expr.cond, _OR)
                return f"{then} if {cond} else {self.text(expr.other, _TEST)}", _TEST
            case Some() | The() | Narrow():
                return self._shown(expr.arg)
            case Plus():
                return self._sum(expr), _SUM
            case Negated():
                return f"-{self.text(expr.arg, _ATOM)}", _SUM
            case Quant():
                return self._quantifier(expr), _ATOM
        assert_never(expr)

    def _sum(self, expr: Plus) -> str:
        first, *others = expr.args
        shown = self.text(first, _SUM)
        for arg in others:
            match arg:
                case Negated():
                    shown += f" - {self.text(arg.arg, _ATOM)}"
                case Lit(int() as value) if value < 0:
                    shown += f" - {-value}"
                case _:
                    shown += f" + {self.text(arg, _SUM)}"
        return shown

    def _literal(self, sort: Sort, value: bool | int | str | None) -> str:
        base = sort.base if isinstance(sort, OptionSort) else sort
        if value is not None and isinstance(base, EnumSort):
            return f"{base.name}.{value}"
        return str(value)

    def _read(self, expr: Read) -> str:
        index = ", ".join(self.text(a, _TEST) for a in expr.args)
        process = next((p for p in self.processes if expr.name.startswith(f"{p}.") and expr.name != f"{p}.pc"), None)
        if process is not None:
            return f'local({", ".join(filter(None, [f"self.{process}", index]))}, "{expr.name[len(process) + 1 :]}")'
        return f"self.{expr.name}[{index}]" if index else f"self.{expr.name}"

    def _negation(self, arg: Expr) -> tuple[str, int]:
        if isinstance(arg, Less):
            return f"{self.text(arg.right, _SUM)} <= {self.text(arg.left, _SUM)}", _COMPARISON
        if isinstance(arg, Eq) and not _is_label(arg):
            return self._equality(arg, "!=", "is not")
        shown, own = self._shown(arg)
        if own == _COMPARISON and " in (" in shown:
            return shown.replace(" in (", " not in (", 1), own
        return f"not {self.text(arg, _NOT)}", _NOT

    def _equality(self, expr: Eq, equal: str, same: str) -> tuple[str, int]:
        if _is_label(expr):
            return self._at(expr.left, [expr.right]), _ATOM
        left, right = (expr.right, expr.left) if isinstance(expr.left, Lit) else (expr.left, expr.right)
        operator = same if isinstance(right, Lit) and right.value is None else equal
        return f"{self.text(left, _SUM)} {operator} {self.text(right, _SUM)}", _COMPARISON

    def _disjunction(self, expr: Or) -> tuple[str, int]:
        """Equalities of one thing with several literals are one `in`."""
        groups: dict[Expr, list[Expr]] = {}
        for arg in expr.args:
            if isinstance(arg, Eq) and isinstance(arg.right, Lit) and isinstance(arg.right.of, EnumSort | IntSort):
                groups.setdefault(arg.left, []).append(arg.right)
        parts: list[tuple[str, int]] = []
        for arg in expr.args:
            values = groups.get(arg.left, []) if isinstance(arg, Eq) else []
            if isinstance(arg, Eq) and arg.right in values and len(values) > 1:
                if arg.right is values[0]:
                    parts.append(self._one_of(arg, values))
            else:
                parts.append(self._shown(arg))
        if len(parts) == 1:
            return parts[0]
        return " or ".join(f"({text})" if own < _OR else text for text, own in parts), _OR

    def _one_of(self, first: Eq, values: list[Expr]) -> tuple[str, int]:
        if _is_label(first):
            return self._at(first.left, values), _ATOM
        shown = ", ".join(self.text(v, _TEST) for v in values)
        return f"{self.text(first.left, _SUM)} in ({shown})", _COMPARISON

    def _at(self, where: Expr, labels: Iterable[Expr]) -> str:
        """``at(self.process, cpu, "label")``: a program counter has no other name in the language."""
        assert isinstance(where, Read)
        parts = [f"self.{where.name.removesuffix('.pc')}", *(self.text(a, _TEST) for a in where.args)]
        parts += [f'"{label.value}"' for label in labels if isinstance(label, Lit)]
        return f"at({', '.join(parts)})"

    def _quantifier(self, expr: Quant) -> str:
        body: Expr = expr
        loops = []
        while isinstance(body, Quant) and body.kind == expr.kind:
            loops.append(f"for {self.names[body.var]} in {_sort_name(body.var.of)}")
            body = body.body
        word = "all" if expr.kind == "forall" else "any"
        return f"{word}({self.text(body, _TEST)} {' '.join(loops)})"


def _is_label(expr: Eq) -> bool:
    return isinstance(expr.left, Read) and expr.left.name.endswith(".pc") and isinstance(expr.right, Lit)


def _sort_name(sort: Sort) -> str:
    return {"bool": "(False, True)"}.get(sort.name, sort.name)
