"""What is told of a step besides what it changes: who takes it, where it stands, what it read, what else was possible."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flushproof.model.ir import BOOL, Expr, IntSort, Less, Lit, Plus, Quant, Read, Scalarset, StateVar, Var
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import and_, eq, not_, or_
from flushproof.model.ir.trace import Trace

from flushproof import check
from flushproof.cli import main
from flushproof.report.news import comparison, reads
from flushproof.report.reads import Fact, Reader
from flushproof.report.telling import tell
from flushproof.report.words import Story

from . import handmade

SYSTEM = '''
"""Threads that flush."""
from typing import Annotated, Optional

from flushproof.model.language import *


class Cpu(Sort):
    """A CPU."""


class Thread(Sort):
    """A thread, which runs on any CPU."""


class Generation(Counter):
    """Of page tables."""


class Threads(System):
    """A thread runs where it was put, and flushes if it must."""

    sizes = {Cpu: 2, Thread: 2}
    running: Map[Cpu, Optional[Thread]]
    tlb_gen: Generation
    seen: Map[Cpu, Generation]
    mask: Map[Cpu, bool]
    refs: Annotated[int, Range(0, 3)]
    done: Map[Thread, bool]

    def cpu_of(self, thread):
        return choose(Cpu, where=lambda c: self.running[c] == thread)

    @action
    def schedule(self, cpu: Cpu, thread: Thread):
        """{thread} is put on {cpu}"""
        require(self.running[cpu] is None and all(self.running[c] != thread for c in Cpu))
        self.running[cpu] = thread

    @action
    def tick(self):
        """a second passes"""
        require(self.refs < 3)
        self.refs = self.refs + 1

    @process(Thread)
    def flushes(self, thread):
        yield "looks at tlb_gen"
        cpu = self.cpu_of(thread)
        if self.tlb_gen == self.seen[cpu]:
            yield "nothing to flush"
            if any(self.mask[c] for c in Cpu):
                self.refs = 0
            elif self.refs == 2:
                self.done[thread] = True
        else:
            self.seen[cpu] = self.tlb_gen

    @process()
    def reclaims(self):
        yield "reclaims"
        require(self.refs == 1)
        self.mask[choose(Cpu)] = True

    @action
    def unmap(self):
        """tables change"""
        require(self.refs == 3)
        self.tlb_gen = fresh(Generation)

    @invariant("{thread} is done")
    def never(self):
        return all(not self.done[thread] for thread in Thread)
'''


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("threads") / "threads.py"
    path.write_text(SYSTEM)
    return f"{path}:Threads"


@pytest.fixture(scope="module")
def found(spec: str) -> Trace:
    trace = check(spec, properties=["never"]).trace
    assert trace is not None
    return trace


@pytest.fixture(scope="module")
def saved(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("saved") / "trace.json"
    CliRunner().invoke(main, ["check", spec, "--property", "never", "--save", str(file)])
    return json.loads(file.read_text())


def step(saved: Any, text: str) -> Any:
    return next(s for s in saved["trace"] if s["text"] == text)


# --------------------------------------------------------------------------------------------------------------- actors


def test_a_thread_stands_in_the_column_of_the_cpu_that_it_is_on(saved: Any) -> None:
    looks = step(saved, "looks at tlb_gen")
    put = next(s for s in saved["trace"] if s["action"] == "schedule")
    assert looks["actor"] == put["actor"] == {"sort": "Cpu", "name": put["args"]["cpu"]}
    assert (looks["process"], looks["runs"]) == ("flushes", put["args"]["thread"])
    assert looks["cpu"] == put["args"]["cpu"] and put["process"] is None and put["runs"] is None


def test_a_thread_that_does_not_say_where_it_is_has_a_column_of_its_own(saved: Any) -> None:
    last = step(saved, "nothing to flush")
    assert last["actor"]["sort"] == "Thread" and last["cpu"] is None and last["runs"] is None


def test_what_a_part_says_of_where_things_run_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "threads.py"
    plain = "Map[Cpu, Optional[Thread]]"
    file.write_text(SYSTEM.replace(f"running: {plain}", f'running: Annotated[{plain}, View("context", "runs")]'))
    found = check(f"{file}:Threads", properties=["never"]).trace
    assert found is not None
    last = Story(found).rows[-1]
    assert last.actor.sort == "Cpu" and last.runs is not None and last.runs.startswith("thread"), "though it reads no CPU"


def test_where_it_is_not_does_not_say_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "away.py"
    file.write_text(AWAY)
    found = check(f"{file}:Away", properties=["never"]).trace
    assert found is not None
    assert [row.actor.sort for row in Story(found).rows] == ["Thread", "Thread"]


AWAY = """
from flushproof.model.language import *


class Cpu(Sort):
    "A CPU."


class Thread(Sort):
    "A thread."


class Away(System):
    "A thread that is elsewhere."

    sizes = {Cpu: 2, Thread: 1}
    last: Map[Thread, Cpu]
    done: bool

    @process(Thread)
    def away(self, thread):
        yield "begins"
        require(not self.done)
        yield "goes on"
        require(any(self.last[thread] != c for c in Cpu))
        self.done = True

    @invariant("done")
    def never(self):
        return not self.done
"""


def test_what_no_element_does_has_a_name_all_the_same(saved: Any, found: Trace) -> None:
    assert step(saved, "a second passes")["actor"] == {"sort": None, "name": "system"}
    story = Story(found)
    assert story.lanes[0].startswith("cpu") and story.lanes[-1] == "system"
    actors = {other["actor"] for s in saved["trace"] for other in s["enabled"] if other["action"].startswith("reclaims")}
    assert actors == {"reclaims"}


# -------------------------------------------------------------------------------------------------------------- sources


def test_each_step_has_the_line_that_it_starts_with(saved: Any) -> None:
    looks = step(saved, "looks at tlb_gen")
    assert looks["label"] == "looks at tlb_gen"
    number = SYSTEM.splitlines().index("        cpu = self.cpu_of(thread)") + 1
    assert looks["source"] == {"file": "threads.py", "line": number, "code": "cpu = self.cpu_of(thread)"}


def test_a_shipped_system_s_file_is_named_from_the_package_on() -> None:
    done = CliRunner().invoke(main, ["check", "kvm-vcpu-switch", "--policy", "none", "--format", "json"])
    sources = [s["source"] for s in json.loads(done.stdout)["trace"]]
    assert {s["file"] for s in sources} == {
        "flushproof/model/hardware/guest_context.py",
        "flushproof/model/systems/kvm_vcpu_switch.py",
    }
    codes = [s["code"] for s in sources]
    assert "self.enter_guest(cpu, *context)" in codes, "the step of a process is in the file of the function in which it waits"
    assert all(codes)


# ---------------------------------------------------------------------------------------------------------------- reads


def branches(step: Any) -> list[str]:
    return [r["text"] for r in step["reads"] if r["kind"] == "branch"]


def test_what_was_read_where_that_decided_it(saved: Any) -> None:
    looks, last = step(saved, "looks at tlb_gen"), step(saved, "nothing to flush")
    cpu = looks["cpu"]
    assert branches(looks) == [f"tlb_gen 0 = seen[{cpu}] 0"]
    assert looks["reads"][0] == {
        "kind": "guard",
        "text": f"running[{cpu}] = {looks['runs']}",
        "values": {f"running[{cpu}]": looks["runs"]},
    }
    assert branches(last) == ["mask[cpu0] = False", "mask[cpu1] = False", "refs = 2"]


SPARING = """
from typing import Annotated

from flushproof.model.hardware import Cpu
from flushproof.model.language import *


class Sparing(System):
    "Whom to flush, by a comparison whose outcome is kept."

    sizes = {Cpu: 2}
    flushed: Map[Cpu, Annotated[int, Range(0, 3)]]
    stamp: Annotated[int, Range(0, 3)]
    ready: bool
    seen: bool
    mask: Map[Cpu, bool]

    @initially
    def start(self):
        self.stamp = 1

    @process(Cpu)
    def run(self, cpu):
        yield "flushes"
        require(self.flushed[cpu] == 0 and not self.ready)
        self.flushed[cpu] = 2
        self.ready = True
        yield "chooses"
        self.seen = self.ready
        for c in Cpu:
            self.mask[c] = self.flushed[c] <= self.stamp

    @invariant("chosen")
    def never(self):
        return not any(self.mask[c] for c in Cpu)
"""


def test_a_comparison_whose_outcome_is_written_is_read_whatever_it_is_and_a_copy_shows_itself(tmp_path: Path) -> None:
    file = tmp_path / "sparing.py"
    file.write_text(SPARING)
    found = check(f"{file}:Sparing", properties=["never"]).trace
    assert found is not None
    assert tell(Story(found))[-1].reads == ("stamp 1 < flushed[cpu0] 2", "stamp 1 ≥ flushed[cpu1] 0")


def test_a_guard_is_no_branch_and_where_a_process_is_it_knows(saved: Any) -> None:
    assert branches(step(saved, "a second passes")) == []
    assert not any(".pc" in r["text"] for s in saved["trace"] for r in s["reads"])


CPU = Scalarset("Cpu")
cpu = Var("cpu", CPU)
ON = Read("on", (cpu,), BOOL)


def facts(made: Instance, state: tuple[int, ...], *exprs: Any) -> list[Fact]:
    reader = Reader(made, state)
    return list(reader.facts("branch", [atom for e in exprs for atom in reader.deciding(e, {})]))


def test_that_a_lock_was_free_is_no_news(tmp_path: Path) -> None:
    file = tmp_path / "locked.py"
    file.write_text(LOCKED)
    found = check(f"{file}:Locked", properties=["never"]).trace
    assert found is not None
    told = tell(Story(found))
    takes = next(r for r in told if r.acts[0].words == "takes the lock")
    assert takes.changes[0] == "lock.holder = cpu0" and not any("holder" in line for line in takes.reads)
    assert any("lock.holder = None" in line for r in tell(Story(found), every_step=True) for line in r.reads)


@pytest.mark.parametrize(("side", "other"), [("read", "write"), ("write", "read")])
def test_that_readers_and_writer_were_away_is_no_news(side: str, other: str, tmp_path: Path) -> None:
    run, rest = LOCKED[LOCKED.index("    @process") :].split("    @invariant")
    again = run.replace("run", "others").replace("takes the lock", "takes the other side").replace("value = True", "value = False")
    both = f"{run.replace('self.lock', f'self.lock.{side}')}{again.replace('self.lock', f'self.lock.{other}')}"
    file = tmp_path / "shared.py"
    file.write_text(f"{LOCKED.partition('    @process')[0].replace('= Lock()', '= RwLock()')}{both}    @invariant{rest}")
    found = check(f"{file}:Locked", properties=["never"]).trace
    assert found is not None
    takes = next(r for r in tell(Story(found)) if r.acts[0].words == "takes the lock")
    assert takes.reads == () and len(takes.changes) == 1


LOCKED = """
from flushproof.model.hardware import Cpu, Lock, RwLock
from flushproof.model.language import *


class Locked(System):
    "A lock, and what is done under it."

    lock = Lock()
    value: bool

    @process(Cpu)
    def run(self, cpu):
        yield "takes the lock"
        with self.lock(cpu):
            yield "writes"
            self.value = True

    @invariant("written")
    def never(self):
        return not self.value
"""


@pytest.mark.parametrize(
    ("state", "texts"),
    [
        ((0, 0, 2, 0), ["on[cpu0] = False", "on[cpu1] = False"]),
        ((0, 1, 2, 0), ["on[cpu1] = True"]),
        ((1, 1, 2, 0), ["on[cpu0] = True"]),
    ],
)
def test_of_any_and_all_only_what_decides_is_told(state: tuple[int, ...], texts: list[str]) -> None:
    made = numbers()
    for some in (Quant("exists", cpu, ON), not_(Quant("forall", cpu, not_(ON)))):
        assert [comparison(made, f, None) for f in facts(made, state, some)] == texts


def test_comparisons_as_they_came_out() -> None:
    made, sort = numbers(), IntSort(0, 3)
    a, b = Read("a", (), sort), Read("b", (), sort)

    def said(expr: Any, state: tuple[int, ...]) -> list[str]:
        return [comparison(made, f, None) for f in facts(made, (0, 0, *state), expr)]

    assert said(Less(a, b), (1, 2)) == ["a 1 < b 2"]
    assert said(Less(a, b), (2, 1)) == ["a 2 ≥ b 1"]
    assert said(eq(a, b), (2, 1)) == ["a 2 ≠ b 1"]
    assert said(and_(not_(Less(a, b)), not_(eq(a, b))), (2, 1)) == ["a 2 > b 1"]
    assert said(and_(not_(Less(a, b)), eq(a, b)), (1, 1)) == ["a 1 = b 1"]
    assert said(and_(not_(Less(a, b)), not_(Less(b, a))), (1, 1)) == ["a 1 = b 1"], "so is an equality of unlike ranges made"
    assert said(eq(a, Lit(2, sort)), (1, 0)) == ["a = 1"]
    assert said(Less(Lit(0, sort), a), (1, 0)) == ["a 1 > 0"]
    assert said(and_(Less(Lit(0, sort), a), Less(a, Lit(2, sort))), (1, 0)) == ["a = 1"]
    assert said(Less(plus(a, 1), plus(b, -1)), (1, 3)) == ["a 1 + 1 ≥ b 3 - 1"]
    two = Lit(2, sort)
    assert said(and_(not_(Less(plus(a, 1), two)), not_(Less(two, plus(a, 1)))), (1, 0)) == ["a = 1"]
    assert said(or_(Less(a, b), eq(a, Lit(0, sort))), (1, 2)) == ["a 1 < b 2"]
    assert said(and_(Less(a, b), eq(a, Lit(0, sort))), (1, 2)) == ["a = 1"]


def plus(expr: Expr, offset: int) -> Expr:
    return Plus((expr, Lit(offset, IntSort(offset, offset))))


def test_a_value_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "once.py"
    file.write_text(ONCE)
    trace = check(f"{file}:Once").trace
    assert trace is not None
    told = [reads(trace.instance, row, "branch") for row in Story(trace).rows]
    assert told == [["a 0 < b 2"], ["a 1 < b 2"]], "and no comparison of a with 0 besides"


ONCE = """
from typing import Annotated

from flushproof.model.language import *


class Once(System):
    a: Annotated[int, Range(0, 3)]
    b: Annotated[int, Range(0, 3)]

    @initially
    def start(self):
        self.b = 2

    @action
    def grow(self):
        if self.a < self.b:
            self.a = 1 if self.a == 0 else 2

    @invariant("two")
    def small(self):
        return self.a < 2
"""


def numbers() -> Instance:
    sort = IntSort(0, 3)
    variables = (StateVar("on", (CPU,), BOOL), StateVar("a", (), sort), StateVar("b", (), sort))
    return Instance(replace(handmade.system(), sorts=(CPU,), variables=variables, actions=()), {"Cpu": 2})


# ---------------------------------------------------------------------------------------------------- enabled, and files


def test_what_else_was_possible(saved: Any) -> None:
    first = saved["trace"][0]
    possible = {(other["action"], *other["args"].values()) for other in first["enabled"]} | {
        (first["action"], *first["args"].values())
    }
    assert possible == {("tick",), *(("schedule", c, t) for c in ("cpu0", "cpu1") for t in ("thread0", "thread1"))}
    assert (first["action"], first["args"]) not in [(o["action"], o["args"]) for o in first["enabled"]]


NEW = ("actor", "process", "runs", "label", "source", "reads", "enabled")
NEW_OF_VIOLATION = ("waiting", "repeats_from")


def test_a_file_from_before_there_was_all_this_is_read(saved: Any, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    violation = {k: v for k, v in saved["violation"].items() if k not in NEW_OF_VIOLATION}
    old = {**saved, "trace": [{k: v for k, v in s.items() if k not in NEW} for s in saved["trace"]], "violation": violation}
    file.write_text(json.dumps(old))
    assert CliRunner().invoke(main, ["trace", str(file)]).exit_code == 0
    file.write_text(json.dumps({**old, "trace": [saved["trace"][0], *old["trace"][1:]]}))
    done = CliRunner().invoke(main, ["trace", str(file)])
    assert done.exit_code == 2 and "is not so" in done.stderr


def test_a_comment_more_in_the_system_leaves_its_traces_readable(saved: Any, spec: str, tmp_path: Path) -> None:
    file, moved = tmp_path / "trace.json", tmp_path / "moved.py"
    file.write_text(json.dumps(saved))
    moved.write_text("# A comment.\n" + SYSTEM)
    done = CliRunner().invoke(main, ["trace", str(file), "--system", f"{moved}:Threads", "--format", "json"])
    assert done.exit_code == 0, done.output
    now = step(json.loads(done.stdout), "looks at tlb_gen")["source"]
    assert now == {**step(saved, "looks at tlb_gen")["source"], "file": "moved.py", "line": now["line"]}
    assert now["line"] == step(saved, "looks at tlb_gen")["source"]["line"] + 1


@pytest.mark.parametrize("field", [field for field in NEW if field != "source"])
def test_what_it_says_of_a_step_must_be_so(saved: Any, tmp_path: Path, field: str) -> None:
    file = tmp_path / "forged.json"
    for value in ("cpu7", None, [], {**saved["trace"][1], "more": 1}):
        steps = [dict(s) for s in saved["trace"]]
        if steps[1][field] == value:
            continue
        steps[1][field] = value
        file.write_text(json.dumps({**saved, "trace": steps}))
        done = CliRunner().invoke(main, ["trace", str(file)])
        assert done.exit_code == 2 and "is not so" in done.stderr, done.output
