"""All steps between stored states, found by compiled code, and the nearest part of their graph that can repeat for ever.

    ptr @moves(i64 word0, ..., ptr out)     writes each successor's words from `out` on, and the kind of the step after them
    i64 @record(ptr)    notes the steps from `head` on, before `end`; how many of them lead to no stored state
    i64 @parts(ptr)     goes on through the graph for so many `rounds`; 0 once that is done

The last two take the address of the words of `OWN`.  `@parts` is Tarjan's algorithm without recursion: of each state it keeps as
how many-th it was met, and the earliest one that it leads back to.  States wait on a stack for the end of their part; when that
comes, it is counted who could take a step in how many of them, and seen who takes one inside (see `moves`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..moves import Kinds, Moves, Numbers, Truths
from ..reductions.labels import held, simplifier
from .code import Code, Value
from .layout import Layout
from .library import STEP_LINES, Compiled, possible
from .loop import DECLARATIONS, LoopFunctions, counting
from .memory import address_of
from .steps import rename_functions, step_function, within
from .store import Store, most_successors

WORDS = (
    "context",  # address of that of `loop`
    "head",
    "end",
    "step",  # how many steps are noted
    "rounds",
    "root",  # the state to begin with next
    "order",  # how many states were met
    "waiting",  # how many are on the stack
    "deep",  # how many are on the way to the present state
    "best",  # the first state of the nearest part that can repeat for ever
    "part",  # as how many-th the first of that part was met
)

ARRAYS = {
    "buffer": "i64",
    "offsets": "i64",
    "targets": "i32",
    "taken": "i32",  # kinds of steps
    "who": "i32",  # of each kind
    "idle": "i8",  # of each kind: whether it is no progress
    "owing": "i8",  # of each state: whether it may be in a part
    "met": "i32",  # of each state: as how many-th it was met, 0 if not yet, `_KNOWN` once its part is known
    "back": "i32",  # of each state: the earliest that it leads back to; once its part is known, the first of that
    "next": "i64",  # of each state: the step to look at next
    "stack": "i32",  # the states whose part is not known yet
    "way": "i32",  # the states on the way to the present one
    "stamp": "i32",  # of each who: the last state that was counted for it, plus one
    "often": "i32",  # of each who: in how many states of a part it could take a step
    "inside": "i8",  # of each who: whether it takes one inside
    "counted": "i32",  # those for whom states are counted
}
OWN = (*WORDS, *ARRAYS)

_KNOWN = (1 << 32) - 1
_NONE = (1 << 63) - 1

_RECORDED, _ROUNDS = 1 << 16, 1 << 22
"""So many states are expanded, and so many rounds gone, between two looks at limits."""


class MoveFunctions(LoopFunctions):
    """The last two functions, for one layout."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, permutations=1, shared=False, compact=False, watching=0)

    def text(self) -> str:
        return "\n".join((self.hash(), self.record(), self.parts()))

    def word(self, code: Code, name: str) -> str:
        """Where a word lies."""
        return code.address("%own", 8 * OWN.index(name))

    def at(self, code: Code, name: str, place: Value) -> str:
        """An item of an array."""
        found = code.get(self.place(code, name, place), ARRAYS[name])
        return found if ARRAYS[name] == "i64" else code.op(f"zext {ARRAYS[name]} {found} to i64")

    def note(self, code: Code, name: str, place: Value, value: Value) -> None:
        """Changes an item of an array."""
        kind = ARRAYS[name]
        small = value if isinstance(value, int) or kind == "i64" else code.op(f"trunc i64 {value} to {kind}")
        code.set(self.place(code, name, place), small, kind)

    def place(self, code: Code, name: str, place: Value) -> str:
        return self.each(code, code.get(self.word(code, name), "ptr"), place, ARRAYS[name])

    def record(self) -> str:
        code = Code("record", "i64", ["ptr noalias %own"])
        code.line("%context = load ptr, ptr %own")
        states, buffer = self.get(code, "states", "ptr"), code.get(self.word(code, "buffer"), "ptr")
        hashes, table, mask = self.get(code, "hashes", "ptr"), self.get(code, "table", "ptr"), self.get(code, "mask")
        lost = code.variable("i64", 0)
        with counting(code, code.get(self.word(code, "head")), code.get(self.word(code, "end"))) as (head, _):
            after = code.op(f"call ptr @moves({self.arguments(self.load(code, states, head))}, ptr {buffer})")
            length = code.op(f"sub i64 {code.op(f'ptrtoint ptr {after} to i64')}, {code.op(f'ptrtoint ptr {buffer} to i64')}")
            count = code.op(f"udiv i64 {length}, {self.size + 8}")
            first = code.get(self.word(code, "step"))
            self.note(code, "offsets", head, first)
            with code.when(code.truth(count)):
                with code.loop(count) as each:
                    hashed = self.hashed(code, self.moved(code, buffer, each.index))
                    code.set(self.each(code, hashes, each.index), hashed)
                    self.prefetch(code, self.slot(code, table, code.op(f"and i64 {hashed}, {mask}")), 0)
                with code.loop(count) as each:
                    *words, kind = self.moved(code, buffer, each.index, kind=True)
                    number = self.find(code, words, code.get(self.each(code, hashes, each.index)))
                    missing = code.number(code.less(number, 0))
                    code.set(lost, code.add(code.get(lost), missing))
                    step = code.add(first, each.index)
                    self.note(code, "targets", step, number)
                    self.note(code, "taken", step, kind)
            code.set(self.word(code, "step"), code.add(first, count))
        code.line(f"ret i64 {code.get(lost)}")
        return code.text()

    def moved(self, code: Code, buffer: str, number: Value, kind: bool = False) -> list[Value]:
        """The words of a successor in the buffer, and the kind of its step."""
        at = code.address(buffer, code.op(f"mul i64 {number}, {self.size + 8}"))
        return [code.get(code.address(at, 8 * i)) for i in range(self.words + kind)]

    # -------------------------------------------------------------------------------------------------------- parts

    def parts(self) -> str:
        code = Code("parts", "i64", ["ptr noalias %own"])
        left, count = code.get(self.word(code, "rounds")), code.get(self.word(code, "end"))
        rounds = code.variable("i64", left)
        more = code.variable("i64", 1)
        with code.repeating() as (again, leave):
            code.set(rounds, code.sub(code.get(rounds), 1))
            with code.when(code.equal(code.get(rounds), 0)):
                _go(code, leave)
            deep = code.get(self.word(code, "deep"))
            with code.when(code.equal(deep, 0)):
                root = code.get(self.word(code, "root"))
                with code.when(code.equal(root, count)):
                    code.set(more, 0)
                    _go(code, leave)
                code.set(self.word(code, "root"), code.add(root, 1))
                wanted = code.both(code.truth(self.at(code, "owing", root)), code.equal(self.at(code, "met", root), 0))
                with code.when(wanted):
                    self.meet(code, root)
                _go(code, again)
            here = self.at(code, "way", code.sub(deep, 1))
            step = self.at(code, "next", here)
            with code.when(code.less(step, self.at(code, "offsets", code.add(here, 1)))):
                self.note(code, "next", here, code.add(step, 1))
                with self.following(code, step) as target:
                    met = self.at(code, "met", target)
                    with code.when(code.equal(met, 0)):
                        self.meet(code, target)
                        _go(code, again)
                    with code.when(code.negation(code.equal(met, _KNOWN))):
                        self.lead_back(code, here, met)
                _go(code, again)
            code.set(self.word(code, "deep"), code.sub(deep, 1))
            back = self.at(code, "back", here)
            with code.when(code.negation(code.equal(deep, 1))):
                self.lead_back(code, self.at(code, "way", code.sub(deep, 2)), back)
            with code.when(code.equal(back, self.at(code, "met", here))):
                self.part(code, here, back)
        code.line(f"ret i64 {code.get(more)}")
        return code.text()

    def meet(self, code: Code, state: Value) -> None:
        """Goes to a state for the first time."""
        order = code.add(code.get(self.word(code, "order")), 1)
        code.set(self.word(code, "order"), order)
        self.note(code, "met", state, order)
        self.note(code, "back", state, order)
        self.note(code, "next", state, self.at(code, "offsets", state))
        for name, count in (("stack", "waiting"), ("way", "deep")):
            top = code.get(self.word(code, count))
            self.note(code, name, top, state)
            code.set(self.word(code, count), code.add(top, 1))

    def lead_back(self, code: Code, state: Value, to: Value) -> None:
        """A state leads back to one that was met as the `to`-th."""
        self.note(code, "back", state, code.smaller(self.at(code, "back", state), to))

    @contextmanager
    def following(self, code: Code, step: Value) -> Iterator[Value]:
        """What is written inside happens if the step is idle and its end may be in a part; yields that."""
        with code.when(code.truth(self.at(code, "idle", self.at(code, "taken", step)))):
            target = self.at(code, "targets", step)
            with code.when(code.truth(self.at(code, "owing", target))):
                yield target

    def part(self, code: Code, last: Value, first: Value) -> None:
        """A part is complete: the states on the stack from `last` on, which was met as the `first`-th.  Is it the best?"""
        top = code.get(self.word(code, "waiting"))
        bottom, least = code.variable("i64", top), code.variable("i64", _NONE)
        some, known = code.variable("i64", 0), code.variable("i64", 0)
        with code.forever() as leave:
            code.set(bottom, code.sub(code.get(bottom), 1))
            state = self.at(code, "stack", code.get(bottom))
            code.set(least, code.smaller(code.get(least), state))
            end = self.at(code, "offsets", code.add(state, 1))
            with counting(code, self.at(code, "offsets", state), end) as (step, _):
                who = self.at(code, "who", self.at(code, "taken", step))
                with code.when(code.negation(code.equal(self.at(code, "stamp", who), code.add(state, 1)))):
                    self.note(code, "stamp", who, code.add(state, 1))
                    often = self.at(code, "often", who)
                    with code.when(code.equal(often, 0)):
                        self.note(code, "counted", code.get(known), who)
                        code.set(known, code.add(code.get(known), 1))
                    self.note(code, "often", who, code.add(often, 1))
                with self.following(code, step) as target:
                    met = self.at(code, "met", target)
                    with code.when(code.both(code.negation(code.less(met, first)), code.less(met, _KNOWN))):
                        self.note(code, "inside", who, 1)
                        code.set(some, 1)
            with code.when(code.equal(state, last)):
                _go(code, leave)
        size = code.sub(top, code.get(bottom))
        with code.when(code.truth(code.get(known))), code.loop(code.get(known)) as each:
            who = self.at(code, "counted", each.index)
            always = code.equal(self.at(code, "often", who), size)
            with code.when(code.both(always, code.equal(self.at(code, "inside", who), 0))):
                code.set(some, 0)
            self.note(code, "often", who, 0)
            self.note(code, "inside", who, 0)
        better = code.less(code.get(least), code.get(self.word(code, "best")))
        with code.when(code.both(code.truth(code.get(some)), better)):
            code.set(self.word(code, "best"), code.get(least))
            code.set(self.word(code, "part"), first)
        with counting(code, code.get(bottom), top) as (place, _):
            state = self.at(code, "stack", place)
            self.note(code, "met", state, _KNOWN)
            self.note(code, "back", state, first)
        code.set(self.word(code, "waiting"), code.get(bottom))


def _go(code: Code, block: str) -> None:
    """Jumps; what is written afterwards stands in a block of its own."""
    code.jump(block)
    code.start(code.new_block("never"))


class _Own:
    """What the functions work on: words and arrays, by name."""

    def __init__(self) -> None:
        self._items = np.zeros(len(OWN), np.uint64)
        self._arrays: dict[str, Numbers] = {}
        self.address = address_of(self._items)

    def use(self, **arrays: Numbers) -> None:
        """Gives some of the arrays; they are kept for as long as this is."""
        for name, array in arrays.items():
            assert f"i{8 * array.itemsize}" == ARRAYS[name]
            self._arrays[name] = array
            self[name] = address_of(array)

    def __setitem__(self, name: str, value: int) -> None:
        self._items[OWN.index(name)] = value

    def __getitem__(self, name: str) -> int:
        return int(self._items[OWN.index(name)])


@dataclass(frozen=True)
class NativeMoves(Moves):
    """Steps whose parts are found by compiled code."""

    compiled: Compiled

    def fair_part(self, idle: Truths, owing: Truths, look: Callable[[], None]) -> Truths | None:
        own, search = _Own(), self.compiled.function("parts")
        back = np.zeros(self.count, np.uint32)
        own.use(offsets=self.offsets, targets=self.targets, taken=self.taken, who=self.kinds.who, idle=idle, owing=owing)
        own.use(met=np.zeros(self.count, np.uint32), back=back, next=np.empty(self.count, np.uint64))
        own.use(stack=np.empty(self.count, np.uint32), way=np.empty(self.count, np.uint32))
        often, counted = (np.zeros(self.kinds.units, np.uint32) for _ in range(2))
        own.use(stamp=np.zeros(self.kinds.units, np.uint32), often=often, counted=counted)
        own.use(inside=np.zeros(self.kinds.units, np.bool_))
        own["end"], own["rounds"], own["best"] = self.count, _ROUNDS, _NONE
        while search(own.address):
            look()
        return None if own["best"] == _NONE else back == own["part"]


def moves_of(store: Store, kinds: Kinds, initial: int, look: Callable[[], None]) -> Moves:
    """All steps between the states of a store, which has them all; initial, look: see `Moves`."""
    layout, library, worker = store.layout, store.library, store.workers[0]
    system, most = layout.instance.system, most_successors(layout.instance)
    started = time.monotonic()
    actions = possible(system, simplifier(held(system)))
    source = (
        DECLARATIONS,
        rename_functions(layout),
        within(STEP_LINES, library.budget, lambda b: step_function(layout, "moves", actions, b, kinds)),
        MoveFunctions(layout).text(),
    )
    compiled = Compiled("\n".join(source), library.optimised)
    seconds = time.monotonic() - started
    own, record = _Own(), compiled.function("record")
    offsets = np.full(store.count + 1, store.transitions, np.uint64)
    targets, taken = (np.empty(store.transitions, np.uint32) for _ in range(2))
    own.use(buffer=np.empty(most * (layout.words + 1), np.uint64), offsets=offsets, targets=targets, taken=taken)
    own["context"] = worker.address
    for first in range(0, store.count, _RECORDED):
        own["head"], own["end"] = first, min(store.count, first + _RECORDED)
        lost = record(own.address)
        assert not lost, "every successor is stored"
        look()
    assert own["step"] == store.transitions
    return NativeMoves(kinds, initial, offsets, targets, taken, seconds, compiled)
