"""An instance as a Promela model, for SPIN.

Guards, updates and properties are C functions, which SPIN lets a model call: `now` is the present state.  (Promela's own
expressions allow no `a[a[i]]`, and breadth-first search no variables outside the state.)
One process chooses among all steps, each an indivisible one; every binding of a step's parameters stands on its own,
since SPIN would take choosing a parameter for a step of its own.  Where there are several initial states, choosing one
is SPIN's first step, and the state before it one more than flushproof counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    CounterSort,
    Expr,
    Lit,
    Property,
    Quant,
    Sort,
    StateVar,
    Update,
    Var,
    default_value,
    terms,
)
from flushproof.model.ir.instance import Instance

from ..task import WELL_DEFINED
from . import common, steps
from .names import declared, distinct, identifier, quoted
from .printer import Printer
from .steps import Step, largest

# SPIN takes no more than 64 KiB of C at once.
_LONGEST = 60_000

_HELPERS = """
c_code {
  \\#define ALL(x, n, body) ({ int holds = 1; for (int x = 0; holds && x < n; x++) holds = (body); holds; })
  \\#define ANY(x, n, body) ({ int holds = 0; for (int x = 0; !holds && x < n; x++) holds = (body); holds; })
  \\#define THE(option) ({ int code = (option); code ? code - 1 : 0; })
}
"""


def promela(instance: Instance) -> Mapping[str, str]:
    """The model as one file.

    Raises:
        FlushproofError: there are too many initial states, or a step is too long for SPIN.
    """
    model = _Model(instance)
    return {f"{model.called.model}.pml": model.text()}


class _Promela(Printer):
    true, false = "1", "0"

    def conjunction(self, parts: Sequence[str]) -> str:
        return f"({' && '.join(parts)})"

    def disjunction(self, parts: Sequence[str]) -> str:
        return f"({' || '.join(parts)})"

    def equal(self, left: str, right: str, truth: bool) -> str:
        return f"({left} == {right})"

    def number(self, truth: str) -> str:
        return truth

    def element(self, option: str, known: bool) -> str:
        return f"({option} - 1)" if known else f"THE({option})"

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        name = self.saved.get(variable) or f"now.{self.called.variables[variable]}"
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

    def quantified(self, expr: Quant, name: str, body: str) -> str:
        return f"{'ALL' if expr.kind == 'forall' else 'ANY'}({name}, {self.instance.cardinality(expr.var.of)}, {body})"


def _pieces(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines in pieces that SPIN has room for."""
    piece: list[str] = []
    for line in lines:
        if piece and sum(map(len, piece)) + len(line) > _LONGEST // 2:
            yield piece
            piece = []
        piece.append(line)
    yield piece


class _Model:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.called = common.names(instance)
        self.printer = _Promela(instance, self.called)
        self.starts = common.starts(instance)
        self.steps = list(steps.steps(instance))
        self.names = distinct([identifier(step.title(instance)) for step in self.steps])
        self.lines: list[str] = []

    def text(self) -> str:
        self.lines += [f"/* {self.system.title}, written by flushproof.  None is 0 and Some(x) is x + 1. */", ""]
        for enum in common.enumerations(self.instance):
            self.lines += [
                f"#define {self.called.members[enum, name]} {code}" for code, name in enumerate(enum.members)
            ]
        for variable in self.system.variables:
            self._variable(variable)
        self.lines += _HELPERS.splitlines()
        for counter in steps.counters(self.instance):
            self._rename(counter)
        for prop in common.all_properties(self.instance):
            self._wrong(prop)
        if len(self.starts) > 1:
            self._start()
        for name, step in zip(self.names, self.steps, strict=True):
            self._step(name, step)
        if self.system.final is not FALSE:
            self._code("the end", [f"static int is_final() {{ return {self.printer(self.system.final)}; }}"])
        self._process()
        return declared(
            "\n".join([*self.lines, ""]),
            {
                "variables and members of enumerations": (
                    r"^(?:bool|byte|short|int|#define) (\w+)",
                    len(self.called.variables) + len(self.called.members),
                ),
                "steps": (r"^  static inline int (may_\w+)\(", len(self.steps)),
                "properties": (
                    r"^  static int ((?:wrong|reached)_[^\W\d]\w*)\(",
                    len(common.all_properties(self.instance)),
                ),
            },
        )

    def _code(self, what: str, lines: Sequence[str]) -> None:
        """Functions in C."""
        if sum(map(len, lines)) > _LONGEST:
            raise FlushproofError(f"{self.system.name}: {what} is too long for SPIN, which takes 64 KiB of C at once.")
        self.lines += ["c_code {", *(f"  {line}".rstrip() for line in lines), "}", ""]

    def _kind(self, sort: Sort) -> str:
        top = largest(self.instance, sort)
        if sort == BOOL:
            return "bool"
        return "byte" if top < 256 else "short" if top < 1 << 15 else "int"

    def _variable(self, variable: StateVar) -> None:
        size = f"[{self.instance.locations(variable)}]" if variable.index else ""
        note = f"  /* by {', '.join(s.name for s in variable.index)} */" if variable.index else ""
        start = ""
        if len(self.starts) == 1:
            first = self.instance.offsets[variable.name]
            codes = self.starts[0].state[first : first + self.instance.locations(variable)]
            start = f" = {{ {', '.join(map(str, codes))} }}" if variable.index else f" = {codes[0]}"
        self.lines.append(f"{self._kind(variable.sort)} {self.called.variables[variable.name]}{size}{start};{note}")

    # -------------------------------------------------------------------------------------------------------- counters

    def _rename(self, counter: CounterSort) -> None:
        name, top = self.called.sorts[counter.name], largest(self.instance, counter)

        def each(plain: str, optional: str) -> list[str]:
            """A statement for all locations that hold a value of the counter, or an option of one."""
            lines = []
            for variable, is_option in steps.counter_variables(self.instance, counter):
                index = bool(self.system.variable[variable].index)
                place = f"now.{self.called.variables[variable]}" + ("[i]" if index else "")
                loop = (
                    f"for (i = 0; i < {self.instance.locations(self.system.variable[variable])}; i++) " if index else ""
                )
                lines.append("  " + loop + (optional if is_option else plain).replace("PLACE", place))
            return lines

        self._code(
            f"renaming {name}",
            [
                f"static int highest_{name}() {{",
                "  int i, highest = 0;",
                *each("if (PLACE > highest) highest = PLACE;", "if (PLACE - 1 > highest) highest = PLACE - 1;"),
                "  return highest;",
                "}",
                "",
                "/* Only the order of the values matters: they become 1, 2, ... */",
                f"static void rename_{name}() {{",
                f"  unsigned char used[{top + 1}] = {{0}}, rank[{top + 1}];",
                "  int i, next = 0;",
                *each("used[PLACE] = 1;", "if (PLACE) used[PLACE - 1] = 1;"),
                "  rank[0] = 0;",
                f"  for (i = 1; i <= {top}; i++) {{ next += used[i]; rank[i] = next; }}",
                *each("PLACE = rank[PLACE];", "if (PLACE) PLACE = rank[PLACE - 1] + 1;"),
                "}",
            ],
        )

    # ------------------------------------------------------------------------------------------------------- properties

    def _function(self, prop: Property, number: int = 0) -> str:
        """What says whether the property is violated (or reached), or a part of it (no name begins with a digit)."""
        part = f"{number}_" if number else ""
        return f"{'reached' if prop.kind == 'reachable' else 'wrong'}_{part}{self.called.properties[prop.name]}"

    def _wrong(self, prop: Property) -> None:
        """A C function that says whether the property is violated (or reached); a long one is taken apart."""
        fresh = {a.name: a.fresh for a in self.system.actions} if prop.name == WELL_DEFINED else {}
        lines: dict[str, None] = {}
        for clause in prop.clauses:
            wanted = clause.expr if prop.kind == "reachable" else terms.not_(clause.expr)
            bad = terms.without_fresh(terms.and_(clause.guard, wanted), fresh.get(clause.event or "", ()))
            for _, case in steps.cases(self.instance, Action("", clause.params, bad, ())):
                params = [p for p in case.params if p in terms.free_vars(case.guard)]
                with self.printer.scope(self.printer.new_names(params)):
                    lines[f"  {self._loops(params, case.guard)}return 1;"] = None
        name, pieces = self._function(prop), list(_pieces(list(lines)))
        names = [name] if len(pieces) == 1 else [self._function(prop, number) for number in range(1, len(pieces) + 1)]
        for part, piece in zip(names, pieces, strict=True):
            self._code(prop.name, [f"static int {part}() {{", *piece, "  return 0;", "}"])
        if names != [name]:
            calls = " || ".join(f"{part}()" for part in names)
            self._code(prop.name, [f"static int {name}() {{ return {calls}; }}"])

    def _loops(self, variables: Sequence[Var], cond: Expr) -> str:
        """What runs the statement after it for all values of the variables, which have names, with which the condition holds.

        The printer knows from then on, until the end of the scope, that it does.
        """
        text = ""
        for var, test in steps.nested(variables, cond):
            if var is not None:
                name = self.printer.names[var]
                text += f"for (int {name} = 0; {name} < {self.instance.cardinality(var.of)}; {name}++) "
            if test is not TRUE:
                shown = self.printer(test)
                self.printer.learn(test)
                text += f"if {shown} " if shown.startswith("(") else f"if ({shown}) "
        return text

    # ------------------------------------------------------------------------------------------------------------ steps

    def _start(self) -> None:
        """A function that makes an initial state, in which everything is 0."""
        slots, action = self.instance.slots, steps.beginning(self.instance)
        free = {number: Var(f"{slots[number].var}_{'_'.join(map(str, slots[number].index))}", slots[number].sort)
                for number in self.starts[0].free}  # fmt: skip
        names = self.printer.new_names([*action.params, *free.values()])
        with self.printer.scope(names):
            before = [f"  {self._place(number)} = {names[var]};" for number, var in free.items()]
            for number, slot in enumerate(slots):
                if number not in free and (code := self._default(slot.sort)):
                    before.append(f"  {self._place(number)} = {code};")
            declared = ", ".join(f"int {name}" for name in names.values())
            self._code("the beginning", [f"static void start({declared}) {{", *before, *self._body(action), "}"])

    def _place(self, number: int) -> str:
        """A location in C."""
        slot = self.instance.slots[number]
        at = number - self.instance.offsets[slot.var]
        return f"now.{self.called.variables[slot.var]}" + (f"[{at}]" if self.system.variable[slot.var].index else "")

    def _default(self, sort: Sort) -> int:
        return self.instance.code(Lit(default_value(sort), sort))

    def _step(self, name: str, step: Step) -> None:
        """A function for the guard, and one for the updates."""
        names = self.printer.new_names(step.action.params)
        with self.printer.scope(names):
            params = ", ".join(f"int {n}" for n in names.values())
            guard = self.printer(step.action.guard)
            self.printer.learn(step.action.guard)
            lines = [f"static inline int may_{name}({params}) {{ return {guard}; }}", ""]
            lines += [f"static inline void do_{name}({params}) {{", *self._body(step.action), "}"]
            self._code(name, lines)

    def _body(self, action: Action) -> list[str]:
        """The statements of the updates."""
        printer, lines = self.printer, []
        fresh = printer.new_names(action.fresh)
        with printer.scope(fresh):
            for var, distance in steps.numbered(action.fresh):
                lines.append(f"  int {fresh[var]} = highest_{self.called.sorts[var.of.name]}() + {distance};")
            known = steps.shared_of(action)
            saved = steps.saved_variables(action.updates, known)
            lines += [self._save(self.system.variable[name]) for name in saved]
            for number, expr in enumerate(known, 1):
                name = f"{'holds' if expr.sort == BOOL else 'value'}_{number}"
                lines.append(f"  int {name} = {printer(expr)};")
                printer.shared = {**printer.shared, expr: name}
            printer.saved = {name: f"old_{self.called.variables[name]}" for name in saved}
            lines += [self._update(update) for update in action.updates]
            printer.saved = {}
        lines += [f"  rename_{self.called.sorts[c.name]}();" for c in steps.counters_written(self.instance, action)]
        return lines

    def _save(self, variable: StateVar) -> str:
        """Copies a variable as it is before the step."""
        name = self.called.variables[variable.name]
        if not variable.index:
            return f"  int old_{name} = now.{name};"
        return f"  __typeof__(now.{name}) old_{name}; memcpy(old_{name}, now.{name}, sizeof old_{name});"

    def _update(self, update: Update) -> str:
        printer = self.printer
        with printer.scope(printer.new_names(update.binders)):
            target = f"now.{self.called.variables[update.var]}" + printer.index(update.var, update.args)
            return f"  {self._loops(update.binders, update.cond)}{target} = {printer(update.value)};"

    # ---------------------------------------------------------------------------------------------------------- process

    def _process(self) -> None:
        self.lines += ["active proctype steps() {"]
        if len(self.starts) > 1:
            calls = [", ".join(map(str, (*start.codes, *start.free.values()))) for start in self.starts]
            self.lines += ["  if", *(f"  :: d_step {{ c_code {{ start({call}); }} }}" for call in calls), "  fi;"]
        options = []
        for name, step in zip(self.names, self.steps, strict=True):
            for arguments in self._bindings(step):
                # SPIN takes a call for a side effect unless there is a blank in it.
                options.append(
                    f"  :: d_step {{ c_expr {{ may_{name} ({arguments}) }} -> c_code {{ do_{name}({arguments}); }} }}"
                )
        if self.system.final is not FALSE:
            options.append("  :: d_step { c_expr { is_final () } -> skip }  /* nothing is left to do */")
        if not options:
            options.append("  :: false  /* nothing happens, and SPIN wants an option */")
        for prop in common.all_properties(self.instance):
            monitor = (
                f"  :: d_step {{ c_expr {{ {self._function(prop)} () }} -> assert(false) }}  /* {quoted(prop.name)} */"
            )
            guarded = prop.kind == "reachable"
            options += (
                [f"#ifdef REACH_{self.called.properties[prop.name]}", monitor, "#endif"] if guarded else [monitor]
            )
        self.lines += ["  do", *options, "  od", "}"]

    def _bindings(self, step: Step) -> Iterator[str]:
        """The values of the step's parameters that its guard does not exclude by itself."""
        for chosen, _ in steps.cases(self.instance, step.action, everything=True):
            yield ", ".join(str(chosen[p]) for p in step.action.params)
