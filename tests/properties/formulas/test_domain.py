"""Values in order: one for each way to tell elements apart that does not ask for their names, and no more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
import z3  # type: ignore[import-untyped]
from flushproof.model.ir import IntSort, OptionSort, Scalarset, Sort, Var
from flushproof.model.ir.instance import Instance
from flushproof.properties.formulas.domain import YES, Domain, Value, finite
from flushproof.properties.formulas.solver import Model

from tests.generated import instance as generated

A, B, ORDERED = Scalarset("A"), Scalarset("B"), Scalarset("C", ordered=True)
SIZES = {"A": 3, "B": 2, "C": 2}

Codes = tuple[int, ...]


def domain() -> Domain:
    """Of these sorts, in no particular system."""
    return finite(Instance(replace(generated(0).system, sorts=(A, B, ORDERED), variables=()), SIZES), alike=True)


def variables(sorts: Sequence[Sort]) -> list[Var]:
    return [Var(f"x{number}", sort) for number, sort in enumerate(sorts)]


def every(sorts: Sequence[Sort]) -> Iterator[Codes]:
    counts = [SIZES[s.base.name] + 1 if isinstance(s, OptionSort) else SIZES[s.name] for s in sorts]
    return itertools.product(*map(range, counts))


def orbit(sorts: Sequence[Sort], codes: Codes) -> frozenset[Codes]:
    """The same values with other elements' names."""

    def renamed(sort: Sort, code: int, names: Mapping[Sort, Codes]) -> int:
        if isinstance(sort, OptionSort):
            return 0 if code == 0 else 1 + renamed(sort.base, code - 1, names)
        return names[sort][code] if sort in names else code

    permutations = [list(itertools.permutations(range(SIZES[s.name]))) for s in (A, B)]
    return frozenset(
        tuple(renamed(s, c, dict(zip((A, B), chosen, strict=True))) for s, c in zip(sorts, codes, strict=True))
        for chosen in itertools.product(*permutations)
    )


SORTS: list[list[Sort]] = [
    [A],
    [A, A, A],
    [A, B, A],
    [OptionSort(A), A],
    [A, OptionSort(A), OptionSort(A)],
    [OptionSort(B), ORDERED, A, B],
    [ORDERED, OptionSort(ORDERED), A],
    [B, B, B, A, A],
]


@pytest.mark.parametrize("sorts", SORTS)
def test_values_in_order_are_one_of_each_orbit(sorts: list[Sort]) -> None:
    found = domain()
    params = variables(sorts)

    def code(sort: Sort, value: Value) -> int:
        return next(c for c, v in enumerate(found.elements(sort) or ()) if found.equal(v, value) is YES)

    got = [tuple(code(p.of, env[p]) for p in params) for env in found.in_order(params)]
    orbits = {orbit(sorts, codes) for codes in every(sorts)}
    assert len(got) == len(orbits) and {orbit(sorts, codes) for codes in got} == orbits


@pytest.mark.parametrize("sorts", SORTS)
def test_constants_in_order_can_be_of_every_orbit(sorts: list[Sort]) -> None:
    found = domain()
    constants = [(sort, found.constant(f"c{number}", sort)) for number, sort in enumerate(sorts)]
    solver = z3.Solver()
    solver.add(*found.named_in_order(constants))
    allowed: set[Codes] = set()
    while solver.check() == z3.sat:
        model = Model(found, solver.model())
        codes = tuple(model.code(value, sort) for sort, value in constants)
        allowed.add(codes)
        solver.add(
            z3.Or(*(z3.Not(found.equal(v, found.coded(s, c))) for (s, v), c in zip(constants, codes, strict=True)))
        )
    assert {orbit(sorts, codes) for codes in allowed} == {orbit(sorts, codes) for codes in every(sorts)}
    everything = set(every(sorts))
    assert allowed <= everything and (len(allowed) < len(everything) or not {A, B} & {*sorts})


@pytest.mark.parametrize(("value", "inside"), [(-1, False), (0, True), (3, True), (4, False)])
def test_a_range_has_two_ends(value: int, inside: bool) -> None:
    assert z3.is_true(z3.simplify(domain().within(z3.IntVal(value), IntSort(0, 3)))) == inside
