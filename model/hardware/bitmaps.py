"""Bitmaps, and sets of CPUs, of which the lowest element is found first.

Follows lib/find_bit.c: find_first_bit(), find_next_zero_bit(); and for_each_possible_cpu(), which goes through the CPUs in order
(`fill`, then `find_first_bit` until the bitmap `is_empty`).
"""

from flushproof.model.language.declare import Map, Part, View, choose


class Bitmap(Part):
    """One bit for each element of an ordered sort."""

    def __init__(self, sort, title="bitmap"):
        self.sort = sort
        self.bit = Map(sort, bool, view=View("slots", title))

    def fill(self, value):
        self.bit[...] = value

    def is_empty(self):
        return not any(self.bit[i] for i in self.sort)

    def find_first_bit(self):
        """The first bit that is set; there must be one."""
        return choose(self.sort, where=lambda i: self.bit[i] and all(not self.bit[j] or i <= j for j in self.sort))

    def has_zero_bit(self, start):
        """Whether a bit is clear, from `start` on."""
        return any(not self.bit[i] and start <= i for i in self.sort)

    def find_next_zero_bit(self, start):
        """The first bit that is clear, from `start` on; there must be one."""
        return choose(
            self.sort,
            where=lambda i: not self.bit[i]
            and start <= i
            and all(self.bit[j] or j < start or i <= j for j in self.sort),
        )
