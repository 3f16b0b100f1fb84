"""An instance as a Murphi model, for Rumur and its relatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    And,
    CounterSort,
    Eq,
    Expr,
    Lit,
    Not,
    Or,
    Quant,
    Read,
    Scalarset,
    Sort,
    StateVar,
    The,
    Update,
    Var,
    default_value,
    terms,
)
from flushproof.model.ir.instance import Instance

from . import common, steps
from .names import declared, distinct, quoted
from .printer import Printer
from .scalarsets import (
    defined,
    element,
    holds,
    may_lack,
    parts_defined,
    refuse_what_has_numbers,
    same,
    scalarset,
    without_options,
)
from .steps import Step, largest


def murphi(instance: Instance, scalarsets: bool = False) -> Mapping[str, str]:
    """The model as one file.

    scalarsets: unordered scalarsets are Murphi's, whose elements a checker may rename; None is a location without a value then.

    Raises:
        FlushproofError: there are too many initial states to list, or, with `scalarsets`, a map is indexed by an option of one.
    """
    model = _Model(instance, scalarsets)
    return {f"{model.called.model}.m": model.text()}


_FINAL = "nothing is left to do"

_NTH = "nth_"
"""Before a scalarset's name: its elements, for procedures that make initial states."""


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

    def assignment(self, target: str, value: Expr) -> str:
        """A statement that gives a location a value."""
        return f"{target} := {self(value)};"

    def copied(self, variable: StateVar, copy: str, name: str) -> str:
        """A statement that copies a state variable, all of it."""
        return f"{copy} := {name};"

    def tests(self, cond: Expr) -> list[str]:
        """What of this must be tested before what is printed next may be evaluated."""
        return []

    def shares(self, expr: Expr) -> bool:
        """Whether a variable can hold the value of an expression."""
        return True

    def ever(self, update: Update) -> bool:
        """Whether an update can do anything."""
        return True

    def index(self, sort: Sort, code: int) -> str:
        """A known index, in a procedure that makes an initial state."""
        return str(code)

    def passed(self, sort: Sort) -> str:
        """The type by which such a procedure gets a value."""
        return self.type(sort)

    def received(self, sort: Sort, target: str, passed: str) -> str:
        """A statement that gives a location a value that was passed."""
        return f"{target} := {passed};"


class _Symmetric(_Murphi):
    """With scalarsets of Murphi's: their elements have no numbers, and None is a location without a value.

    Truth values are printed so that they never depend on an element that is not there; other values are, where they are defined.
    """

    def type(self, sort: Sort) -> str:
        base = scalarset(sort)
        return self.called.sorts[base.name] if base else super().type(sort)

    def __call__(self, expr: Expr) -> str:
        match expr:
            case _ if expr in self.shared or isinstance(expr, (And, Or, Quant)):
                return super().__call__(expr)
            case Not():
                return self.negation(self(expr.arg))
            case Eq() if may_lack(expr.left.sort) and not self._is_of_location(expr):
                return self(same(expr.left, expr.right))
            case The() if scalarset(expr.sort):
                held = element(expr.arg)
                return super().__call__(held.arg) if isinstance(held, The) else self(held)
        if expr.sort != BOOL:
            return super().__call__(expr)
        if (needed := parts_defined(expr)) is FALSE:
            return self.false
        with self.scope({}):
            tests = self.tests(needed)
            return self.conjunction([*tests, self._atom(expr)]) if tests else self._atom(expr)

    def _atom(self, expr: Expr) -> str:
        match expr:
            case Eq(option, Lit(None)) | Eq(Lit(None), option) if may_lack(option.sort):
                return f"isundefined({super().__call__(option)})"
        return super().__call__(expr)

    def _is_of_location(self, expr: Eq) -> bool:
        """Whether it says that a location has no value."""
        sides = [side for side in (expr.left, expr.right) if not (isinstance(side, Lit) and side.value is None)]
        return len(sides) == 1 and isinstance(sides[0], (Read, Var))

    def tests(self, cond: Expr) -> list[str]:
        found = []
        for part in steps.conjuncts(cond):
            match part:
                case Not(Eq(option, Lit(None)) | Eq(Lit(None), option)) if option in self.some:
                    continue
            found.append(self(part))
            self.learn(part)
        return found

    def assignment(self, target: str, value: Expr) -> str:
        if not may_lack(value.sort):
            return self._where_defined(target, value)
        some = holds(value)
        if some is FALSE:
            return f"undefine {target};"
        if some is TRUE:
            return self._where_defined(target, element(value))
        with self.scope({}):
            test = self(some)
            self.learn(some)
            return f"if {test} then {self._where_defined(target, element(value))} else undefine {target}; end;"

    def _where_defined(self, target: str, value: Expr) -> str:
        if defined(value) is FALSE:
            return ""
        with self.scope({}):
            tests = self.tests(defined(value))
            text = f"{target} := {self(value)};"
            return f"if {self.conjunction(tests)} then {text} end;" if tests else text

    def copied(self, variable: StateVar, copy: str, name: str) -> str:
        if may_lack(variable.sort) and not variable.index:
            return f"if isundefined({name}) then undefine {copy}; else {copy} := {name}; end;"
        return super().copied(variable, copy, name)

    def shares(self, expr: Expr) -> bool:
        return not may_lack(expr.sort) and defined(expr) is not FALSE

    def ever(self, update: Update) -> bool:
        return FALSE not in map(defined, (*update.args, update.value))

    def index(self, sort: Sort, code: int) -> str:
        base = scalarset(sort)
        return f"{_NTH}{self.called.sorts[base.name]}[{code}]" if base else super().index(sort, code)

    def passed(self, sort: Sort) -> str:
        return f"0 .. {self.instance.cardinality(sort) - 1}" if scalarset(sort) else super().passed(sort)

    def received(self, sort: Sort, target: str, passed: str) -> str:
        base = scalarset(sort)
        if base is None:
            return super().received(sort, target, passed)
        nth = f"{_NTH}{self.called.sorts[base.name]}"
        if may_lack(sort):
            return f"if {passed} = 0 then undefine {target}; else {target} := {nth}[{passed} - 1]; end;"
        return f"{target} := {nth}[{passed}];"


class _Model:
    def __init__(self, instance: Instance, scalarsets: bool) -> None:
        self.instance, self.system = instance, instance.system
        self.called = common.names(instance)
        self.printer: _Murphi = _Murphi(instance, self.called)
        self.steps = list(steps.steps(instance))
        if scalarsets:
            refuse_what_has_numbers(instance)
            self.printer = _Symmetric(instance, self.called)
            self.steps = list(without_options(self.steps))
        self.scalarsets = [s for s in self.system.sorts if isinstance(s, Scalarset) and not s.ordered and scalarsets]
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
        if self.scalarsets:
            self.lines[-1:] = ["-- Of scalarsets, None is a location without a value.", ""]
        for enum in common.enumerations(self.instance):
            for code, name in enumerate(enum.members):
                self.lines.append(f"const {self.called.members[enum, name]} : {code};")
        if (least := common.least_number(self.instance)) < 0:
            self.lines.append(f"type below_zero : {least} .. 0; -- so that numbers below 0 can be computed with")
        for sort in self.system.sorts:
            if isinstance(sort, Scalarset):
                size = self.instance.sizes[sort.name]
                kind = f"scalarset({size})" if sort in self.scalarsets else f"0 .. {size - 1}"
                self.lines.append(f"type {self.called.sorts[sort.name]} : {kind};")
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
        printer, passed = self.printer, {p: Var(f"passed_{p.name}", p.of) for p in action.params if scalarset(p.of)}
        passed = passed if self.scalarsets else {}
        names = printer.new_names((*params, *passed.values()))
        with printer.scope(names):
            arguments = [(names[passed.get(var, var)], var.of) for var in params]
            declared = "; ".join(f"{name} : {printer.passed(sort)}" for name, sort in arguments)
            self.lines.append(f"procedure start({declared});")
            before = self._elements([*passed, *(v for v in self.system.variables if v.free)])
            for var, given in passed.items():
                self.lines.append(f"  var {names[var]} : {printer.type(var.of)};")
                before.append("  " + printer.received(var.of, names[var], names[given]))
            defaults = [line for v in self.system.variables if not v.free for line in self._default(v)]
            chosen = [f"  {printer.received(var.of, self._slot(slot), names[var])}" for slot, var in free.items()]
            self._body(action, [*before, *defaults, *chosen])
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
        sorts = self.system.variable[slot.var].index
        index = (self.printer.index(sort, i) for sort, i in zip(sorts, slot.index, strict=True))
        return self.called.variables[slot.var] + "".join(f"[{i}]" for i in index)

    def _elements(self, parts: Sequence[Var | StateVar]) -> list[str]:
        """Declares the elements of the scalarsets that these are of, by number; statements that number them in any order."""
        sorts = {sort for part in parts for sort in (_value_sort(part), *_indices(part))}
        wanted = [s for s in self.scalarsets if s in map(scalarset, sorts)]
        if not wanted:
            return []
        self.lines.append(f"  var next : 0 .. {max(self.instance.sizes[s.name] for s in wanted)};")
        statements = []
        for sort in wanted:
            name = self.called.sorts[sort.name]
            self.lines.append(f"  var {_NTH}{name} : array [0 .. {self.instance.sizes[sort.name] - 1}] of {name};")
            statements.append(f"  next := 0; for i0 : {name} do {_NTH}{name}[next] := i0; next := next + 1; end;")
        return statements

    def _default(self, variable: StateVar) -> list[str]:
        """Sets a variable to its default everywhere."""
        loops = [f"for i{n} : {self.printer.index_type(s)} do" for n, s in enumerate(variable.index)]
        place = self.called.variables[variable.name] + "".join(f"[i{n}]" for n in range(len(loops)))
        text = self.printer.assignment(place, Lit(default_value(variable.sort), variable.sort))
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
            known = [expr for expr in steps.shared_of(action) if printer.shares(expr)]
            saved = steps.saved_variables(action.updates, known)
            for name in saved:
                variable, called = self.system.variable[name], self.called.variables[name]
                self.lines.append(f"  var old_{called} : {self._type_of(variable)};")
                statements.append(f"  {printer.copied(variable, f'old_{called}', called)}")
            for var, distance in steps.numbered(action.fresh):
                self.lines.append(f"  var {fresh[var]} : {printer.type(var.of)};")
                statements.append(f"  {fresh[var]} := highest_{self.called.sorts[var.of.name]}() + {distance};")
            for number, expr in enumerate(known, 1):
                name = f"{'holds' if expr.sort == BOOL else 'value'}_{number}"
                self.lines.append(f"  var {name} : {printer.type(expr.sort)};")
                statements.append(f"  {printer.assignment(name, expr)}")
                printer.shared = {**printer.shared, expr: name}
            printer.saved = {name: f"old_{self.called.variables[name]}" for name in saved}
            statements += [self._update(update) for update in action.updates if printer.ever(update)]
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
            opening += [f"if {test} then" for test in printer.tests(terms.and_(*map(defined, update.args)))]
            target = self.called.variables[update.var] + "".join(f"[{printer.code(a)}]" for a in update.args)
            return "  " + " ".join([*opening, printer.assignment(target, update.value), *["end;"] * len(opening)])


def _value_sort(part: Var | StateVar) -> Sort:
    return part.of if isinstance(part, Var) else part.sort


def _indices(part: Var | StateVar) -> Sequence[Sort]:
    return () if isinstance(part, Var) else part.index
