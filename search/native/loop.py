"""The search loop and the visited set, as LLVM code for states of one layout.

States lie in one growing array in the order in which they are found, so that the array is the queue of a breadth-first
search too, and a level is a range of it.  The visited set is an open-addressing table of 32-bit entries: the number of a
state plus one, and above it, in the bits that remain, a tag of its hash.  0 is an empty entry.  Only where the tag agrees
is the state itself looked at, and compared in full.

Successors go through the set in batches.  All of a batch are hashed and their entries prefetched; then the states that
those entries point to are prefetched; then each is looked up.  So the misses of a batch overlap.

With `compact`, of each stored state there is a *fingerprint* too, its 64-bit hash, and two states with the same one are
taken for the same.  Full states are read only when they are expanded, so that the memory of those before can be given
back.  `origins` keep which state each was found from, the last 16 bits of its number, for traces.

Several workers may share one array and table.  Who finds an empty entry marks it as taken before storing the state; others
that meet a taken entry with their tag wait until the state is there.

Every function takes the address of one `Context`:

    i64 @expand(ptr)        expands states from `head` on, until `end`, or `pause` states are stored, or `limit` is passed
    i64 @begin(ptr)         the same for guesses from `head` on, of which the initial action makes states
    i64 @insert(ptr)        stores those of the `pending` states in the buffer that are new
    i64 @rehash(ptr)        enters states from `head` on, before `end`, whose place in the table is from `low` on, before `high`
    i64 @predecessor(ptr)   the first state from `head` on, before `end`, with the successor in the buffer's place `limit`
    i64 @judge(ptr)         marks those from `head` on, before `end`, with `bit` that violate the property `which`
    i64 @mark(ptr)          gives those from `head` on, before `end`, the marks of their successors with numbers from `floor` on
    i64 @back(ptr)          marks those from `head` on, before `end`, last first, of which a successor is marked; how many are new
    i64 @follow(ptr)        the first successor of the state `head` with a number from `floor` on and the mark `bit`

What is marked is entered into `filter` too, by a part of its hash: where `below`, the filter of the level below, has nothing, a
successor has no mark, and is not looked for.

Long because it is one loop, written as one group of LLVM functions over one context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .code import Code, Value
from .layout import Layout

FILTER = 1 << 16
"""How many bytes a filter has."""

DEADLOCK = 64
"""Stands for a deadlock where a property is asked for by its number."""

IMPOSSIBLE = 65
"""Stands for what must always remain possible, and no longer is."""

BATCH = 192
"""How many successors are collected before they are looked up together."""

# What a context holds, each in 8 bytes.
CONTEXT = (
    "states",  # address of the array of states
    "table",  # address of the visited set
    "buffer",  # address of the buffer of successors, of `BATCH` and as many as one state can have
    "guesses",  # address of what initial states are made of, in full words
    "hashes",  # address of as many hashes
    "weights",  # address of as many numbers: how many permutations leave the successor as it is
    "heads",  # address of as many numbers of the states that they are successors of (`compact`)
    "prints",  # address of the fingerprints of stored states (`compact`)
    "origins",  # address of the last 16 bits of the number of the state that each was found from (`compact`)
    "mask",  # number of entries of the table, a power of two, less one
    "index_bits",  # how many bits of an entry hold the state's number plus one
    "counter",  # address of the number of stored states
    "head",  # the next state to expand
    "end",  # where the level ends
    "enough",  # so many successors are collected at once (`sweep`)
    "starts",  # address of the place in the table at which each successor is looked for next, in 4 bytes (`sweep`)
    "candidates",  # address of the number of a state that each may be, or what is known instead, in 4 bytes (`sweep`)
    "order",  # address of places in the buffer, in the order in which they are gone through, in 4 bytes (`sweep`)
    "ends",  # address of how many are in the order before the end of each part (`sweep`)
    "which",  # number of a property, or `DEADLOCK`; what is put in order (`sweep`)
    "shift",  # how many bits of a key are left out (`sweep`)
    "pause",  # expanding pauses when as many states are stored
    "limit",  # as many states may be stored at most
    "pending",  # how many successors are in the buffer
    "transitions",  # how many there were
    "unreduced",  # how many states the stored ones stand for
    "full",  # 1 after a state was not stored because of the limit
    "deadlock",  # number plus one of the first state without successors that is not final
    "seen",  # bit i is set if property i was found violated (or reached)
    "low",  # the part of the table that is filled, or of the order that is gone through
    "high",
    "marks",  # address of a byte for each stored state
    "filter",  # address of `FILTER` bytes
    "below",  # likewise
    "floor",  # marks count from this number on; a state from this number on is new (`sweep`)
    "bit",  # a mark
    "first",  # from here on: for each property, the number of the first such state
)
PLACES = {name: place for place, name in enumerate(CONTEXT)}
FIRST = PLACES["first"]


DECLARATIONS = """
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.uadd.sat.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.cttz.i64(i64, i1)
"""


class LoopFunctions:
    """All functions of the loop.

    permutations: of the symmetry; with more than one, `@canonical` is applied to each successor; shared: for several
    workers at once; compact: with fingerprints; watching: the bits that `@watch` finds.
    """

    def __init__(self, layout: Layout, permutations: int, shared: bool, compact: bool, watching: int) -> None:
        self.layout = layout
        self.shared, self.compact = shared, compact
        self.permutations, self.watching = permutations, watching
        self.words = layout.words
        self.size = 8 * layout.words

    def text(self) -> str:
        return "\n".join(
            [
                self.hash(),
                self.insert(),
                self.expand(),
                self.expand(beginning=True),
                self.rehash(),
                self.predecessor(),
                self.judge(),
                self.mark(),
                self.mark(following=True),
                self.back(),
            ]
        )

    def item(self, code: Code, name: str) -> str:
        return code.address("%context", 8 * PLACES[name])

    def get(self, code: Code, name: str, kind: str = "i64") -> str:
        return code.get(self.item(code, name), kind)

    def count(self, code: Code) -> str:
        """How many states are stored."""
        return code.get(self.get(code, "counter", "ptr"))

    def put(self, code: Code, name: str, value: Value) -> None:
        code.set(self.item(code, name), value)

    # ------------------------------------------------------------------------------------------------------- states

    def load(self, code: Code, states: str, number: Value) -> list[Value]:
        """The words of a stored state."""
        at = code.address(states, code.op(f"mul i64 {number}, {self.layout.state_bytes}"))
        words: list[Value] = []
        offset = 0
        for count in self.layout.word_bytes:
            kind = f"i{8 * count}"
            word = code.get(code.address(at, offset), kind)
            words.append(word if count == 8 else code.op(f"zext {kind} {word} to i64"))
            offset += count
        return words

    def store(self, code: Code, states: str, number: Value, words: Sequence[Value]) -> None:
        """Puts a state into the array."""
        at = code.address(states, code.op(f"mul i64 {number}, {self.layout.state_bytes}"))
        offset = 0
        for word, count in zip(words, self.layout.word_bytes, strict=True):
            kind = f"i{8 * count}"
            code.set(code.address(at, offset), word if count == 8 else code.op(f"trunc i64 {word} to {kind}"), kind)
            offset += count

    def successor(self, code: Code, buffer: str, number: Value) -> list[Value]:
        """The words of a state in the buffer."""
        at = code.address(buffer, code.op(f"mul i64 {number}, {self.size}"))
        return [code.get(code.address(at, 8 * i)) for i in range(self.words)]

    def canonical(self, code: Code, buffer: str, number: Value, weights: str | None = None) -> list[Value]:
        """The words of a state in the buffer, after it was replaced by the representative of its orbit."""
        if self.permutations > 1:
            at = code.address(buffer, code.op(f"mul i64 {number}, {self.size}"))
            weight = code.op(f"call i64 @canonical(ptr {at})")
            if weights is not None:
                code.set(self.each(code, weights, number), weight)
        return self.successor(code, buffer, number)

    def each(self, code: Code, items: str, number: Value, kind: str = "i64") -> str:
        """Where an item of an array lies."""
        return code.op(f"getelementptr {kind}, ptr {items}, i64 {number}")

    def arguments(self, words: Sequence[Value]) -> str:
        return ", ".join(f"i64 {w}" for w in words)

    # ---------------------------------------------------------------------------------------------------------- set

    def hash(self) -> str:
        """`i64 @hash(words)`: each word is multiplied in with all 128 bits of the product folded, twice at the end."""
        code = Code("hash", "i64", [f"i64 %word{i}" for i in range(self.words)], "alwaysinline nounwind")
        mixed: Value = "7809847782465536322"
        for i in range(self.words):
            mixed = _fold(code, code.op(f"xor i64 {mixed}, %word{i}"), "-6884282663029611473")
        code.line(f"ret i64 {_fold(code, mixed, '-1800455987208640293')}")
        return code.text()

    def hashed(self, code: Code, words: Sequence[Value]) -> str:
        return code.op(f"call i64 @hash({self.arguments(words)})")

    def slot(self, code: Code, table: str, position: Value) -> str:
        return code.op(f"getelementptr i32, ptr {table}, i64 {position}")

    def tag(self, code: Code, hashed: Value, bits: Value) -> str:
        """The upper bits of a hash, placed as in an entry."""
        upper = code.op(f"lshr i64 {hashed}, 32")
        return code.op(f"shl i64 {code.op(f'lshr i64 {upper}, {bits}')}, {bits}")

    def prefetch(self, code: Code, address: str, write: int) -> None:
        code.line(f"call void @llvm.prefetch.p0(ptr {address}, i32 {write}, i32 3, i32 1)")

    def insert(self) -> str:
        code = Code("insert", "i64", ["ptr noalias %context"], "noinline nounwind")
        states, table = self.get(code, "states", "ptr"), self.get(code, "table", "ptr")
        buffer, hashes = self.get(code, "buffer", "ptr"), self.get(code, "hashes", "ptr")
        weights = self.get(code, "weights", "ptr")
        prints = self.get(code, "prints", "ptr")
        mask, bits, pending = self.get(code, "mask"), self.get(code, "index_bits"), self.get(code, "pending")
        numbers = code.op(f"sub i64 {code.op(f'shl i64 1, {bits}')}, 1")
        with code.when(code.op(f"icmp ne i64 {pending}, 0")):
            with code.loop(pending) as each:
                hashed = self.hashed(code, self.canonical(code, buffer, each.index, weights))
                code.set(self.each(code, hashes, each.index), hashed)
                self.prefetch(code, self.slot(code, table, code.op(f"and i64 {hashed}, {mask}")), 1)
            with code.loop(pending) as each:
                hashed = code.get(self.each(code, hashes, each.index))
                entry = self.entry(code, self.slot(code, table, code.op(f"and i64 {hashed}, {mask}")))
                number = code.op(f"and i64 {entry}, {numbers}")
                size = 8 if self.compact else self.layout.state_bytes
                at = code.address(prints if self.compact else states, code.op(f"mul i64 {number}, {size}"))
                self.prefetch(code, code.address(at, -size), 0)
            with code.loop(pending) as each:
                hashed = code.get(self.each(code, hashes, each.index))
                self.look_up(code, states, table, mask, bits, numbers, buffer, each.index, hashed)
        code.line("ret i64 0")
        return code.text()

    def entry(self, code: Code, slot: str) -> str:
        kind = "load atomic i32, ptr {} acquire, align 4" if self.shared else "load i32, ptr {}, align 4"
        return code.op(f"zext i32 {code.op(kind.format(slot))} to i64")

    @contextmanager
    def probing(self, code: Code, mask: str, hashed: str) -> Iterator[tuple[str, str, str]]:
        """Goes from entry to entry; yields the present one's position, and the blocks to look at it again and to leave."""
        position = code.variable("i64")
        code.set(position, code.op(f"and i64 {hashed}, {mask}"))
        with code.repeating() as (again, leave):
            here = code.get(position)
            yield here, again, leave
            code.set(position, code.op(f"and i64 {code.op(f'add i64 {here}, 1')}, {mask}"))

    def look_up(
        self,
        code: Code,
        states: str,
        table: str,
        mask: str,
        bits: str,
        numbers: str,
        buffer: str,
        place: str,
        hashed: str,
    ) -> None:
        """Stores the state at this place of the buffer if it is new."""
        words = self.successor(code, buffer, place)
        tag = self.tag(code, hashed, bits)
        with self.probing(code, mask, hashed) as (position, again, leave):
            slot = self.slot(code, table, position)
            entry = self.entry(code, slot)
            with code.when(code.op(f"icmp eq i64 {entry}, 0")):
                if self.shared:
                    self.take(code, slot, code.op(f"or i64 {tag}, {numbers}"), again)
                self.store_new(code, states, slot, tag, words, place, hashed)
                code.jump(leave)
                code.start(code.new_block("never"))
            other = code.op(f"and i64 {code.op(f'xor i64 {entry}, {tag}')}, {code.op(f'xor i64 {numbers}, -1')}")
            with code.when(code.op(f"icmp eq i64 {other}, 0")):
                number = code.op(f"and i64 {entry}, {numbers}")
                if self.shared:
                    there = code.new_block("there")
                    code.branch(code.op(f"icmp eq i64 {number}, {numbers}"), again, there)
                    code.start(there)
                same = self.same(code, states, code.op(f"sub i64 {number}, 1"), words, hashed)
                differ = code.new_block("differ")
                code.branch(same, leave, differ)
                code.start(differ)

    def take(self, code: Code, slot: str, mark: str, again: str) -> None:
        """Marks an empty entry as taken; where another worker was faster, looks at the entry again."""
        narrow = code.op(f"trunc i64 {mark} to i32")
        result = code.op(f"cmpxchg ptr {slot}, i32 0, i32 {narrow} acquire acquire, align 4")
        taken = code.new_block("taken")
        code.branch(code.op(f"extractvalue {{ i32, i1 }} {result}, 1"), taken, again)
        code.start(taken)

    def same(self, code: Code, states: str, number: str, words: Sequence[Value], hashed: str) -> Value:
        """Whether a stored state is this one."""
        if not self.compact:
            return self.equal(code, self.load(code, states, number), words)
        return code.equal(code.get(self.each(code, self.get(code, "prints", "ptr"), number)), hashed)

    def equal(self, code: Code, left: Sequence[Value], right: Sequence[Value]) -> Value:
        result: Value = 1
        for a, b in zip(left, right, strict=True):
            result = code.both(result, code.equal(a, b))
        return result

    def store_new(
        self, code: Code, states: str, slot: str, tag: str, words: Sequence[Value], place: str, hashed: str
    ) -> None:
        """Appends the state, enters it into the table, and checks it; unless no more may be stored."""
        counter = self.get(code, "counter", "ptr")
        one_more = f"atomicrmw add ptr {counter}, i64 1 monotonic, align 8"
        count = code.op(one_more) if self.shared else code.get(counter)
        allowed = code.op(f"icmp ult i64 {count}, {self.get(code, 'limit')}")
        with code.when(code.negation(allowed)):
            self.put(code, "full", 1)
            if self.shared:
                code.op(f"atomicrmw sub ptr {counter}, i64 1 monotonic, align 8")
                code.line(f"store atomic i32 0, ptr {slot} release, align 4")
        with code.when(allowed):
            self.store(code, states, count, words)
            if self.compact:
                code.set(self.each(code, self.get(code, "prints", "ptr"), count), hashed)
                head = code.get(self.each(code, self.get(code, "heads", "ptr"), place))
                origin = self.each(code, self.get(code, "origins", "ptr"), count, "i16")
                code.set(origin, code.op(f"trunc i64 {head} to i16"), "i16")
            after = code.op(f"add i64 {count}, 1")
            entry = code.op(f"trunc i64 {code.op(f'or i64 {tag}, {after}')} to i32")
            if self.shared:
                code.line(f"store atomic i32 {entry}, ptr {slot} release, align 4")
            else:
                code.set(counter, after)
                code.line(f"store i32 {entry}, ptr {slot}, align 4")
            self.check(code, count, words)
            self.weigh(code, place)

    def weigh(self, code: Code, place: str) -> None:
        """Counts how many states a new one stands for: as many as its orbit has."""
        if self.permutations > 1:
            weight = code.get(self.each(code, self.get(code, "weights", "ptr"), place))
            orbit = code.op(f"udiv i64 {self.permutations}, {weight}")
            sum_ = code.op(f"call i64 @llvm.uadd.sat.i64(i64 {self.get(code, 'unreduced')}, i64 {orbit})")
            self.put(code, "unreduced", sum_)

    def check(self, code: Code, number: str, words: Sequence[Value]) -> None:
        """Notes the state where it is the first that violates or reaches a property."""
        bad = code.op(f"call i64 @check({self.arguments(words)})")
        if self.watching:
            found = code.variable("i64")
            code.set(found, bad)
            seen = self.get(code, "seen")
            watched = code.bits_and(seen, self.watching)
            with code.when(code.negation(code.equal(watched, self.watching))):
                more = code.op(f"call i64 @watch(i64 {seen}, {self.arguments(words)})")
                code.set(found, code.bits_or(bad, more))
            bad = code.get(found)
        with code.when(code.op(f"icmp ne i64 {bad}, 0")):
            seen = self.get(code, "seen")
            fresh = code.variable("i64")
            code.set(fresh, code.op(f"and i64 {bad}, {code.op(f'xor i64 {seen}, -1')}"))
            self.put(code, "seen", code.op(f"or i64 {seen}, {bad}"))
            with code.forever() as leave:
                left = code.get(fresh)
                more = code.new_block("more")
                code.branch(code.op(f"icmp eq i64 {left}, 0"), leave, more)
                code.start(more)
                which = code.op(f"call i64 @llvm.cttz.i64(i64 {left}, i1 true)")
                place = code.op(f"getelementptr i64, ptr {self.item(code, 'first')}, i64 {which}")
                code.set(place, number)
                code.set(fresh, code.op(f"and i64 {left}, {code.op(f'add i64 {left}, -1')}"))

    # ------------------------------------------------------------------------------------------------------- search

    def expand(self, beginning: bool = False) -> str:
        """`@expand`, or `@begin`, which takes what to expand from elsewhere and counts no transitions."""
        code = Code("begin" if beginning else "expand", "i64", ["ptr noalias %context"])
        end, pause = self.get(code, "end"), self.get(code, "pause")
        enough = code.address(self.get(code, "buffer", "ptr"), BATCH * self.size)
        with code.forever() as leave:
            room = code.op(f"icmp ult i64 {self.count(code)}, {pause}")
            more = code.op(f"icmp ult i64 {self.get(code, 'head')}, {end}")
            allowed = code.op(f"icmp eq i64 {self.get(code, 'full')}, 0")
            going = code.new_block("going")
            code.branch(code.both(code.both(room, more), allowed), going, leave)
            code.start(going)
            began = self.get(code, "head")
            pending = self.collected(code, enough, beginning)
            code.op("call i64 @insert(ptr %context)")
            if not beginning:
                with code.when(code.op(f"icmp ne i64 {self.get(code, 'full')}, 0")):  # as if they were not expanded
                    self.put(code, "head", began)
                    made = code.op(f"sub i64 {self.get(code, 'transitions')}, {pending}")
                    self.put(code, "transitions", made)
        code.line("ret i64 0")
        return code.text()

    def collected(self, code: Code, enough: str, beginning: bool = False) -> str:
        """Expands states from `head` on into the buffer, up to the address `enough` and some; how many successors there are."""
        step, guesses = "start" if beginning else "step", self.get(code, "guesses", "ptr")
        states, buffer, end = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr"), self.get(code, "end")
        out = code.variable("ptr")
        code.set(out, buffer, "ptr")
        with code.forever() as collected:
            head = self.get(code, "head")
            here = code.get(out, "ptr")
            more = code.op(f"icmp ult i64 {head}, {end}")
            room = code.op(f"icmp ult ptr {here}, {enough}")
            another = code.new_block("another")
            code.branch(code.both(more, room), another, collected)
            code.start(another)
            words = self.successor(code, guesses, head) if beginning else self.load(code, states, head)
            after = code.op(f"call ptr @{step}({self.arguments(words)}, ptr {here})")
            code.set(out, after, "ptr")
            if self.compact and not beginning:
                self.note_origin(code, head, buffer, here, after)
            self.put(code, "head", code.op(f"add i64 {head}, 1"))
            if not beginning:
                with code.when(code.op(f"icmp eq ptr {after}, {here}")):
                    self.stuck(code, head, words)
        length = code.op(f"sub i64 {_integer(code, code.get(out, 'ptr'))}, {_integer(code, buffer)}")
        pending = code.op(f"udiv i64 {length}, {self.size}")
        self.put(code, "pending", pending)
        if not beginning:
            self.put(code, "transitions", code.op(f"add i64 {self.get(code, 'transitions')}, {pending}"))
        return pending

    def note_origin(self, code: Code, head: str, buffer: str, here: str, after: str) -> None:
        """Notes of which state the successors from `here` on, before `after`, are."""
        heads = self.get(code, "heads", "ptr")
        first, last = (
            code.op(f"udiv i64 {code.op(f'sub i64 {_integer(code, at)}, {_integer(code, buffer)}')}, {self.size}")
            for at in (here, after)
        )
        count = code.op(f"sub i64 {last}, {first}")
        with code.when(code.op(f"icmp ne i64 {count}, 0")), code.loop(count) as each:
            code.set(self.each(code, heads, code.op(f"add i64 {first}, {each.index}")), head)

    def stuck(self, code: Code, head: str, words: Sequence[Value]) -> None:
        """A state without successors: notes the first that is not final."""
        final = code.op(f"call i1 @final({self.arguments(words)})")
        unknown = code.op(f"icmp eq i64 {self.get(code, 'deadlock')}, 0")
        with code.when(code.both(unknown, code.negation(final))):
            self.put(code, "deadlock", code.op(f"add i64 {head}, 1"))

    def rehash(self) -> str:
        code = Code("rehash", "i64", ["ptr noalias %context"])
        states, table = self.get(code, "states", "ptr"), self.get(code, "table", "ptr")
        hashes = self.get(code, "hashes", "ptr")
        mask, bits, count = self.get(code, "mask"), self.get(code, "index_bits"), self.get(code, "end")
        low, size = self.get(code, "low"), code.op(f"sub i64 {self.get(code, 'high')}, {self.get(code, 'low')}")
        start = code.variable("i64")
        code.set(start, self.get(code, "head"))
        with code.forever() as leave:
            first = code.get(start)
            some = code.new_block("some")
            code.branch(code.op(f"icmp ult i64 {first}, {count}"), some, leave)
            code.start(some)
            left = code.op(f"sub i64 {count}, {first}")
            length = code.op(f"call i64 @llvm.smin.i64(i64 {left}, i64 {BATCH})")
            with code.loop(length) as each:
                number = code.op(f"add i64 {first}, {each.index}")
                if self.compact:
                    hashed = code.get(self.each(code, self.get(code, "prints", "ptr"), number))
                else:
                    hashed = self.hashed(code, self.load(code, states, number))
                code.set(self.each(code, hashes, each.index), hashed)
                self.prefetch(code, self.slot(code, table, code.op(f"and i64 {hashed}, {mask}")), 1)
            with code.loop(length) as each:
                hashed = code.get(self.each(code, hashes, each.index))
                number = code.op(f"add i64 {code.op(f'add i64 {first}, {each.index}')}, 1")
                entry = code.op(f"or i64 {self.tag(code, hashed, bits)}, {number}")
                place = code.op(f"sub i64 {code.op(f'and i64 {hashed}, {mask}')}, {low}")
                with (
                    code.when(code.op(f"icmp ult i64 {place}, {size}")),
                    self.probing(code, mask, hashed) as (position, _, done),
                ):
                    slot = self.slot(code, table, position)
                    with code.when(code.op(f"icmp eq i64 {self.entry(code, slot)}, 0")):
                        code.line(f"store i32 {code.op(f'trunc i64 {entry} to i32')}, ptr {slot}, align 4")
                        code.jump(done)
                        code.start(code.new_block("never"))
            code.set(start, code.op(f"add i64 {first}, {length}"))
        code.line("ret i64 0")
        return code.text()

    def predecessor(self) -> str:
        code = Code("predecessor", "i64", ["ptr noalias %context"])
        states, buffer = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr")
        end = self.get(code, "end")
        target = self.successor(code, buffer, self.get(code, "limit"))
        head = code.variable("i64")
        code.set(head, self.get(code, "head"))
        with code.forever() as leave:
            here = code.get(head)
            more = code.new_block("more")
            code.branch(code.op(f"icmp ult i64 {here}, {end}"), more, leave)
            code.start(more)
            after = code.op(f"call ptr @step({self.arguments(self.load(code, states, here))}, ptr {buffer})")
            length = code.op(f"sub i64 {_integer(code, after)}, {_integer(code, buffer)}")
            some, count = code.op(f"icmp ne i64 {length}, 0"), code.op(f"udiv i64 {length}, {self.size}")
            with code.when(some), code.loop(count) as each:
                other = code.new_block("other")
                same = self.equal(code, self.canonical(code, buffer, each.index), target)
                code.branch(same, leave, other)
                code.start(other)
            code.set(head, code.op(f"add i64 {here}, 1"))
        code.line(f"ret i64 {code.get(head)}")
        return code.text()

    # ------------------------------------------------------------------------------------------------------- traces

    def judge(self) -> str:
        code = Code("judge", "i64", ["ptr noalias %context"])
        states, buffer = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr")
        which, bit = self.get(code, "which"), self.get(code, "bit")
        deadlock = code.op(f"icmp eq i64 {which}, {DEADLOCK}")
        which = code.op(f"and i64 {which}, 63")
        with counting(code, self.get(code, "head"), self.get(code, "end")) as (number, _):
            words = self.load(code, states, number)
            arguments = self.arguments(words)
            bad = code.op(f"lshr i64 {code.op(f'call i64 @check({arguments})')}, {which}")
            guilty = code.variable("i64")
            code.set(guilty, code.op(f"and i64 {bad}, 1"))
            with code.when(deadlock):
                stuck = code.op(f"icmp eq ptr {code.op(f'call ptr @step({arguments}, ptr {buffer})')}, {buffer}")
                final = code.op(f"call i1 @final({arguments})")
                code.set(guilty, code.number(code.both(stuck, code.negation(final))))
            with code.when(code.op(f"icmp ne i64 {code.get(guilty)}, 0")):
                self.put_mark(code, number, words, bit)
        code.line("ret i64 0")
        return code.text()

    def put_mark(self, code: Code, number: Value, words: Sequence[Value], bits: str) -> None:
        """Adds marks to a state, and enters it into the filter."""
        at = self.each(code, self.get(code, "marks", "ptr"), number, "i8")
        marks = code.op(f"or i8 {code.get(at, 'i8')}, {code.op(f'trunc i64 {bits} to i8')}")
        code.set(at, marks, "i8")
        code.set(self.filtered(code, "filter", self.hashed(code, words)), 1, "i8")

    def filtered(self, code: Code, name: str, hashed: str) -> str:
        return self.each(code, self.get(code, name, "ptr"), code.op(f"and i64 {hashed}, {FILTER - 1}"), "i8")

    def mark(self, following: bool = False) -> str:
        """`@mark`, or `@follow`, which wants one mark of one state's successors, and no filter."""
        code = Code("follow" if following else "mark", "i64", ["ptr noalias %context"])
        states, buffer = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr")
        marks, floor, bit = self.get(code, "marks", "ptr"), self.get(code, "floor"), self.get(code, "bit")
        first = self.get(code, "head")
        last = code.op(f"add i64 {first}, 1") if following else self.get(code, "end")
        met = code.variable("i64", 0)
        with counting(code, first, last) as (head, found):
            code.set(met, 0)
            words = self.load(code, states, head)
            after = code.op(f"call ptr @step({self.arguments(words)}, ptr {buffer})")
            length = code.op(f"sub i64 {_integer(code, after)}, {_integer(code, buffer)}")
            some, count = code.op(f"icmp ne i64 {length}, 0"), code.op(f"udiv i64 {length}, {self.size}")
            with code.when(some), code.loop(count) as each:
                successor = self.canonical(code, buffer, each.index)
                hashed = self.hashed(code, successor)
                likely: Value = 1
                if not following:
                    likely = code.op(f"icmp ne i8 {code.get(self.filtered(code, 'below', hashed), 'i8')}, 0")
                with code.when(likely):
                    number = self.find(code, successor, hashed)
                    with code.when(code.op(f"icmp sge i64 {number}, {floor}")):
                        mark = code.op(f"zext i8 {code.get(self.each(code, marks, number, 'i8'), 'i8')} to i64")
                        if following:
                            with code.when(code.op(f"icmp ne i64 {code.op(f'and i64 {mark}, {bit}')}, 0")):
                                code.set(met, number)
                                code.jump(found)
                                code.start(code.new_block("never"))
                        else:
                            code.set(met, code.op(f"or i64 {code.get(met)}, {mark}"))
            if not following:
                with code.when(code.op(f"icmp ne i64 {code.get(met)}, 0")):
                    self.put_mark(code, head, words, code.get(met))
        code.line(f"ret i64 {code.get(met)}")
        return code.text()

    def back(self) -> str:
        """`@back`.  Workers may read a mark that another one is about to set: that mark is met in the next round."""
        code = Code("back", "i64", ["ptr noalias %context"])
        states, buffer = self.get(code, "states", "ptr"), self.get(code, "buffer", "ptr")
        marks, first = self.get(code, "marks", "ptr"), self.get(code, "head")
        number, new = code.variable("i64"), code.variable("i64", 0)
        code.set(number, self.get(code, "end"))
        with code.forever() as leave:
            going = code.new_block("going")
            code.branch(code.op(f"icmp ugt i64 {code.get(number)}, {first}"), going, leave)
            code.start(going)
            here = code.op(f"sub i64 {code.get(number)}, 1")
            code.set(number, here)
            with code.when(code.op(f"icmp eq i8 {self.marked(code, marks, here)}, 0")):
                after = code.op(f"call ptr @step({self.arguments(self.load(code, states, here))}, ptr {buffer})")
                length = code.op(f"sub i64 {_integer(code, after)}, {_integer(code, buffer)}")
                some, count = code.op(f"icmp ne i64 {length}, 0"), code.op(f"udiv i64 {length}, {self.size}")
                done = code.new_block("decided")
                with code.when(some), code.loop(count) as each:
                    successor = self.canonical(code, buffer, each.index)
                    found = self.find(code, successor, self.hashed(code, successor))
                    with code.when(code.op(f"icmp sge i64 {found}, 0")):
                        mark = self.marked(code, marks, found)
                        with code.when(code.op(f"icmp ne i8 {mark}, 0")):
                            at = self.each(code, marks, here, "i8")
                            code.line(f"store atomic i8 1, ptr {at} monotonic, align 1")
                            code.set(new, code.op(f"add i64 {code.get(new)}, 1"))
                            code.jump(done)
                            code.start(code.new_block("never"))
                code.jump(done)
                code.start(done)
        code.line(f"ret i64 {code.get(new)}")
        return code.text()

    def marked(self, code: Code, marks: str, number: Value) -> str:
        return code.op(f"load atomic i8, ptr {self.each(code, marks, number, 'i8')} monotonic, align 1")

    def find(self, code: Code, words: Sequence[Value], hashed: str) -> str:
        """The number of a stored state, or -1."""
        states, table = self.get(code, "states", "ptr"), self.get(code, "table", "ptr")
        mask, bits = self.get(code, "mask"), self.get(code, "index_bits")
        numbers = code.op(f"sub i64 {code.op(f'shl i64 1, {bits}')}, 1")
        tag = self.tag(code, hashed, bits)
        found = code.variable("i64")
        code.set(found, -1)
        with self.probing(code, mask, hashed) as (position, _, leave):
            entry = self.entry(code, self.slot(code, table, position))
            there = code.new_block("there")
            code.branch(code.op(f"icmp eq i64 {entry}, 0"), leave, there)
            code.start(there)
            other = code.op(f"and i64 {code.op(f'xor i64 {entry}, {tag}')}, {code.op(f'xor i64 {numbers}, -1')}")
            with code.when(code.op(f"icmp eq i64 {other}, 0")):
                number = code.op(f"sub i64 {code.op(f'and i64 {entry}, {numbers}')}, 1")
                with code.when(self.same(code, states, number, words, hashed)):
                    code.set(found, number)
                    code.jump(leave)
                    code.start(code.new_block("never"))
        return code.get(found)


@contextmanager
def counting(code: Code, first: str, last: str) -> Iterator[tuple[str, str]]:
    """Repeats for each number from `first` on, before `last`; yields it, and a block that leaves."""
    number = code.variable("i64")
    code.set(number, first)
    with code.forever() as leave:
        here = code.get(number)
        more = code.new_block("more")
        code.branch(code.op(f"icmp ult i64 {here}, {last}"), more, leave)
        code.start(more)
        yield here, leave
        code.set(number, code.op(f"add i64 {here}, 1"))


def _fold(code: Code, a: Value, constant: str) -> str:
    """The 128-bit product of two words, its halves joined."""
    wide = code.op(f"zext i64 {a} to i128")
    factor = code.op(f"zext i64 {constant} to i128")
    product = code.op(f"mul i128 {wide}, {factor}")
    low = code.op(f"trunc i128 {product} to i64")
    high = code.op(f"trunc i128 {code.op(f'lshr i128 {product}, 64')} to i64")
    return code.op(f"xor i64 {low}, {high}")


def _integer(code: Code, pointer: str) -> str:
    return code.op(f"ptrtoint ptr {pointer} to i64")
