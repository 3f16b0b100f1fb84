"""Clauses that all known states satisfy and a given state does not: small ones, as general as they can be made.

A clause denies a *cube*: that some features have the values that they have in the unwanted state, for some elements.  A
cube is wanted that no known state has, of as few features as possible.  Each known state (and choice of elements)
differs from the unwanted one in a set of features, and the cube must hit all of these sets.  So hitting sets of the
sets known so far are tried on all known states; those that are had by one after all bring a new set.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from flushproof.model.ir import TRUE, Clause, Expr, OptionSort, Sort, Var
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import free_vars, or_, substitute

from ..formulas.printing import show
from ..formulas.solver import in_time
from .columns import Columns
from .vocabulary import Feature, Vocabulary, element_names

Words = npt.NDArray[np.uint64]

LITERAL = 4
"""What a literal costs, when clauses are compared; a variable costs 1, a deep term 2."""


@dataclass(frozen=True)
class Cube:
    """Features, each with the values that it must not have while all the others have theirs."""

    literals: tuple[tuple[Feature, frozenset[int]], ...]

    @property
    def variables(self) -> tuple[Var, ...]:
        found = frozenset[Var]().union(*(f.variables for f, _ in self.literals))
        return tuple(sorted(found, key=lambda v: (v.of.name, v.name)))

    @cached_property
    def clause(self) -> Clause:
        """That no elements are as the cube says; the same for cubes that differ in names of variables only."""
        body = or_(*(f.outside(values) for f, values in self.literals))
        renamed = (substitute(body, names) for names in _renamings(self.variables))
        chosen = min(renamed, key=lambda e: (show(e), repr(sorted(v.name for v in free_vars(e)))))
        return Clause(tuple(sorted(free_vars(chosen), key=lambda v: (v.of.name, v.name))), TRUE, chosen)

    @cached_property
    def cost(self) -> tuple[int, int]:
        """How much there is to read, and (less is better) how little is denied.

        A variable is cheaper than a deep term: what is said of all elements is more than what is said of one that is
        read.
        """
        narrow = sum(len(f.values) - len(values) for f, values in self.literals)
        return sum(LITERAL + 2 * f.weight for f, _ in self.literals) + len(self.variables), narrow


def _renamings(variables: Sequence[Var]) -> Iterator[Mapping[Var, Var]]:
    """All ways to give the variables the usual names of their sorts: `cpu`, or `cpu1` and `cpu2`."""
    by_sort: dict[Sort, list[Var]] = {}
    for variable in variables:
        by_sort.setdefault(variable.of, []).append(variable)
    orders = [itertools.permutations(group) for group in by_sort.values()]
    for chosen in itertools.product(*orders):
        yield {
            old: Var(name, old.of)
            for group in chosen
            for old, name in zip(group, element_names(group[0].of, len(group)), strict=True)
        }


# ----------------------------------------------------------------------------------------------------- known states


class Known:
    """States of one instance that no lemma may exclude."""

    def __init__(self, instance: Instance, states: Sequence[State]) -> None:
        self.instance, self.states = instance, list(states)
        self._columns: Columns | None = None
        self._rows: dict[Feature, list[Words]] = {}

    def add(self, state: State) -> None:
        self.states.append(state)
        self._columns = None
        self._rows.clear()

    @property
    def columns(self) -> Columns:
        if self._columns is None:
            self._columns = Columns(self.instance, self.states)
        return self._columns

    def rows(self, feature: Feature) -> list[Words]:
        """For each value of the feature where it has that value: one axis for each of its variables, and one bit for each
        state."""
        found = self._rows.get(feature)
        if found is None:
            sorts = [v.of for v in feature.ordered]
            shape = tuple(self.instance.cardinality(s) for s in sorts)
            codes = np.array(
                [
                    feature.codes(self.columns, dict(zip(feature.ordered, chosen, strict=True)))
                    for chosen in self.instance.assignments(tuple(sorts))
                ]
            )
            self.columns.forget()
            found = [_packed(codes == value).reshape(*shape, -1) for value in range(len(feature.values))]
            self._rows[feature] = found
        return found

    def having(self, literals: Sequence[tuple[Feature, frozenset[int]]]) -> tuple[tuple[Var, ...], Words]:
        """Where all features have one of these values: an axis for each variable, and a bit for each state."""
        variables = tuple(sorted(frozenset[Var]().union(*(f.variables for f, _ in literals)), key=lambda v: v.name))
        result: Words | None = None
        for feature, values in literals:
            rows = self.rows(feature)
            row = np.bitwise_or.reduce([rows[v] for v in values]) if len(values) > 1 else rows[next(iter(values))]
            axes = [row.shape[feature.ordered.index(v)] if v in feature.variables else 1 for v in variables]
            row = row.reshape(*axes, row.shape[-1])
            result = row if result is None else result & row
        assert result is not None
        return variables, result


def _packed(bits: npt.NDArray[np.bool_]) -> Words:
    """The bits of each row in words, the last one filled up with zeros."""
    rows, count = bits.shape
    padded = np.zeros((rows, -(-count // 64) * 64), np.bool_)
    padded[:, :count] = bits
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


# -------------------------------------------------------------------------------------------------------- searching


@dataclass
class Seen:
    """Known states with a choice of elements for all variables: what some features are there."""

    columns: Columns
    codes: dict[Feature, npt.NDArray[np.int8]] = field(default_factory=dict)

    def of(self, feature: Feature) -> npt.NDArray[np.int8]:
        found = self.codes.get(feature)
        if found is None:
            found = self.codes[feature] = feature.codes(self.columns, {})
        return found


Implied = Callable[[Sequence[tuple[Expr, Mapping[Var, int]]]], list[int]]


class Excluder:
    """Finds cubes that a state has and no known state."""

    FIRST = 1000

    def __init__(self, vocabulary: Vocabulary, variables: Sequence[Var], known: Sequence[Known], seed: int) -> None:
        self.variables, self.features = tuple(variables), vocabulary.features(variables)
        self.known, self.rng = list(known), np.random.default_rng(seed)
        self.seen = [self._first(k) for k in known if k.states]

    def _first(self, known: Known) -> Seen:
        """Some of the known states, with some choice of elements."""
        chosen = self.rng.integers(len(known.states), size=self.FIRST)
        bound = {
            v: self.rng.integers(known.instance.cardinality(v.of), size=self.FIRST).astype(np.int32)
            for v in self.variables
        }
        return Seen(known.columns.chosen(chosen, bound))

    def cubes(
        self,
        instance: Instance,
        state: State,
        most: int,
        wanted: int,
        kept: Collection[int] = (),
        implied: Implied | None = None,
    ) -> list[Cube]:
        """Cubes of at most `most` features that the state has and no known state: so many of the best, best first.

        kept: slots that matter; elements that they mention are spoken about before others.
        implied: chooses the features that the cube may use; None for all.
        """
        found: dict[object, Cube] = {}
        for chosen in self._choices(instance, _mentioned(instance, state, kept)):
            if found:
                break
            values = self._observed(instance, state, chosen)
            if implied is not None:
                values = [values[i] for i in implied([(f.values[code], chosen) for f, code in values])]
            for cube in self._excluding(values, most, wanted):
                found.setdefault(cube.clause, cube)
        return sorted(found.values(), key=lambda c: c.cost)

    def _observed(self, instance: Instance, state: State, chosen: Mapping[Var, int]) -> list[tuple[Feature, int]]:
        """All features with their values for these elements."""
        columns = Columns(instance, [state])
        return [(feature, int(feature.codes(columns, chosen)[0])) for feature in self.features]

    def _choices(self, instance: Instance, mentioned: Mapping[Sort, Collection[int]]) -> Iterator[Mapping[Var, int]]:
        """Different elements for different variables, as far as there are enough; names make no difference."""
        by_sort: dict[Sort, list[Var]] = {}
        for variable in self.variables:
            by_sort.setdefault(variable.of, []).append(variable)
        options = []
        for sort, group in by_sort.items():
            known = sorted(mentioned.get(sort, ()))
            elements = known + [c for c in range(instance.cardinality(sort)) if c not in known]
            elements += elements[-1:] * (len(group) - len(elements))
            most = max(len(group), len(known))
            options.append(list(itertools.combinations(elements[:most], len(group))))
        variables = list(itertools.chain(*by_sort.values()))
        for chosen in itertools.product(*options):
            yield dict(zip(variables, itertools.chain(*chosen), strict=True))

    def _excluding(self, values: Sequence[tuple[Feature, int]], most: int, wanted: int) -> list[Cube]:
        search = _HittingSets([f for f, _ in values], most)
        codes = [c for _, c in values]
        search.add([_differences(seen, values) for seen in self.seen])
        good: dict[tuple[int, ...], None] = {}
        while True:
            in_time()
            sets = search.best(wanted)
            new: list[Seen] = []
            for chosen in sets:
                if chosen not in good:
                    witnesses = self._witnesses([(values[i][0], frozenset([codes[i]])) for i in chosen])
                    if not witnesses:
                        good[chosen] = None
                    new += witnesses
            if not new:
                break
            search.add([_differences(seen, values) for seen in new])
            self.seen += new
        return [self._widened([(values[i][0], frozenset([codes[i]])) for i in chosen]) for chosen in good]

    def _witnesses(self, literals: Sequence[tuple[Feature, frozenset[int]]], most: int = 32) -> list[Seen]:
        """Known states, with elements for the variables, that have the cube: some of the first instance that has any."""
        for known in self.known:
            in_time()
            if not known.states:
                continue
            variables, bits = known.having(literals)
            *axes, words = bits.nonzero()
            if len(words):
                some = self.rng.integers(len(words), size=most) if len(words) > most else np.arange(len(words))
                found = bits[(*(a[some] for a in axes), words[some])]
                low = found & (~found + np.uint64(1))
                states = words[some] * 64 + np.log2(low.astype(np.float64)).astype(np.int64)
                bound = {v: a[some].astype(np.int32) for v, a in zip(variables, axes, strict=True)}
                for v in self.variables:
                    if v not in bound:
                        size = known.instance.cardinality(v.of)
                        bound[v] = self.rng.integers(size, size=len(some)).astype(np.int32)
                return [Seen(known.columns.chosen(states, bound))]
        return []

    def _widened(self, literals: list[tuple[Feature, frozenset[int]]]) -> Cube:
        """The cube with each value replaced by all values with which no known state has it, larger features first."""
        for number in sorted(range(len(literals)), key=lambda i: -len(literals[i][0].values)):
            feature, values = literals[number]
            for value in range(len(feature.values)):
                if value not in values and len(values) + 1 < len(feature.values):
                    tried = [*literals[:number], (feature, frozenset([value])), *literals[number + 1 :]]
                    if not any(k.having(tried)[1].any() for k in self.known if k.states):
                        values = values | {value}
            literals[number] = feature, values
        return Cube(tuple(literals))


def _mentioned(instance: Instance, state: State, slots: Collection[int]) -> Mapping[Sort, Collection[int]]:
    """The elements of each sort that are indices or values of these slots."""
    found: dict[Sort, set[int]] = {}
    for number in slots:
        slot = instance.slots[number]
        sorts = (*instance.system.variable[slot.var].index, slot.sort)
        for sort, code in zip(sorts, (*slot.index, state[number]), strict=True):
            if not isinstance(sort, OptionSort):
                found.setdefault(sort, set()).add(code)
            elif code:
                found.setdefault(sort.base, set()).add(code - 1)
    return found


def _differences(seen: Seen, values: Sequence[tuple[Feature, int]]) -> npt.NDArray[np.uint64]:
    """The features that differ in each seen state: a row of bits for each."""
    differs = np.array([seen.of(feature) != code for feature, code in values])
    return _smallest(np.unique(_packed(differs.T), axis=0))


class _HittingSets:
    """Small sets of features that meet all of the given sets."""

    NODES = 4000

    def __init__(self, features: Sequence[Feature], most: int) -> None:
        self.most = most
        self.weights = [LITERAL + 2 * f.weight for f in features]
        names: dict[Var, int] = {}
        self.variables = [sum(1 << names.setdefault(v, len(names)) for v in f.variables) for f in features]
        self.masks: list[int] = []
        self.rows = np.zeros((0, -(-len(features) // 64)), np.uint64)
        self.order = sorted(range(len(features)), key=lambda i: (self.weights[i], self.variables[i].bit_count()))
        self.rank = {f: n for n, f in enumerate(self.order)}

    def add(self, differences: Sequence[Words]) -> None:
        """More sets to meet: a row for each, with a bit for each feature."""
        self.rows = _smallest(np.unique(np.concatenate([self.rows, *differences]), axis=0))
        self.masks = [int.from_bytes(row.tobytes(), "little") for row in self.rows]

    def best(self, wanted: int) -> list[tuple[int, ...]]:
        """The cheapest sets, cheapest first."""
        self.nodes, self.wanted = 0, wanted
        self.found: list[tuple[int, tuple[int, ...]]] = []
        if 0 not in self.masks:
            self._extend((), 0, 0, 0, self.masks)
        return [chosen for _, chosen in sorted(self.found)]

    def _extend(self, chosen: tuple[int, ...], cost: int, variables: int, forbidden: int, left: list[int]) -> None:
        self.nodes += 1
        if self.nodes > self.NODES:
            return
        if not left:
            self.found.append((cost + variables.bit_count(), tuple(sorted(chosen))))
            self.found.sort()
            del self.found[self.wanted :]
            return
        if len(chosen) == self.most - 1:
            common = functools.reduce(int.__and__, left) & ~forbidden
            for feature in self.order if common else ():
                if common & 1 << feature:
                    total = cost + self.weights[feature] + (variables | self.variables[feature]).bit_count()
                    if len(self.found) < self.wanted or total < self.found[-1][0]:
                        self.found.append((total, tuple(sorted((*chosen, feature)))))
                        self.found.sort()
                        del self.found[self.wanted :]
            return
        smallest = min((m & ~forbidden for m in left), key=int.bit_count)
        for feature in self.order:
            bit = 1 << feature
            if smallest & bit:
                new = cost + self.weights[feature]
                names = variables | self.variables[feature]
                if len(self.found) < self.wanted or new + names.bit_count() < self.found[-1][0]:
                    self._extend((*chosen, feature), new, names, forbidden, [m for m in left if not m & bit])
                forbidden |= bit


def _smallest(rows: Words) -> Words:
    """The rows that contain no other."""
    left = rows[np.argsort(np.bitwise_count(rows).sum(axis=1), kind="stable")]
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[((left & left[0]) != left[0]).any(axis=1)]
    return np.array(kept, np.uint64).reshape(-1, rows.shape[1])
