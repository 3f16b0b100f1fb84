"""One waiter watched: a system that has chosen, before it starts, of whose wait it tells.

`no-stuck` asks, of each process and each of its elements (the one on cpu0, the one on cpu1, ...), whether it can always come to
where it does not wait.  That is a question about one element along a whole way, and a search that takes states for one which differ
in the names of elements only loses sight of it.  So the element becomes a part of the state: rigid variables that hold any
element from the start, which no step reads.  They are renamed with all else, and the states in which the element chosen does not
wait are closed under renaming, as any expression's are.  So both reductions are sound for the question as they are for any other:

- Symmetry and renaming of counters: a state and its representative have the same successors, up to representatives.  A state from
  which a way leads to what is looked for and its representative therefore both have one, or neither has.
- Labels that nothing reaches: nothing changes in reachable states.

Steps are not fused (`fusion`) here, whatever the first search did: a trace would show a later state than the first from which the
wait has no end.  Steps that a bound cuts off are missed, so that `bounded` and this do not go together.

The price is that each state is stored for each element of the process, up to symmetry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import FALSE, TRUE, Clause, Expr, Property, Read, StateVar, terms
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.waits import NO_STUCK, Wait, waiting, waits


@dataclass(frozen=True)
class Watching:
    """An instance in which one process of one element is watched.

    process: its name; instance: with the element in the state; goes_on: what must always remain reachable, as a property of kind
    "reachable"; waits: the labels of the process; first: the number of the first slot that holds the element.
    """

    process: str
    instance: Instance
    goes_on: Property
    waits: tuple[Wait, ...]
    first: int

    def apart(self, state: State) -> tuple[State, tuple[int, ...]]:
        """The state of the system itself, and the codes of the element that is watched."""
        return state[: self.first], state[self.first :]


def watchings(instance: Instance) -> Iterator[Watching]:
    """One for each process that may ever have to wait.

    Raises:
        FlushproofError: the condition of a step is not one that can be told without taking the step.
    """
    try:
        found = waits(instance.system)
    except LookupError as error:
        raise FlushproofError(
            f"'{NO_STUCK}' cannot be asked of {instance.system.name}: whether '{error.args[0]}' is possible depends on the "
            "fresh value that it would take. Compare that value with `<` or `==`, or leave it out of what the step requires."
        ) from None
    for process in dict.fromkeys(wait.process for wait in found):
        mine = tuple(wait for wait in found if wait.process == process)
        if any(not wait.begins and wait.waiting is not FALSE for wait in mine):
            yield _watching(instance, process, mine)


def _watching(instance: Instance, process: str, mine: tuple[Wait, ...]) -> Watching:
    system = instance.system
    # A name with ~ cannot be spelled by a user.
    chosen = tuple(
        StateVar(f"{process}~{number}", (), var.of, "rigid", free=True) for number, var in enumerate(mine[0].who)
    )
    element: dict[object, Expr] = {
        var: Read(held.name, (), held.sort) for var, held in zip(mine[0].who, chosen, strict=True)
    }
    lost = terms.substitute(waiting(mine), element)  # type: ignore[arg-type]
    goal = terms.or_(terms.not_(lost), system.final)
    watched = replace(system, variables=(*system.variables, *chosen), properties=())
    return Watching(
        process,
        replace(instance, system=watched),
        Property(NO_STUCK, (Clause((), TRUE, goal),), "reachable"),
        mine,
        len(instance.slots),
    )
