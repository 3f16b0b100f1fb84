"""Canonical forms under symmetry, exactly and without trying the whole group.

    i64 @canonical(ptr state)       replaces the words at `state` by those of the representative of its orbit; returns
                                    how many permutations leave it as it is

The way is that of `reductions.symmetry`, which says why it is right; here names are numbers.  Each element of a permuted
scalarset has a *signature*: a number computed from the state that no renaming changes (which label a CPU is at, say, and
whether it holds a lock).  One sort after the other, the elements are put in order of their signatures, by exchanging neighbours.
Where all signatures of a sort differ, its elements have names now, and signatures of the sorts after it speak of them.  Where
some are equal, but exchanging their elements changes nothing, they do too.  Where a few are left, each order of them is tried, and
the least of the states to which that leads wins.  Mostly that decides the permutation.

Otherwise all sorts are put in order without any names, and `@refine` tells apart what it can.  Where that leaves some, `@search`
takes each of the first few equal ones for the first among them, refines the signatures by that, and so on; the least state of
those that all this leads to is the representative.

All elements are numbered together, sort by sort.  A set of *ties* has bit i where elements i and i + 1 of one sort are not told
apart; they are neighbours, so that a run of bits is a cell.

Long because it is one algorithm, written as one group of LLVM functions that call each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from flushproof.model.ir import BOOL, OptionSort, Sort, StateVar

from ..reductions.symmetry import MOST_ELEMENTS, Element, Movable, movable
from .code import ONES, Code, Value
from .expressions import dynamic_read, read_field
from .layout import WORD, Layout

_MIX = 0x9E3779B97F4A7C15

_UNROLLED = 160
"""Variables of more locations are gone through in loops, when signatures are refined."""

_FEW = 4
"""So many elements of a sort are put in order without a call."""

_CHEAP = 25
"""An exchange of so many instructions is made in any case, and taken or not."""

_MOST_TIES = 3
"""Between elements that have names in each order."""

_NONE = 15
"""Of None where others are named by the places of their cells."""


@dataclass(frozen=True)
class Exchange:
    """The exchange of the elements `lower` and `lower + 1` of a sort."""

    sort: str
    lower: int


class Group:
    """The permutations of an instance's scalarsets.

    movable: which elements are permuted; order: how many permutations there are; first: the number of each sort's first
    element among all; exchanges: of neighbours, which generate the group, by the number of the lower one.
    """

    def __init__(self, layout: Layout) -> None:
        found = movable(layout.instance)
        self.movable = found.only(sorted(found.counts, key=lambda sort: -_said_of(layout, sort)))
        self.order = self.movable.order
        self.first: dict[str, int] = {}
        self.exchanges: dict[int, Exchange] = {}
        self.elements = 0
        for sort, count in self.movable.counts.items():
            self.first[sort] = self.elements
            self.exchanges |= {self.elements + i: Exchange(sort, i) for i in range(count - 1)}
            self.elements += count

    @property
    def ties(self) -> int:
        """The ties where nothing is told apart."""
        return sum(1 << number for number in self.exchanges)

    def ties_of(self, sort: str) -> int:
        """Those of one sort."""
        return ((1 << (self.movable.counts[sort] - 1)) - 1) << self.first[sort]

    def number(self, element: Element) -> int:
        """Of an element among all."""
        return self.first[element[0]] + element[1]


def _said_of(layout: Layout, sort: str) -> int:
    """How many bits of a state are at locations of one element: the more, the likelier they tell elements apart."""
    instance, bits = layout.instance, 0
    for variable in instance.system.variables:
        if sort in [(s.base if isinstance(s, OptionSort) else s).name for s in variable.index]:
            bits += layout.fields[instance.offsets[variable.name]].bits * instance.locations(variable)
    return bits // instance.sizes[sort]


def canonical_function(layout: Layout, group: Group) -> str:
    """`@canonical`, and what it uses."""
    return "\n".join(
        [
            _factorials(),
            *(_exchange(layout, group, number) for number in group.exchanges),
            _dispatch(group, "exchange", "void"),
            *(_alike(layout, group, number) for number in group.exchanges),
            _dispatch(group, "alike", "i1"),
            *(_arrange(group, sort) for sort in group.first),
            _without_twins(layout),
            _Refine(layout, group).text(),
            _leaf(),
            _Search(layout, group).text(),
            *(_orders(count) for count in sorted(set(group.movable.counts.values()))),
            *(_Named(layout, group, place).text() for place in range(len(group.first))),
            *(_each(layout, group, place) for place in range(len(group.first))),
            _canonical(layout, group),
        ]
    )


def _load(code: Code, layout: Layout, state: str = "%state") -> list[Value]:
    """The words at `state`."""
    return [code.get(code.address(state, 8 * place)) for place in range(layout.words)]


def _put(code: Code, state: str, words: Sequence[Value]) -> None:
    for place, word in enumerate(words):
        code.set(code.address(state, 8 * place), word)


def _factorials() -> str:
    numbers = ", ".join(f"i64 {math.factorial(n)}" for n in range(MOST_ELEMENTS + 1))
    return f"@factorials = internal constant [{MOST_ELEMENTS + 1} x i64] [{numbers}]\n"


class _Named:
    """`i64 @namedN(ptr state, i64 orders, i64 word...)`: the least state that the words lead to where the elements of the first N
    sorts have names.

    Elements of one more sort are told apart by all that the state says of them, and have names then.  Where a few are not, they
    have them in each order, and the least state wins.

    Returns:
        How many orders make it, as many times as there were before; 0 if more elements are not told apart.
    """

    def __init__(self, layout: Layout, group: Group, place: int) -> None:
        sorts = list(group.first)
        self.sort, self.movable = sorts[place], group.movable.only(sorts[place:])
        self.layout, self.group = layout, group
        parameters = [f"i64 %word{i}" for i in range(layout.words)]
        self.code = Code(f"named{place}", "i64", ["ptr %state", "i64 %orders", *parameters], "noinline nounwind")
        self.place, self.next = place, _next(group, place)
        self.result = self.code.variable("i64", "%orders")
        self.left = self.code.variable("i64", 0)
        self.words: list[Value] = [f"%word{i}" for i in range(layout.words)]

    def text(self) -> str:
        code, sort = self.code, self.sort
        signatures, complete = _signatures(code, self.layout, self.words, sort, self.movable)
        few = len(signatures) <= _FEW
        if few:
            ties = self._arranged(signatures)
        else:
            ties = _called(code, self.layout, self.group, self.words, sort, signatures)
            self.words = _load(code, self.layout)
        if complete:
            self._count_orders(ties)
        else:
            unlike = code.new_block("unlike")
            with code.when(code.truth(ties)):
                _put(code, "%state", self.words)
                code.set(self.left, ties)
                if few:
                    for number in _numbers(self.group, sort):
                        with code.when(code.truth(code.bits_and(ties, 1 << number))):
                            _leave_unless(code, code.op(f"call i1 @alike{number}(ptr %state)"), unlike)
                    self._count_orders(ties)
                else:
                    self._count_twins()
                    _leave_unless(code, code.equal(code.get(self.left), 0), unlike)
        code.line(f"ret i64 {_named_after(code, self.layout, self.next, code.get(self.result), self.words)}")
        if not complete:
            code.start(unlike)
            if few:
                self._count_twins()
            ties, given_up = code.get(self.left), code.new_block("given_up")
            _leave_unless(code, code.op(f"icmp ule i64 {_bits(code, ties)}, {_MOST_TIES}"), given_up)
            code.line(f"ret i64 {code.op(f'call i64 @each{self.place}(ptr %state, i64 {ties}, i64 {code.get(self.result)})')}")
            code.start(given_up)
            code.line("ret i64 0")
        return code.text()

    def _arranged(self, signatures: list[Value]) -> Value:
        """Puts few elements in order of their signatures, so that less has to be predicted: the ties that are left."""
        code, first = self.code, self.group.first[self.sort]
        if len(signatures) == 2:
            self._sorted(signatures)
            return _ties(code, signatures, first)
        wrong: Value = 0  # mostly they are in order already
        for left, right in pairwise(signatures):
            wrong = code.either(wrong, code.op(f"icmp ugt i64 {left}, {right}"))
        kept = [code.variable("i64", value) for value in (*self.words, *signatures)]
        with code.when(wrong):
            self._sorted(signatures)
            for variable, value in zip(kept, (*self.words, *signatures), strict=True):
                code.set(variable, value)
        values: list[Value] = [code.get(variable) for variable in kept]
        self.words, signatures = values[: self.layout.words], values[self.layout.words :]
        return _ties(code, signatures, first)

    def _sorted(self, signatures: list[Value]) -> None:
        code, first = self.code, self.group.first[self.sort]
        for last in range(len(signatures) - 1, 0, -1):
            for i in range(last):
                left, right = signatures[i : i + 2]
                wrong = code.op(f"icmp ugt i64 {left}, {right}")
                signatures[i : i + 2] = code.choose(wrong, right, left), code.choose(wrong, left, right)
                self._exchange_if(wrong, first + i)

    def _exchange_if(self, cond: Value, number: int) -> None:
        code, before = self.code, len(self.code.lines)
        exchanged = _exchanged(code, self.layout, self.group, self.words, number)
        if len(code.lines) - before <= _CHEAP:
            self.words = [code.choose(cond, new, old) for new, old in zip(exchanged, self.words, strict=True)]
            return
        del code.lines[before:]
        kept = [code.variable("i64", word) for word in self.words]
        with code.when(cond):
            _put(code, "%state", self.words)
            code.line(f"call void @exchange{number}(ptr %state)")
            for variable, word in zip(kept, _load(code, self.layout), strict=True):
                code.set(variable, word)
        self.words = [code.get(variable) for variable in kept]

    def _count_orders(self, ties: Value) -> None:
        """Of elements that are alike where they are tied."""
        code, count = self.code, self.group.movable.counts[self.sort]
        place = code.op(f"getelementptr i64, ptr @orders{count}, i64 {code.right(ties, self.group.first[self.sort])}")
        self._times(code.get(place))

    def _count_twins(self) -> None:
        self._times(self.code.op(f"call i64 @without_twins(ptr %state, ptr {self.left})"))

    def _times(self, factor: Value) -> None:
        code = self.code
        code.set(self.result, code.op(f"mul i64 {code.get(self.result)}, {factor}"))


def _next(group: Group, place: int) -> str | None:
    """What goes on once the sort at this place has names, if there are more."""
    return f"named{place + 1}" if place + 1 < len(group.first) else None


def _named_after(code: Code, layout: Layout, function: str | None, orders: Value, words: Sequence[Value]) -> Value:
    """Writes to `%state` what these words lead to; how many orders make it."""
    if function is None:
        _put(code, "%state", words)
        return orders
    arguments = "".join(f", i64 {word}" for word in words)
    return code.op(f"tail call i64 @{function}(ptr %state, i64 {orders}{arguments})")


def _each(layout: Layout, group: Group, place: int) -> str:
    """`i64 @eachN(ptr state, i64 ties, i64 orders)`: the least state to which the orders of tied elements of one sort lead.

    Returns:
        How many orders make it; 0 where one of them is given up, or more than three elements are not told apart.
    """
    code = Code(f"each{place}", "i64", ["ptr %state", "i64 %ties", "i64 %orders"], "noinline nounwind")
    child, least = (code.variable(f"[{layout.words} x i64]") for _ in range(2))
    total, given_up = code.variable("i64", 0), code.new_block("given_up")
    with code.when(code.equal("%ties", 0)):
        code.line(f"ret i64 {_named_after(code, layout, _next(group, place), '%orders', _load(code, layout))}")
        code.start(code.new_block("never"))
    with _lowest_run(code, "%ties") as (low, length, _):
        _leave_unless(code, code.op(f"icmp ult i64 {length}, 3"), given_up)
        rest = _without(code, "%ties", code.op(f"shl i64 1, {low}"))
        with code.loop(code.op(f"add i64 {length}, 1")) as each:
            _put(code, child, _load(code, layout))
            distance = code.variable("i64", each.index)
            with code.forever() as leave:
                here = code.get(distance)
                _leave_unless(code, code.truth(here), leave)
                code.set(distance, code.op(f"sub i64 {here}, 1"))
                number = code.op(f"add i64 {low}, {code.get(distance)}")
                code.line(f"call void @exchange(ptr {child}, i64 {number})")
            orders = code.op(f"call i64 @each{place}(ptr {child}, i64 {rest}, i64 %orders)")
            _leave_unless(code, code.truth(orders), given_up)
            found, before = _load(code, layout, child), _load(code, layout, least)
            lesser = code.either(code.equal(each.index, 0), _smaller(code, found, before))
            with code.when(lesser):
                _put(code, least, found)
                code.set(total, 0)
            with code.when(code.either(lesser, _equal(code, found, before))):
                code.set(total, code.add(code.get(total), orders))
    _put(code, "%state", _load(code, layout, least))
    code.line(f"ret i64 {code.get(total)}")
    code.start(given_up)
    code.line("ret i64 0")
    return code.text()


def _canonical(layout: Layout, group: Group) -> str:
    """`@canonical`: by names, as far as that goes; else without any by `@refine` and `@search`."""
    code = Code("canonical", "i64", ["ptr %state"], "noinline nounwind")
    before = _load(code, layout)
    arguments = "".join(f", i64 {word}" for word in before)
    orders = code.op(f"call i64 @named0(ptr %state, i64 1{arguments})")
    unnamed = code.new_block("unnamed")
    with code.when(code.equal(orders, 0)):
        code.jump(unnamed)
        code.start(code.new_block("never"))
    code.line(f"ret i64 {orders}")
    code.start(unnamed)
    left: Value = 0
    words = before
    for sort in group.first:
        signatures, _ = _signatures(code, layout, words, sort, group.movable)
        left = code.bits_or(left, _called(code, layout, group, words, sort, signatures))
        words = _load(code, layout)
    ties, out = code.variable("i64", left), code.variable(f"[{layout.words} x i64]")
    factor = code.op(f"call i64 @without_twins(ptr %state, ptr {ties})")
    found = code.op(f"call i64 @search(ptr %state, i64 {code.get(ties)}, ptr {out})")
    _put(code, "%state", _load(code, layout, out))
    code.line(f"ret i64 {code.op(f'mul i64 {factor}, {found}')}")
    return code.text()


def _signatures(
    code: Code, layout: Layout, words: Sequence[Value], sort: str, movable: Movable
) -> tuple[list[Value], bool]:
    """Of the elements of a sort; and whether any two with the same one are alike."""
    signatures = _Signatures(code, layout, movable)
    elements = [(sort, i) for i in range(movable.counts[sort])]
    found = [signatures.signature(words, element, layout.instance.system.variables) for element in elements]
    return found, signatures.complete


def _called(
    code: Code, layout: Layout, group: Group, words: Sequence[Value], sort: str, signatures: Sequence[Value]
) -> Value:
    """Puts the elements of a sort in order of their signatures, at `%state`: the ties that are left."""
    numbers = code.variable(f"[{group.elements} x i64]")
    _put(code, "%state", words)
    for element, signature in enumerate(signatures):
        code.set(code.address(numbers, 8 * group.number((sort, element))), signature)
    return code.op(f"call i64 @{_arranger(group, sort)}(ptr %state, ptr {numbers}, i64 {group.ties_of(sort)})")


def _numbers(group: Group, sort: str) -> Iterator[int]:
    """Of the exchanges of a sort."""
    return (number for number, exchange in group.exchanges.items() if exchange.sort == sort)


def _orders(count: int) -> str:
    """`@ordersN`: of N elements, by their ties, how many orders those have."""
    numbers = []
    for ties in range(1 << count - 1):
        runs = f"{ties:b}".split("0")
        numbers.append(f"i64 {math.prod(math.factorial(len(run) + 1) for run in runs)}")
    return f"@orders{count} = internal constant [{len(numbers)} x i64] [{', '.join(numbers)}]\n"


# ------------------------------------------------------------------------------------------------------- cells, ties


@contextmanager
def _lowest_run(code: Code, ties: Value) -> Iterator[tuple[str, str, str]]:
    """Yields, of the first run of ties: the first element's number, how many bits, and the bits."""
    low = code.op(f"call i64 @llvm.cttz.i64(i64 {ties}, i1 true)")
    shifted = code.op(f"xor i64 {code.op(f'lshr i64 {ties}, {low}')}, -1")
    length = code.op(f"call i64 @llvm.cttz.i64(i64 {shifted}, i1 true)")
    mask = code.op(f"sub i64 {code.op(f'shl i64 1, {length}')}, 1")
    yield low, length, code.op(f"shl i64 {mask}, {low}")


def _without(code: Code, ties: Value, bits: Value) -> str:
    return code.op(f"and i64 {ties}, {code.op(f'xor i64 {bits}, -1')}")


def _factorial(code: Code, length: str) -> str:
    """Of how many elements a run of so many ties has."""
    place = code.op(f"getelementptr i64, ptr @factorials, i64 {length}")
    return code.get(code.address(place, 8))


def _leave_unless(code: Code, cond: Value, leave: str) -> None:
    going = code.new_block("going")
    code.branch(cond, going, leave)
    code.start(going)


def _arranger(group: Group, sort: str) -> str:
    return f"arrange{group.first[sort]}"


def _arrange(group: Group, sort: str) -> str:
    """`i64 @arrangeN(ptr state, ptr numbers, i64 ties)`: puts the elements of each cell of a sort in order of their numbers.

    Returns:
        The ties, of this sort only those between elements with equal numbers.
    """
    code = Code(_arranger(group, sort), "i64", ["ptr %state", "ptr %numbers", "i64 %ties"], "alwaysinline nounwind")
    first, last = group.first[sort], group.first[sort] + group.movable.counts[sort] - 1
    for top in range(first + 1, last + 1):
        done = code.new_block("placed")
        for place in range(top, first, -1):
            at = [code.address("%numbers", 8 * i) for i in (place - 1, place)]
            left, right = map(code.get, at)
            tied = code.truth(code.bits_and("%ties", 1 << (place - 1)))
            _leave_unless(code, code.both(tied, code.op(f"icmp ugt i64 {left}, {right}")), done)
            code.set(at[0], right)
            code.set(at[1], left)
            code.line(f"call void @exchange{place - 1}(ptr %state)")
        code.jump(done)
        code.start(done)
    numbers = [code.get(code.address("%numbers", 8 * i)) for i in range(first, last + 1)]
    equal = code.bits_or(_ties(code, numbers, first), ONES & ~group.ties_of(sort))
    code.line(f"ret i64 {code.bits_and('%ties', equal)}")
    return code.text()


def _ties(code: Code, numbers: Sequence[Value], first: int) -> Value:
    """Of neighbours with equal numbers, the first of which belongs to the element `first`."""
    ties: Value = 0
    for i, (left, right) in enumerate(pairwise(numbers), first):
        ties = code.bits_or(ties, code.left(code.number(code.equal(left, right)), i))
    return ties


def _without_twins(layout: Layout) -> str:
    """`i64 @without_twins(ptr state, ptr ties)`: takes away the ties of cells in which all exchanges change nothing.

    Returns:
        How many orders these have.
    """
    code = Code("without_twins", "i64", ["ptr %state", "ptr %ties"], "noinline nounwind")
    left, factor, place = code.variable("i64", code.get("%ties")), code.variable("i64", 1), code.variable("i64")
    with code.forever() as leave:
        ties = code.get(left)
        _leave_unless(code, code.truth(ties), leave)
        with _lowest_run(code, ties) as (low, length, bits):
            code.set(left, _without(code, ties, bits))
            end = code.op(f"add i64 {low}, {length}")
            code.set(place, low)
            with code.forever() as different:
                here = code.get(place)
                _leave_unless(code, code.op(f"call i1 @alike(ptr %state, i64 {here})"), different)
                after = code.op(f"add i64 {here}, 1")
                code.set(place, after)
                with code.when(code.equal(after, end)):
                    code.set("%ties", _without(code, code.get("%ties"), bits))
                    code.set(factor, code.op(f"mul i64 {code.get(factor)}, {_factorial(code, length)}"))
                    code.jump(different)
                    code.start(code.new_block("never"))
    code.line(f"ret i64 {code.get(factor)}")
    return code.text()


# ---------------------------------------------------------------------------------------------------------- search


class _Search:
    """`i64 @search(ptr state, i64 ties, ptr out)`: writes the least state that the ties allow, and may change the one given.

    Returns:
        How many orders make it.
    """

    def __init__(self, layout: Layout, group: Group) -> None:
        self.code = Code("search", "i64", ["ptr %state", "i64 %ties", "ptr %out"], "noinline nounwind")
        self.layout, self.group = layout, group
        self.size = 8 * layout.words
        self.most = max(group.movable.counts.values())

    def text(self) -> str:
        code = self.code
        remaining = code.variable("i64", code.op("call i64 @refine(ptr %state, i64 %ties)"))
        factor = code.op(f"call i64 @without_twins(ptr %state, ptr {remaining})")
        ties = code.get(remaining)
        with code.when(code.op(f"icmp eq i64 {ties}, 0")):
            _put(code, "%out", _load(code, self.layout))
            code.line(f"ret i64 {factor}")
            code.start(code.new_block("never"))
        with _lowest_run(code, ties) as (low, length, _):
            rest = _without(code, ties, code.op(f"shl i64 1, {low}"))
            total = self._children(low, length, rest)
        code.line(f"ret i64 {code.op(f'mul i64 {total}, {factor}')}")
        return code.text()

    def _children(self, low: str, length: str, rest: str) -> str:
        """Takes each element of a cell for its first; those that are like one before are not searched again.

        Each child is kept as it is made, and some state that it leads to: two with the same one differ by a renaming.
        """
        code = self.code
        words, most = self.layout.words, self.most
        children, leaves = (code.variable(f"[{words * most} x i64]") for _ in range(2))
        counts, result = code.variable(f"[{most} x i64]"), code.variable(f"[{words} x i64]")
        kept, least, total = (code.variable("i64", 0) for _ in range(3))
        with code.loop(code.op(f"add i64 {length}, 1")) as each:
            done = code.new_block("tried")
            number = code.get(kept)
            child = self._at(children, number)
            _put(code, child, _load(code, self.layout))
            self._to_front(child, low, each.index)
            self._known(children, child, number, counts, least, total, done)
            leaf = self._at(leaves, number)
            _put(code, leaf, _load(code, self.layout, child))
            code.line(f"call void @leaf(ptr {leaf}, i64 {rest})")
            self._known(leaves, leaf, number, counts, least, total, done)
            working = code.variable(f"[{words} x i64]")
            _put(code, working, _load(code, self.layout, child))
            count = code.op(f"call i64 @search(ptr {working}, i64 {rest}, ptr {result})")
            code.set(code.op(f"getelementptr i64, ptr {counts}, i64 {number}"), count)
            found, before = _load(code, self.layout, result), _load(code, self.layout, "%out")
            first = code.op(f"icmp eq i64 {number}, 0")
            smaller = code.either(first, _smaller(code, found, before))
            bit = code.op(f"shl i64 1, {number}")
            with code.when(smaller):
                _put(code, "%out", found)
                code.set(total, 0)
                code.set(least, 0)
            with code.when(code.either(smaller, _equal(code, found, before))):
                code.set(total, code.op(f"add i64 {code.get(total)}, {count}"))
                code.set(least, code.op(f"or i64 {code.get(least)}, {bit}"))
            code.set(kept, code.op(f"add i64 {number}, 1"))
            code.jump(done)
            code.start(done)
        return code.get(total)

    def _at(self, states: str, number: Value) -> str:
        return self.code.address(states, self.code.op(f"mul i64 {number}, {self.size}"))

    def _to_front(self, state: str, low: str, distance: str) -> None:
        """Exchanges the element that is so far from the first of a cell with that one."""
        code = self.code
        place = code.variable("i64", distance)
        for back in (True, False):
            with code.forever() as leave:
                here = code.get(place)
                going = code.op(f"icmp ne i64 {here}, 0") if back else code.op(f"icmp slt i64 {here}, {distance}")
                _leave_unless(code, going, leave)
                lower = code.op(f"sub i64 {here}, 1") if back else here
                number = code.op(f"add i64 {low}, {lower}")
                code.line(f"call void @exchange(ptr {state}, i64 {number})")
                code.set(place, lower if back else code.op(f"add i64 {here}, 1"))
            if back:
                code.set(place, 1)

    def _known(self, states: str, state: str, number: str, counts: str, least: str, total: str, done: str) -> None:
        """Leaves if one of the states before is the same one, counting what came of it once more."""
        code = self.code
        place = code.variable("i64", 0)
        words = _load(code, self.layout, state)
        with code.forever() as leave:
            here = code.get(place)
            _leave_unless(code, code.op(f"icmp ult i64 {here}, {number}"), leave)
            with code.when(_equal(code, words, _load(code, self.layout, self._at(states, here)))):
                count = code.get(code.op(f"getelementptr i64, ptr {counts}, i64 {here}"))
                is_least = code.op(f"and i64 {code.op(f'lshr i64 {code.get(least)}, {here}')}, 1")
                more = code.op(f"mul i64 {count}, {is_least}")
                code.set(total, code.op(f"add i64 {code.get(total)}, {more}"))
                code.jump(done)
                code.start(code.new_block("never"))
            code.set(place, code.op(f"add i64 {here}, 1"))


def _leaf() -> str:
    """`void @leaf(ptr state, i64 ties)`: replaces the state by some one that the ties allow."""
    code = Code("leaf", "void", ["ptr %state", "i64 %ties"], "noinline nounwind")
    remaining = code.variable("i64", "%ties")
    with code.forever() as leave:
        code.set(remaining, code.op(f"call i64 @refine(ptr %state, i64 {code.get(remaining)})"))
        code.op(f"call i64 @without_twins(ptr %state, ptr {remaining})")
        ties = code.get(remaining)
        _leave_unless(code, code.truth(ties), leave)
        code.set(remaining, code.op(f"and i64 {ties}, {code.op(f'sub i64 {ties}, 1')}"))
    code.line("ret void")
    return code.text()


# ------------------------------------------------------------------------------------------------------- signatures


class _Signatures:
    """Writes signatures.

    What is said of an element is put side by side in words.

    complete: nothing is left unsaid, so that any two elements with the same signature are alike.
    """

    def __init__(self, code: Code, layout: Layout, movable: Movable) -> None:
        self.code, self.layout = code, layout
        self.instance, self.movable = layout.instance, movable
        self.complete = True

    def signature(self, words: Sequence[Value], element: Element, variables: Sequence[StateVar]) -> Value:
        """What these variables say of an element without naming any other that may be renamed."""
        code, beside = self.code, _Beside(self.code)
        first = element[0], 0
        moving: dict[tuple[int, int, int], int] = {}
        parts: list[tuple[Value, int]] = []
        for variable in variables:
            own_groups, first_groups = self._seen(variable, element), self._seen(variable, first)
            for slots, (lead, *_) in zip(own_groups, first_groups, strict=True):
                if len(slots) == 1 and not self._is_named(variable.sort):
                    own, place = self.layout.fields[slots[0]], self.layout.fields[lead]
                    key = place.word, own.word, place.shift - own.shift
                    moving[key] = moving.get(key, 0) | own.mask
                elif self.layout.fields[lead].bits:
                    self.complete = False
                    parts.append(self._said(words, variable.sort, slots, element))
        for place_word in range(self.layout.words):
            seen, mask = self._moved(words, {k: v for k, v in moving.items() if k[0] == place_word})
            beside.put(seen, mask)
        for (word, bits, own_code), lowest in self._alone(variables, element).items():
            beside.put(_holds(code, words[word], lowest, bits, own_code), lowest)
        for variable in variables:
            parts += self._counted(words, variable, element)
        for value, bits in parts:
            beside.put(value, (1 << bits) - 1)
        self.complete &= len(beside.words) < 2
        return beside.number()

    def _moved(self, words: Sequence[Value], moving: Mapping[tuple[int, int, int], int]) -> tuple[Value, int]:
        """Fields where those of the sort's first element are, and the bits that these take."""
        code = self.code
        seen: Value = 0
        places = 0
        for (_, source, shift), mask in moving.items():
            part = code.bits_and(words[source], mask)
            seen = code.bits_or(seen, code.left(part, shift) if shift >= 0 else code.right(part, -shift))
            places |= mask << shift if shift >= 0 else mask >> -shift
        return seen, places

    def _seen(self, variable: StateVar, own: Element) -> list[list[int]]:
        """The locations whose index names the element; those together whose indices differ in other elements alone."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for index in self.instance.assignments(variable.index):
            named = [self.movable.element(s, i) for s, i in zip(variable.index, index, strict=True)]
            if own in named:
                key = tuple(
                    i if e is None else "own" if e == own else "other" for e, i in zip(named, index, strict=True)
                )
                groups.setdefault(key, []).append(self.instance.slot(variable.name, index))
        return [slots for _, slots in sorted(groups.items(), key=lambda group: repr(group[0]))]

    def _said(self, words: Sequence[Value], sort: Sort, slots: Sequence[int], own: Element) -> tuple[Value, int]:
        """What is at locations that are not told apart, of one its value: a sum, and how many bits that takes."""
        bits = self.layout.fields[slots[0]].bits
        if bits == 1 and not self._is_named(sort):
            return self._ones(words, slots), len(slots).bit_length()
        fields = [read_field(self.code, words, self.layout, slot) for slot in slots]
        said = [self._nameless(sort, field, bits, own) for field in fields]
        width = said[0][1]
        if len(slots) == 1:
            return said[0]
        total: Value = 0
        for value, _ in said:
            square = self.code.op(f"mul i64 {value}, {value}") if isinstance(value, str) else value**2
            total = self.code.add(total, square)
        return total, min(64, 2 * width + len(slots).bit_length())

    def _held(self, variable: StateVar, own: Element) -> tuple[int | None, list[list[int]]]:
        """The element as a value, and the locations that may hold it; those together whose indices differ in named elements."""
        instance = self.instance
        code = next((c for c in self.movable.named(variable.sort) if self.movable.element(variable.sort, c) == own), None)
        if code is None:
            return None, []
        groups: dict[tuple[object, ...], list[int]] = {}
        for index in instance.assignments(variable.index):
            key = tuple(
                i if self.movable.element(s, i) is None else "other" for s, i in zip(variable.index, index, strict=True)
            )
            groups.setdefault(key, []).append(instance.slot(variable.name, index))
        return code, list(groups.values())

    def _alone(self, variables: Sequence[StateVar], own: Element) -> dict[tuple[int, int, int], int]:
        """The lowest bits of all locations that may hold the element and are told apart, by word, size and the element's code."""
        lanes: dict[tuple[int, int, int], int] = {}
        for variable in variables:
            code, groups = self._held(variable, own)
            alone = [slots[0] for slots in groups if len(slots) == 1]
            if code is not None:
                for (word, bits), lowest in self._lanes(alone).items():
                    lanes[word, bits, code] = lanes.get((word, bits, code), 0) | lowest
        return lanes

    def _counted(self, words: Sequence[Value], variable: StateVar, own: Element) -> Iterator[tuple[Value, int]]:
        """How often the element is a value at locations that are not told apart."""
        code, groups = self._held(variable, own)
        for slots in groups:
            if code is not None and len(slots) > 1:
                total: Value = 0
                for (word, bits), lowest in self._lanes(slots).items():
                    total = self.code.add(total, _bits(self.code, _holds(self.code, words[word], lowest, bits, code)))
                self.complete = False
                yield total, len(slots).bit_length()

    def _ones(self, words: Sequence[Value], slots: Sequence[int]) -> Value:
        """How many fields of one bit are 1."""
        if len(slots) == 1:
            return read_field(self.code, words, self.layout, slots[0])
        total: Value = 0
        for (word, _), mask in self._lanes(slots).items():
            total = self.code.add(total, _bits(self.code, self.code.bits_and(words[word], mask)))
        return total

    def _lanes(self, slots: Sequence[int]) -> dict[tuple[int, int], int]:
        """The lowest bits of fields, by word and size."""
        lanes: dict[tuple[int, int], int] = {}
        for slot in slots:
            field = self.layout.fields[slot]
            lanes[field.word, field.bits] = lanes.get((field.word, field.bits), 0) | 1 << field.shift
        return lanes

    def _is_named(self, sort: Sort) -> bool:
        return bool(self.movable.named(sort))

    def _nameless(self, sort: Sort, field: Value, bits: int, own: Element) -> tuple[Value, int]:
        """A value as far as it can be told without names of permuted elements, and how many bits that takes."""
        code = self.code
        named = self.movable.named(sort)
        if not named:
            return field, bits
        itself = next((c for c in named if self.movable.element(sort, c) == own), None)
        said: Value = code.number(code.truth(field)) if isinstance(sort, OptionSort) else 0
        if itself is not None:
            said = code.add(said, code.number(code.equal(field, itself)))
        if named[-1] < self.instance.cardinality(sort) - 1:
            return code.choose(code.less(field, named[-1] + 1), said, code.add(field, 3)), bits + 2
        return said, 2


class _Beside:
    """Bits put side by side in words, each word filled as far as it goes."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.words: list[tuple[Value, int]] = []

    def put(self, value: Value, mask: int) -> None:
        """Adds a value that has no bits but those of the mask."""
        if not mask:
            return
        code = self.code
        highest, lowest = WORD - mask.bit_length(), (mask & -mask).bit_length() - 1
        for place, (word, used) in enumerate((*self.words, (0, 0))):
            for by in (0, *range(highest, -lowest - 1, -1)):
                moved = mask << by if by >= 0 else mask >> -by
                if not moved & used:
                    put = code.left(value, by) if by >= 0 else code.right(value, -by)
                    self.words[place : place + 1] = [(code.bits_or(word, put), used | moved)]
                    return

    def number(self) -> Value:
        """All words in one number: as much of the first as it has above, below that something of all."""
        code = self.code
        (first, _), *others = self.words or [(0, 0)]
        if not others:
            return first
        mixed = first
        for word, _ in others:
            mixed = code.add(code.op(f"mul i64 {mixed}, {_MIX - (1 << WORD)}"), word)
        mixed = code.op(f"mul i64 {mixed}, {_MIX - (1 << WORD)}")
        return code.bits_or(code.bits_and(first, ONES << 32 & ONES), code.right(mixed, 32))


class _Refine:
    """`i64 @refine(ptr state, i64 ties)`: tells elements apart by what the state says of them and the cells of others.

    Elements change places in the state as they are put in order.

    Returns:
        The ties that are left once nothing more is told apart.
    """

    def __init__(self, layout: Layout, group: Group) -> None:
        self.code = Code("refine", "i64", ["ptr %state", "i64 %ties"], "noinline nounwind")
        self.layout, self.group = layout, group
        self.instance, self.movable = layout.instance, group.movable
        self.numbers = self.code.variable(f"[{group.elements + 1} x i64]")  # one more, for what is said of none
        self.cells: dict[str, Value] = {}
        # While elements of a sort are told apart: what known codes are called, what was said already, and of whom.
        self.names: dict[tuple[Sort, int], tuple[Value, Value]] = {}
        self.told: dict[tuple[object, ...], Value] = {}
        self.sums: dict[int, Value] = {}

    def text(self) -> str:
        code = self.code
        ties = code.variable("i64", "%ties")
        with code.forever() as leave:
            before = code.get(ties)
            for sort in sorted(self.movable.counts, key=self._cost):
                if related := self._related(sort):
                    tied = code.truth(code.bits_and(code.get(ties), self.group.ties_of(sort)))
                    with code.when(tied):
                        self._tell_apart(sort, related, ties)
            after = code.get(ties)
            more = code.both(code.truth(after), code.op(f"icmp ne i64 {after}, {before}"))
            _leave_unless(code, more, leave)
        code.line(f"ret i64 {code.get(ties)}")
        return code.text()

    def _cost(self, sort: str) -> int:
        """How much is gone through to tell elements of a sort apart; less once others are, so that the cheapest come first."""
        return sum(map(self.instance.locations, self._related(sort)))

    def _related(self, sort: str) -> list[StateVar]:
        """The variables that bring elements of the sort together with others: what all else says, signatures say at first."""
        names = ((v, [self._base(s) for s in (*v.index, v.sort)]) for v in self.instance.system.variables)
        return [v for v, bases in names if sort in bases and sum(b in self.movable.counts for b in bases) > 1]

    def _tell_apart(self, sort: str, related: Sequence[StateVar], ties: str) -> None:
        """Takes away ties of one sort; where all others are told apart, their elements have names already."""
        code = self.code
        before, words = code.get(ties), _load(code, self.layout)
        named, unnamed, done = (code.new_block(what) for what in ("named", "unnamed", "numbered"))
        code.branch(code.equal(_without(code, before, self.group.ties_of(sort)), 0), named, unnamed)
        code.start(named)
        alone = self.movable.only([sort])
        signatures = _Signatures(code, self.layout, alone)
        for element in range(self.movable.counts[sort]):
            at = code.address(self.numbers, 8 * self.group.number((sort, element)))
            code.set(at, signatures.signature(words, (sort, element), related))
        arranged = f"call i64 @{_arranger(self.group, sort)}(ptr %state, ptr {self.numbers}, i64 {before})"
        if any([self._base(s) for s in (*v.index, v.sort)].count(sort) > 1 for v in related):
            code.jump(done)
        else:  # all has been said
            code.line(f"ret i64 {code.op(arranged)}")
        code.start(unnamed)
        self.names, self.told, self.sums = {}, {}, {}
        others = {self._base(s) for v in related for s in (*v.index, v.sort)}
        self.cells = {other: self._places(other, before) for other in self.movable.counts if other in others}
        for element in range(self.movable.counts[sort]):
            code.set(code.address(self.numbers, 8 * self.group.number((sort, element))), 0)
        for number, variable in enumerate(related):
            looped = self.instance.locations(variable) > _UNROLLED
            self._locations(sort, words, variable, number, [], looped)
        for number, total in self.sums.items():
            at = code.address(self.numbers, 8 * number)
            code.set(at, code.add(code.get(at), total))
        code.jump(done)
        code.start(done)
        code.set(ties, code.op(arranged))

    def _base(self, sort: Sort) -> str:
        return (sort.base if isinstance(sort, OptionSort) else sort).name

    def _places(self, sort: str, ties: Value) -> Value:
        """For each element, in four bits, the place at which its cell begins."""
        code, first = self.code, self.group.first[sort]
        place: Value = 0
        places: Value = 0
        for element in range(1, self.movable.counts[sort]):
            tied = code.truth(code.bits_and(ties, 1 << (first + element - 1)))
            place = code.choose(tied, place, element)
            places = code.bits_or(code.left(place, 4 * element), places)
        return places

    def _locations(
        self, of: str, words: Sequence[Value], variable: StateVar, number: int, index: list[Value], looped: bool
    ) -> None:
        """Goes through the locations of a variable."""
        if len(index) == len(variable.index):
            self._location(of, words, variable, number, index)
            return
        sort = variable.index[len(index)]
        if looped:
            with self.code.loop(self.instance.cardinality(sort)) as loop:
                self._locations(of, words, variable, number, [*index, loop.index], looped)
        else:
            for code in self.instance.codes(sort):
                self._locations(of, words, variable, number, [*index, code], looped)

    def _location(
        self, of: str, words: Sequence[Value], variable: StateVar, number: int, index: Sequence[Value]
    ) -> None:
        """Adds what one location says to the numbers of the elements of one sort that it speaks of.

        Of an element that is its cell is not said: it is compared with those of its cell alone.  A false location says nothing.
        """
        code = self.code
        at: Value = 0
        for i, stride in zip(index, self.instance.strides(variable.name), strict=True):
            at = code.add(at, code.mul(i, stride))
        first = self.instance.offsets[variable.name]
        if isinstance(at, int):
            value = read_field(code, words, self.layout, first + at)
        else:
            value = dynamic_read(code, words, self.layout.pieces[variable.name], first, at)
        spoken = [(self._base(sort), *self._name(sort, i)) for sort, i in zip(variable.index, index, strict=True)]
        truth = variable.sort == BOOL
        if not truth:
            spoken.append((self._base(variable.sort), *self._name(variable.sort, value)))
        for place, (sort_name, _, element) in enumerate(spoken):
            if sort_name == of:
                said = self._said(number, place, spoken)
                if truth:
                    said = code.op(f"mul i64 {value}, {said}")
                if isinstance(element, int):
                    self.sums[element] = code.add(self.sums.get(element, 0), said)
                else:
                    target = code.op(f"getelementptr i64, ptr {self.numbers}, i64 {element}")
                    code.set(target, code.add(code.get(target), said))

    def _said(self, number: int, own: int, spoken: Sequence[tuple[str, Value, Value]]) -> Value:
        """What a location says of the element in the place `own`: what the others are called, and which are the same."""
        code = self.code
        others = tuple(name for place, (_, name, _) in enumerate(spoken) if place != own)
        same = tuple(
            code.number(code.equal(a, b))
            for (sort_a, _, a), (sort_b, _, b) in itertools.combinations(spoken, 2)
            if sort_a == sort_b and sort_a in self.movable.counts
        )
        key = number, own, others, same
        if key not in self.told:
            said: Value = self._constant(number, own)
            for place, part in enumerate((*others, *same), 10):
                said = code.add(said, self._scaled(part, self._constant(number, place)))
            self.told[key] = self._mixed(said)
        return self.told[key]

    def _name(self, sort: Sort, value: Value) -> tuple[Value, Value]:
        """What a code is called, and the number of the element that it stands for: past the last where that is none."""
        if isinstance(value, str):
            return self._named(sort, value)
        if (sort, value) not in self.names:
            self.names[sort, value] = self._named(sort, value)
        return self.names[sort, value]

    def _named(self, sort: Sort, value: Value) -> tuple[Value, Value]:
        code, base, none = self.code, self._base(sort), self.group.elements
        count = self.movable.counts.get(base)
        if count is None:
            return value, none
        option = int(isinstance(sort, OptionSort))
        places = self.cells[base]
        if option:
            places = code.bits_or(code.left(places, 4), _NONE)
        moved: Value = code.truth(value) if option else 1
        named = value
        if self.movable.fixed.get(base):
            within = code.less(value, count + option)
            moved = code.both(moved, within)
            named = code.choose(within, value, 0)
        name = code.bits_and(code.right(places, code.mul(named, 4)), 15)
        if self.movable.fixed.get(base):
            name = code.choose(within, name, code.add(value, 16))
        element = code.add(value, self.group.first[base] - option)
        return name, code.choose(moved, element, none)

    def _constant(self, number: int, place: int) -> int:
        """Some number of its own for each part of each variable."""
        return (number * 128 + place + 1) * _MIX % (1 << 64) >> 8

    def _scaled(self, value: Value, factor: int) -> Value:
        if isinstance(value, int):
            return value * factor & (1 << 62) - 1
        return self.code.op(f"mul i64 {value}, {factor}")

    def _mixed(self, value: Value) -> Value:
        code = self.code
        if isinstance(value, int):
            value = code.op(f"add i64 0, {value & (1 << 62) - 1}")
        mixed = code.op(f"mul i64 {value}, {_MIX - (1 << 64)}")
        mixed = code.op(f"xor i64 {mixed}, {code.op(f'lshr i64 {mixed}, 32')}")
        return code.op(f"mul i64 {mixed}, {_MIX - (1 << 64)}")


def _bits(code: Code, word: Value) -> Value:
    """How many bits of a word are 1."""
    return word.bit_count() if isinstance(word, int) else code.op(f"call i64 @llvm.ctpop.i64(i64 {word})")


def _smaller(code: Code, left: Sequence[Value], right: Sequence[Value]) -> Value:
    """Whether the words of `left` come before those of `right`."""
    result: Value = 0
    for a, b in reversed(list(zip(left, right, strict=True))):
        less = code.op(f"icmp ult i64 {a}, {b}")
        result = code.either(less, code.both(code.equal(a, b), result))
    return result


def _equal(code: Code, left: Sequence[Value], right: Sequence[Value]) -> Value:
    """Whether all words agree."""
    result: Value = 1
    for a, b in zip(left, right, strict=True):
        result = code.both(result, code.equal(a, b))
    return result


# ------------------------------------------------------------------------------------------------------------ exchanges


def _exchange(layout: Layout, group: Group, number: int) -> str:
    """`void @exchangeN(ptr state)`: exchanges the elements N and N + 1."""
    code = Code(f"exchange{number}", "void", ["ptr %state"], "noinline nounwind")
    before = _load(code, layout)
    for place, (word, old) in enumerate(zip(_exchanged(code, layout, group, before, number), before, strict=True)):
        if word != old:
            code.set(code.address("%state", 8 * place), word)
    code.line("ret void")
    return code.text()


def _dispatch(group: Group, name: str, result: str) -> str:
    """Of functions for each exchange, `name`N, the one with a number: `name(ptr state, i64 number)`."""
    code = Code(name, result, ["ptr %state", "i64 %number"], "noinline nounwind")
    blocks = {number: code.new_block(name) for number in group.exchanges}
    _switch(code, blocks)
    for number, block in blocks.items():
        code.start(block)
        call = f"call {result} @{name}{number}(ptr %state)"
        if result == "void":
            code.line(call)
        code.line("ret void" if result == "void" else f"ret {result} {code.op(call)}")
    return code.text()


def _alike(layout: Layout, group: Group, number: int) -> str:
    """`i1 @alikeN(ptr state)`: whether that exchange leaves the state as it is."""
    code = Code(f"alike{number}", "i1", ["ptr %state"], "noinline nounwind")
    words = _load(code, layout)
    code.line(f"ret i1 {_equal(code, words, _exchanged(code, layout, group, words, number))}")
    return code.text()


def _switch(code: Code, blocks: dict[int, str]) -> None:
    never = code.new_block("never")
    cases = " ".join(f"i64 {number}, label %{block}" for number, block in blocks.items())
    code.line(f"switch i64 %number, label %{never} [ {cases} ]")
    code.start(never)
    code.line("unreachable")


def _exchanged(code: Code, layout: Layout, group: Group, words: Sequence[Value], number: int) -> list[Value]:
    """The words of the state in which two elements have exchanged their names."""
    exchange = group.exchanges[number]
    moved = _move_fields(code, layout, words, list(_images(layout, group, exchange)))
    return _rename_values(code, layout, group, moved, exchange)


def _move_fields(code: Code, layout: Layout, words: Sequence[Value], images: Sequence[int]) -> list[Value]:
    """Moves each field to its new place; fields that move alike move together."""
    groups: dict[tuple[int, int, int], int] = {}
    for slot, image in enumerate(images):
        source, target = layout.fields[slot], layout.fields[image]
        key = target.word, source.word, target.shift - source.shift
        groups[key] = groups.get(key, 0) | source.mask
    moved: list[Value] = [0] * len(words)
    for (target_word, source_word, shift), mask in groups.items():
        if not mask:
            continue
        part = code.bits_and(words[source_word], mask)
        part = code.left(part, shift) if shift >= 0 else code.right(part, -shift)
        moved[target_word] = code.bits_or(moved[target_word], part)
    return moved


def _images(layout: Layout, group: Group, exchange: Exchange) -> Iterator[int]:
    """Where each slot goes."""
    instance, to = layout.instance, _renaming(group, exchange)
    for slot in instance.slots:
        sorts = instance.system.variable[slot.var].index
        index = tuple(group.movable.renamed(sort, i, to) for sort, i in zip(sorts, slot.index, strict=True))
        yield instance.slot(slot.var, index)


def _renaming(group: Group, exchange: Exchange) -> dict[str, list[int]]:
    """The exchange, as what each element becomes."""
    to = {sort: list(range(count)) for sort, count in group.movable.counts.items()}
    names, lower = to[exchange.sort], exchange.lower
    names[lower], names[lower + 1] = names[lower + 1], names[lower]
    return to


def _rename_values(code: Code, layout: Layout, group: Group, words: Sequence[Value], exchange: Exchange) -> list[Value]:
    """Exchanges the two names where they are values, in all fields of one size in a word at once."""
    lanes: dict[tuple[int, int, int], int] = {}
    lower = exchange.sort, exchange.lower
    first_codes: dict[Sort, int | None] = {}
    for slot, field in zip(layout.instance.slots, layout.fields, strict=True):
        if slot.sort not in first_codes:
            codes = group.movable.named(slot.sort)
            first_codes[slot.sort] = next((c for c in codes if group.movable.element(slot.sort, c) == lower), None)
        first = first_codes[slot.sort]
        if first is not None:
            key = field.word, field.bits, first
            lanes[key] = lanes.get(key, 0) | 1 << field.shift
    renamed = list(words)
    for (word, bits, first), lowest in lanes.items():
        present = words[word]
        either: Value = 0
        for wanted in (first, first + 1):
            either = code.bits_or(either, _holds(code, present, lowest, bits, wanted))
        for bit in range(bits):
            if (first ^ (first + 1)) >> bit & 1:
                renamed[word] = code.op(f"xor i64 {renamed[word]}, {code.left(either, bit)}")
    return renamed


def _holds(code: Code, word: Value, lowest: int, bits: int, wanted: int) -> Value:
    """Of the fields of so many bits whose lowest ones are `lowest`: which hold this code."""
    holds: Value = lowest
    for bit in range(bits):
        lane = code.right(word, bit)
        if not wanted >> bit & 1:
            lane = code.op(f"xor i64 {lane}, -1")
        holds = code.bits_and(lane, holds)
    return holds
