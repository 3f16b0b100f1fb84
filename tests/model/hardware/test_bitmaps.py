"""Bitmaps: the lowest bit is found, and who goes through a set of CPUs meets each of them once, in order."""

from flushproof.model.hardware.bitmaps import Bitmap
from flushproof.model.language.declare import Map, Sort, System, action, check, choose, event, invariant, require
from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement

from .explored import violated


class Number(Sort, ordered=True, size=4):
    """What the bitmap has bits for."""


class Bits(System):
    """A bitmap in which any bit is set, cleared, and looked for, from any start."""

    map = Bitmap(Number)
    found: Map[Number, bool]

    @action
    def set(self, number: Number):
        self.map.bit[number] = True

    @action
    def clears_the_first(self):
        require(not self.map.is_empty())
        first = self.map.find_first_bit()
        self.found[...] = False
        self.found[first] = True
        self.map.bit[first] = False

    @action
    def fill(self):
        self.map.fill(True)

    @action
    def find(self, start: Number):
        require(self.map.has_zero_bit(start))
        number = self.map.find_next_zero_bit(start)
        check(
            "from-the-start",
            start <= number and not self.map.bit[number],
            "what is found is not a clear bit from {start}",
        )
        lower = any(start <= n and n < number and not self.map.bit[n] for n in Number)
        check("the-lowest", not lower, "what is found is not the lowest from {start}")
        self.found[...] = False
        self.found[number] = True

    @event
    def nothing_to_find(self, start: Number, other: Number):
        """{other} is clear, from {start} on"""
        require(not self.map.has_zero_bit(start) and start <= other)
        check("all-set", self.map.bit[other], "{other} is clear")

    @invariant("no bit is set, and the bitmap is not empty, or the other way round")
    def empty(self):
        return self.map.is_empty() == all(not self.map.bit[n] for n in Number)


class First(System):
    """Bits are taken out one after the other: lower ones first."""

    left = Bitmap(Number)
    taken: Map[Number, bool]

    @action
    def begin(self):
        require(self.left.is_empty())
        self.left.fill(True)
        self.taken[...] = False

    @action
    def take(self):
        require(not self.left.is_empty())
        first = self.left.find_first_bit()
        self.left.bit[first] = False
        self.taken[first] = True

    @invariant("{n} was taken, and {m}, which is lower, was not")
    def in_order(self):
        return all(self.taken[m] for n in Number for m in Number if self.taken[n] and m < n)


class Last(First):
    """What is taken is any of them: noticed."""

    @action
    def take(self):
        any_bit = choose(Number, where=lambda n: self.left.bit[n])
        self.left.bit[any_bit] = False
        self.taken[any_bit] = True


def test_the_lowest_clear_bit_is_found() -> None:
    assert violated(Bits) == set()


def test_a_set_is_gone_through_in_order() -> None:
    assert violated(First) == set()
    assert violated(Last) == {"in-order"}


def test_python_and_the_ir_agree() -> None:
    for cls in (Bits, First):
        Agreement(cls, instantiate(cls), knob_values(cls, None, {})).compare(300, None)
