"""An instance as a Murphi model, for Rumur and its relatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flushproof.model.ir import (
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
from flushproof.model.ir.instance import Instance

from . import common, steps
from .names import declared, distinct, quoted
from .printer import Printer
from .steps import Step, largest


def murphi(instance: Instance) -> Mapping[str, str]:
    """The model as one file."""
    model = _Model(instance)
    return {f"{model.called.model}.m": model.text()}


_FINAL = "nothing is left to do"


class _Murphi(Printer):
    def location(self, variable: str, args: Sequence[Expr]) -> str:
        name = self.saved.get(variable) or self.called.variables[variable]
        return name + "".join(f"[{self.code(a)}]" for a in args)

    def quantified(self, expr: Quant, name: str, body: str) -> str:
        return f"({expr.kind} {name} : {self.type(expr.var.of)} do {body} end)"

    def type(self, sort: Sort) -> str:
        """The type of a value."""
        if sort == BOOL:
            return "boolean"
        if isinstance(sort, Scalarset):
            return self.called.sorts[sort.name]
        return f"0 .. {largest(self.instance, sort)}"

    def index_type(self, sort: Sort) -> str:
        return "0 .. 1" if sort == BOOL else self.type(sort)


class _Model:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.called = common.names(instance)
        self.printer = _Murphi(instance, self.called)
        self.steps = list(steps.steps(instance))
        self.lines: list[str] = []

    def text(self) -> str:
        self._head()
        for variable in self.system.variables:
            self.lines.append(f"var {self.called.variables[variable.name]} : {self._type_of(variable)};")
        self.lines.append("")
        for counter in steps.counters(self.instance):
            self._highest(counter)
            self._rename(counter)
        self._beginning()
        for title, step in zip(self._titles(), self.steps, strict=True):
            self._rule(title, step)
        if self.system.final is not FALSE:
            self.lines += [f'rule "{_FINAL}"', f"  {self.printer(self.system.final)}", "==>", "end;", ""]
        for prop in common.all_properties(self.instance):
            kind = "cover" if prop.kind == "reachable" else "invariant"
            formula = self.printer(common.property_formula(self.instance, prop))
            self.lines += [f'{kind} "{quoted(prop.name)}"', f"  {formula};", ""]
        final = self.system.final is not FALSE
        return declared(
            "\n".join(self.lines),
            {
                "variables and members of enumerations": (
                    r"^(?:var|const) (\w+) :",
                    len(self.called.variables) + len(self.called.members),
                ),
                "steps": (r'^rule "(.*)"', len(self.steps) + final),
                "properties": (r'^(?:cover|invariant) "(.*)"', len(common.all_properties(self.instance))),
            },
        )

    def _head(self) -> None:
        self.lines += [f"-- {self.system.title}, written by flushproof.", "-- None is 0 and Some(x) is x + 1.", ""]
        for enum in common.enumerations(self.instance):
            for code, name in enumerate(enum.members):
                self.lines.append(f"const {self.called.members[enum, name]} : {code};")
        if (least := common.least_number(self.instance)) < 0:
            self.lines.append(f"type below_zero : {least} .. 0; -- so that numbers below 0 can be computed with")
        for sort in self.system.sorts:
            if isinstance(sort, Scalarset):
                self.lines.append(f"type {self.called.sorts[sort.name]} : 0 .. {self.instance.sizes[sort.name] - 1};")
        self.lines.append("")

    def _type_of(self, variable: StateVar) -> str:
        arrays = "".join(f"array [{self.printer.index_type(s)}] of " for s in variable.index)
        return arrays + self.printer.type(variable.sort)

    # -------------------------------------------------------------------------------------------------------- counters

    def _for_each(self, counter: CounterSort, body: str) -> list[str]:
        """`body` for each PLACE that holds a value of the counter, there called VALUE; RAISED makes a value one of the place's."""
        lines = []
        for name, optional in steps.counter_variables(self.instance, counter):
            index = self.system.variable[name].index
            loops = [f"for i{n} : {self.printer.index_type(s)} do" for n, s in enumerate(index)]
            place = self.called.variables[name] + "".join(f"[i{n}]" for n in range(len(index)))
            text = body.replace("VALUE", f"{place} - 1" if optional else place)
            text = text.replace("PLACE", place).replace("RAISED", " + 1" if optional else "")
            text = f"if {place} != 0 then {text} end;" if optional else text
            lines.append("  " + " ".join([*loops, text, *["end;"] * len(loops)]))
        return lines

    def _highest(self, counter: CounterSort) -> None:
        top = largest(self.instance, counter)
        self.lines += [
            f"function highest_{self.called.sorts[counter.name]}() : 0 .. {top};",
            f"  var highest : 0 .. {top};",
            "begin",
            "  highest := 0;",
            *self._for_each(counter, "if VALUE > highest then highest := VALUE; end;"),
            "  return highest;",
            "end;",
            "",
        ]

    def _rename(self, counter: CounterSort) -> None:
        top, highest = largest(self.instance, counter), f"highest_{self.called.sorts[counter.name]}()"
        self.lines += [
            "-- Only the order of the values matters: they become 1, 2, ...",
            f"procedure rename_{self.called.sorts[counter.name]}();",
            f"  var used : array [0 .. {top}] of boolean;",
            f"  var rank : array [0 .. {top}] of 0 .. {top};",
            f"  var next : 0 .. {top};",
            f"  var highest : 0 .. {top};",
            "begin",
            f"  highest := {highest};",
            "  if highest <= 1 then return; end;",
            "  for v := 1 to highest do used[v] := false; end;",
            *self._for_each(counter, "used[VALUE] := true;"),
            "  next := 0;",
            "  rank[0] := 0;",
            "  for v := 1 to highest do",
            "    if used[v] then next := next + 1; end;",
            "    rank[v] := next;",
            "  end;",
            "  if next != highest then",
            *(f"  {line}" for line in self._for_each(counter, "PLACE := rank[VALUE]RAISED;")),
            "  end;",
            "end;",
            "",
        ]

    # ----------------------------------------------------------------------------------------------------- the beginning

    def _beginning(self) -> None:
        """A procedure that makes an initial state of the values at the beginning, and a start state for each initial state."""
        starts, action = common.starts(self.instance), steps.beginning(self.instance)
        slots = self.instance.slots
        free = {number: Var(f"{slots[number].var}_{'_'.join(map(str, slots[number].index))}", slots[number].sort)
                for number in starts[0].free}  # fmt: skip
        params = (*action.params, *free.values())
        names = self.printer.new_names(params)
        with self.printer.scope(names):
            declared = "; ".join(f"{name} : {self.printer.type(var.of)}" for var, name in names.items())
            self.lines.append(f"procedure start({declared});")
            defaults = [line for v in self.system.variables if not v.free for line in self._default(v)]
            chosen = [f"  {self._slot(number)} := {names[var]};" for number, var in free.items()]
            self._body(action, [*defaults, *chosen])
            self.lines.append("")
        for number, start in enumerate(starts):
            values = [
                self.printer.value(var.of, code)
                for var, code in zip(params, (*start.codes, *start.free.values()), strict=True)
            ]
            self.lines += [f'startstate "{number}" begin start({", ".join(values)}); end;']
        self.lines.append("")

    def _slot(self, number: int) -> str:
        slot = self.instance.slots[number]
        return self.called.variables[slot.var] + "".join(f"[{i}]" for i in slot.index)

    def _default(self, variable: StateVar) -> list[str]:
        """Sets a variable to its default everywhere."""
        loops = [f"for i{n} : {self.printer.index_type(s)} do" for n, s in enumerate(variable.index)]
        place = self.called.variables[variable.name] + "".join(f"[i{n}]" for n in range(len(loops)))
        text = f"{place} := {self.printer(Lit(default_value(variable.sort), variable.sort))};"
        return ["  " + " ".join([*loops, text, *["end;"] * len(loops)])]

    # ------------------------------------------------------------------------------------------------------- the steps

    def _titles(self) -> list[str]:
        """Of the rules: no two are one text."""
        return distinct((quoted(step.title(self.instance)) for step in self.steps), [_FINAL])

    def _rule(self, title: str, step: Step) -> None:
        action = step.action
        names = self.printer.new_names(action.params)
        with self.printer.scope(names):
            opening = [f"ruleset {name} : {self.printer.type(var.of)} do" for var, name in names.items()]
            self.lines += [*opening, f'rule "{title}"', f"  {self.printer(action.guard)}", "==>"]
            self.printer.learn(action.guard)
            self._body(action, [])
            self.lines += [*["end;"] * len(opening), ""]

    def _body(self, action: Action, before: Sequence[str]) -> None:
        """Declarations and statements: those `before`, and the updates."""
        printer = self.printer
        statements = list(before)
        fresh = printer.new_names(action.fresh)
        with printer.scope(fresh):
            known = steps.shared_of(action)
            saved = steps.saved_variables(action.updates, known)
            for name in saved:
                self.lines.append(
                    f"  var old_{self.called.variables[name]} : {self._type_of(self.system.variable[name])};"
                )
                statements.append(f"  old_{self.called.variables[name]} := {self.called.variables[name]};")
            for var, distance in steps.numbered(action.fresh):
                self.lines.append(f"  var {fresh[var]} : {printer.type(var.of)};")
                statements.append(f"  {fresh[var]} := highest_{self.called.sorts[var.of.name]}() + {distance};")
            for number, expr in enumerate(known, 1):
                name = f"{'holds' if expr.sort == BOOL else 'value'}_{number}"
                self.lines.append(f"  var {name} : {printer.type(expr.sort)};")
                statements.append(f"  {name} := {printer(expr)};")
                printer.shared = {**printer.shared, expr: name}
            printer.saved = {name: f"old_{self.called.variables[name]}" for name in saved}
            statements += [self._update(update) for update in action.updates]
            printer.saved = {}
        for counter in steps.counters_written(self.instance, action):
            statements.append(f"  rename_{self.called.sorts[counter.name]}();")
        self.lines += ["begin", *statements, "end;"]

    def _update(self, update: Update) -> str:
        printer = self.printer
        with printer.scope(printer.new_names(update.binders)):
            opening = []
            for var, test in steps.nested(update.binders, update.cond):
                if var is not None:
                    opening.append(f"for {printer.names[var]} : {printer.type(var.of)} do")
                if test is not TRUE:
                    opening.append(f"if {printer(test)} then")
                    printer.learn(test)
            target = self.called.variables[update.var] + "".join(f"[{printer.code(a)}]" for a in update.args)
            return "  " + " ".join([*opening, f"{target} := {printer(update.value)};", *["end;"] * len(opening)])
