"""What does not fit memory, gone through in order: many successors at once, by their places in the table and then in the array.

A successor that is looked up for itself touches a page of the table and one of the array, which the system has to bring in
where they lie on disk.  So millions are collected first, and each page is touched once for all of them:

    i64 @collect(ptr)       expands states from `head` on, before `end`, until there are `enough` successors, all canonical
    i64 @arrange(ptr)       puts those that `which` asks for in order, roughly: by part of the table or of the array; how many
    i64 @probe(ptr)         for those of the order from `low` on, before `high`: goes on in the table to an entry that may be theirs
    i64 @compare(ptr)       whether the state of that entry is theirs; of how many it is not
    i64 @enter(ptr)         stores those that are new, from where they were looked for last; how many must be probed further

By their places in the table they are probed, by the numbers of what they met compared, and what differs is probed further.
Then those that met none are stored.  Meanwhile others may have been stored where they would come: they go on from there,
compare themselves with what was stored since (from `floor` on), and where they meet an older state, they are probed further.
So everything in the table between the place of a hash and where its state is stored was compared with it, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .code import Code, Value
from .loop import LoopFunctions, counting

KNOWN, NEW, OTHER = -1, -2, -3
"""Instead of a candidate's number: it was the same state; none was met; it was another one, and probing goes on."""

PROBE, COMPARE, ENTER = 0, 1, 2
"""What can be put in order: others, by their places in the table; candidates, by their numbers; new ones and others, by places."""

_FAR, _NEAR = 24, 8
"""So many places ahead in the order, the caches are told what will be needed."""

PARTS = 1 << 16
"""What is gone through in order is gone through in so many parts: within one, any order is as good."""


class SweepFunctions(LoopFunctions):
    """All functions of this file, for one layout."""

    def text(self) -> str:
        return "\n".join((self.collect(), self.arrange(), self.probe(), self.compare(), self.enter()))

    def number(self, code: Code, items: str, place: Value) -> str:
        """An item of 4 bytes, with a sign."""
        return code.op(f"sext i32 {code.get(self.each(code, items, place, 'i32'), 'i32')} to i64")

    def position(self, code: Code, starts: str, place: Value) -> str:
        """A place in the table: without a sign, since there may be 2^32."""
        return code.op(f"zext i32 {code.get(self.each(code, starts, place, 'i32'), 'i32')} to i64")

    def note(self, code: Code, items: str, place: Value, value: Value) -> None:
        """Changes an item of 4 bytes."""
        small = value if isinstance(value, int) else code.op(f"trunc i64 {value} to i32")
        code.set(self.each(code, items, place, "i32"), small, "i32")

    def collect(self) -> str:
        code = Code("collect", "i64", ["ptr noalias %context"])
        buffer, mask = self.get(code, "buffer", "ptr"), self.get(code, "mask")
        starts, weights = self.get(code, "starts", "ptr"), self.get(code, "weights", "ptr")
        candidates = self.get(code, "candidates", "ptr")
        enough = code.address(buffer, code.op(f"mul i64 {self.get(code, 'enough')}, {self.size}"))
        pending = self.collected(code, enough)
        with counting(code, "0", pending) as (place, _):
            hashed = self.hashed(code, self.canonical(code, buffer, place, weights))
            self.note(code, starts, place, code.op(f"and i64 {hashed}, {mask}"))
            self.note(code, candidates, place, OTHER)
        code.line("ret i64 0")
        return code.text()

    def arrange(self) -> str:
        code = Code("arrange", "i64", ["ptr noalias %context"])
        ends, order, which = self.get(code, "ends", "ptr"), self.get(code, "order", "ptr"), self.get(code, "which")
        with counting(code, "0", str(PARTS)) as (part, _):
            code.set(self.each(code, ends, part), 0)
        with self._wanted(code, which) as (_, part):
            at = self.each(code, ends, part)
            code.set(at, code.op(f"add i64 {code.get(at)}, 1"))
        sum_ = code.variable("i64", 0)
        with counting(code, "0", str(PARTS)) as (part, _):
            at, before = self.each(code, ends, part), code.get(sum_)
            code.set(sum_, code.op(f"add i64 {before}, {code.get(at)}"))
            code.set(at, before)
        with self._wanted(code, which) as (place, part):  # the beginning of each part becomes its end
            at = self.each(code, ends, part)
            rank = code.get(at)
            self.note(code, order, rank, place)
            code.set(at, code.op(f"add i64 {rank}, 1"))
        code.line(f"ret i64 {code.get(sum_)}")
        return code.text()

    @contextmanager
    def _wanted(self, code: Code, which: str) -> Iterator[tuple[str, str]]:
        """Goes through the places of those that `which` asks for; yields each, and the part that it is in."""
        starts, candidates = self.get(code, "starts", "ptr"), self.get(code, "candidates", "ptr")
        shift, comparing = self.get(code, "shift"), code.equal(which, COMPARE)
        lowest = code.choose(comparing, 0, OTHER)
        highest = code.choose(comparing, PARTS << 32, code.choose(code.equal(which, ENTER), NEW, OTHER))
        with counting(code, "0", self.get(code, "pending")) as (place, _):
            candidate = self.number(code, candidates, place)
            least, most = code.op(f"icmp sge i64 {candidate}, {lowest}"), code.op(f"icmp sle i64 {candidate}, {highest}")
            with code.when(code.both(least, most)):
                start = self.position(code, starts, place)
                key = code.choose(comparing, candidate, start)
                yield place, code.op(f"lshr i64 {key}, {shift}")

    def probe(self) -> str:
        code = Code("probe", "i64", ["ptr noalias %context"])
        table, mask, bits = self.get(code, "table", "ptr"), self.get(code, "mask"), self.get(code, "index_bits")
        buffer, starts = self.get(code, "buffer", "ptr"), self.get(code, "starts", "ptr")
        candidates, order = self.get(code, "candidates", "ptr"), self.get(code, "order", "ptr")
        numbers = code.op(f"sub i64 {code.op(f'shl i64 1, {bits}')}, 1")
        with counting(code, self.get(code, "low"), self.get(code, "high")) as (rank, _):
            place = self.number(code, order, rank)
            self.fetch_ahead(code, rank, order, [(buffer, self.size), (starts, 4), (candidates, 4)])
            self.fetch_slot_ahead(code, rank, order, starts, table)
            tag = self.tag(code, self.hashed(code, self.successor(code, buffer, place)), bits)
            with self.probing(code, mask, self.position(code, starts, place)) as (position, _, leave):
                entry = self.entry(code, self.slot(code, table, position))
                with code.when(code.equal(entry, 0)):
                    self.note(code, starts, place, position)
                    self.note(code, candidates, place, NEW)
                    code.jump(leave)
                    code.start(code.new_block("never"))
                number = code.op(f"and i64 {entry}, {numbers}")
                with code.when(code.equal(code.op(f"xor i64 {entry}, {number}"), tag)):
                    self.note(code, starts, place, code.op(f"and i64 {code.op(f'add i64 {position}, 1')}, {mask}"))
                    self.note(code, candidates, place, code.op(f"sub i64 {number}, 1"))
                    code.jump(leave)
                    code.start(code.new_block("never"))
        code.line("ret i64 0")
        return code.text()

    def fetch_ahead(self, code: Code, rank: str, order: str, items: Sequence[tuple[str, int]]) -> None:
        """Has the caches fetch what the one some places later in the order needs: of each array, an item of so many bytes."""
        place = self._ahead(code, rank, order, _FAR)
        for array, size in items:
            self.prefetch(code, code.address(array, code.op(f"mul i64 {place}, {size}")), 0)

    def fetch_slot_ahead(self, code: Code, rank: str, order: str, starts: str, table: str) -> None:
        """Likewise the entry of the table, once it is known where that is."""
        start = self.position(code, starts, self._ahead(code, rank, order, _NEAR))
        self.prefetch(code, self.slot(code, table, start), 0)

    def _ahead(self, code: Code, rank: str, order: str, distance: int) -> str:
        last = code.op(f"sub i64 {self.get(code, 'high')}, 1")
        later = code.op(f"call i64 @llvm.smin.i64(i64 {code.op(f'add i64 {rank}, {distance}')}, i64 {last})")
        return self.number(code, order, later)

    def compare(self) -> str:
        code = Code("compare", "i64", ["ptr noalias %context"])
        states, buffer = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr")
        candidates, order = self.get(code, "candidates", "ptr"), self.get(code, "order", "ptr")
        others = code.variable("i64", 0)
        with counting(code, self.get(code, "low"), self.get(code, "high")) as (rank, _):
            place = self.number(code, order, rank)
            self.fetch_ahead(code, rank, order, [(buffer, self.size), (candidates, 4)])
            candidate = self.number(code, candidates, place)
            words = self.successor(code, buffer, place)
            same = self.same(code, states, candidate, words, self.hashed(code, words))
            self.note(code, candidates, place, code.choose(same, KNOWN, OTHER))
            code.set(others, code.op(f"add i64 {code.get(others)}, {code.number(code.negation(same))}"))
        code.line(f"ret i64 {code.get(others)}")
        return code.text()

    def enter(self) -> str:
        code = Code("enter", "i64", ["ptr noalias %context"])
        states, table = self.get(code, "states", "ptr"), self.get(code, "table", "ptr")
        buffer = self.get(code, "buffer", "ptr")
        starts, candidates = self.get(code, "starts", "ptr"), self.get(code, "candidates", "ptr")
        mask, bits, order = self.get(code, "mask"), self.get(code, "index_bits"), self.get(code, "order", "ptr")
        floor, others = self.get(code, "floor"), code.variable("i64", 0)
        numbers = code.op(f"sub i64 {code.op(f'shl i64 1, {bits}')}, 1")
        with counting(code, self.get(code, "low"), self.get(code, "high")) as (rank, _):
            place = self.number(code, order, rank)
            self.fetch_ahead(code, rank, order, [(buffer, self.size), (starts, 4), (candidates, 4)])
            self.fetch_slot_ahead(code, rank, order, starts, table)
            words = self.successor(code, buffer, place)
            hashed = self.hashed(code, words)
            tag = self.tag(code, hashed, bits)
            self.note(code, candidates, place, KNOWN)
            with self.probing(code, mask, self.position(code, starts, place)) as (position, _, leave):
                slot = self.slot(code, table, position)
                entry = self.entry(code, slot)
                with code.when(code.equal(entry, 0)):
                    self.store_new(code, states, slot, tag, words, place, hashed)
                    code.jump(leave)
                    code.start(code.new_block("never"))
                number = code.op(f"and i64 {entry}, {numbers}")
                with code.when(code.equal(code.op(f"xor i64 {entry}, {number}"), tag)):
                    with code.when(code.op(f"icmp ule i64 {number}, {floor}")):
                        self.note(code, starts, place, position)
                        self.note(code, candidates, place, OTHER)
                        code.set(others, code.op(f"add i64 {code.get(others)}, 1"))
                        code.jump(leave)
                        code.start(code.new_block("never"))
                    same = self.same(code, states, code.op(f"sub i64 {number}, 1"), words, hashed)
                    differ = code.new_block("differ")
                    code.branch(same, leave, differ)
                    code.start(differ)
        code.line(f"ret i64 {code.get(others)}")
        return code.text()
