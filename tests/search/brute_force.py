"""The slow twin of the explorer: the tree-walking evaluator, sets, and every permutation applied to every state."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from flushproof.model.ir import Clause, OptionSort, Property, Scalarset, Sort
from flushproof.model.ir.evaluate import decode, evaluate, initial_states, transitions
from flushproof.model.ir.instance import Instance, State


@dataclass
class Space:
    """All reachable states with their depths, transitions, and those without successors."""

    depth: dict[State, int]
    transitions: int
    stuck: list[State]


def reachable(instance: Instance) -> Space:
    space = Space(dict.fromkeys(initial_states(instance), 0), 0, [])
    level = list(space.depth)
    while level:
        found: list[State] = []
        for state in level:
            after = [s for action in instance.system.actions for _, s in transitions(action, state, instance)]
            space.transitions += len(after)
            if not after and not evaluate(instance.system.final, {}, state, instance):
                space.stuck.append(state)
            for s in after:
                if s not in space.depth:
                    space.depth[s] = space.depth[state] + 1
                    found.append(s)
        level = found
    return space


def violates(instance: Instance, prop: Property, state: State) -> bool:
    return any(
        is_violated(instance, clause, codes, state)
        for clause in prop.clauses
        for codes in instance.assignments(tuple(p.of for p in clause.params))
    )


def is_violated(instance: Instance, clause: Clause, codes: tuple[int, ...], state: State) -> bool:
    """Whether parameters of these codes violate the clause."""
    env = {p: decode(p.of, c) for p, c in zip(clause.params, codes, strict=True)}
    return bool(evaluate(clause.guard, env, state, instance) and not evaluate(clause.expr, env, state, instance))


def first_violation(instance: Instance, prop: Property, space: Space) -> int | None:
    """The least depth of a state that violates the property."""
    return min((d for state, d in space.depth.items() if violates(instance, prop, state)), default=None)


def orbit(instance: Instance, state: State) -> frozenset[State]:
    """All states that differ from this one in the names of scalarset elements only."""
    return frozenset(_permuted(instance, state))


def _permuted(instance: Instance, state: State) -> Iterator[State]:
    sorts = [s for s in instance.system.sorts if isinstance(s, Scalarset) and not s.ordered]
    choices = [list(itertools.permutations(range(instance.sizes[s.name]))) for s in sorts]
    for choice in itertools.product(*choices):
        renaming = dict(zip(sorts, choice, strict=True))
        image = [0] * len(state)
        for number, slot in enumerate(instance.slots):
            index = instance.system.variable[slot.var].index
            moved = tuple(_renamed(renaming, s, i) for s, i in zip(index, slot.index, strict=True))
            image[instance.slot(slot.var, moved)] = _renamed(renaming, slot.sort, state[number])
        yield tuple(image)


def _renamed(renaming: dict[Scalarset, tuple[int, ...]], sort: Sort, code: int) -> int:
    match sort:
        case OptionSort():
            return code and 1 + _renamed(renaming, sort.base, code - 1)
        case Scalarset() if sort in renaming:
            return renaming[sort][code]
        case _:
            return code
