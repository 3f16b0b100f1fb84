"""An instance as a Promela model, for SPIN.

Guards and updates are written in C, which SPIN lets a model do: `now` is the present state.  (Promela's own expressions
allow no `a[a[i]]`, and breadth-first search no variables outside the state.)
One process chooses among all steps, each an indivisible one; every binding of a step's parameters stands on its own,
since SPIN would take choosing a parameter for a step of its own.  Where there are several initial states, choosing one
is SPIN's first step, and the state before it one more than flushproof counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from flushproof.model.language import terms
from flushproof.model.language.instance import Instance, State
from flushproof.model.language.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    CounterSort,
    Expr,
    Property,
    Quant,
    Sort,
    StateVar,
    Update,
)

from ..task import WELL_DEFINED
from . import common
from .common import Printer, identifier

# SPIN takes no more than 64 KiB of C at once.
_LONGEST = 30_000


def promela(instance: Instance) -> Mapping[str, str]:
    """The model as one file."""
    return {f"{identifier(instance.system.name)}.pml": _Model(instance).text()}


class _Promela(Printer):
    true, false = "1", "0"

    def conjunction(self, parts: Sequence[str]) -> str:
        return f"({' && '.join(parts)})"

    def disjunction(self, parts: Sequence[str]) -> str:
        return f"({' || '.join(parts)})"

    def negation(self, part: str) -> str:
        return f"(!{part})"

    def equal(self, left: str, right: str, truth: bool) -> str:
        return f"({left} == {right})"

    def choice(self, cond: str, then: str, other: str) -> str:
        return f"({cond} ? {then} : {other})"

    def number(self, truth: str) -> str:
        return truth

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        name = self.saved.get(variable) or f"now.{identifier(variable)}"
        return name + self.index(variable, args)

    def index(self, variable: str, args: Sequence[Expr]) -> str:
        """The place in the variable's array, known or computed."""
        if not args:
            return ""
        known, parts = 0, []
        for arg, stride in zip(args, self.instance.strides(variable), strict=True):
            text = self.code(arg)
            if text.isdecimal():
                known += int(text) * stride
            else:
                parts.append(text if stride == 1 else f"{text} * {stride}")
        return f"[{' + '.join([*parts, *([str(known)] if known or not parts else [])])}]"

    def quantifier(self, expr: Quant) -> str:
        before = self.names.get(expr.var)
        parts = []
        for code in range(self.instance.cardinality(expr.var.of)):
            self.names[expr.var] = str(code)
            parts.append(self(expr.body))
        if before is None:
            del self.names[expr.var]
        else:
            self.names[expr.var] = before
        return self.conjunction(parts) if expr.kind == "forall" else self.disjunction(parts)


def _pieces(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines in pieces that SPIN has room for."""
    piece: list[str] = []
    for line in lines:
        if piece and sum(map(len, piece)) + len(line) > _LONGEST:
            yield piece
            piece = []
        piece.append(line)
    yield piece


def _function(prop: Property) -> str:
    return f"wrong_{identifier(prop.name)}"


class _Model:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.printer = _Promela(instance)
        self.lines: list[str] = []
        self.temporaries: dict[str, str] = {}
        self.initial = common.initial_states(instance)

    def text(self) -> str:
        for variable in self.system.variables:
            self._variable(variable)
        head, self.lines = self.lines, []
        for counter in self._counters():
            self._rename(counter)
        for prop in common.all_properties(self.instance):
            self._wrong(prop)
        functions, self.lines = self.lines, []
        self._process()
        title = [f"/* {self.system.title}, written by flushproof.  None is 0 and Some(x) is x + 1. */", ""]
        kept = ["c_code {", *(f"  {text}" for text in self.temporaries.values()), "}", ""] if self.temporaries else []
        return "\n".join([*title, *self._constants(), *head, *functions, *kept, *self.lines, ""])

    def _constants(self) -> list[str]:
        return [
            f"#define {common.member(enum, name)} {code}"
            for enum in common.enumerations(self.instance)
            for code, name in enumerate(enum.members)
        ]

    def _kind(self, sort: Sort) -> str:
        largest = common.largest(self.instance, sort)
        if sort == BOOL:
            return "bool"
        return "byte" if largest < 256 else "short" if largest < 1 << 15 else "int"

    def _size(self, variable: StateVar) -> str:
        return f"[{self.instance.locations(variable)}]" if variable.index else ""

    def _variable(self, variable: StateVar) -> None:
        sorts = ", ".join(s.name for s in variable.index)
        note = f"  /* by {sorts} */" if sorts else ""
        first = self.instance.offsets[variable.name]
        codes = [str(code) for code in self.initial[0][first : first + self.instance.locations(variable)]]
        start = f" = {{ {', '.join(codes)} }}" if variable.index else f" = {codes[0]}"
        start = start if len(self.initial) == 1 else ""
        self.lines.append(
            f"{self._kind(variable.sort)} {identifier(variable.name)}{self._size(variable)}{start};{note}"
        )

    # -------------------------------------------------------------------------------------------------------- counters

    def _counters(self) -> list[CounterSort]:
        return [s for s in self.system.sorts if isinstance(s, CounterSort)]

    def _locations(self, counter: CounterSort) -> Iterator[tuple[str, bool]]:
        """Each location that holds a value of the counter, in C, and whether as an option."""
        for name, optional in common.counter_variables(self.instance, counter):
            variable = self.system.variable[name]
            for i in range(self.instance.locations(variable)):
                yield f"now.{identifier(name)}" + (f"[{i}]" if variable.index else ""), optional

    def _rename(self, counter: CounterSort) -> None:
        name, top = identifier(counter.name), common.largest(self.instance, counter)
        locations = list(self._locations(counter))
        values = [f"({place} ? {place} - 1 : 0)" if optional else place for place, optional in locations]
        self.lines += ["c_code {", f"  int highest_{name}() {{", "    int highest = 0;"]
        self.lines += [f"    if ({value} > highest) highest = {value};" for value in values]
        self.lines += ["    return highest;", "  }", ""]
        self.lines += ["  /* Only the order of the values matters: they become 1, 2, ... */"]
        self.lines += [f"  void rename_{name}() {{", f"    unsigned char used[{top + 1}] = {{0}}, rank[{top + 1}];"]
        self.lines += ["    int v, next = 0;"]
        self.lines += [f"    used[{value}] = 1;" for value in values]
        self.lines += ["    rank[0] = 0;", f"    for (v = 1; v <= {top}; v++) {{ next += used[v]; rank[v] = next; }}"]
        for place, optional in locations:
            renamed = f"if ({place}) {place} = rank[{place} - 1] + 1;" if optional else f"{place} = rank[{place}];"
            self.lines.append(f"    {renamed}")
        self.lines += ["  }", "}", ""]

    # ------------------------------------------------------------------------------------------------------- properties

    def _wrong(self, prop: Property) -> None:
        """A C function for each clause that says whether it is violated (or reached), and one for all of them.

        SPIN takes a call in an expression for a side effect; hence a macro.
        """
        fresh = {a.name: a.fresh for a in self.system.actions} if prop.name == WELL_DEFINED else {}
        names = []
        for number, clause in enumerate(prop.clauses):
            wanted = clause.expr if prop.kind == "reachable" else terms.not_(clause.expr)
            bad = common.without_fresh(terms.and_(clause.guard, wanted), fresh.get(clause.event or "", ()))
            tests = [self._test(c) for _, c in common.cases(self.instance, Action("", clause.params, bad, ()))]
            for part, lines in enumerate(_pieces(tests)):
                names.append(f"{_function(prop)}_{number + 1}_{part + 1}")
                self.lines += ["c_code {", f"  int {names[-1]}() {{  /* {prop.name} */", *lines]
                self.lines += ["    return 0;", "  }", "}", ""]
        calls = " || ".join(f"{name}()" for name in names) or "0"
        name = _function(prop)
        self.lines += ["c_code {", f"  int {name}() {{ return {calls}; }}", f"  \\#define is_{name} {name}()", "}", ""]

    def _test(self, case: Action) -> str:
        """Returns 1 where the guard holds for some values of the parameters."""
        loops = []
        for place, param in enumerate(case.params):
            name = self.printer.names[param] = f"each_{place}"
            loops.append(f"for (int {name} = 0; {name} < {self.instance.cardinality(param.of)}; {name}++) ")
        text = f"    {''.join(loops)}if ({self.printer(case.guard)}) return 1;"
        self.printer.names = {}
        return text

    # ------------------------------------------------------------------------------------------------------------ steps

    def _process(self) -> None:
        self.lines += ["active proctype steps() {"]
        if len(self.initial) > 1:
            self.lines.append("  if")
            for state in self.initial:
                self.lines += ["  :: d_step {", *self._assignments(state), "     }"]
            self.lines.append("  fi;")
        self.lines.append("  do")
        for action in self.system.actions:
            for chosen, step in common.cases(self.instance, action, everything=True):
                shown = ", ".join(f"{p.name}={self.instance.show(p.of, chosen[p])}" for p in action.params)
                self._step(step, shown)
        if self.system.final is not FALSE:
            self.lines.append(
                f"  :: d_step {{ c_expr {{ {self.printer(self.system.final)} }} -> skip }}  /* nothing is left to do */"
            )
        for prop in common.all_properties(self.instance):
            monitor = f"  :: d_step {{ c_expr {{ is_{_function(prop)} }} -> assert(false) }}  /* {prop.name} */"
            guarded = prop.kind == "reachable"
            self.lines += [f"#ifdef REACH_{identifier(prop.name)}", monitor, "#endif"] if guarded else [monitor]
        self.lines += ["  od", "}"]

    def _assignments(self, state: State) -> list[str]:
        lines = []
        for slot, code in zip(self.instance.slots, state, strict=True):
            variable = self.system.variable[slot.var]
            place = identifier(slot.var)
            if variable.index:
                index = sum(i * s for i, s in zip(slot.index, self.instance.strides(slot.var), strict=True))
                place = f"{place}[{index}]"
            if code:
                lines.append(f"       {place} = {code};")
        return lines or ["       skip;"]

    def _step(self, action: Action, shown: str) -> None:
        """A step for one binding, which `shown` tells."""
        printer = self.printer
        printer.names = {}
        guard = printer(action.guard)
        self.lines += [
            f"  :: d_step {{  /* {action.name}{f'({shown})' if shown else ''} */",
            f"       c_expr {{ {guard} }} ->",
        ]
        body: list[str] = []
        saved = common.saved_variables(action.updates)
        for name in saved:
            body.append(self._save(self.system.variable[name]))
        made: dict[Sort, int] = {}
        for var in action.fresh:
            made[var.of] = made.get(var.of, 0) + 1
            counter = identifier(var.of.name)
            name = printer.names[var] = f"fresh_{counter}_{made[var.of]}"
            self.temporaries[name] = f"static int {name};"
            body.append(f"         {name} = highest_{counter}() + {made[var.of]};")
        printer.saved = {name: f"old_{identifier(name)}" for name in saved}
        for update in action.updates:
            body += self._update(update)
        printer.saved = {}
        for counter_sort in common.counters_written(self.instance, action):
            body.append(f"         rename_{identifier(counter_sort.name)}();")
        for piece in _pieces(body):
            self.lines += ["       c_code {", *piece, "       };"]
        self.lines.append("     }")
        printer.names = {}

    def _save(self, variable: StateVar) -> str:
        """Copies a variable as it is before the step."""
        name, count = identifier(variable.name), self.instance.locations(variable)
        self.temporaries[name] = f"static int old_{name}{self._size(variable)};"
        places = [f"[{i}]" for i in range(count)] if variable.index else [""]
        return "         " + " ".join(f"old_{name}{place} = now.{name}{place};" for place in places)

    def _update(self, update: Update) -> list[str]:
        printer = self.printer
        before, lines = dict(printer.names), []
        for codes in itertools.product(*(range(self.instance.cardinality(b.of)) for b in update.binders)):
            for binder, code in zip(update.binders, codes, strict=True):
                printer.names[binder] = str(code)
            target = f"now.{identifier(update.var)}" + printer.index(update.var, update.args)
            text = f"{target} = {printer(update.value)};"
            if update.cond is not TRUE:
                text = f"if ({printer(update.cond)}) {text}"
            lines.append(f"         {text}")
            printer.names = dict(before)
        return lines
