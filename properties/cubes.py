"""Clauses that all known states satisfy and a given state does not: small ones, as general as they can be made.

A clause denies a *cube*: that some features have the values that they have in the unwanted state, for some elements.
A cube is wanted that no known state has, of as few features as possible; each feature's value is then widened to the
set of all values with which still no known state has it.  Known states are bits of long words, one for each state and
choice of elements.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from flushproof.model.language.ir import TRUE, Clause, Sort, Var
from flushproof.model.language.terms import free_vars, or_, substitute

from .columns import Columns
from .printing import show
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
        weight = sum(f.weight for f, _ in self.literals)
        narrow = sum(len(f.values) - len(values) for f, values in self.literals)
        return LITERAL * len(self.literals) + 2 * weight + len(self.variables), narrow


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


class Table:
    """The known states as seen through the features of some variables."""

    def __init__(self, features: Sequence[Feature], variables: Sequence[Var], known: Sequence[Columns]) -> None:
        self.features, self.variables = features, variables
        wide = [columns.for_all(variables) for columns in known]
        self.count = sum(columns.count for columns in wide)
        self._rows = [self._by_value(feature, wide) for feature in features]
        self.everywhere = _packed(np.ones(self.count, np.bool_))

    def _by_value(self, feature: Feature, wide: Sequence[Columns]) -> Words:
        """For each value of the feature where it has that value: one bit for each known state and choice of
        elements.
        """
        return np.array(
            [_packed(np.concatenate([columns.holds(value, {}) for columns in wide])) for value in feature.values]
        )

    def rows(self, feature: int, value: int) -> Words:
        row: Words = self._rows[feature][value]
        return row

    def observed(self, state: Columns) -> list[tuple[int, ...]]:
        """The values of all features in one state, each list of them once."""
        wide = state.for_all(self.variables)
        codes = [np.argmax([wide.holds(v, {}) for v in f.values], axis=0) for f in self.features]
        return sorted(set(zip(*(c.tolist() for c in codes), strict=True)))

    # -------------------------------------------------------------------------------------------------------- searching

    def cubes(self, values: tuple[int, ...], most: int, banned: Container[Clause], rng: random.Random) -> list[Cube]:
        """Cubes of at most `most` of these values that no known state has, each as wide as can be.

        All are of the smallest size for which there is one whose clause is not banned, as far as that could be seen
        in the time that is given to it.
        """
        rows = np.array([self.rows(i, v) for i, v in enumerate(values)])
        if not len(rows) or np.bitwise_and.reduce(rows, axis=0).any():
            return []
        search = _Search(rows, self.everywhere, [f.weight for f in self.features], rng)
        for sets in search.by_size(most):
            cubes = [self._widened(chosen, values) for chosen in sets]
            allowed = [cube for cube in cubes if cube.clause not in banned]
            if allowed:
                return allowed
        return []

    def _widened(self, chosen: Sequence[int], values: tuple[int, ...]) -> Cube:
        """The cube with each value replaced by all values with which no known state has it, larger features first."""
        sets = {f: frozenset([values[f]]) for f in chosen}
        for feature in sorted(chosen, key=lambda f: -len(self.features[f].values)):
            rest = self.everywhere
            for other in chosen:
                if other != feature:
                    rest = rest & np.bitwise_or.reduce(self._rows[other][sorted(sets[other])], axis=0)
            possible = (self._rows[feature] & rest).any(axis=1)
            sets[feature] = frozenset(np.flatnonzero(~possible).tolist())
        return Cube(tuple((self.features[f], sets[f]) for f in sorted(chosen)))


class _Search:
    """Looks for small sets of rows whose conjunction is empty."""

    NODES = 600
    DEEP = 3
    PASSES = 24

    def __init__(
        self, rows: npt.NDArray[np.uint64], everything: Words, weights: Sequence[int], rng: random.Random
    ) -> None:
        self.rows, self.everything, self.rng = rows, everything, rng
        self.weights = np.array(weights)
        self.nodes = 0

    def by_size(self, most: int, wanted: int = 12) -> Iterator[list[tuple[int, ...]]]:
        """Sets of up to `most` rows, smaller ones first: small ones by search, so that few are missed, and larger
        ones by leaving out, in random orders, all that can be left out."""
        for size in range(1, min(most, self.DEEP) + 1):
            found: set[tuple[int, ...]] = set()
            self.nodes = 0
            self._extend((), self.everything, size, found, wanted)
            if found:
                yield sorted(found)
        reduced = {self._reduced() for _ in range(self.PASSES if most > self.DEEP else 0)}
        for size in range(self.DEEP + 1, most + 1):
            if chosen := sorted(s for s in reduced if len(s) == size):
                yield chosen

    def _reduced(self) -> tuple[int, ...]:
        """A set of which no row can be left out; rows of less weight are preferred."""
        noise = np.array([self.rng.random() for _ in self.weights])
        order = np.argsort(self.weights + noise * 2)
        chosen: list[int] = []
        left = self.everything
        while left.any():
            meets = np.bitwise_and.accumulate(self.rows[order], axis=0) & left
            # the first row with which all before it leave nothing is one that these cannot do without
            last = int(np.argmin(meets.any(axis=1)))
            chosen.append(int(order[last]))
            left = left & self.rows[order[last]]
            order = order[:last]
        return tuple(sorted(chosen))

    def _extend(
        self, chosen: tuple[int, ...], left: Words, size: int, found: set[tuple[int, ...]], wanted: int
    ) -> None:
        self.nodes += 1
        if self.nodes > self.NODES or len(found) >= wanted or not left.any():
            return
        candidates = self._excluding(left)
        if len(chosen) + 1 == size:
            done = candidates[~(self.rows[candidates] & left).any(axis=1)]
            found.update(tuple(sorted((*chosen, int(c)))) for c in done)
            return
        for candidate in candidates:
            self._extend((*chosen, int(candidate)), left & self.rows[candidate], size, found, wanted)

    def _excluding(self, left: Words) -> npt.NDArray[np.int64]:
        """The rows that exclude one of the remaining bits: of a few bits, the one that the fewest rows exclude."""
        words = np.flatnonzero(left)
        best: npt.NDArray[np.int64] | None = None
        for word in {int(words[0]), int(words[len(words) // 2]), int(words[self.rng.randrange(len(words))])}:
            bit = int(left[word]) & -int(left[word])
            without = np.flatnonzero((self.rows[:, word] & np.uint64(bit)) == 0)
            if best is None or len(without) < len(best):
                best = without
        assert best is not None
        return best[np.argsort(self.weights[best], kind="stable")]


def _packed(bits: npt.NDArray[np.bool_]) -> Words:
    """The bits in words, the last one filled up with zeros."""
    padded = np.zeros(-(-len(bits) // 64) * 64, np.bool_)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


class Lexicon:
    """Tables for many tuples of variables over the same known states, made when they are needed."""

    def __init__(self, vocabulary: Vocabulary, known: Sequence[Columns]) -> None:
        self.vocabulary, self.known = vocabulary, known
        self._tables: dict[tuple[Var, ...], Table] = {}

    def table(self, variables: tuple[Var, ...]) -> Table:
        if variables not in self._tables:
            self._tables[variables] = Table(self.vocabulary.features(variables), variables, self.known)
        return self._tables[variables]
