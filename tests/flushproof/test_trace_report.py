"""The trace for a reader: what stands in it, in every layout."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.compile import compile_system

from flushproof import check, shipped
from flushproof.report.actors import Actor
from flushproof.report.news import Row, assignments, changes
from flushproof.report.pictures import mermaid
from flushproof.report.trace import Look, trace_text
from flushproof.report.waiting import Waiting, fill, sentences
from flushproof.report.words import Story

from . import handmade

WIDTHS = (30, 40, 50, 60, 72, 80, 90, 100, 120, 200)


def plain(text: str) -> str:
    """The words alone, whatever the line breaks and columns."""
    return " ".join(re.sub(r"[^\w\s:.\[\]=,]", " ", text).split())


def test_the_sentence_names_who_hit_what() -> None:
    story = Story(handmade.trace())
    assert (
        story.sentence
        == "vcpu1 on cpu0 hits an entry tagged vmid1 that vcpu0 created: its own tables say something else."
    )


def test_the_sentence_ends_with_a_full_stop_whoever_wrote_it(tmp_path: Path) -> None:
    for message in ("it is on", "it is on.", "is it on?"):
        file = tmp_path / "on.py"
        file.write_text(ON.replace("MESSAGE", message))
        trace = check(f"{file}:On").trace
        assert trace is not None and Story(trace).sentence == message + "." * (message == "it is on")


@pytest.mark.parametrize("name", shipped())
def test_messages_of_shipped_systems_are_whole_sentences(name: str) -> None:
    for prop in compile_system(shipped()[name]).properties:
        for clause in prop.clauses:
            assert re.fullmatch(r"[A-Z{].*\.", clause.message), (prop.name, clause.message)


ON = """
from flushproof.model.language import *


class On(System):
    on: bool

    @action
    def turn(self):
        self.on = True

    @invariant("MESSAGE")
    def off(self):
        return not self.on
"""


@pytest.mark.parametrize("prune", ["self.seen == page", "False"])
def test_the_sentence_of_a_check_names_variables_as_they_are_there(prune: str, tmp_path: Path) -> None:
    """Also one that nothing else reads."""
    file = tmp_path / "named.py"
    file.write_text(NAMED.replace("CONDITION", prune))
    trace = check(f"{file}:Named").trace
    assert trace is not None
    assert re.fullmatch(r"cpu[01] returns, and page[01] is cached 2 times \(or 3\)\.", Story(trace).sentence), Story(trace).sentence


NAMED = """
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Page
from flushproof.model.language import *


class Named(System):
    seen: Optional[Page]

    def returns(self, cpu, page, times):
        more = times + 1
        check("gone", CONDITION, "{cpu} returns, and {page} is cached {times} times (or {more})")

    @process(Cpu)
    def unmap(self, cpu):
        yield "unmap"
        page = choose(Page)
        times = 1
        yield "flush"
        times = times + 1
        yield "return"
        self.returns(cpu, page, times)
"""


def test_a_sentence_names_nothing_that_is_fresh_or_unknown(tmp_path: Path) -> None:
    file = tmp_path / "fresh.py"
    for name, said in (("now", "is fresh in this step"), ("later", r"names '\{later\}'")):
        file.write_text(FRESH.replace("NAME", name))
        with pytest.raises(FlushproofError, match=said):
            check(f"{file}:Fresh")


FRESH = """
from flushproof.model.language import *


class Now(Counter):
    pass


class Fresh(System):
    last: Now

    @action
    def tick(self):
        now = fresh(Now)
        check("never", False, "{NAME}")
        self.last = now
"""


def test_rows_know_their_cpu_and_their_words() -> None:
    rows = Story(handmade.trace()).rows
    assert [r.actor for r in rows] == [Actor("Cpu", "cpu0")] * 2 + [Actor("Vmid", "vmid1")] + [Actor("Cpu", "cpu0")] * 2
    assert rows[0].words == "vcpu0 is loaded with vmid1, and the walker fills its TLB entry at once"
    assert rows[1].words == "put"
    assert rows[4].event and rows[4].words == "vcpu1 hits under vmid1"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in trace_text(handmade.trace(), Look(width)).splitlines():
        assert len(line) <= max(width, 40), line


@pytest.mark.parametrize("width", WIDTHS)
def test_every_layout_says_the_same(width: int) -> None:
    text = trace_text(handmade.trace(), Look(width))
    assert "its own tables" in " ".join(text.split())
    for number in range(1, 6):
        assert re.search(rf"^ *{number}  ", text, re.MULTILINE)
    for word in ("administrator", "put", "None", "vmid1, by vcpu0"):
        assert word in " ".join(text.split())


def test_one_column_for_each_element_that_acts_cpus_first() -> None:
    trace = handmade.trace(handmade.instance(Cpu=3))
    on_cpu2 = replace(trace.steps[1], binding={"cpu": 2})
    trace = replace(trace, steps=(trace.steps[2], on_cpu2, *trace.steps[3:]))
    header = trace_text(trace, Look(120)).splitlines()[0]
    assert header.split()[:3] == ["cpu0", "cpu2", "vmid1"]
    without = replace(trace, steps=tuple(s for s in trace.steps if s.action != "renumber"))
    assert "vmid1" not in trace_text(without, Look(120)).splitlines()[0]


def test_the_last_row_shows_the_tlb_though_nothing_changed_there() -> None:
    last_rows = trace_text(handmade.trace(), Look(120)).split("\n 5  ")[1]
    assert "vmid1, by vcpu0" in last_rows


def test_colour_only_on_request() -> None:
    assert "\x1b" not in trace_text(handmade.trace(), Look(100))
    coloured = trace_text(handmade.trace(), Look(100, colour=True))
    assert "\x1b[31m" in coloured
    assert plain(re.sub(r"\x1b\[\d+m", "", coloured)) == plain(trace_text(handmade.trace(), Look(100)))


def test_a_map_that_gets_one_value_is_one_change() -> None:
    made = handmade.instance(Cpu=3)
    before, after = tuple([1] * len(made.slots)), (0, 0, 0, *[1] * (len(made.slots) - 3))
    row = Row(1, "", Actor("Cpu", "cpu0"), None, tuple(changes(made, before, after)), after, False, {})
    assert assignments(made, row) == ["running[all] = None"]


def test_a_process_shows_its_own_locals_by_their_bare_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PROCESS)
    result = check(f"{file}:Mine", properties=["never"])
    assert result.trace is not None
    rows = Story(result.trace).rows
    assert [assignments(result.instance, row) for row in rows] == [["found = page0"], ["taken[page0] = True"]]


PROCESS = """
from flushproof.model.language import *


class Cpu(Sort):
    "A CPU."


class Page(Sort):
    "A page."


class Mine(System):
    "A process with a local."

    taken: Map[Page, bool]

    @process(Cpu)
    def take(self, cpu: Cpu):
        "looks for a page"
        found = choose(Page)
        yield "takes it"
        self.taken[found] = True

    @invariant("{page} is taken")
    def never(self):
        return all(not self.taken[page] for page in Page)
"""


def test_braces_without_a_value_lose_their_braces() -> None:
    assert fill("{a} meets {b}", {"a": "cpu0"}) == "cpu0 meets b"


def test_a_deadlock_has_a_sentence_of_its_own() -> None:
    trace = replace(
        handmade.trace(), property="no-deadlock", clause=None, witness=None, steps=handmade.trace().steps[:1]
    )
    assert "Nothing more can happen" in trace_text(trace, Look(100))


WAITS = '''
from typing import Annotated
from flushproof.model.hardware import Cpu, Execution, Lock
from flushproof.model.language import *


class Waits(System):
    """A softirq takes the lock of the task that it interrupts; when a page's two lowest bits are gone, nothing begins."""

    asks = ("no-stuck",)
    sizes = {Cpu: 1}
    cpus = Execution()
    lock = Lock()
    flags: Annotated[int, Range(0, 7)]

    @initially
    def starts(self):
        self.flags = 3

    @process(Cpu)
    def task(self, cpu):
        with self.cpus.task(cpu), self.lock(cpu):
            require(self.flags & 1)
            yield "spin_unlock"
            self.flags &= ~1

    @process(Cpu)
    def timer(self, cpu):
        with self.cpus.softirq(cpu):
            require(self.flags & 1)
            yield "spin_lock"
            self.lock.acquire(cpu)
            yield "spin_unlock"
            self.lock.release(cpu)
'''


def test_who_waits_for_what_beside_whom(tmp_path: Path) -> None:
    """A wait without an end tells who else waits; a deadlock tells each thing once, and of what has not begun no label."""
    file = tmp_path / "waits.py"
    file.write_text(WAITS)
    stuck = check(f"{file}:Waits", properties=["no-stuck"]).trace
    assert stuck is not None
    assert Story(stuck).sentence == (
        'task of cpu0 waits at "spin_unlock" until not cpus.softirq.inside[cpu0], and that never comes, whatever else happens. '
        'Beside it, timer of cpu0 waits at "spin_lock" until lock.holder is None.'
    )
    wait = "until flags in (1, 3, 5, 7)"
    ends = replace(stuck, property="no-deadlock", clause=None, witness=None, steps=())
    state = tuple(0 if s.var == "flags" else code for s, code in zip(stuck.instance.slots, stuck.initial, strict=True))
    sentence = Story(replace(ends, initial=state)).sentence
    assert sentence.endswith(f"final. task of cpu0 cannot begin {wait}. timer of cpu0 cannot begin {wait}.")
    begins = Waiting("flush", {"cpu": "cpu0"}, "start", True, ("on",))
    assert sentences([begins, replace(begins, who={"cpu": "cpu1"}), replace(begins, begins=False, label="waits")]) == [
        "flush of cpu0 and flush of cpu1 cannot begin until on.",
        'flush of cpu0 waits at "waits" until on.',
    ]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("not any(self.pending[o] for o in Cpu if o is not cpu)", "not pending[cpu1]"),
        ("all(not self.pending[o] for o in Cpu if o is not cpu)", "not pending[cpu1]"),
        ("not (self.off[cpu] or self.pending[cpu])", "not pending[cpu0]"),
    ],
)
def test_a_wait_is_told_by_those_for_whom_it_does_not_hold(condition: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "asks.py"
    file.write_text(ASKS.replace("CONDITION", condition))
    trace = check(f"{file}:Asks").trace
    assert trace is not None and f'flush of cpu0 waits at "waits" until {text}' in Story(trace).sentence, Story(trace).sentence


ASKS = """
from flushproof.model.hardware import Cpu
from flushproof.model.language import *


class Asks(System):
    pending: Map[Cpu, bool]
    off: Map[Cpu, bool]

    @process(Cpu)
    def flush(self, cpu):
        yield "asks"
        self.pending[...] = True
        yield "waits"
        require(CONDITION)
"""


def test_mermaid_has_a_lifeline_for_each_cpu_and_a_note_for_each_step() -> None:
    lines = mermaid(handmade.trace()).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert lines[1:4] == ["    participant cpu0", "    participant vmid1", "    Note over cpu0: " + lines[3].partition(": ")[2]]
    assert sum(line.startswith("    Note over") for line in lines) == 6
    assert all(";" not in re.sub(r"#\w+;", "", line) for line in lines), "a semicolon ends a Mermaid statement"


def test_mermaid_escapes_what_would_end_a_note() -> None:
    trace = handmade.trace()
    action = replace(handmade.PUT, doc="put; drop #1 <now>")
    system = replace(trace.instance.system, actions=(handmade.LOAD, action, handmade.RENUMBER))
    made = replace(trace, instance=Instance(system, trace.instance.sizes))
    assert "put#59; drop #35;1 #lt;now#gt;" in mermaid(made)
