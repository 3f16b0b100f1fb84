"""Clauses that all known states satisfy and a given state does not: small ones, as general as they can be made.

A clause denies a *cube*: that some features have the values that they have in the unwanted state, for some elements.
A cube is wanted that no known state has, of as few features as possible; each feature's value is then widened to the
set of all values with which still no known state has it.  Known states are bits of long words, one for each state and
choice of elements.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from flushproof.model.language.ir import TRUE, Clause, Var
from flushproof.model.language.terms import or_

from .columns import Columns
from .vocabulary import Feature, Vocabulary

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Cube:
    """Features, each with the values that it must not have while all the others have theirs."""

    literals: tuple[tuple[Feature, frozenset[int]], ...]

    @property
    def variables(self) -> tuple[Var, ...]:
        found = frozenset[Var]().union(*(f.variables for f, _ in self.literals))
        return tuple(sorted(found, key=lambda v: (v.of.name, v.name)))

    @property
    def clause(self) -> Clause:
        """That no elements are as the cube says."""
        return Clause(self.variables, TRUE, or_(*(f.outside(values) for f, values in self.literals)))

    @property
    def cost(self) -> tuple[int, int, int]:
        """How much there is to read, and (less is better) how little is denied."""
        weight = sum(f.weight for f, _ in self.literals)
        narrow = sum(len(f.values) - len(values) for f, values in self.literals)
        return 2 * len(self.literals) + len(self.variables), weight, narrow


class Table:
    """The known states as seen through the features of some variables."""

    def __init__(self, features: Sequence[Feature], variables: Sequence[Var], known: Sequence[Columns]) -> None:
        self.features, self.variables = features, variables
        self.count = sum(c.count * len(list(_choices(c, variables))) for c in known)
        self._known = known
        self._rows: dict[tuple[int, int], Words] = {}

    def rows(self, feature: int, value: int) -> Words:
        """Where the feature has the value: one bit for each known state and choice of elements."""
        key = (feature, value)
        found = self._rows.get(key)
        if found is None:
            formula = self.features[feature].values[value]
            bits = [c.holds(formula, env) for c in self._known for env in _choices(c, self.variables)]
            found = self._rows[key] = _packed(np.concatenate(bits) if bits else np.zeros(0, np.bool_))
        return found

    def everywhere(self) -> Words:
        return _packed(np.ones(self.count, np.bool_))

    def observed(self, state: Columns) -> Iterator[tuple[int, ...]]:
        """The values of all features in one state, for each choice of elements."""
        for env in _choices(state, self.variables):
            yield tuple(next(i for i, v in enumerate(f.values) if bool(state.holds(v, env)[0])) for f in self.features)

    # -------------------------------------------------------------------------------------------------------- searching

    def cubes(self, values: tuple[int, ...], most: int, rng: random.Random) -> Iterator[Cube]:
        """Cubes of at most `most` of these values that no known state has, each as wide as can be."""
        rows = np.array([self.rows(i, v) for i, v in enumerate(values)])
        if not len(rows):
            return
        if np.bitwise_and.reduce(rows, axis=0).any():
            return
        for chosen in _Search(rows, [f.weight for f in self.features], rng).smallest(self.everywhere(), most):
            yield self._widened(chosen, values)

    def _widened(self, chosen: Sequence[int], values: tuple[int, ...]) -> Cube:
        """The cube with each value replaced by all values with which no known state has it, larger features first."""
        sets = {f: frozenset([values[f]]) for f in chosen}
        for feature in sorted(chosen, key=lambda f: -len(self.features[f].values)):
            rest = self.everywhere()
            for other in chosen:
                if other != feature:
                    rest = rest & np.bitwise_or.reduce([self.rows(other, v) for v in sets[other]], axis=0)
            every = range(len(self.features[feature].values))
            sets[feature] = frozenset(v for v in every if not (rest & self.rows(feature, v)).any())
        return Cube(tuple((self.features[f], sets[f]) for f in sorted(chosen)))


class _Search:
    """Looks for the smallest sets of rows whose conjunction is empty."""

    NODES = 4000

    def __init__(self, rows: npt.NDArray[np.uint64], weights: Sequence[int], rng: random.Random) -> None:
        self.rows, self.rng = rows, rng
        self.weights = np.array(weights)
        self.nodes = 0

    def smallest(self, everything: Words, most: int, wanted: int = 12) -> list[tuple[int, ...]]:
        """Some smallest sets of at most `most` rows, in no order; by iterative deepening, so that no smaller ones exist
        unless the search ran out of nodes."""
        for size in range(1, most + 1):
            found: set[tuple[int, ...]] = set()
            self.nodes = 0
            self._extend((), everything, size, found, wanted)
            if found:
                return sorted(found)
        return []

    def _extend(
        self, chosen: tuple[int, ...], left: Words, size: int, found: set[tuple[int, ...]], wanted: int
    ) -> None:
        self.nodes += 1
        if self.nodes > self.NODES or len(found) >= wanted:
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


def _choices(columns: Columns, variables: Sequence[Var]) -> Iterator[Mapping[Var, int]]:
    for codes in columns.instance.assignments(tuple(v.of for v in variables)):
        yield dict(zip(variables, codes, strict=True))


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
