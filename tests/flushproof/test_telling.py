"""What a row of a trace says, and which steps share one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flushproof.model.ir import BOOL, EnumSort, IntSort, OptionSort, Scalarset, StateVar, View
from flushproof.model.ir.instance import Instance, Slot
from flushproof.model.ir.trace import Trace

from flushproof import check
from flushproof.cli import main
from flushproof.report.actors import Actor
from flushproof.report.caches import cached
from flushproof.report.locations import locations
from flushproof.report.telling import Act, Told, beginning, by, tell
from flushproof.report.trace import FIXED, Look, _Column, _height, _shorter, _widths, lines, trace_text, wrapped
from flushproof.report.words import Story, by_whom

from . import handmade

SYSTEM = '''
"""Rows."""
from typing import Annotated, Optional

from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Thread(Sort):
    """A thread."""


class Page(Sort, size=2):
    """A page."""


class Rows(System):
    """Two CPUs."""

    sizes = {Cpu: 2, Thread: 1}
    running: Map[Cpu, Optional[Thread]]
    refs: Map[Page, Annotated[int, Range(0, 3)]]
    mask: Map[Cpu, Cpu, bool]
    ready: Map[Cpu, bool]
    seen: Ghost[Map[Page, bool]]
    done: Annotated[int, Range(0, 3)]

    def put(self, cpu, page, count):
        yield "drops a reference"
        self.refs[page] = count
        self.seen[page] = True

    @process(Cpu)
    def task(self, cpu):
        yield "begins"
        yield "is ready"
        require(all(self.done == 0 for c in Cpu))
        self.ready[cpu] = True
        yield "gets a page"
        require(all(self.ready[c] for c in Cpu) and self.done == 0)
        page = choose(Page)
        count = 2
        self.done = 1
        yield "looks"
        if self.refs[page] == 0:
            count = 1
        yield from self.put(cpu, page, count)
        yield "sends"
        for c in Cpu:
            self.mask[cpu, c] = self.refs[page] == 1
        self.done = 2

    @process(Cpu)
    def interrupt(self, cpu):
        yield "an interrupt comes"
        require(self.done == 2 and self.mask[cpu, cpu])
        self.done = 3

    @process(Thread)
    def worker(self, thread):
        yield "runs"
        cpu = choose(Cpu)
        require(self.running[cpu] is None and self.done == 3)
        self.running[cpu] = thread
        yield "works"
        on = choose(Cpu, where=lambda c: self.running[c] == thread)
        self.mask[on, on] = False

    @invariant("nobody works")
    def never(self):
        return self.done != 3 or not any(self.seen[page] for page in Page)

    @invariant("nobody is idle")
    def idle(self):
        return self.done != 3 or any(self.mask[c, c] for c in Cpu)
'''


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.py"
    path.write_text(SYSTEM)
    return path


@pytest.fixture(scope="module")
def trace(file: Path) -> Trace:
    found = check(f"{file}:Rows", properties=["never"]).trace
    assert found is not None
    return found


def row(told: list[Told], words: str) -> Told:
    return next(r for r in told if any(act.words.endswith(words) for act in r.acts))


# --------------------------------------------------------------------------------------------------------- who, and what


def test_processes_of_one_actor_are_told_apart(trace: Trace) -> None:
    told = tell(Story(trace))
    assert {act.by for r in told for act in r.acts if act.actor == "cpu0"} == {"task", "interrupt"}
    assert {act.by for r in told for act in r.acts if act.actor == "cpu1"} == {""}, "only one acts there"
    text = trace_text(trace, Look(120))
    assert "task: looks" in text and "interrupt: an interrupt comes" in text
    assert "cpu0 task: looks" in trace_text(trace, Look(60))


def test_words_that_begin_with_their_process_do_not_have_it_before_them(trace: Trace) -> None:
    story = Story(trace)
    begins = next(row for row in story.rows if row.process == "task")
    for words, said in (("Task: begins", ""), ("task() begins", ""), ("tasks begin", "task"), ("begins", "task")):
        assert by(story, replace(begins, words=words)) == said


def test_a_process_on_a_cpu_is_told_by_its_element(file: Path) -> None:
    found = check(f"{file}:Rows", properties=["idle"]).trace
    assert found is not None
    last = tell(Story(found))[-1]
    assert [(act.by, act.words) for act in last.acts] == [("thread0", "works")]
    assert last.acts[0].actor.startswith("cpu")


def test_what_decided_a_step_stands_before_what_it_changes(trace: Trace) -> None:
    told = tell(Story(trace))
    assert row(told, "looks").news == ("reads refs[page0] = 0",)
    assert row(told, "gets a page").news == ("done = 1", "page = page0"), "what made it possible is not told"
    everything = tell(Story(trace), every_step=True)
    assert row(everything, "gets a page").reads == ("ready[all] = True", "done = 0")


def test_locals_with_their_default_and_copies_of_helpers_are_not_told(trace: Trace) -> None:
    told = tell(Story(trace))
    assert row(told, "drops a reference").news == ("refs[page0] = 1",)
    names = {line.partition(" ")[0] for r in told for line in r.changes}
    assert names == {"ready[all]", "done", "page", "refs[page0]", "mask[cpu0,"}
    assert "page" not in {line.partition(" ")[0] for line in row(told, "looks").changes}, "put() is given it as its own"


def test_an_element_that_the_row_names_anyway_is_no_news_of_a_local(tmp_path: Path) -> None:
    """The words name it, or it is the only one of its sort in what else changes; else the local says which one it is."""
    file = tmp_path / "named.py"
    file.write_text(NAMED)
    found = check(f"{file}:Named").trace
    assert found is not None
    told = tell(Story(found), every_step=True)
    assert row(told, "takes page0").changes == ()
    assert row(told, "gives another one away").changes == ("owner = page1",)
    assert row(told, "gets one back").changes == ("busy[page1] = True", "owner = page0", "back = page0")


NAMED = '''
"""A process and what it keeps."""
from typing import Annotated, Optional

from flushproof.model.language import *


class Page(Sort, size=2):
    """A page."""


class Named(System):
    """One process."""

    busy: Map[Page, bool]
    owner: Optional[Page]
    done: bool

    @process()
    def runs(self):
        yield "takes {page}"
        page = choose(Page)
        yield "gives another one away"
        other = choose(Page, where=lambda p: p != page)
        self.owner = other
        yield "gets one back"
        back = choose(Page, where=lambda p: p != other)
        self.busy[other] = True
        self.owner = back
        yield "ends"
        require(not self.busy[back] and self.busy[other] and not self.busy[page])
        self.done = True

    @invariant("it is done")
    def never(self):
        return not self.done or self.owner is None
'''


def test_a_mask_is_one_change(trace: Trace) -> None:
    assert row(tell(Story(trace)), "sends").changes[0] == "mask[cpu0, all] = True"


def test_what_only_properties_see_is_told_on_request(trace: Trace) -> None:
    assert not any("seen" in line for r in tell(Story(trace)) for line in r.changes)
    assert any("seen[page0] = True" in line for r in tell(Story(trace), every_step=True) for line in r.changes)


ENTERS = '''
from flushproof.model.hardware import Cpu, Execution
from flushproof.model.language import *


class Enters(System):
    """A CPU in the kernel."""

    cpus = Execution()
    done: bool

    @process(Cpu)
    def syscall(self, cpu):
        yield "enters"
        with self.cpus.task(cpu):
            yield "returns"
            self.done = True

    @invariant("done")
    def never(self):
        return not self.done
'''


def test_that_the_kernel_is_entered_and_left_is_told_on_request(tmp_path: Path) -> None:
    (tmp_path / "enters.py").write_text(ENTERS)
    trace = check(f"{tmp_path / 'enters.py'}:Enters").trace
    assert trace is not None
    assert [line for row in tell(Story(trace)) for line in row.changes] == ["done = True"]
    every = [line for row in tell(Story(trace), every_step=True) for line in row.changes]
    assert [line for line in every if "task.inside" in line] == [
        "cpus.task.inside[cpu0] = True",
        "cpus.task.inside[cpu0] = False",
    ]


# -------------------------------------------------------------------------------------------------------------- folding


IN_TURN = '''
"""What a step wrote, and in which order."""
from typing import Annotated

from flushproof.model.language import *


class Cpu(Sort, size=2):
    """A CPU."""


class Slot(Sort, size=2):
    """A slot of an allocator."""


class InTurn(System):
    """Slots are swept, in any order."""

    swept: Annotated[Map[Slot, bool], View("inside", "the sweep")]
    left: Map[Cpu, bool]
    second: Map[Cpu, bool]
    first: Map[Cpu, bool]
    shared: bool

    def sweep(self):
        yield "sweeps {slot}"
        slot = choose(Slot, where=lambda s: not self.swept[s])
        self.swept[slot] = True

    @process(Cpu)
    def work(self, cpu):
        yield "writes"
        self.first[cpu] = True
        self.second[cpu] = True
        self.shared = True
        yield "reads {cpu}"
        if self.second[cpu] and self.shared:
            self.left[cpu] = True
        yield "writes again"
        require(self.left[cpu])
        if self.first[cpu]:
            self.left[cpu] = False
        while any(not self.swept[slot] for slot in Slot):
            yield from self.sweep()

    @invariant("not all are swept")
    def never(self):
        return any(not self.swept[slot] for slot in Slot)
'''


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> Story:
    path = tmp_path_factory.mktemp("in_turn") / "in_turn.py"
    path.write_text(IN_TURN)
    found = check(f"{path}:InTurn").trace
    assert found is not None
    return Story(found)


def test_what_the_step_before_wrote_is_not_read_out_again(in_turn: Story) -> None:
    """Of the same process, that is: what stands in the row above.  What was written earlier is."""
    _, reads, again, *_ = tell(in_turn)
    assert reads.reads == () and reads.changes == ("left[cpu0] = True",)
    assert again.reads == ("first[cpu0] = True",)
    every = tell(in_turn, every_step=True)
    assert every[1].reads == ("second[cpu0] = True", "shared = True")


def test_how_far_code_has_come_is_told_by_its_steps(in_turn: Story) -> None:
    told = tell(in_turn)
    assert [act.words for row in told for act in row.acts][-2:] == ["sweeps slot0", "sweeps slot1"]
    assert not any("swept" in line for row in told for line in row.news)
    assert any("swept[slot0] = True" in row.changes for row in tell(in_turn, every_step=True))


def test_the_same_step_of_several_actors_is_one_row(trace: Trace) -> None:
    told = tell(Story(trace))
    assert [(r.number, [act.actor for act in r.acts], r.changes) for r in told[:2]] == [
        ("1–2", ["cpu0", "cpu1"], ()),
        ("3–4", ["cpu0", "cpu1"], ("ready[all] = True",)),
    ]


def test_a_cycle_begins_with_a_row_of_its_own(trace: Trace) -> None:
    told = tell(Story(replace(trace, cycle=1)))
    assert [r.number for r in told[:3]] == ["1", "2", "3–4"]


def test_every_step_has_a_row_of_its_own_on_request(trace: Trace) -> None:
    assert [r.number for r in tell(Story(trace), every_step=True)] == [str(n + 1) for n in range(len(trace.steps))]


def test_no_step_is_lost_and_at_most_one_in_a_row_has_news(trace: Trace) -> None:
    story = Story(trace)
    told, alone = tell(story), tell(story, every_step=True)
    assert [n for r in told for n in range(r.first, r.last + 1)] == list(range(1, len(trace.steps) + 1))
    assert sorted(a.words for r in told for a in r.acts) == sorted(a.words for r in alone for a in r.acts)


def test_a_step_without_news_shares_the_row_of_its_process(tmp_path: Path) -> None:
    file = tmp_path / "quiet.py"
    file.write_text(QUIET)
    found = check(f"{file}:Quiet", properties=["never"]).trace
    assert found is not None
    told = tell(Story(found))
    assert [(r.number, [a.words for a in r.acts], r.changes) for r in told] == [
        ("1–3", ["DSB", "ISB", "stores"], ("value = 1",)),
        ("4", ["stores again"], ("value = 2",)),
    ], "what breaks the property stands alone"
    text = trace_text(found, Look(60))
    assert "cpu0: DSB; then ISB; then stores" in text


QUIET = """
from typing import Annotated

from flushproof.model.language import *


class Cpu(Sort):
    "A CPU."


class Quiet(System):
    "Steps in which nothing happens."

    sizes = {Cpu: 1}
    value: Annotated[int, Range(0, 3)]

    @process(Cpu)
    def run(self, cpu):
        yield "DSB"
        yield "ISB"
        yield "stores"
        self.value = 1
        yield "stores again"
        self.value = 2

    @invariant("two")
    def never(self):
        return self.value != 2
"""


@pytest.mark.parametrize("form", ["text", "json", "mermaid", "html", "mail", "markdown"])
def test_what_is_wrong_from_the_start_has_no_steps_and_is_told_all_the_same(tmp_path: Path, form: str) -> None:
    file = tmp_path / "quiet.py"
    file.write_text(QUIET.replace("self.value != 2", "self.value != 0"))
    for width in ("60", "120"):
        done = CliRunner().invoke(main, ["check", f"{file}:Quiet", "--format", form], env={"COLUMNS": width})
        assert done.exit_code == 1 and "two" in done.stdout, done.output
    found = check(f"{file}:Quiet").trace
    assert found is not None and not found.steps
    assert [trace_text(found, Look(width)).split("\n") for width in (40, 120)] == [["  ✗  two.", "     At the end: value = 0."]] * 2


def test_lines_name_each_actor_once() -> None:
    takes = (Act(cpu, "", f"{cpu} takes the IPI", said=True) for cpu in ("cpu0", "cpu1"))
    acts = (*takes, Act("cpu1", "task", "waits"))
    text = lines([Told(1, 3, acts, (), (), ())], Look(60))
    assert text.splitlines() == ["  1–3  cpu0 takes the IPI", "       cpu1 takes the IPI", "       cpu1 task: waits"]


@pytest.mark.parametrize(
    ("sort", "actor", "words", "said"),
    [
        ("Cpu", "cpu0", "cpu0, which is idle, goes offline", True),
        ("Cpu", "cpu0", "vcpu0 on cpu0 uses an entry", True),
        ("Cpu", "cpu0", "a fault on cpu0: reads the entry", True),
        ("Cpu", "cpu0", "waits for cpu0", False),
        ("Cpu", "cpu0", "cpu01 is waited for", False),
        ("Gfn", "gfn0", "a device writes to gfn0", True),
        ("Gfn", "gfn0", "a device writes to gfn01", False),
        (None, "system", "leaves the system", False),
    ],
)
def test_words_that_say_who_acts_are_told_without_that(sort: str | None, actor: str, words: str, said: bool) -> None:
    assert by_whom(Actor(sort, actor), words) == (words if said else f"{actor}: {words}")
    (line,) = lines([Told(1, 1, (Act(actor, "", words, said),), (), (), ())], Look(60)).splitlines()
    assert line == f"  1  {by_whom(Actor(sort, actor), words)}"


MOVES = '''
from flushproof.model.hardware import Cpu, Execution, Page, Tasks, Thread
from flushproof.model.language import *


class Moves(System):
    """A thread that uses one name for two things."""

    sizes = {Cpu: 1, Thread: 1, Page: 2}
    cpus = Execution()
    tasks = Tasks(cpus)
    taken: Map[Page, bool]
    number: Annotated[int, Range(0, 3)]
    mapped: Map[Page, bool]
    enabled: bool

    @initially
    def boots(self):
        self.mapped[...] = True
        self.enabled = True

    @process(Thread)
    def run(self, thread):
        """enters"""
        with self.tasks(thread):
            yield "looks"
            yield "takes {it}"
            it = choose(Page)
            self.number = 3
            yield "gives it back"
            self.taken[it] = True
            it = 1 if self.enabled else 0
            yield "counts"
            self.number = it
            check("few", self.number < 1, "{thread} counts too far")
            yield "ends"
            self.mapped[...] = False
            self.enabled = False

    @invariant("nothing is mapped")
    def something(self):
        return self.enabled or self.number == 2 or any(self.mapped[page] or self.taken[page] for page in Page)
'''


def test_a_thread_that_checks_on_its_way(tmp_path: Path) -> None:
    """What any step of a row names is named; a local that is two variables has one name; who checks is told; what was so at the
    start holds together."""
    file = tmp_path / "moves.py"
    file.write_text(f"from typing import Annotated\n{MOVES}")
    found = check(f"{file}:Moves").trace
    assert found is not None
    told = tell(Story(found))
    assert [([str(act) for act in row.acts], row.changes) for row in told[1:]] == [
        (["thread0: enters", "thread0: looks", "thread0: takes page0"], ("number = 3",)),
        (["thread0: gives it back"], ("taken[page0] = True", "it = 1")),
        (["thread0: counts"], ()),
    ]
    assert told[-1].event and not any(fact.left.slot.var == "run.pc" for fact in Story(found).rows[-1].reads)
    for width in range(40, 60):
        start = trace_text(found, Look(width)).partition("\n\n")[0].splitlines()
        assert all(any(value in line for line in start) for value in ("mapped[all] = True", "enabled = True")), width


def test_long_is_an_option_of_whoever_shows_traces(file: Path, tmp_path: Path) -> None:
    saved = tmp_path / "trace.json"
    run = CliRunner().invoke
    short = run(main, ["check", f"{file}:Rows", "--property", "never", "--save", str(saved)]).stdout
    for args in (["check", f"{file}:Rows", "--property", "never"], ["trace", str(saved)]):
        long = run(main, [*args, "--long"]).stdout
        assert "1–2" in short and "1–2" not in long and "seen[page0] = True" in long


# --------------------------------------------------------------------------------------------------- locations and caches

CPU, PAGE = Scalarset("Cpu"), Scalarset("Page")


def instance(*variables: StateVar) -> Instance:
    system = replace(handmade.system(), sorts=(CPU, PAGE), variables=variables, actions=())
    return Instance(system, {"Cpu": 3, "Page": 2})


@pytest.mark.parametrize(
    ("indices", "alike", "written"),
    [
        ([(0, 0)], [(0, 0)], ["m[cpu0, page0]"]),
        ([(0, 0), (2, 0)], [(0, 0), (2, 0)], ["m[{cpu0, cpu2}, page0]"]),
        ([(0, 0), (2, 0)], [(0, 0), (1, 0), (2, 0)], ["m[all, page0]"]),
        ([(1, 0), (1, 1)], [(1, 0), (1, 1)], ["m[cpu1, all]"]),
        ([(0, 0), (1, 1)], [(0, 0), (1, 1)], ["m[cpu0, page0]", "m[cpu1, page1]"]),
        ([(0, 0), (1, 0), (2, 1)], [], ["m[{cpu0, cpu1}, page0]", "m[cpu2, page1]"]),
        ([(1, 0)], [(0, 0), (1, 0), (2, 0)], ["m[cpu1, page0]"]),
    ],
)
def test_locations_are_written_as_few(indices: list[tuple[int, ...]], alike: list[tuple[int, ...]], written: list[str]) -> None:
    var = StateVar("m", (CPU, PAGE), BOOL)
    assert locations(instance(var), var, indices, alike) == written


def test_whole_maps_are_all_in_each_place() -> None:
    var = StateVar("m", (CPU, PAGE), BOOL)
    made = instance(var)
    whole = [slot.index for slot in made.slots]
    assert locations(made, var, whole, whole) == ["m[all, page0]", "m[all, page1]"]
    assert locations(made, StateVar("x", (), BOOL), [()], [()]) == ["x"]


ONE = EnumSort("One", ("ONLY",))
VM = Scalarset("Page")


@pytest.mark.parametrize(
    ("index", "sort", "view", "entry"),
    [
        ((CPU, PAGE), BOOL, View("cache", "TLB", tag=1), "page1"),
        ((CPU, PAGE), BOOL, View("cache", "TLB"), "page1"),
        ((CPU, PAGE, VM), BOOL, View("cache", "TLB", tag=1), "page1 → page1"),
        ((CPU, PAGE, VM), BOOL, View("cache", "TLB", tag=1, by=(2,)), "page1, by page1"),
        ((CPU, PAGE, PAGE, VM), BOOL, View("cache", "TLB", tag=2, by=(3,)), "page1 page1, by page1"),
        ((CPU, PAGE, VM), BOOL, View("cache", "TLB", holds=("stage 1", "stage 2")), "stage 1 page1, stage 2 page1"),
        ((CPU, PAGE), OptionSort(IntSort(4, 6)), View("cache", "TLB", tag=1), "page1 → 4"),
        ((CPU, ONE, PAGE), BOOL, View("cache", "TLB", tag=1), "page1"),
    ],
)
def test_an_entry_shows_its_tag_what_it_holds_and_who_made_it(
    index: tuple[Scalarset, ...], sort: OptionSort, view: View, entry: str
) -> None:
    made = instance(StateVar("entry", index, sort, view=view))
    state = [0] * len(made.slots)
    state[made.slot("entry", (2, *(made.cardinality(s) - 1 for s in index[1:])))] = 1
    assert cached(made, tuple(state)) == {("cpu0", "TLB"): [], ("cpu1", "TLB"): [], ("cpu2", "TLB"): [entry]}


def test_a_cache_is_what_says_so_and_no_ghost() -> None:
    view = View("cache", "TLB")
    made = instance(StateVar("tlb.entry", (CPU,), BOOL), StateVar("own", (CPU,), BOOL, kind="ghost", view=view))
    assert cached(made, (0,) * len(made.slots)) == {}


FREES = '''
from typing import Annotated

from flushproof.model.hardware import Cpu, Page
from flushproof.model.language import *


class Frees(System):
    """A page is freed that another CPU has in its TLB."""

    cached: Annotated[Map[Cpu, Page, bool], View("cache", "TLB", tag=1)]

    @initially
    def start(self):
        self.cached[...] = True

    @process(Cpu)
    def unmap(self, cpu):
        yield "flushes"
        page = choose(Page)
        self.cached[cpu, page] = False
        yield "frees"
        check("gone", all(not self.cached[c, page] for c in Cpu), "{page} is freed, and cached")
'''


def test_the_last_row_shows_the_caches_that_a_check_asks_for(tmp_path: Path) -> None:
    (tmp_path / "frees.py").write_text(FREES)
    trace = check(f"{tmp_path / 'frees.py'}:Frees").trace
    assert trace is not None
    last = tell(Story(trace))[-1]
    (actor,) = {act.actor for act in last.acts}
    gone = Story(trace).sentence.split()[0]
    other, kept = ("cpu1" if actor == "cpu0" else "cpu0"), ("page1" if gone == "page0" else "page0")
    assert {(e.whose, e.texts) for e in last.caches} == {("all", (kept,)), (other, (gone,))}


def test_an_invariant_says_what_it_read_that_the_last_row_does_not_show(tmp_path: Path) -> None:
    """Entries of caches are in the last row, and of what the last step wrote that is shown as well."""
    for both in (True, False):
        (tmp_path / "maps.py").write_text(MAPS if both else MAPS.replace("self.mapped[a] == self.mapped[b] or ", ""))
        trace = check(f"{tmp_path / 'maps.py'}:Maps").trace
        assert trace is not None
        story = Story(trace)
        assert story.rests_on == (("mapped[cpu0] frame0 ≠ mapped[cpu1] frame1",) if both else ())
        assert ("At the end: " in trace_text(trace, Look(100))) == both
        assert tell(story)[-1].caches


MAPS = '''
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu
from flushproof.model.language import *


class Frame(Sort, size=2):
    "A frame."


class Maps(System):
    """CPUs map frames."""

    mapped: Map[Cpu, Optional[Frame]]
    cached: Annotated[Map[Cpu, Frame, bool], View("cache", "TLB", tag=1)]

    @action
    def maps(self, cpu: Cpu, frame: Frame):
        """{cpu} maps {frame}"""
        self.mapped[cpu] = frame
        self.cached[cpu, frame] = True

    @invariant("{a} has {frame}, and {b} has it too")
    def apart(self):
        return all(
            self.mapped[a] == self.mapped[b] or not self.cached[a, frame]
            for a in Cpu for b in Cpu for frame in Frame
            if self.mapped[a] is not None and self.mapped[b] is not None
        )
'''


def test_reads_and_changes_stand_in_the_order_of_the_code(tmp_path: Path) -> None:
    """Not in that of the declarations; a way that leaves early asks less."""
    (tmp_path / "ordered.py").write_text(ORDERED)
    trace = check(f"{tmp_path / 'ordered.py'}:Ordered").trace
    assert trace is not None
    told = tell(Story(trace))
    assert row(told, "asks").reads == ("b = False", "a = False", "c = False")
    assert row(told, "asks").changes == ("c = True", "a = True", "b = True")


ORDERED = '''
from flushproof.model.language import *


class Ordered(System):
    """What is asked and written is declared in another order."""

    a: bool
    b: bool
    c: bool

    @action
    def act(self):
        """asks"""
        if self.b:
            self.a = False
            return
        if self.a:
            return
        if not self.c:
            self.c = True
            self.a = True
            self.b = True

    @invariant("it is done")
    def never(self):
        return not self.a
'''


def test_a_flush_that_misses_says_where_its_target_was_read(tmp_path: Path) -> None:
    """Not where it drops something, and not of a local, whose value the row before told; locals stand in the order of the code."""
    (tmp_path / "aimed.py").write_text(AIMED)
    trace = check(f"{tmp_path / 'aimed.py'}:Aimed").trace
    assert trace is not None
    told = tell(Story(trace))
    assert [line.split()[0] for line in row(told, "begins").changes] == ["to", "also"]
    assert [read.split()[0] for read in row(told, "flushes the one loaded").reads] == ["vttbr[cpu0]"]
    assert not told[-1].reads


AIMED = '''
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu
from flushproof.model.language import *


class Vm(Sort):
    "A VM."


class Aimed(System):
    """A flush goes to the VM whose VTTBR is loaded."""

    sizes = {Cpu: 1}
    vttbr: Map[Cpu, Optional[Vm]]
    tlb: Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", tag=1)]

    @process(Cpu)
    def flush(self, cpu):
        """begins"""
        to = choose(Vm)
        also = choose(Vm, where=lambda vm: vm is not to)
        yield "loads VTTBR"
        self.vttbr[cpu] = to
        self.tlb[cpu, also] = True
        yield "waits"
        yield "flushes the one loaded"
        self.tlb[:, self.vttbr[cpu]] = False
        yield "flushes {to}"
        self.tlb[:, to] = False
        yield "ends"

    @invariant("{cpu} has an entry of {vm} at the end")
    def flushed(self):
        return all(not self.tlb[cpu, vm] for cpu in Cpu for vm in Vm if at(self.flush, cpu, "ends"))
'''


def test_locals_of_one_name_are_told_apart_where_they_differ(tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(TWICE)
    trace = check(f"{tmp_path / 'twice.py'}:Twice").trace
    assert trace is not None
    told = tell(Story(trace), every_step=True)
    assert row(told, "asks").changes == ("count = 2",)
    assert row(told, "counts").changes == ("inner.count = 3",)
    assert row(told, "compares").reads == ("inner.count = 3",)
    assert row(told, "compares").changes == ("seen = 3",)
    assert row(told, "ends").changes == ("done = True",)


TWICE = '''
from typing import Annotated

from flushproof.model.language import *


class Twice(System):
    """A function and its caller have a local of one name."""

    seen: Annotated[int, Range(0, 3)]
    done: bool

    @initially
    def one(self):
        self.seen = 1

    def inner(self):
        yield "counts"
        count = self.seen + 2
        yield "compares"
        if count == 3:
            self.seen = count

    @process()
    def runs(self):
        yield "asks"
        count = self.seen + 1
        yield from self.inner()
        yield "ends"
        self.done = count == 2

    @invariant("it is done")
    def never(self):
        return not self.done
'''


def test_what_comes_into_caches_and_goes_is_marked() -> None:
    story = Story(handmade.trace())
    told = tell(story)
    assert [str(entry).replace(FIXED, " ") for entry in told[0].caches] == ["cpu0 TLB: + vmid1, by vcpu0"]
    assert [str(entry).replace(FIXED, " ") for entry in told[-1].caches] == ["cpu0 TLB: vmid1, by vcpu0; vmid1, by vcpu1"]
    first = replace(handmade.trace(), initial=handmade.trace().steps[0].state)
    assert "cpu0 TLB: vmid1, by vcpu0" in [line.replace(FIXED, " ") for line in beginning(Story(first))]
    gone = Story(replace(first, steps=(replace(first.steps[1], state=handmade.trace().initial),)))
    assert Slot("running", (0,), OptionSort(handmade.VCPU)) in [c.slot for c in gone.start]


# ------------------------------------------------------------------------------------------------------------- wrapping


def test_words_end_lines_and_names_never_break() -> None:
    text = "interrupts.called[cpu1, cpu0] = True and set_tlbflush_timestamp_and_more_of_it"
    for width in range(10, 60):
        lines = wrapped(text, width, "  ").splitlines()
        assert " ".join(line.strip() for line in lines) == text
        assert not any("_" in line and "timestamp_and_more_of_it" not in line for line in lines)
        held = [line for line in lines if "cpu1" in line]
        assert width < len("interrupts.called[cpu1, cpu0]") + 2 or "[cpu1, cpu0]" in held[0]


def test_the_sign_of_an_entry_stays_with_it() -> None:
    entry = "+ stage 1 OLD".replace(" ", FIXED)
    assert wrapped(f"cpu1 TLB: {entry}", 11, "  ").splitlines() == ["cpu1 TLB:", "  + stage 1", "  OLD"]


def test_what_a_step_read_is_one_paragraph_whose_comparisons_hold_together() -> None:
    read = ("vmid_gen[vm0] 1 ≠ kvm_vmid_gen 2", "used[all] = True", "mask[cpu0, cpu1] = False")
    told = [Told(1, 1, (Act("cpu0", "", "looks"),), read, ("done = True",), ())]
    for width in range(45, 100):
        text = lines(told, Look(width))
        assert all(any(part in line for line in text.splitlines()) for part in read), width
        assert text.split().count("reads") == 1 and text.splitlines()[-1].strip() == "done = True"


def test_room_goes_to_the_column_that_needs_it() -> None:
    paint = [Look().paint()] * 11
    one = _Column("one", [["word " * 12], *[["x"]] * 10], paint)
    many = _Column("many", [["y"], *[["word " * 10]] * 10], paint)
    even = _widths([one, many], 80, 10)
    assert even is not None
    better = _shorter([one, many], even, 80, 10)
    assert sum(better) <= 80 and _height([one, many], better) < _height([one, many], even)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_narrow_terminals_get_lines(trace: Trace, width: int) -> None:
    text = trace_text(trace, Look(width))
    assert "--  --" not in text and "what it reads" not in text
    assert "--  --" in trace_text(trace, Look(81 + 20))
