"""Small random systems, well-formed by construction: what every fast path and its slow twin are run on.

    from tests.generated import generate, instance

    instance(seed)                  an `Instance` of a random system; the same for the same seed, everywhere
    instance(seed, loose=True)      the same, in which `The` may be taken of None (the finite readings then give
                                    code 0): only for twins that both promise this; it need not be symmetric
    instance(seed, process=True)    the same, with a process of four labels on each CPU, some steps of which are its own
    instance(seed, options=True)    the same kind, in which indices may be options of scalarsets as well
    instance(seed, large=True)      the same kind, with 7 or 8 CPUs, and ten times as many states
    generate(random.Random(seed))   the `System` alone, at its default sizes

Over some dozens of seeds every node of `ir` occurs, every sort, free and rigid variables, ghosts, bulk updates,
several updates of one location, fresh counters, events, obligations, "reachable" properties, deadlocks and final
states.  There are no knobs.  Names of bound variables recur, and an inner one may hide an outer one.  A system has at
most `STATES` states by the product of its variables' sizes, mostly far fewer reachable ones.

Unless `loose`, no verdict depends on what a reading may choose: `The` and `Narrow` stand behind a test that they are
defined, and where there is a counter, a variable always holds a value of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    And,
    BoolSort,
    Clause,
    Cost,
    CounterSort,
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
    Obligation,
    OptionSort,
    Or,
    Plus,
    Property,
    Quant,
    Read,
    Scalarset,
    Some,
    Sort,
    StateVar,
    System,
    The,
    Update,
    Var,
    default_value,
)
from flushproof.model.ir.instance import Instance

STATES = 4000

CPU = Scalarset("Cpu")
VM = Scalarset("Vm", first=1)
PAGE = Scalarset("Page", ordered=True)
PHASE = EnumSort("Phase", ("IDLE", "BUSY", "DONE"))
LEVEL = IntSort(-1, 1)
GENERATION = CounterSort("Generation")
FINITE: tuple[Sort, ...] = (BOOL, CPU, VM, PAGE, PHASE, LEVEL)


def instance(
    seed: int, loose: bool = False, process: bool = False, options: bool = False, large: bool = False
) -> Instance:
    """A random system at its default sizes."""
    system = generate(random.Random(seed), loose, process, options, large)
    return Instance(system, system.sizes)


def generate(
    rng: random.Random, loose: bool = False, process: bool = False, options: bool = False, large: bool = False
) -> System:
    """A random system with two to five variables and some more actions."""
    sizes = {"Cpu": rng.choice((1, 2, 2, 3)), "Vm": rng.choice((1, 2, 2, 3)), "Page": 2}
    if large:
        sizes |= {"Cpu": rng.choice((7, 8)), "Vm": rng.choice((1, 2))}
    states = STATES // 100 if process else 10 * STATES if large else STATES
    variables = _variables(rng, sizes, states, (OptionSort(CPU),) * 3 + (OptionSort(VM),) * 3 if options else ())
    maker = _Maker(rng, variables, loose)
    init = maker.action("init", initial=True)
    steps = tuple(maker.process()) if process else ()
    actions = steps + tuple(maker.action(f"step{i}") for i in range(rng.randint(2, 7)))
    counting = random.Random()
    counting.setstate(rng.getstate())  # so that what is counted changes nothing else
    actions = tuple(replace(a, costs=_costs(a, variables, counting.getrandbits(32))) for a in actions)
    maker.variables = maker.seen or maker.variables
    properties = tuple(maker.property(f"p{i}") for i in range(rng.randint(1, 3)))
    sorts = (CPU, VM, PAGE, *((GENERATION,) if any(_is_counter(v.sort) for v in variables) else ()))
    final = maker.atom((), 1) if rng.random() < 0.3 else FALSE
    return System("generated", "Generated", "", sorts, sizes, maker.declared, init, actions, properties, final)


def _costs(action: Action, variables: tuple[StateVar, ...], seed: int) -> tuple[Cost, ...]:
    """What a step costs: operations, for some of its parameters or of bound elements, and entries of a map to truth values."""
    maker = _Maker(random.Random(seed), variables, loose=False)
    maker.names = 1000  # no parameter's name again
    scope = (*action.params, *action.fresh)
    costs = []
    for number in range(maker.rng.randrange(3)):
        binders = tuple(maker.var(s) for s in maker.rng.choices(FINITE, k=maker.rng.randrange(3)))
        costs.append(Cost(f"operation{number}", binders, maker.atom((*scope, *binders), 2)))
    for var in variables:
        if var.sort == BOOL and var.index and not any(isinstance(s, OptionSort) for s in var.index):
            binders = tuple(maker.var(s) for s in var.index)
            entry = Read(var.name, binders, BOOL)
            costs.append(Cost("dropped", binders, And((maker.atom((*scope, *binders), 1), entry)), entry))
    return tuple(costs)


def _is_counter(sort: Sort) -> bool:
    return isinstance(sort, CounterSort) or (isinstance(sort, OptionSort) and isinstance(sort.base, CounterSort))


def _variables(
    rng: random.Random, sizes: dict[str, int], states: int, indices: tuple[Sort, ...]
) -> tuple[StateVar, ...]:
    """Variables whose sizes multiply to no more than `states`; indices: of more sorts than usual."""
    wanted = rng.randint(2, 5)
    variables: list[StateVar] = []
    if rng.random() < 0.5:
        variables.append(StateVar("g0", (), GENERATION))
    for _ in range(30):
        if len(variables) == wanted:
            break
        counters = bool(variables) and variables[0].sort is GENERATION
        variable = _variable(rng, f"v{len(variables)}", counters, indices)
        if _states([*variables, variable], sizes) <= states:
            variables.append(variable)
    rng.shuffle(variables)
    return tuple(variables)


def _variable(rng: random.Random, name: str, counters: bool, indices: tuple[Sort, ...]) -> StateVar:
    base = rng.choice((*FINITE, *((GENERATION,) * 3 if counters else ())))
    sort = OptionSort(base) if rng.random() < 0.35 else base  # type: ignore[arg-type]
    index = tuple(rng.choice((CPU, CPU, VM, VM, PAGE, PHASE, BOOL, *indices)) for _ in range(rng.choice((0, 1, 1, 1, 2))))
    kind = rng.choice(("state",) * 6 + ("rigid", "ghost"))
    needs_value = isinstance(sort, Scalarset) and not sort.ordered
    free = needs_value or (not _is_counter(sort) and rng.random() < (0.7 if kind == "rigid" else 0.1))
    return StateVar(name, index, sort, kind, free)  # type: ignore[arg-type]


def _states(variables: Sequence[StateVar], sizes: dict[str, int]) -> int:
    probe = Instance(System("probe", "", "", (), sizes, tuple(variables), Action("init", (), TRUE, ()), (), ()), sizes)
    total = 1
    for slot in probe.slots:
        total *= probe.cardinality(slot.sort)
    return total


class _Impossible(Exception):
    """No expression of this sort can be made here: an unordered scalarset has no literals."""


class _Maker:
    """Makes actions, properties and expressions over the given variables."""

    def __init__(self, rng: random.Random, variables: tuple[StateVar, ...], loose: bool) -> None:
        self.rng, self.loose = rng, loose
        self.variables = variables  # What expressions may read and steps may write.
        self.declared = variables
        self.seen: tuple[StateVar, ...] = ()  # What properties may read, if that is something else.
        self.ghosts = True
        self.names = 0

    def var(self, sort: Sort) -> Var:
        """A parameter: no other has its name."""
        self.names += 1
        return Var(f"x{self.names}", sort)

    def bound(self, sort: Sort, taken: Sequence[Var] = ()) -> Var:
        """A variable to be bound; its name recurs, and one inside may hide one outside."""
        prefix = "i" if isinstance(sort, IntSort) else sort.name.lower()
        names = [Var(f"{prefix}_{letter}", sort) for letter in "abc"]
        return self.rng.choice([v for v in names if v not in taken])

    # ------------------------------------------------------------------------------------------------- declarations

    def action(self, name: str, initial: bool = False) -> Action:
        """Most often a step that moves on: it asks for some value at a location, and writes another there."""
        rng = self.rng
        self.ghosts = False
        targets = [v for v in self.variables if v.kind != "rigid" or initial]
        targets = rng.sample(targets, min(len(targets), rng.randint(0 if initial else 1, 3)))
        params = self.params([s for v in targets for s in v.index])
        counts = any(_is_counter(v.sort) for v in self.variables)
        fresh = tuple(self.var(GENERATION) for _ in range(rng.choice((0, 1, 1, 2)) if counts else 0))
        guard: Expr = TRUE
        if rng.random() < (0.15 if initial else 0.8):
            tested = [v for v in self.variables if v.kind != "ghost"]
            atoms = [
                self.test(rng.choice(tested), params, rng.random() < 0.6) for _ in range(rng.randint(1, 2)) if tested
            ]
            guard = And((*atoms, *([self.junction(params, 2)] if rng.random() < 0.2 else [])))
        updates = [self.update(v, (*params, *fresh)) for v in (*targets, *targets[: rng.choice((0, 0, 1))])]
        obligations = []
        if not initial and rng.random() < 0.15:
            expr = Or((self.atom(params, 1), self.atom(params, 1), self.atom(params, 1)))
            obligations.append(Obligation(And((guard, self.atom(params, 1))), expr, "is owed"))
        self.ghosts = True
        cpu = next((p for p in params if p.of is CPU), None)
        return Action(name, params, guard, tuple(u for u in updates if u), fresh, tuple(obligations), cpu=cpu)

    def process(self) -> Iterator[Action]:
        """Four labelled steps; about half of them read and write nothing but the CPU's own label and local variable.

        Other steps, or properties, at times look at the labels or at the local variable as well.
        """
        rng = self.rng
        label = EnumSort("Label", ("L0", "L1", "L2", "L3"))
        local = StateVar("local", (CPU,), rng.choice((BOOL, PHASE, OptionSort(VM))))
        shared = self.variables
        pc = StateVar("pc", (CPU,), label)
        self.declared = (*shared, pc, local)
        for number, name in enumerate(label.members):
            c = self.var(CPU)
            own = rng.random() < 0.6
            here = Eq(Read("pc", (c,), label), Lit(name, label))
            there = Lit(label.members[(number + 1) % 4], label)
            other = Lit(rng.choice(label.members), label)
            self.ghosts = False
            self.variables = (local,) if own else (local, *shared)
            tests = [self.atom((c,), 1)] if rng.random() < 0.3 else []
            branch = Ite(self.atom((c,), 1), there, other) if rng.random() < 0.3 else there
            targets = [] if own else rng.sample(shared, min(len(shared), rng.randint(0, 2)))
            targets = [v for v in targets if v.kind != "rigid"]
            updates = [Update("pc", (), (c,), TRUE, branch), *(self.update(v, (c,)) for v in targets)]
            if rng.random() < 0.7:
                with suppress(_Impossible):
                    updates.append(Update("local", (), (c,), TRUE, self.expr(local.sort, (c,), 1)))
            guard = And((here, *tests))
            owed = [Obligation(guard, self.atom((c,), 1), "is owed")] if rng.random() < 0.1 else []
            yield Action(f"process{number}", (c,), guard, tuple(u for u in updates if u), (), tuple(owed), cpu=c)
        self.ghosts = True
        self.variables = (*shared, *rng.choice(((), (), (), (local,), (pc,))))
        self.seen = (*shared, *rng.choice(((), (), (), (local,), (pc,))))

    def params(self, wanted: list[Sort]) -> tuple[Var, ...]:
        """Up to three parameters, mostly of wanted sorts."""
        rng = self.rng
        params: list[Var] = []
        for sort in wanted:
            if rng.random() < (0.3 if any(p.of == sort for p in params) else 0.8):
                params.append(self.var(sort))
        if rng.random() < 0.3:
            others = (*FINITE, OptionSort(VM), OptionSort(PHASE))
            params.append(self.var(rng.choice(others)))
        return tuple(params[:3])

    def test(self, variable: StateVar, env: tuple[Var, ...], initial: bool) -> Expr:
        """Whether a variable has some value at some location: often the one that it starts with, or often not."""
        rng = self.rng
        try:
            read = self.read(variable, env, 0)
            if not variable.free and rng.random() < 0.7:
                equal = Eq(read, Lit(default_value(variable.sort), variable.sort))
                return equal if initial else Not(equal)
            return Eq(read, self.expr(variable.sort, env, 0))
        except _Impossible:
            return self.atom(env, 2)

    def update(self, target: StateVar, env: tuple[Var, ...]) -> Update | None:
        rng = self.rng
        self.ghosts = target.kind == "ghost"
        binders: list[Var] = []
        args: list[Expr] = []
        for sort in target.index:
            try:
                if rng.random() < 0.2 and not isinstance(sort, OptionSort):
                    raise _Impossible
                args.append(self.expr(sort, env, rng.choice((0, 0, 1))))
            except _Impossible:
                binders.append(self.bound(sort, binders))
                args.append(binders[-1])
        scope = (*env, *binders)
        cond = TRUE if rng.random() < 0.6 else self.atom(scope, 2)
        try:
            return Update(
                target.name, tuple(binders), tuple(args), cond, self.expr(target.sort, scope, rng.randint(0, 2))
            )
        except _Impossible:
            return None
        finally:
            self.ghosts = False

    def property(self, name: str) -> Property:
        rng = self.rng
        if rng.random() < 0.2:
            return Property(name, (Clause((), TRUE, self.junction((), 2)),), "reachable")
        return Property(name, tuple(self.clause() for _ in range(rng.randint(1, 2))))

    def clause(self) -> Clause:
        """A clause that is likely to hold in most states: its guard is narrow, what it asks for wide."""
        rng = self.rng
        params = self.params([s for v in self.variables for s in v.index if rng.random() < 0.3])
        tested = [rng.choice(self.variables) for _ in range(rng.randint(2, 4))]
        guard = And(tuple(self.test(v, params, False) for v in tested))
        expr = Or(tuple(self.atom(params, 1) for _ in range(rng.randint(1, 3))))
        cpu = next((p for p in params if p.of is CPU), None)
        return Clause(params, guard, expr, rng.choice((None, "hit")), cpu, "wrong")

    # -------------------------------------------------------------------------------------------------- expressions

    def junction(self, env: tuple[Var, ...], count: int) -> Expr:
        node = self.rng.choice((And, And, Or))
        return node(tuple(self.atom(env, 2) for _ in range(count)))

    def atom(self, env: tuple[Var, ...], depth: int) -> Expr:
        """A truth value that is seldom a literal."""
        for _ in range(8):
            expr = self.expr(BOOL, env, depth)
            if not isinstance(expr, Lit):
                break
        return expr

    def expr(self, sort: Sort, env: tuple[Var, ...], depth: int) -> Expr:
        """A random expression of the sort, `depth` operators deep at most (but for tests of being
        defined); a negative depth counts how deep reads stand in the arguments of reads.

        Raises:
            _Impossible: nothing in scope has this sort, and it has no literals.
        """
        makers = self.leaves(sort, env, depth)
        if depth > 0:
            makers = makers + self.operators(sort, env, depth - 1) * 2
        self.rng.shuffle(makers)
        for make in makers:
            try:
                return make()
            except _Impossible:
                continue
        raise _Impossible(sort)

    def leaves(self, sort: Sort, env: tuple[Var, ...], depth: int) -> list[Callable[[], Expr]]:
        makers: list[Callable[[], Expr]] = [lambda v=v: v for v in env if v.of == sort]  # type: ignore[misc]
        for v in self.variables:
            if v.sort == sort and (self.ghosts or v.kind != "ghost") and depth > -2:
                makers += [lambda v=v: self.read(v, env, min(depth, 0) - 1)] * 2  # type: ignore[misc]
        if not isinstance(sort, Scalarset) or sort.ordered:
            makers.append(lambda: self.literal(sort))
        return makers

    def read(self, variable: StateVar, env: tuple[Var, ...], depth: int) -> Expr:
        return Read(variable.name, tuple(self.expr(s, env, depth) for s in variable.index), variable.sort)

    def literal(self, sort: Sort) -> Lit:
        rng = self.rng
        match sort:
            case BoolSort():
                return rng.choice((TRUE, FALSE))
            case EnumSort():
                return Lit(rng.choice(sort.members), sort)
            case IntSort():
                return Lit(rng.randint(sort.lo, sort.hi), sort)
            case CounterSort():
                return Lit(0, sort)
            case OptionSort():
                inner = sort.base
                if (isinstance(inner, Scalarset) and not inner.ordered) or rng.random() < 0.5:
                    return Lit(None, sort)
                return Lit(self.literal(inner).value, sort)
            case Scalarset():
                return Lit(rng.randrange(2), sort)

    def operators(self, sort: Sort, env: tuple[Var, ...], depth: int) -> list[Callable[[], Expr]]:
        """Ways to make an expression of the sort from smaller ones."""
        rng = self.rng
        makers: list[Callable[[], Expr]] = [
            lambda: Ite(self.expr(BOOL, env, depth), self.expr(sort, env, depth), self.expr(sort, env, depth))
        ]
        for v in self.variables:
            if v.sort == sort and v.index and (self.ghosts or v.kind != "ghost"):
                makers.append(lambda v=v: self.read(v, env, depth))  # type: ignore[misc]
        match sort:
            case BoolSort():
                several = rng.choice((2, 2, 3))
                makers += [
                    lambda: Not(self.expr(BOOL, env, depth)),
                    lambda: And(tuple(self.expr(BOOL, env, depth) for _ in range(several))),
                    lambda: Or(tuple(self.expr(BOOL, env, depth) for _ in range(several))),
                    *(lambda: self.equality(env, depth),) * 4,
                    *(lambda: self.order(env, depth),) * 3,
                    *(lambda: self.quantified(env, depth),) * 2,
                ]
            case OptionSort():
                makers += [lambda: Some(self.expr(sort.base, env, depth))] * 2
            case IntSort():
                makers += [lambda: self.stepped(sort, env, depth)] * 2
        if not isinstance(sort, OptionSort) and rng.random() < 0.4:
            makers.append(lambda: self.held(sort, env, depth))
        return makers

    def equality(self, env: tuple[Var, ...], depth: int) -> Expr:
        sort = self.rng.choice([*(v.sort for v in self.variables), *(v.of for v in env)])
        return Eq(self.expr(sort, env, depth), self.expr(sort, env, depth))

    def order(self, env: tuple[Var, ...], depth: int) -> Expr:
        counts = any(_is_counter(v.sort) for v in self.variables)
        sort = self.rng.choice((PAGE, PHASE, LEVEL, GENERATION if counts else LEVEL))
        left, right = self.expr(sort, env, depth), self.expr(sort, env, depth)
        if sort is LEVEL and self.rng.random() < 0.3:
            left = Plus((left, Negated(self.expr(sort, env, depth))))
        elif sort is LEVEL:
            left = Plus((left, number(self.rng.choice((-1, 1, 2)))))
        return Less(left, right)

    def quantified(self, env: tuple[Var, ...], depth: int) -> Expr:
        var = self.bound(self.rng.choice(FINITE))
        return Quant(self.rng.choice(("forall", "exists")), var, self.atom((*env, var), depth))

    def held(self, sort: Sort, env: tuple[Var, ...], depth: int) -> Expr:
        """What an option holds, and something else where it holds nothing."""
        option = self.expr(OptionSort(sort), env, depth)  # type: ignore[arg-type]
        if self.loose and self.rng.random() < 0.5:
            return The(option)
        return Ite(Eq(option, Lit(None, option.sort)), self.expr(sort, env, 0), The(option))

    def stepped(self, sort: IntSort, env: tuple[Var, ...], depth: int) -> Expr:
        """One more, except at the top; or the sum of two, as far as it fits."""
        arg = self.expr(sort, env, depth)
        if self.rng.random() < 0.3:
            return Narrow(Plus((arg, self.expr(sort, env, depth))), sort)
        return Ite(Less(arg, Lit(sort.hi, sort)), Narrow(Plus((arg, number(1))), sort), self.expr(sort, env, 0))


def number(value: int) -> Lit:
    return Lit(value, IntSort(value, value))
