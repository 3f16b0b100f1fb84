"""The readings start from one source: what Python runs is what is compiled, and Python runs the whole language."""

from __future__ import annotations

import enum
import inspect
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from flushproof.model.language import (
    Counter,
    Map,
    Part,
    Range,
    Sort,
    System,
    action,
    at,
    choose,
    closure,
    fresh,
    initially,
    invariant,
    process,
    require,
)
from flushproof.model.language.core_text import core_class
from flushproof.model.language.declare import NotEnabled, role_of
from flushproof.model.language.load import shipped
from flushproof.model.language.run import Foreign, Machine, Restless, Script, Undefined

from .agree import agreed
from .written import write

SIZES = {"A": 2, "B": 2}


@pytest.mark.parametrize("seed", sorted({*range(31)} - {3}))  # in 3 no step is ever possible
def test_python_and_ir_take_the_same_steps(seed: int, tmp_path: Path) -> None:
    assert agreed(write(seed, tmp_path), sizes=SIZES, steps=100)


@pytest.mark.parametrize(
    ("system", "policy"), [(name, policy) for name, cls in shipped().items() for policy in cls.policies]
)
def test_python_and_ir_take_the_same_steps_in_shipped_systems(system: str, policy: str) -> None:
    assert agreed(shipped()[system], policy, steps=300)


@pytest.mark.parametrize("system", shipped())
def test_python_and_ir_take_the_same_steps_in_the_core_of_shipped_systems(system: str) -> None:
    """Under the knobs' defaults, and under the first policy that promises a violation, if there is one."""
    cls = shipped()[system]
    assert agreed(cls, steps=200, core=True)
    broken = [name for name, policy in cls.policies.items() if policy.expect != "holds"][:1]
    assert all(agreed(cls, name, steps=200, core=True) for name in broken)


@pytest.mark.parametrize("system", shipped())
def test_every_step_of_a_shipped_system_is_run_in_the_core(system: str) -> None:
    """No method of a role is left as it was written, because it could not be rewritten."""
    run = core_class(shipped()[system])
    owners = [run, *(type(part) for part in vars(run).values() if isinstance(part, Part))]
    roles = [m for owner in owners for m in vars(owner).values() if inspect.isfunction(m) and role_of(m) is not None]
    assert roles and all(m.__code__.co_filename.startswith("<core of") for m in roles)


class Cpu(Sort):
    """A CPU."""


class Level(Sort, size=3, ordered=True):
    """A level of a page table."""


class Generation(Counter):
    """A generation."""


class Order(enum.IntEnum):
    HIGH = 2
    LOW = 1


class Lock(Part):
    holder: Optional[Cpu]

    def acquire(self, cpu: Cpu) -> None:
        require(self.holder is None)
        self.holder = cpu

    def release(self, cpu: Cpu) -> None:
        self.holder = None


class Log(Part):
    def __init__(self, *sorts: Any, lock: Lock) -> None:
        self.sorts, self.lock = sorts, lock
        self.entry = Map(Cpu, *sorts, bool)

    @action
    def write(self, cpu: Cpu, *entry: Any) -> None:
        """writes an entry"""
        require(self.lock.holder is cpu)
        self.entry[cpu, *entry] = True


LOCK = Lock()


class Everything(System):
    """One of each."""

    lock = LOCK
    log = Log(Level, lock=LOCK)
    other = Log(bool, lock=LOCK)
    level: Level
    depth: Map[Level, Annotated[int, Range(0, 2)]]
    order: Order
    given: Map[bool, bool]
    now: Generation
    seen: Map[Cpu, Optional[Generation]]
    one: bool
    two: bool
    ran: bool

    @initially
    def start(self) -> None:
        self.level = 1
        self.depth[2] = 2

    @action
    def rise(self, cpu: Cpu) -> None:
        """{cpu} rises"""
        require(self.level < 2 and self.level != 2)
        self.level = 2

    @action
    def beyond(self) -> None:
        """a level that does not exist"""
        self.level = 3

    @action
    def strange(self) -> None:
        """what is no level"""
        self.level = True

    @action
    def every_truth(self) -> None:
        """for q in bool"""
        for q in bool:
            self.given[q] = all(p in (True, False) for p in bool)

    @action
    def compare(self, order: Order) -> None:
        """{order} is stored, if it is higher"""
        require(order > self.order or order < 2)
        self.order = order

    @action
    def too_much(self) -> None:
        """more than the range has"""
        self.depth[0] = self.depth[2] + 1

    @action
    def roll(self, cpu: Cpu) -> None:
        """a new generation"""
        require(self.now == 0 or self.seen[cpu] != self.now)
        self.now = fresh(Generation)
        self.seen[cpu] = self.now

    @process(Cpu)
    def at_once(self, cpu: Cpu) -> None:
        """a process without a yield"""
        self.ran = not self.ran

    @process(Cpu)
    def works(self, cpu: Cpu) -> Any:
        """works"""
        yield "takes the lock"
        before = (self.level, choose(bool))
        with self.lock(cpu):
            yield "works"
            least = lambda: min(self.level, before[0]) if before[1] else before[0]  # noqa: E731
            self.level = least()

    @closure
    def first(self) -> None:
        if self.one:
            self.two = True

    @closure
    def second(self) -> None:
        if self.ran:
            self.one = True

    @invariant("{a} and {b} work")
    def one_works(self) -> bool:
        return all(a is b or not (at(self.works, a, "works") and at(self.works, b, "works")) for a in Cpu for b in Cpu)


@pytest.fixture
def machine() -> Machine:
    made = Machine(Everything, {"Cpu": 2}, {})
    made.start((), Script())
    return made


def step(machine: Machine, name: str, *args: Any, ways: tuple[int, ...] = ()) -> None:
    """Takes a step whose arguments are given by their numbers."""
    chosen = next(a for n, a in machine.steps() if n == name and tuple(getattr(v, "index", v) for v in a) == args)
    machine.take(name, chosen, Script(ways))


def test_literals_of_an_ordered_sort_are_its_elements(machine: Machine) -> None:
    level = machine.store["level", ()]
    assert isinstance(level, Level) and level == 1 and level < 2 and level > 0 and level is machine.elements(Level)[1]
    assert machine.store["depth", (machine.elements(Level)[2],)] == 2
    step(machine, "rise", 0)
    assert machine.store["level", ()] is machine.elements(Level)[2]
    with pytest.raises(NotEnabled):
        step(machine, "rise", 0)


def test_elements_of_other_sorts_are_no_numbers() -> None:
    assert Cpu(1) != 1 and Level(1) == 1 and Level(1) != True  # noqa: E712
    with pytest.raises(TypeError):
        _ = Cpu(0) < 1


def test_what_does_not_exist_is_undefined_and_what_is_of_another_sort_foreign(machine: Machine) -> None:
    for name, error in (("beyond", Undefined), ("too_much", Undefined), ("strange", Foreign)):
        with machine.undone(), pytest.raises(error):
            step(machine, name)
    assert machine.store["level", ()] == 1


class Nobody(System):
    """Compares what may be None."""

    depth: Optional[Annotated[int, Range(0, 2)]]
    level: Optional[Level]
    ok: bool

    @action
    def deeper(self) -> None:
        """goes deeper"""
        require(self.depth < 2)  # type: ignore[operator]
        self.ok = True

    @action
    def higher(self) -> None:
        """goes higher"""
        require(self.level < 2)  # type: ignore[operator]
        self.ok = True

    @invariant("deep")
    def shallow(self) -> bool:
        return self.depth < 2  # type: ignore[operator]


def test_what_none_cannot_do_is_undefined() -> None:
    machine = Machine(Nobody, {}, {})
    machine.start((), Script())
    for name in ("deeper", "higher"):
        with machine.undone(), pytest.raises(Undefined):
            step(machine, name)
    assert machine.violated() == {"shallow"}


def test_bool_is_looped_over_and_stays_what_it_is_elsewhere(machine: Machine) -> None:
    step(machine, "every_truth")
    assert machine.store["given", (False,)] is True and machine.store["given", (True,)] is True
    assert "bool" not in globals()


def test_members_are_stored_as_members(machine: Machine) -> None:
    assert machine.store["order", ()] is Order.HIGH
    machine.take("compare", (Order.LOW,), Script())
    assert machine.store["order", ()] is Order.LOW
    machine.take("compare", (Order.HIGH,), Script())


def test_a_process_without_a_yield_is_one_step(machine: Machine) -> None:
    step(machine, "at_once", 0)
    step(machine, "at_once", 1)
    assert machine.store["ran", ()] is False


def test_a_part_under_several_names_is_one_part(machine: Machine) -> None:
    assert {name for name, _ in machine.store if "holder" in name} == {"lock.holder"}
    assert machine.primary("log.lock.holder") == machine.primary("other.lock.holder") == "lock.holder"
    cpu = machine.elements(Cpu)[1]
    step(machine, "works", 1)
    assert machine.store["lock.holder", ()] is cpu
    step(machine, "log.write", 1, 2)
    step(machine, "other.write", 1, True)
    assert machine.store["log.entry", (cpu, machine.elements(Level)[2])] is True
    assert machine.store["other.entry", (cpu, True)] is True


def test_locals_of_live_generators_are_seen(machine: Machine) -> None:
    cpu = machine.elements(Cpu)[0]
    step(machine, "works", 0, ways=(1,))
    frames = machine.frames("works", (cpu,))
    assert frames[0]["before"] == (1, True) and frames[0]["cpu"] is cpu
    step(machine, "rise", 0)
    step(machine, "works", 0)
    assert machine.store["level", ()] == 1 and machine.store["lock.holder", ()] is None


def test_closures_go_on_until_nothing_changes(machine: Machine) -> None:
    step(machine, "at_once", 0)
    assert machine.store["two", ()] is True


def test_counters_grow(machine: Machine) -> None:
    step(machine, "roll", 0)
    step(machine, "roll", 1)
    first, second = (machine.store["seen", (cpu,)] for cpu in machine.elements(Cpu))
    assert 0 < first < second == machine.store["now", ()]


def test_a_process_begins_at_its_label_only_if_nothing_happens_before() -> None:
    class Hasty(System):
        on: bool

        @process(Cpu)
        def run(self, cpu: Cpu) -> Any:
            """runs"""
            self.on = True
            yield "goes on"

    made = Machine(Hasty, {"Cpu": 1}, {})
    made.start((), Script())
    assert made.waiting["run", (made.elements(Cpu)[0],)] == "start" and made.store["on", ()] is False
    with pytest.raises(Restless, match="before it"):
        Machine(Hasty, {"Cpu": 1}, {}, frozenset({"run"})).start((), Script())


def test_a_machine_starts_anew(machine: Machine) -> None:
    before = dict(machine.store)
    step(machine, "works", 0)
    assert machine.store != before
    machine.start((), Script())
    assert machine.store == before
