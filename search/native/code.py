"""Writing LLVM's language: one function at a time, structured control flow, constants folded on the way.

A value is a Python integer, if it is known now, or the name of a 64-bit LLVM value; a truth value likewise, of one bit.
Every operation here folds what it can, so that code written for the general case becomes small where values are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

Value = int | str
"""A known integer, or the name of an LLVM value."""

ONES = (1 << 64) - 1


@dataclass
class Loop:
    """A loop under construction.

    index: counts from 0; carried: at the start of this round, the values that go from round to round; set `next` to
    what they are at its end.
    """

    index: str
    carried: list[Value]
    next: list[Value] = field(default_factory=list)
    after: list[Value] = field(default_factory=list)


class TooLong(Exception):
    """A function has more lines than it may have."""


class Code:
    """A function under construction: `name(parameters) -> result`, all in LLVM's notation.

    most: beyond so many lines, writing ends with `TooLong` soon.
    """

    def __init__(
        self,
        name: str,
        result: str,
        parameters: Sequence[str],
        attributes: str = "nounwind",
        most: int | None = None,
    ) -> None:
        self.most = most
        self.head = f"define {result} @{name}({', '.join(parameters)}) {attributes} {{"
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.count = 0
        self.block = "start"

    def text(self) -> str:
        """The function, when it is complete."""
        return "\n".join([self.head, "start:", *self.entry, *self.lines, "}", ""])

    # ------------------------------------------------------------------------------------------------- instructions

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, text: str) -> str:
        """An instruction with a result."""
        self.count += 1
        name = f"%t{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def new_block(self, what: str) -> str:
        if self.most is not None and len(self.lines) > self.most:
            raise TooLong
        self.count += 1
        return f"{what}{self.count}"

    def start(self, block: str) -> None:
        """What follows is written into `block`; the block before must have ended."""
        self.lines.append(f"{block}:")
        self.block = block

    def jump(self, block: str) -> None:
        self.line(f"br label %{block}")

    def branch(self, cond: Value, then: str, other: str) -> None:
        self.line(f"br i1 {cond}, label %{then}, label %{other}")

    def variable(self, kind: str, start: Value | None = None) -> str:
        """A local variable; LLVM keeps it in a register where it can."""
        self.count += 1
        name = f"%v{self.count}"
        self.entry.append(f"  {name} = alloca {kind}")
        if start is not None:
            self.set(name, start, kind)
        return name

    def get(self, variable: str, kind: str = "i64") -> str:
        return self.op(f"load {kind}, ptr {variable}, align 1")

    def set(self, variable: str, value: Value, kind: str = "i64") -> None:
        self.line(f"store {kind} {value}, ptr {variable}, align 1")

    def address(self, base: str, offset: Value) -> str:
        """`offset` bytes after `base`."""
        return base if offset == 0 else self.op(f"getelementptr i8, ptr {base}, i64 {offset}")

    # ------------------------------------------------------------------------------------------------- control flow

    @contextmanager
    def when(self, cond: Value) -> Iterator[None]:
        """What is written inside happens only if `cond` holds."""
        if cond == 1:
            yield
            return
        inside, after = self.new_block("when"), self.new_block("after")
        self.branch(cond, inside, after)
        self.start(inside)
        yield
        self.jump(after)
        self.start(after)

    @contextmanager
    def loop(self, count: Value, carried: Sequence[Value] = ()) -> Iterator[Loop]:
        """Repeats what is written inside, `count` times, which is at least once."""
        before, body, after = self.block, self.new_block("loop"), self.new_block("done")
        self.jump(body)
        self.start(body)
        self.count += 1
        index = f"%i{self.count}"
        names: list[Value] = [f"{index}.{number}" for number in range(len(carried))]
        at = len(self.lines)
        loop = Loop(index, names)
        yield loop
        step = self.op(f"add i64 {index}, 1")
        again = self.op(f"icmp ult i64 {step}, {count}")
        self.branch(again, body, after)
        phis = [f"  {index} = phi i64 [ 0, %{before} ], [ {step}, %{self.block} ]"]
        for name, start, end in zip(names, carried, loop.next or names, strict=True):
            phis.append(f"  {name} = phi i64 [ {start}, %{before} ], [ {end}, %{self.block} ]")
        self.lines[at:at] = phis
        loop.after = loop.next or names
        self.start(after)

    @contextmanager
    def forever(self) -> Iterator[str]:
        """Repeats what is written inside; a jump to the yielded block leaves it."""
        with self.repeating() as (_, leave):
            yield leave

    @contextmanager
    def repeating(self) -> Iterator[tuple[str, str]]:
        """Repeats what is written inside; yields the blocks to jump to, to begin again and to leave."""
        body, after = self.new_block("loop"), self.new_block("done")
        self.jump(body)
        self.start(body)
        yield body, after
        self.jump(body)
        self.start(after)

    # --------------------------------------------------------------------------------------------------- arithmetic

    def add(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        return a if b == 0 else self.op(f"add i64 {a}, {b}")

    def sub(self, a: Value, b: Value) -> Value:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.op(f"sub i64 {a}, {b}")

    def mul(self, a: Value, b: int) -> Value:
        if isinstance(a, int):
            return a * b
        return a if b == 1 else self.op(f"mul i64 {a}, {b}")

    def bits_and(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(a, int) and isinstance(b, int):
            return a & b
        if b == 0:
            return 0
        return a if b == ONES else self.op(f"and i64 {a}, {_signed(b)}")

    def bits_or(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(a, int) and isinstance(b, int):
            return a | b
        return a if b == 0 else self.op(f"or i64 {a}, {_signed(b)}")

    def left(self, a: Value, b: Value) -> Value:
        """`a` shifted to the left, within 64 bits."""
        if isinstance(a, int) and isinstance(b, int):
            return (a << b) & ONES
        return a if b == 0 else self.op(f"shl i64 {_signed(a)}, {b}")

    def right(self, a: Value, b: Value) -> Value:
        if isinstance(a, int) and isinstance(b, int):
            return a >> b
        return a if b == 0 else self.op(f"lshr i64 {a}, {b}")

    def smaller(self, a: Value, b: Value) -> Value:
        """The smaller one of two signed numbers."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.op(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def larger(self, a: Value, b: Value) -> Value:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.op(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    # ------------------------------------------------------------------------------------------------- truth values

    def equal(self, a: Value, b: Value) -> Value:
        if isinstance(a, int) and isinstance(b, int):
            return int(a == b)
        return self.op(f"icmp eq i64 {a}, {b}")

    def less(self, a: Value, b: Value) -> Value:
        """Whether `a < b`, as signed numbers."""
        if isinstance(a, int) and isinstance(b, int):
            return int(a < b)
        return self.op(f"icmp slt i64 {a}, {b}")

    def both(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            return b if a else 0
        if isinstance(b, int):
            return a if b else 0
        return self.op(f"and i1 {a}, {b}")

    def either(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            return 1 if a else b
        if isinstance(b, int):
            return 1 if b else a
        return self.op(f"or i1 {a}, {b}")

    def negation(self, a: Value) -> Value:
        return 1 - a if isinstance(a, int) else self.op(f"xor i1 {a}, true")

    def same_truth(self, a: Value, b: Value) -> Value:
        if isinstance(a, int):
            a, b = b, a
        if isinstance(b, int):
            return a if b else self.negation(a)
        return self.op(f"icmp eq i1 {a}, {b}")

    def choose(self, cond: Value, then: Value, other: Value, kind: str = "i64") -> Value:
        if isinstance(cond, int):
            return then if cond else other
        if then == other:
            return then
        return self.op(f"select i1 {cond}, {kind} {_signed(then)}, {kind} {_signed(other)}")

    def number(self, truth: Value) -> Value:
        """0 or 1."""
        return truth if isinstance(truth, int) else self.op(f"zext i1 {truth} to i64")

    def truth(self, number: Value) -> Value:
        """Whether a number is not 0."""
        return int(number != 0) if isinstance(number, int) else self.op(f"icmp ne i64 {number}, 0")


def _signed(value: Value) -> Value:
    """A 64-bit constant as LLVM prints it."""
    return value - (1 << 64) if isinstance(value, int) and value >> 63 == 1 else value
