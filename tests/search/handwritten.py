"""Two systems small enough to count by hand.

`lock(n, ...)`: n CPUs want a lock, take it and release it.  With the guard there are 2**n states in which nobody holds it,
and n * 2**(n - 1) in which one does; up to permutation n + 1 and n.  Without it, two hold it after four steps.

`rollover(n)`: a generation that anyone may advance, and n CPUs that copy it when they like.  The states are the ways in
which n numbers and 0 can be ordered, with the generation at the top or above all of them.
"""

from flushproof.model.ir import (
    FALSE,
    TRUE,
    Action,
    Clause,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    Less,
    Lit,
    Not,
    Obligation,
    OptionSort,
    Property,
    Read,
    Scalarset,
    Some,
    StateVar,
    System,
    Update,
    Var,
    terms,
)
from flushproof.model.ir.instance import Instance

CPU = Scalarset("Cpu")
PHASE = EnumSort("Phase", ("IDLE", "WAITING", "INSIDE"))
HOLDER = OptionSort(CPU)
GENERATION = CounterSort("Generation")

cpu, other = Var("cpu", CPU), Var("other", CPU)


def phase(of: Var) -> Expr:
    return Read("phase", (of,), PHASE)


def is_at(of: Var, name: str) -> Expr:
    return Eq(phase(of), Lit(name, PHASE))


def move(name: str) -> Update:
    return Update("phase", (), (cpu,), TRUE, Lit(name, PHASE))


def lock(
    n: int, guarded: bool = True, released: bool = True, event: str | None = None, final: Expr = FALSE
) -> Instance:
    """guarded: the lock is taken only when it is free; released: it is given back; event: of the property."""
    holder = Read("holder", (), HOLDER)
    free = Eq(holder, Lit(None, HOLDER))
    taken = Update("holder", (), (), TRUE, Some(cpu))
    owed = Obligation(is_at(cpu, "WAITING"), free, "takes a lock that is held")
    actions = [
        Action("want", (cpu,), is_at(cpu, "IDLE"), (move("WAITING"),), cpu=cpu),
        Action(
            "take",
            (cpu,),
            terms.and_(is_at(cpu, "WAITING"), free) if guarded else is_at(cpu, "WAITING"),
            (move("INSIDE"), taken),
            obligations=() if guarded else (owed,),
            cpu=cpu,
        ),
    ]
    if released:
        dropped = Update("holder", (), (), TRUE, Lit(None, HOLDER))
        actions.append(Action("release", (cpu,), is_at(cpu, "INSIDE"), (move("IDLE"), dropped), cpu=cpu))
    both = terms.and_(is_at(cpu, "INSIDE"), is_at(other, "INSIDE"))
    exclusive = Clause((cpu, other), both, Eq(cpu, other), event, cpu, "{cpu} and {other} are both inside")
    inside = Clause((), TRUE, terms.exists(cpu, is_at(cpu, "INSIDE")))
    all_inside = Clause((), TRUE, terms.forall(cpu, is_at(cpu, "INSIDE")))
    properties = (
        Property("exclusive", (exclusive,)),
        Property("someone-gets-in", (inside,), "reachable"),
        Property("all-are-in", (all_inside,), "reachable"),
    )
    variables = (StateVar("phase", (CPU,), PHASE), StateVar("holder", (), HOLDER))
    init = Action("init", (), TRUE, ())
    sizes = {"Cpu": n}
    return Instance(
        System("lock", "Lock", "", (CPU,), sizes, variables, init, tuple(actions), properties, final), sizes
    )


def rollover(n: int) -> Instance:
    """Holds that nobody is ahead."""
    generation = Read("generation", (), GENERATION)
    local = Read("local", (cpu,), GENERATION)
    fresh = Var("fresh", GENERATION)
    actions = (
        Action("advance", (), TRUE, (Update("generation", (), (), TRUE, fresh),), fresh=(fresh,)),
        Action("copy", (cpu,), Not(Eq(local, generation)), (Update("local", (), (cpu,), TRUE, generation),)),
    )
    ahead = Clause((cpu,), TRUE, Not(Less(generation, local)))
    variables = (StateVar("generation", (), GENERATION), StateVar("local", (CPU,), GENERATION))
    sizes = {"Cpu": n}
    sorts = (CPU, GENERATION)
    init = Action("init", (), TRUE, ())
    return Instance(
        System("rollover", "Rollover", "", sorts, sizes, variables, init, actions, (Property("behind", (ahead,)),)),
        sizes,
    )
