"""An instance as a TLA+ module, for TLC, with a configuration beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flushproof.model.language.instance import Instance, State
from flushproof.model.language.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    CounterSort,
    Expr,
    Quant,
    Scalarset,
    Sort,
    StateVar,
    Update,
    Var,
)

from . import common
from .common import Printer, identifier


def tla(instance: Instance) -> Mapping[str, str]:
    """The module and its configuration."""
    model = _Module(instance)
    return {f"{model.name}.tla": model.text(), f"{model.name}.cfg": model.configuration()}


_AND, _OR, _UNION = " /\\ ", " \\/ ", " \\union "


class _Tla(Printer):
    true, false = "TRUE", "FALSE"

    def conjunction(self, parts: Sequence[str]) -> str:
        return f"({_AND.join(parts)})"

    def disjunction(self, parts: Sequence[str]) -> str:
        return f"({_OR.join(parts)})"

    def negation(self, part: str) -> str:
        return f"(~{part})"

    def equal(self, left: str, right: str, truth: bool) -> str:
        return f"({left} <=> {right})" if truth else f"({left} = {right})"

    def choice(self, cond: str, then: str, other: str) -> str:
        return f"(IF {cond} THEN {then} ELSE {other})"

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        return identifier(variable) + self.arguments(args)

    def arguments(self, args: Sequence[Expr]) -> str:
        return f"[{', '.join(self.code(a) for a in args)}]" if args else ""

    def quantifier(self, expr: Quant) -> str:
        before = dict(self.names)
        name = self.names[expr.var] = self.new_name(expr.var)
        sign = "\\A" if expr.kind == "forall" else "\\E"
        text = f"({sign} {name} \\in {self.set(expr.var.of)} : {self(expr.body)})"
        self.names = before
        return text

    def new_name(self, var: Var) -> str:
        """A name that nothing in scope has."""
        taken = {*self.names.values(), *(identifier(v.name) for v in self.instance.system.variables)}
        taken.update(identifier(s.name) for s in self.instance.system.sorts)
        taken.update(action_name(a) for a in self.instance.system.actions)
        name = base = identifier(var.name)
        count = 2
        while name in taken:
            name = f"{base}_{count}"
            count += 1
        return name

    def set(self, sort: Sort) -> str:
        """The set of a sort's values."""
        if sort == BOOL:
            return "BOOLEAN"
        if isinstance(sort, Scalarset):
            return identifier(sort.name)
        return f"(0 .. {common.largest(self.instance, sort)})"

    def index_set(self, sort: Sort) -> str:
        return "(0 .. 1)" if sort == BOOL else self.set(sort)


def action_name(action: Action) -> str:
    """The definition that stands for an action."""
    return "Do_" + identifier(action.name)


class _Module:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.name = identifier(instance.system.name)
        self.printer = _Tla(instance)
        self.actions = _distinct([action_name(a) for a in self.system.actions])
        self.properties = [p for p in common.all_properties(instance) if p.kind == "invariant"]

    def text(self) -> str:
        variables = ", ".join(identifier(v.name) for v in self.system.variables)
        lines = [
            f"---- MODULE {self.name} ----",
            f"(* {self.system.title}, written by flushproof.  None is 0 and Some(x) is x + 1. *)",
            "EXTENDS Integers, FiniteSets",
            "",
            *self._constants(),
            f"VARIABLES {variables}",
            f"vars == <<{variables}>>",
            "",
        ]
        for counter in self._counters():
            lines += self._highest(counter)
        lines += self._initial()
        for name, action in zip(self.actions, self.system.actions, strict=True):
            lines += self._action(name, action)
        lines += ["Next ==", *(f"  \\/ {call}" for call in self._calls())]
        if self.system.final is not FALSE:
            lines.append(f"  \\/ {self.printer(self.system.final)} /\\ UNCHANGED vars  \\* nothing is left to do")
        lines += ["", "Spec == Init /\\ [][Next]_vars", ""]
        for prop in common.all_properties(self.instance):
            formula = self.printer(common.property_formula(self.instance, prop))
            if prop.kind == "reachable":
                lines += [f"\\* To be reached: check that {self._property(prop.name)} is violated."]
                formula = f"~{formula}"
            lines += [f"{self._property(prop.name)} == {formula}", ""]
        return "\n".join([*lines, "====", ""])

    def configuration(self) -> str:
        """What TLC is to check."""
        return "\n".join(
            [
                "SPECIFICATION Spec",
                *(f"INVARIANT {self._property(p.name)}" for p in self.properties),
                "CHECK_DEADLOCK TRUE",
                "",
            ]
        )

    def _property(self, name: str) -> str:
        return "Property_" + identifier(name)

    def _constants(self) -> list[str]:
        lines = []
        for enum in common.enumerations(self.instance):
            lines += [f"{common.member(enum, name)} == {code}" for code, name in enumerate(enum.members)]
        for sort in self.system.sorts:
            if isinstance(sort, Scalarset):
                lines.append(f"{identifier(sort.name)} == 0 .. {self.instance.sizes[sort.name] - 1}")
        return [*lines, ""]

    # ------------------------------------------------------------------------------------------------------------ counters

    def _counters(self) -> list[CounterSort]:
        return [s for s in self.system.sorts if isinstance(s, CounterSort)]

    def _values(self, counter: CounterSort, mark: str) -> str:
        """The set of a counter's values in the state (`mark`: nothing) or the next one (`mark`: a quotation mark)."""
        parts = ["{0}"]
        for name, optional in common.counter_variables(self.instance, counter):
            variable = self.system.variable[name]
            binders = [f"at_{n} \\in {self.printer.index_set(s)}" for n, s in enumerate(variable.index)]
            place = (
                identifier(name) + mark + (f"[{', '.join(f'at_{n}' for n in range(len(binders)))}]" if binders else "")
            )
            values = f"{{{place} : {', '.join(binders)}}}" if binders else f"{{{place}}}"
            parts.append(f"{{held - 1 : held \\in {values} \\ {{0}}}}" if optional else values)
        return f"({_UNION.join(parts)})"

    def _highest(self, counter: CounterSort) -> list[str]:
        name = identifier(counter.name)
        return [
            f"Highest_{name} == LET all_used == {self._values(counter, '')}",
            "  IN CHOOSE highest_used \\in all_used : \\A each_used \\in all_used : each_used <= highest_used",
            "",
            "\\* Only the order of the values matters: they become 1, 2, ...",
            f"Rank_{name}(all_used, ranked) == Cardinality({{each_used \\in all_used : 0 < each_used /\\ each_used <= ranked}})",
            "",
        ]

    # --------------------------------------------------------------------------------------------------------------- steps

    def _initial(self) -> list[str]:
        lines = ["Init =="]
        for state in common.initial_states(self.instance):
            parts = [f"{identifier(v.name)} = {self._map(v, state)}" for v in self.system.variables]
            lines.append("  \\/ " + " /\\ ".join(parts or ["TRUE"]))
        return [*lines, ""]

    def _map(self, variable: StateVar, state: State) -> str:
        """A variable's value as written out."""

        def value(slot: int) -> str:
            code = state[slot]
            return ("TRUE" if code else "FALSE") if variable.sort == BOOL else str(code)

        first = self.instance.offsets[variable.name]
        if not variable.index:
            return value(first)
        entries = list(self.instance.assignments(variable.index))
        values = {index: value(first + place) for place, index in enumerate(entries)}
        usual = max(values.values(), key=list(values.values()).count)
        binders = [f"at_{n} \\in {self.printer.index_set(s)}" for n, s in enumerate(variable.index)]
        text = usual
        for index, other in values.items():
            if other != usual:
                here = " /\\ ".join(f"at_{n} = {i}" for n, i in enumerate(index))
                text = f"IF {here} THEN {other} ELSE {text}"
        return f"[{', '.join(binders)} |-> {text}]"

    def _calls(self) -> list[str]:
        """Each action for some values of its parameters."""
        calls = []
        for name, action in zip(self.actions, self.system.actions, strict=True):
            names = [f"arg_{n}" for n in range(len(action.params))]
            chosen = "".join(
                f"\\E {p} \\in {self.printer.set(v.of)} : " for p, v in zip(names, action.params, strict=True)
            )
            calls.append(chosen + name + (f"({', '.join(names)})" if names else ""))
        return calls

    def _action(self, name: str, action: Action) -> list[str]:
        printer = self.printer
        printer.names = {}
        for param in action.params:
            printer.names[param] = printer.new_name(param)
        shown = f"({', '.join(printer.names[p] for p in action.params)})" if action.params else ""
        lines = [f"{name}{shown} ==", f"  /\\ {printer(common.guard_of(action))}"]
        made: dict[Sort, int] = {}
        for var in action.fresh:
            made[var.of] = made.get(var.of, 0) + 1
            printer.names[var] = f"(Highest_{identifier(var.of.name)} + {made[var.of]})"
        renamed = self._renamed(action)
        written = {u.var for u in action.updates} | {n for names in renamed.values() for n in names}
        after = {}
        for variable in self.system.variables:
            if variable.name in written:
                updates = [u for u in action.updates if u.var == variable.name]
                after[variable.name] = self._next(variable, updates)
        bindings = [f"new_{identifier(n)} == {text}" for n, text in after.items()]
        for counter, names in renamed.items():
            bindings.append(f"used_{identifier(counter.name)} == {self._values_of_next(counter, names)}")
        if bindings:
            lines.append("  /\\ LET " + "\n         ".join(bindings))
            lines.append("     IN " + "\n        ".join(f"/\\ {line}" for line in self._primed(after, renamed)))
        unchanged = [identifier(v.name) for v in self.system.variables if v.name not in written]
        if unchanged:
            lines.append(f"  /\\ UNCHANGED <<{', '.join(unchanged)}>>")
        printer.names = {}
        return [*lines, ""]

    def _renamed(self, action: Action) -> dict[CounterSort, list[str]]:
        """The counters to be renamed, and the variables that hold their values."""
        return {
            counter: [name for name, _ in common.counter_variables(self.instance, counter)]
            for counter in common.counters_written(self.instance, action)
        }

    def _values_of_next(self, counter: CounterSort, names: Sequence[str]) -> str:
        text = self._values(counter, "")
        for name in sorted(names, key=len, reverse=True):
            text = _replace_word(text, identifier(name), f"new_{identifier(name)}")
        return text

    def _primed(self, after: Mapping[str, str], renamed: Mapping[CounterSort, Sequence[str]]) -> list[str]:
        lines = []
        for name in after:
            variable = self.system.variable[name]
            new = f"new_{identifier(name)}"
            counter = next((c for c, names in renamed.items() if name in names), None)
            if counter is not None:
                binders = [f"at_{n} \\in {self.printer.index_set(s)}" for n, s in enumerate(variable.index)]
                place = new + (f"[{', '.join(f'at_{n}' for n in range(len(binders)))}]" if binders else "")
                used = f"used_{identifier(counter.name)}"
                rank = f"Rank_{identifier(counter.name)}({used}, {place})"
                if variable.sort != counter:
                    rank = f"IF {place} = 0 THEN 0 ELSE 1 + Rank_{identifier(counter.name)}({used}, {place} - 1)"
                new = f"[{', '.join(binders)} |-> {rank}]" if binders else f"({rank})"
            lines.append(f"{identifier(name)}' = {new}")
        return lines

    def _next(self, variable: StateVar, updates: Sequence[Update]) -> str:
        """The variable's new value: of the last update that writes to a location, or else what it was."""
        printer = self.printer
        index = [f"at_{n}" for n in range(len(variable.index))]
        text = identifier(variable.name) + (f"[{', '.join(index)}]" if index else "")
        for update in updates:
            before = dict(printer.names)
            tests = []
            for place, arg in zip(index, update.args, strict=True):
                if isinstance(arg, Var) and arg in update.binders:
                    printer.names[arg] = f"({place} = 1)" if arg.of == BOOL else place
                else:
                    tests.append(f"({place} = {printer.code(arg)})")
            if update.cond is not TRUE:
                tests.append(printer(update.cond))
            value = printer(update.value)
            text = f"(IF {_AND.join(tests)} THEN {value} ELSE {text})" if tests else value
            printer.names = before
        if not index:
            return text
        binders = [f"{j} \\in {printer.index_set(s)}" for j, s in zip(index, variable.index, strict=True)]
        return f"[{', '.join(binders)} |-> {text}]"


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where two are equal."""
    taken: set[str] = set()
    result = []
    for name in names:
        unique, count = name, 2
        while unique in taken:
            unique = f"{name}_{count}"
            count += 1
        taken.add(unique)
        result.append(unique)
    return result


def _replace_word(text: str, word: str, by: str) -> str:
    return re.sub(rf"\b{re.escape(word)}\b", by.replace("\\", r"\\"), text)
