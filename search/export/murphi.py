"""An instance as a Murphi model, for Rumur and its relatives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flushproof.model.language.instance import Instance, Slot
from flushproof.model.language.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    CounterSort,
    Expr,
    Lit,
    Quant,
    Scalarset,
    Sort,
    StateVar,
    Update,
    Var,
    default_value,
)

from . import common
from .common import Printer, identifier


def murphi(instance: Instance) -> Mapping[str, str]:
    """The model as one file."""
    return {f"{identifier(instance.system.name)}.m": _Model(instance).text()}


# An action with more bindings than this is written as several rules, one for each case of what its guard names.
_SPLIT = 100


class _Murphi(Printer):
    def location(self, variable: str, args: Sequence[Expr]) -> str:
        name = self.saved.get(variable) or identifier(variable)
        return name + "".join(f"[{self.code(a)}]" for a in args)

    def quantifier(self, expr: Quant) -> str:
        before = self.names.get(expr.var)
        name = self.new_name(expr.var)
        self.names[expr.var] = name
        text = f"({expr.kind} {name} : {self.type(expr.var.of)} do {self(expr.body)} end)"
        if before is not None:
            self.names[expr.var] = before
        return text

    def new_name(self, var: Var) -> str:
        """A name for a variable that no name in scope, of a state variable or of a type, is equal to."""
        taken = {*self.names.values(), *(identifier(v.name) for v in self.instance.system.variables)}
        taken.update(identifier(s.name) for s in self.instance.system.sorts)
        name = base = identifier(var.name)
        count = 2
        while name in taken:
            name = f"{base}_{count}"
            count += 1
        return name

    def type(self, sort: Sort) -> str:
        """The type of a value."""
        if sort == BOOL:
            return "boolean"
        if isinstance(sort, Scalarset):
            return identifier(sort.name)
        return f"0 .. {common.largest(self.instance, sort)}"

    def index_type(self, sort: Sort) -> str:
        return "0 .. 1" if sort == BOOL else self.type(sort)


class _Model:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.printer = _Murphi(instance)
        self.lines: list[str] = []

    def text(self) -> str:
        self._head()
        for variable in self.system.variables:
            self._variable(variable)
        self.lines.append("")
        for counter in self._counters():
            self._highest(counter)
            self._rename(counter)
        self._initial()
        for action in self.system.actions:
            bindings = math.prod(self.instance.cardinality(p.of) for p in action.params)
            if bindings <= _SPLIT:
                self._action(replace(action, guard=common.guard_of(action)), action.name)
                continue
            for chosen, step in common.cases(self.instance, action):
                shown = ", ".join(f"{p.name}={self.instance.show(p.of, code)}" for p, code in chosen.items())
                self._action(step, f"{action.name} ({shown})" if shown else action.name)
        if self.system.final is not FALSE:
            self.lines += ['rule "nothing is left to do"', f"  {self.printer(self.system.final)}", "==>", "end;", ""]
        for prop in common.all_properties(self.instance):
            kind = "cover" if prop.kind == "reachable" else "invariant"
            self.lines += [
                f'{kind} "{prop.name}"',
                f"  {self.printer(common.property_formula(self.instance, prop))};",
                "",
            ]
        return "\n".join(self.lines)

    def _head(self) -> None:
        self.lines += [f"-- {self.system.title}, written by flushproof.", "-- None is 0 and Some(x) is x + 1.", ""]
        for enum in common.enumerations(self.instance):
            for code, name in enumerate(enum.members):
                self.lines.append(f"const {common.member(enum, name)} : {code};")
        for sort in self.system.sorts:
            if isinstance(sort, Scalarset):
                self.lines.append(f"type {identifier(sort.name)} : 0 .. {self.instance.sizes[sort.name] - 1};")
        self.lines.append("")

    def _type_of(self, variable: StateVar) -> str:
        arrays = "".join(f"array [{self.printer.index_type(s)}] of " for s in variable.index)
        return arrays + self.printer.type(variable.sort)

    def _variable(self, variable: StateVar) -> None:
        self.lines.append(f"var {identifier(variable.name)} : {self._type_of(variable)};")

    # -------------------------------------------------------------------------------------------------------- counters

    def _counters(self) -> list[CounterSort]:
        return [s for s in self.system.sorts if isinstance(s, CounterSort)]

    def _for_each(self, counter: CounterSort, body: str) -> list[str]:
        """`body`, with LOCATION and VALUE replaced, for each location that holds a value of the counter."""
        lines = []
        for name, optional in common.counter_variables(self.instance, counter):
            index = self.system.variable[name].index
            loops = [f"for i{n} : {self.printer.index_type(s)} do" for n, s in enumerate(index)]
            place = identifier(name) + "".join(f"[i{n}]" for n in range(len(index)))
            text = body.replace("LOCATION", place).replace("OFFSET", "1" if optional else "0")
            text = f"if {place} != 0 then {text} end;" if optional else text
            lines.append("  " + " ".join([*loops, text, *["end;"] * len(loops)]))
        return lines

    def _highest(self, counter: CounterSort) -> None:
        top = common.largest(self.instance, counter)
        self.lines += [
            f"function highest_{identifier(counter.name)}() : 0 .. {top};",
            f"var highest : 0 .. {top};",
            "begin",
            "  highest := 0;",
            *self._for_each(counter, "if LOCATION - OFFSET > highest then highest := LOCATION - OFFSET; end;"),
            "  return highest;",
            "end;",
            "",
        ]

    def _rename(self, counter: CounterSort) -> None:
        top = common.largest(self.instance, counter)
        self.lines += [
            "-- Only the order of the values matters: they become 1, 2, ...",
            f"procedure rename_{identifier(counter.name)}();",
            f"var used : array [0 .. {top}] of boolean;",
            f"var rank : array [0 .. {top}] of 0 .. {top};",
            f"var next : 0 .. {top};",
            "begin",
            f"  for v : 0 .. {top} do used[v] := false; end;",
            *self._for_each(counter, "used[LOCATION - OFFSET] := true;"),
            "  next := 0;",
            "  rank[0] := 0;",
            f"  for v : 1 .. {top} do",
            "    if used[v] then next := next + 1; end;",
            "    rank[v] := next;",
            "  end;",
            *self._for_each(counter, "LOCATION := rank[LOCATION - OFFSET] + OFFSET;"),
            "end;",
            "",
        ]

    # ----------------------------------------------------------------------------------------------------- the steps

    def _initial(self) -> None:
        usual = [self._usual(slot) for slot in self.instance.slots]
        self.lines += ["procedure everything_at_its_default();", "begin"]
        self.lines += self._assignments(dict(enumerate(usual)))
        self.lines += ["end;", ""]
        for number, state in enumerate(common.initial_states(self.instance)):
            self.lines += [f'startstate "{number}"', "begin", "  everything_at_its_default();"]
            self.lines += self._assignments({i: c for i, c in enumerate(state) if c != usual[i]})
            self.lines += ["end;", ""]

    def _usual(self, slot: Slot) -> int:
        """A location's code as it is most often at the start."""
        try:
            return self.instance.code(Lit(default_value(slot.sort), slot.sort))
        except ValueError:
            return 0

    def _assignments(self, codes: Mapping[int, int]) -> list[str]:
        lines = []
        for number, code in codes.items():
            slot = self.instance.slots[number]
            value = ("true" if code else "false") if slot.sort == BOOL else str(code)
            lines.append(f"  {identifier(slot.var)}{''.join(f'[{i}]' for i in slot.index)} := {value};")
        return lines

    def _action(self, action: Action, name: str) -> None:
        printer = self.printer
        printer.names = {}
        for param in action.params:
            printer.names[param] = printer.new_name(param)
        opening = [f"ruleset {printer.names[p]} : {printer.type(p.of)} do" for p in action.params]
        self.lines += [*opening, f'rule "{name}"', f"  {printer(action.guard)}", "==>"]
        saved = common.saved_variables(action.updates)
        for name in saved:
            self.lines.append(f"  var old_{identifier(name)} : {self._type_of(self.system.variable[name])};")
        for var in action.fresh:
            printer.names[var] = printer.new_name(var)
            self.lines.append(f"  var {printer.names[var]} : {printer.type(var.of)};")
        self.lines.append("begin")
        for name in saved:
            self.lines.append(f"  old_{identifier(name)} := {identifier(name)};")
        made: dict[Sort, int] = {}
        for var in action.fresh:
            made[var.of] = made.get(var.of, 0) + 1
            self.lines.append(f"  {printer.names[var]} := highest_{identifier(var.of.name)}() + {made[var.of]};")
        printer.saved = {name: f"old_{identifier(name)}" for name in saved}
        for update in action.updates:
            self._update(update)
        printer.saved = {}
        for counter in common.counters_written(self.instance, action):
            self.lines.append(f"  rename_{identifier(counter.name)}();")
        self.lines += ["end;", *["end;"] * len(opening), ""]
        printer.names = {}

    def _update(self, update: Update) -> None:
        printer = self.printer
        before = dict(printer.names)
        for binder in update.binders:
            printer.names[binder] = printer.new_name(binder)
        loops = [f"for {printer.names[b]} : {printer.type(b.of)} do" for b in update.binders]
        target = identifier(update.var) + "".join(f"[{printer.code(a)}]" for a in update.args)
        text = f"{target} := {printer(update.value)};"
        if update.cond is not TRUE:
            text = f"if {printer(update.cond)} then {text} end;"
        self.lines.append("  " + " ".join([*loops, text, *["end;"] * len(loops)]))
        printer.names = before
