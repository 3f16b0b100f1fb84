"""An instance as a TLA+ module, for TLC, with a configuration beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    CounterSort,
    Expr,
    Lit,
    Or,
    Quant,
    Scalarset,
    Sort,
    StateVar,
    Update,
    Var,
    default_value,
    walk,
)
from flushproof.model.ir.instance import Instance

from . import common, steps
from .names import declared, distinct, identifier
from .printer import Printer
from .steps import largest


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

    def unequal(self, left: str, right: str) -> str:
        return f"({left} # {right})"

    def choice(self, cond: str, then: str, other: str) -> str:
        return f"(IF {cond} THEN {then} ELSE {other})"

    def element(self, option: str, known: bool) -> str:
        # TLC evaluates each part of a disjunction in an action, whatever the others are: nothing is known there.
        return f"The({option})"

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        name = self.saved.get(variable) or self.called.variables[variable]
        return name + (f"[{', '.join(self.code(a) for a in args)}]" if args else "")

    def quantified(self, expr: Quant, name: str, body: str) -> str:
        sign = "\\A" if expr.kind == "forall" else "\\E"
        return f"({sign} {name} \\in {self.set(expr.var.of)} : {body})"

    def set(self, sort: Sort) -> str:
        """The set of a sort's values."""
        if sort == BOOL:
            return "BOOLEAN"
        if isinstance(sort, Scalarset):
            return self.called.sorts[sort.name]
        return f"(0 .. {largest(self.instance, sort)})"

    def index_set(self, sort: Sort) -> str:
        return "(0 .. 1)" if sort == BOOL else self.set(sort)

    def map(self, index: Sequence[Sort], body: Callable[[str], str]) -> str:
        """A function of the indices; `body` gives its value where the index is what it is given.  Without indices, a value."""
        if not index:
            return body("")
        places = [f"at_{n}" for n in range(len(index))]
        binders = ", ".join(f"{p} \\in {self.index_set(s)}" for p, s in zip(places, index, strict=True))
        at = f"[{', '.join(places)}]"
        return f"[{binders} |-> {body(at)}]"


class _Module:
    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.called = common.names(instance)
        self.name = self.called.model
        self.steps = list(steps.steps(instance))
        self.names = distinct([f"Do_{identifier(step.title(instance))}" for step in self.steps])
        self.properties = {f"Property_{self.called.properties[p.name]}": p for p in common.all_properties(instance)}
        self.printer = _Tla(instance, self.called)

    def text(self) -> str:
        variables = ", ".join(self.called.variables.values())
        lines = [
            f"---- MODULE {self.name} ----",
            f"(* {self.system.title}, written by flushproof.  None is 0 and Some(x) is x + 1.",
            "   Where a guard has alternatives, `= TRUE` tells TLC that they are not steps of their own. *)",
            "EXTENDS Integers, FiniteSets",
            "",
            *self._constants(),
            "The(option) == IF option = 0 THEN 0 ELSE option - 1",
            "",
            *(f"VARIABLE {name}" for name in self.called.variables.values()),
            f"vars == <<{variables}>>",
            "",
        ]
        for counter in steps.counters(self.instance):
            lines += self._counter(counter)
        lines += self._beginning()
        for name, step in zip(self.names, self.steps, strict=True):
            lines += self._step(name, step.action)
        lines += ["Next ==", *(f"  \\/ {call}" for call in self._calls())]
        if self.system.final is not FALSE:
            lines.append(f"  \\/ {self.printer(self.system.final)} /\\ UNCHANGED vars  \\* nothing is left to do")
        lines += ["", "Spec == Init /\\ [][Next]_vars", ""]
        for name, prop in self.properties.items():
            formula = self.printer(common.property_formula(self.instance, prop))
            if prop.kind == "reachable":
                lines.append(f"\\* To be reached: check that {name} is violated.")
                formula = self.printer.negation(formula)
            lines += [f"{name} == {formula}", ""]
        text = "\n".join([*lines, "====", ""])
        return declared(
            text,
            {
                "variables": (r"^VARIABLE (\w+)$", len(self.called.variables)),
                "members of enumerations": (r"^(\w+) == \d+$", len(self.called.members)),
                "steps": (r"^(Do_\w+)(?:\(.*\))? ==$", len(self.steps)),
                "properties": (r"^(Property_\w+) ==", len(self.properties)),
            },
        )

    def configuration(self) -> str:
        """For TLC; it looks for deadlocks unless it is told not to."""
        wanted = [name for name, prop in self.properties.items() if prop.kind == "invariant"]
        return "\n".join(["SPECIFICATION Spec", *(f"INVARIANT {name}" for name in wanted), ""])

    def _constants(self) -> list[str]:
        lines = []
        for enum in common.enumerations(self.instance):
            lines += [f"{self.called.members[enum, name]} == {code}" for code, name in enumerate(enum.members)]
        for sort in self.system.sorts:
            if isinstance(sort, Scalarset):
                lines.append(f"{self.called.sorts[sort.name]} == 0 .. {self.instance.sizes[sort.name] - 1}")
        return lines

    # ------------------------------------------------------------------------------------------------------------ counters

    def _values(self, counter: CounterSort, names: Mapping[str, str]) -> str:
        """The set of a counter's values; `names` says what stands for a variable, if not the variable itself."""
        parts = ["{0}"]
        for variable, optional in steps.counter_variables(self.instance, counter):
            name = names.get(variable, self.called.variables[variable])
            index = [
                f"at_{n} \\in {self.printer.index_set(s)}" for n, s in enumerate(self.system.variable[variable].index)
            ]
            place = name + (f"[{', '.join(f'at_{n}' for n in range(len(index)))}]" if index else "")
            values = f"{{{place} : {', '.join(index)}}}" if index else f"{{{place}}}"
            parts.append(f"{{held - 1 : held \\in {values} \\ {{0}}}}" if optional else values)
        return f"({_UNION.join(parts)})"

    def _counter(self, counter: CounterSort) -> list[str]:
        name = self.called.sorts[counter.name]
        return [
            f"Highest_{name}(all_used) == CHOOSE highest_used \\in all_used : \\A each_used \\in all_used : "
            "each_used <= highest_used",
            "",
            "\\* Only the order of the values matters: they become 1, 2, ...",
            f"Rank_{name}(all_used, ranked) == Cardinality({{each_used \\in all_used : 0 < each_used /\\ each_used <= ranked}})",
            "",
        ]

    # --------------------------------------------------------------------------------------------------------------- steps

    def _beginning(self) -> list[str]:
        """What makes an initial state, and an alternative for each initial state."""
        starts, action = common.starts(self.instance), steps.beginning(self.instance)
        free = [v for v in self.system.variables if v.free]
        chosen = {v.name: f"start_{self.called.variables[v.name]}" for v in free}
        names = self.printer.new_names(action.params)
        base, defined = dict(chosen), []
        for variable in self.system.variables:
            if not variable.free:
                default = Lit(default_value(variable.sort), variable.sort)
                base[variable.name] = f"default_{self.called.variables[variable.name]}"
                text = self.printer.map(variable.index, lambda _, default=default: self.printer(default))  # type: ignore[misc]
                defined.append(f"{base[variable.name]} == {text}")
        params = ", ".join([*names.values(), *chosen.values()])
        lines = [f"Begin({params}) ==" if params else "Begin =="]
        with self.printer.scope(names):
            self.printer.saved = chosen
            lines += self._effect(action, self.system.variables, base, defined, "")
            self.printer.saved = {}
        lines += ["", "Init =="]
        for start in starts:
            values = [self.printer.value(p.of, code) for p, code in zip(action.params, start.codes, strict=True)]
            values += [self._map(v, start.free) for v in free]
            lines.append("  \\/ Begin" + (f"({', '.join(values)})" if values else ""))
        return [*lines, ""]

    def _map(self, variable: StateVar, codes: Mapping[int, int]) -> str:
        """A variable's value as written out, by the codes of its locations."""
        first = self.instance.offsets[variable.name]
        values = {
            index: self.printer.value(variable.sort, codes[first + place])
            for place, index in enumerate(self.instance.assignments(variable.index))
        }
        usual = max(values.values(), key=list(values.values()).count)

        def body(_: str) -> str:
            text = usual
            for index, other in values.items():
                if other != usual:
                    here = _AND.join(f"at_{n} = {i}" for n, i in enumerate(index))
                    text = f"IF {here} THEN {other} ELSE {text}"
            return text

        return self.printer.map(variable.index, body) if variable.index else values[()]

    def _calls(self) -> list[str]:
        """Each step for some values of its parameters."""
        calls = []
        for name, step in zip(self.names, self.steps, strict=True):
            names = [f"arg_{n}" for n in range(len(step.action.params))]
            chosen = "".join(
                f"\\E {p} \\in {self.printer.set(v.of)} : " for p, v in zip(names, step.action.params, strict=True)
            )
            calls.append(chosen + name + (f"({', '.join(names)})" if names else ""))
        return calls

    def _step(self, name: str, action: Action) -> list[str]:
        names = self.printer.new_names(action.params)
        with self.printer.scope(names):
            shown = f"({', '.join(names.values())})" if names else ""
            lines = [f"{name}{shown} ==", *self._guard(action.guard)]
            written = {u.var for u in action.updates}
            for counter in steps.counters_written(self.instance, action):
                written.update(name for name, _ in steps.counter_variables(self.instance, counter))
            changed = [v for v in self.system.variables if v.name in written]
            if changed:
                lines += self._effect(action, changed, {}, [], "'")
            unchanged = [self.called.variables[v.name] for v in self.system.variables if v.name not in written]
            if unchanged:
                lines.append(f"  /\\ UNCHANGED <<{', '.join(unchanged)}>>")
            return [*lines, ""]

    def _guard(self, guard: Expr) -> list[str]:
        """The guard, in which TLC must not take alternatives for steps of their own."""
        lines = []
        for part in steps.conjuncts(guard):
            alternatives = any(isinstance(e, (Or, Quant)) for e in walk(part))
            lines.append(f"  /\\ {self.printer(part)}" + (" = TRUE" if alternatives else ""))
        return lines

    def _effect(
        self, action: Action, changed: Iterable[StateVar], base: Mapping[str, str], defined: Sequence[str], mark: str
    ) -> list[str]:
        """The values of the changed variables after the action.

        base: the names of values that stand for variables before the action, by their definitions in `defined`;
        mark: what tells the variables after the action from those before it.
        """
        printer, bindings = self.printer, list(defined)
        fresh = printer.new_names(action.fresh)
        with printer.scope(fresh):
            for var, distance in steps.numbered(action.fresh):
                assert isinstance(var.of, CounterSort)
                highest = f"Highest_{self.called.sorts[var.of.name]}({self._values(var.of, base)})"
                bindings.append(f"{fresh[var]} == {highest} + {distance}")
            for number, expr in enumerate(steps.shared_of(action), 1):
                name = f"{'holds' if expr.sort == BOOL else 'value'}_{number}"
                bindings.append(f"{name} == {printer(expr)}")
                printer.shared = {**printer.shared, expr: name}
            after: dict[str, str] = {}
            for variable in changed:
                text = base.get(variable.name, self.called.variables[variable.name])
                updates = [u for u in action.updates if u.var == variable.name]
                for number, update in enumerate(updates, 1):
                    part = f"{number}_" if number < len(updates) else ""  # no name begins with a digit
                    name = f"new_{part}{self.called.variables[variable.name]}"
                    bindings.append(f"{name} == {self._updated(variable, text, update)}")
                    text = name
                after[variable.name] = text
        for counter in steps.counters_written(self.instance, action):
            bindings.append(f"used_{self.called.sorts[counter.name]} == {self._values(counter, after)}")
            for held, _ in steps.counter_variables(self.instance, counter):
                after[held] = self._renamed(counter, self.system.variable[held], after[held])
        results = [f"/\\ {self.called.variables[name]}{mark} = {text}" for name, text in after.items()]
        if not bindings:
            return [f"  {line}" for line in results]
        return ["  /\\ LET " + "\n         ".join(bindings), "     IN " + "\n        ".join(results)]

    def _renamed(self, counter: CounterSort, variable: StateVar, held: str) -> str:
        """A variable's value with the counter's values renamed."""
        rank = f"Rank_{self.called.sorts[counter.name]}(used_{self.called.sorts[counter.name]}, "

        def body(at: str) -> str:
            if variable.sort == counter:
                return f"{rank}{held}{at})"
            return f"IF {held}{at} = 0 THEN 0 ELSE 1 + {rank}{held}{at} - 1)"

        return self.printer.map(variable.index, body) if variable.index else f"({body('')})"

    def _updated(self, variable: StateVar, before: str, update: Update) -> str:
        """The variable's value after one update."""
        printer = self.printer
        always = update.cond is TRUE
        if not variable.index:
            return (
                printer(update.value) if always else printer.choice(printer(update.cond), printer(update.value), before)
            )
        if not update.binders:
            place = ", ".join(printer.code(a) for a in update.args)
            value = printer(update.value)
            value = value if always else printer.choice(printer(update.cond), value, "@")
            return f"[{before} EXCEPT ![{place}] = {value}]"
        names = {
            arg: f"(at_{n} = 1)" if arg.of == BOOL else f"at_{n}"
            for n, arg in enumerate(update.args)
            if isinstance(arg, Var) and arg in update.binders
        }
        with printer.scope(names):
            tests = [f"at_{n} = {printer.code(arg)}" for n, arg in enumerate(update.args) if arg not in names]
            tests += [] if always else [printer(update.cond)]
            value = printer(update.value)
        return printer.map(
            variable.index, lambda at: f"IF {_AND.join(tests)} THEN {value} ELSE {before}{at}" if tests else value
        )
