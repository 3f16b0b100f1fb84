"""Small ways to break the checker: the table of `benchmarks.mutants`.

Long because it is a table.  Each old text occurs in its file exactly once, as a test sees to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """area: of the code, which says whom to ask; meaning: what the broken checker does; before: a fault of this kind was once found."""

    number: int
    area: str
    file: str
    old: str
    new: str
    meaning: str
    before: bool = False

    def applied(self, text: str) -> str:
        """The file's text with the fault in it.

        Raises:
            ValueError: the old text does not occur exactly once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"mutant {self.number}: its old text occurs {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


_LANGUAGE, _NATIVE, _REDUCTIONS = "model/language", "search/native", "search/reductions"
_FORMULAS, _INDUCTION = "properties/formulas", "properties/induction"

BEFORE = True

_TABLE: tuple[tuple[object, ...], ...] = (
    # area, file, old, new, meaning, was found before
    # ---------------------------------------------------------------------------------------------------- front end
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "        path.env[at.of(target), target] = value\n\n    def annotation",
        "        path.env.setdefault((at.of(target), target), value)\n\n    def annotation",
        "a local keeps its first value",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/normalise.py",
        'manager = self.stored(core.Use(self.atom(item.context_expr)), item.context_expr, "held")',
        "manager = self.atom(item.context_expr)\n        self.out[-1:] = []\n        before = item.context_expr\n"
        "        manager = self.stored(core.Use(self.atom(before)), before, 'held') if before is None else self.late(before)",
        "the argument of `with` is evaluated at its end",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/locals.py",
        "            functions.append(caller.function)\n",
        "            pass\n",
        "one variable for the locals of different helpers of one name and line",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/locals.py",
        "key = (tuple(functions), local, parts, kept.sort, kept.ghost)",
        "key = (tuple(functions), local.shown, kept.ghost)",
        "one variable for all locals of one name, and all parts of a tuple",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/normalise.py",
        "                rest = self.gathered(lambda: operand(number + 1))\n                body, other",
        "                rest = ()\n                before = self.value(value)\n                operand(number + 1)\n"
        "                rest = (core.Set(result, core.Binary(Atom(result, value), ast.BitAnd(), Atom(result, value)), value),)\n"
        "                body, other",
        "operands of `and` and `or` that Python does not evaluate are evaluated, and require",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/conversions.py",
        "            self.step.obligations.append(ir.Obligation(when, closed, message, at.source.place(node)))",
        "            pass",
        "obligations are dropped",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/conversions.py",
        "            if have.hi > sort.hi:",
        "            if have.hi > sort.hi + 1:",
        "a number one above its range is owed by nobody",
    ),
    (
        "front end",
        f"{_LANGUAGE}/conversions.py",
        "        return ir.IntSort(min(left.lo, right.lo), max(left.hi, right.hi))",
        "        return ir.IntSort(min(left.lo, right.lo), left.hi)",
        "two ranges are joined to one that ends where the first ends",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/conversions.py",
        "        present = terms.some(widen(terms.the(value), sort.base))\n",
        "        present = terms.some(terms.plus(terms.the(value), 0))\n",
        "options of numbers are joined without widening",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "path.env[at.of(s.target), s.target] = Closure(s.function, at, defaults)",
        "path.env[at.of(s.target), s.target] = Closure(s.function, at, ())",
        "the defaults of a lambda are forgotten",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/compile.py",
        "        for _ in range(self.rounds):\n",
        "        for _ in range(1):\n",
        "closures run once, in the order of their declaration",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/compile.py",
        "                    written |= effect.writes\n",
        "",
        "what a closure writes starts no other closure",
    ),
    (
        "front end",
        f"{_LANGUAGE}/loops.py",
        "return all(any(a is v and b is v for a, b in zip(one, other, strict=True)) for v in variables)",
        "return True",
        "rounds of a loop are not compared with one another",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/loops.py",
        "return all(any(a is v and b is v for a, b in zip(one, other, strict=True)) for v in variables)",
        "return all(any(a is v or b is v for a, b in zip(one, other, strict=True)) for v in variables)",
        "a round may read at another position what another one writes",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/loops.py",
        "            conds.append(terms.eq(twin, var))\n",
        "",
        "a loop that writes the diagonal of a map writes all of it",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/loops.py",
        "            cond = terms.exists(var, cond)\n        return ir.Update",
        "            cond = terms.forall(var, cond)\n        return ir.Update",
        "what some round writes is written if all do",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "                return UNSET if found is None else found",
        "                return Static(None) if found is None else found",
        "a variable without a value is None",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "            values = [env.get(key, UNSET) for env in (first, *others)]",
        "            values = [env.get(key, Static(None)) for env in (first, *others)]",
        "a variable that is set on some ways only is None on the others",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "        if use.path.binders or self.choosing:\n            at.source.fail(\n                use.node,\n                \"a loop whose rounds",
        "        if self.choosing:\n            at.source.fail(\n                use.node,\n                \"a loop whose rounds",
        "all rounds of a loop take one fresh value",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "        self.step.guards.append(terms.implies(path.cond, cond))",
        "        self.step.guards.append(cond)",
        "what one branch requires is required on all",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "            self.step.guards.append(terms.eq(cond, present))",
        "            self.step.guards.append(terms.implies(cond, present))",
        "a choice on another branch makes several steps of one",
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "        self.step.guards.append(terms.implies(cond, wanted))",
        "        pass",
        "`where` is not asked",
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "        guard = terms.and_(*self.step.guards, path.cond, *owed)",
        "        guard = terms.and_(path.cond, *owed)",
        "an event checks where it is not possible",
    ),
    (
        "front end",
        f"{_LANGUAGE}/words.py",
        "        guard = terms.and_(*self.step.guards, path.cond, *owed)",
        "        guard = terms.and_(*self.step.guards, *owed)",
        "a check in a branch is made on all",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "                return terms.not_(terms.less(second, first))",
        "                return terms.less(first, second)",
        "`<=` is `<`",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "                value = terms.ite(written, terms.substitute(update.value, bind), value)",
        "                value = terms.ite(written, update.value, value)",
        "what a bulk update wrote is read with its own variable",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "                written = terms.and_(match, terms.substitute(update.cond, bind))",
        "                written = match",
        "what was written on one branch is read on all",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "    if any(terms.not_(p) in facts for p in parts):\n        return ir.FALSE\n",
        "    if any(terms.not_(p) in facts for p in parts):\n        return ir.TRUE\n",
        "what another branch wrote is read",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "            return Tup((*first, *second))",
        "            return Tup((*second, *first))",
        "tuples are joined the wrong way round",
    ),
    (
        "front end",
        f"{_LANGUAGE}/operations.py",
        "            here = terms.and_(self.is_number(one, a), self.is_number(other, b))",
        "            here = terms.and_(self.is_number(one, b), self.is_number(other, a))",
        "arithmetic on two numbers takes them the wrong way round",
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "        merged.updates = base.updates + tuple(u for end, _ in ends for u in end.updates[count:])",
        "        merged.updates = base.updates + tuple(u for end, _ in ends[:1] for u in end.updates[count:])",
        "of several branches only the first one writes",
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "        update = ir.Update(variable.name, binders, args, path.cond, new)",
        "        update = ir.Update(variable.name, binders, args, path.conds[-1] if path.conds else ir.TRUE, new)",
        "of several `if` around a write only the innermost counts",
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "                case Exit():\n                    self.release(top, path)\n                case Return():\n                    self.leave(top, value, path)\n                    return stack",
        "                case Return():\n                    self.leave(top, value, path)\n                    return stack",
        "`return` inside of `with` releases nothing",
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "                    if isinstance(s, core.Break):\n                        path.loops.pop(top, None)\n                        return rest\n                    return stack",
        "                    return rest",
        "`continue` is `break`",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "            if value is not read:\n",
        "            if value is not read and not (isinstance(value, ir.Node) and isinstance(value, ir.Lit)):\n",
        "a local that becomes a constant is not stored",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "                    if not more <= live[number]:",
        "                    if not live[number] and not more <= live[number]:",
        "a local that is needed two steps later is forgotten between them",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "            if variable.name not in written:\n                default",
        "            if False:\n                default",
        "a local that nobody needs any more keeps its value",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "            while name in taken or (name != label and name in mine):",
        "            while False:",
        "a label that stands twice is one label",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "        if silent and len(segment.exits) == 1",
        "        if len(segment.exits) == 1",
        "what a process does before its first label is never done",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "            if all(self.starts_with_default(segment.exits[0], leaf, kept) for leaf, kept in leaves):\n",
        "            if True:\n",
        "a local that is set before the first label begins with its sort's default",
    ),
    (
        "front end",
        f"{_LANGUAGE}/processes.py",
        "obligations=tuple(replace(o, when=terms.and_(here, o.when)) for o in segment.obligations)",
        "obligations=()",
        "the steps of processes owe nothing",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/intervals.py",
        "                self.bound(term, None, bound - 1)",
        "                self.bound(term, None, bound - 2)",
        "the range of a counting local is one too small",
    ),
    (
        "front end",
        f"{_LANGUAGE}/normalise.py",
        "                rest = self.gathered(lambda: link(right, number + 1))\n                self.emit(self.branch(Atom(result, node), rest, (), node))",
        "                link(right, number + 1)",
        "of `a < b < c` only the last comparison counts",
    ),
    (
        "front end",
        f"{_LANGUAGE}/normalise.py",
        "        self.emit(self.branch(test, way(node.body), way(node.orelse), node))\n        return Atom(result, node)",
        "        self.emit(self.branch(test, way(node.orelse), way(node.body), node))\n        return Atom(result, node)",
        "`a if c else b` takes the other one",
    ),
    (
        "front end",
        f"{_LANGUAGE}/compile.py",
        "        guards = [*step.guards, *(self.condition(m)[0] for m in self.declared.of_kind(\"axiom\"))]",
        "        guards = [*step.guards]",
        "axioms are dropped",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/compile.py",
        "            final=terms.or_(*finals),",
        "            final=terms.not_(terms.or_(*finals)),",
        "`final` is negated",
        BEFORE,
    ),
    (
        "front end",
        f"{_LANGUAGE}/compile.py",
        "        while kind == \"invariant\" and isinstance(holds, ir.Quant) and holds.kind == \"forall\":",
        "        while kind == \"invariant\" and isinstance(holds, ir.Quant):",
        "an invariant that begins with any(...) is asked of all",
    ),
    (
        "front end",
        f"{_LANGUAGE}/loops.py",
        "        guard: Callable[[ir.Expr, ir.Expr], ir.Expr] = terms.implies if kind == \"all\" else terms.and_",
        "        guard: Callable[[ir.Expr, ir.Expr], ir.Expr] = terms.and_",
        "all(... if ...) wants the condition of all",
    ),
    (
        "front end",
        f"{_LANGUAGE}/statements.py",
        "            relative = [terms.and_(*end.conds[len(base.conds) :]) for end, _ in ends]".replace("            r", "        r"),
        "        relative = [terms.and_(*end.conds[len(base.conds) : len(base.conds) + 1]) for end, _ in ends]",
        "values of several branches are told apart by the outermost `if` alone",
    ),
)

MUTANTS = tuple(Mutant(number, *row) for number, row in enumerate(_TABLE, 1))  # type: ignore[arg-type]
