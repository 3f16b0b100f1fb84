"""What can be wrong in a model: each mistake gets its place, the reason and the nearest valid form."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from flushproof.model.errors import ModelError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import System, action

from flushproof.checking import check

from .agree import agreed
from .grammar import load

HEAD = '''
import enum
from typing import Annotated, Optional

from flushproof.model.language.declare import *


class Cpu(Sort):
    """A CPU."""


class Vm(Sort):
    """A VM."""


class Gen(Counter):
    """A generation."""


class Page:
    """Not declared as a sort."""


class Scope(enum.Enum):
    LOCAL = 0
    BROADCAST = 1


class Lock(Part):
    holder: Optional[Cpu]

    def acquire(self, who):
        require(self.holder is None)
        self.holder = who

    def release(self, who):
        self.holder = None


class Generated(System):
    running: Map[Cpu, Optional[Vm]]
    vmid: Map[Vm, Annotated[int, Range(0, 3)]]
    on: Map[Cpu, bool]
    scope: Scope
    gen: Gen
    home: Rigid[Map[Vm, Cpu]]
    secret: Ghost[Map[Cpu, bool]]
    flush = Knob(bool, True, "flush")
    lock = Lock()

'''


def compiled(body: str, folder: Path) -> None:
    cls = load(HEAD + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n", folder, "wrong")
    compile_system(cls, proofs=True)


MISTAKES = {
    "unknown state": (
        "@action\ndef f(self, cpu: Cpu):\n    self.runing[cpu] = None",
        ["the system has no 'runing'", "Did you mean 'running'?", "self.runing[cpu] = None", "    ^"],
    ),
    "forgotten @action": (
        "@action\ndef f(self, cpu: Cpu):\n    self.on[cpu] = True\n\ndef g(self, cpu: Cpu):\n    self.on[cpu] = False",
        ["nothing uses 'g', and it is no step", "@action makes it a step", "def g(self, cpu: Cpu):"],
    ),
    "unknown name": (
        "@action\ndef f(self, cpu: Cpu):\n    self.on[cpux] = True",
        ["the name 'cpux' is unknown", "Did you mean 'cpu'?"],
    ),
    "member without self": (
        "@action\ndef f(self, cpu: Cpu):\n    on[cpu] = True",
        ["the name 'on' is unknown", "Did you mean 'self.on'?"],
    ),
    "member of a part without self": (
        "@action\ndef f(self, cpu: Cpu):\n    part = self.lock\n    self.on[cpu] = holder is None",
        ["the name 'holder' is unknown", "Did you mean 'part.holder'?"],
    ),
    "docstring of an action": (
        '@action\ndef f(self, cpu: Cpu):\n    """{cup} wakes up"""\n    self.on[cpu] = True',
        ["names '{cup}'", "Did you mean 'cpu'?"],
    ),
    "docstring of an event": (
        '@event\ndef f(self, cpu: Cpu):\n    """{cup} wakes up"""\n    check("up", self.on[cpu], "off")',
        ["names '{cup}'", "Did you mean 'cpu'?"],
    ),
    "docstring of a process": (
        '@process(Cpu)\ndef f(self, cpu):\n    """{cup} wakes up"""\n    yield "up"\n    self.on[cpu] = True',
        ["names '{cup}'", "Did you mean 'cpu'?"],
    ),
    "bitwise not": (
        "@action\ndef f(self, cpu: Cpu):\n    self.on[cpu] = ~self.on[cpu]",
        ["the language has no ~", "Write `not self.on[cpu]`."],
    ),
    "parameter of a class that is no sort": (
        "@action\ndef f(self, page: Page):\n    pass",
        ["Page is not a sort", "Write class Page(Sort)."],
    ),
    "choice of a class that is no sort": (
        "@action\ndef f(self):\n    choose(Page)",
        ["Page is not a sort to choose from", "Write class Page(Sort)."],
    ),
    "loop over a class that is no sort": (
        "@action\ndef f(self):\n    require(all(page is None for page in Page))",
        ["Page is not a sort", "Write class Page(Sort)."],
    ),
    "unknown function": (
        "@action\ndef f(self, cpu: Cpu):\n    input(cpu)",
        ["input cannot be called in a model", "require"],
    ),
    "wrong sort": (
        "@action\ndef f(self, cpu: Cpu, vm: Vm):\n    self.on[vm] = True",
        ["vm is a Vm where a Cpu is needed", "From Vm to Cpu leads: self.home[...]"],
    ),
    "wrong value": (
        "@action\ndef f(self, cpu: Cpu):\n    self.running[cpu] = cpu",
        ["cpu is a Cpu where a Vm is needed"],
    ),
    "number for an element": (
        "@action\ndef f(self):\n    self.on[0] = True",
        ["0 is no Cpu", "interchangeable"],
    ),
    "None for an element": (
        "@action\ndef f(self, cpu: Cpu):\n    self.on[cpu] = None",
        ["None is no bool", "Declare it Optional[bool]"],
    ),
    "out of range": (
        "@action\ndef f(self, vm: Vm):\n    self.vmid[vm] = 7",
        ["7 is not one of 0..3"],
    ),
    "wrong member": (
        "@action\ndef f(self):\n    self.scope = Scope.LOKAL",
        ["Scope has no 'LOKAL'", "Did you mean 'LOCAL'?"],
    ),
    "optional as condition": (
        "@action\ndef f(self, cpu: Cpu):\n    require(self.running[cpu])",
        ["is an Optional[Vm], not a condition", "Write self.running[cpu] is not None."],
    ),
    "order of scalarset": (
        "@action\ndef f(self, a: Cpu, b: Cpu):\n    require(a < b)",
        ["the elements of Cpu have no order", "ordered=True"],
    ),
    "ghost in a guard": (
        "@action\ndef f(self, cpu: Cpu):\n    require(not self.secret[cpu])\n    self.on[cpu] = True",
        ["the ghost 'secret' is read by a guard", "require(not self.secret[cpu])"],
    ),
    "ghost in a state": (
        "@action\ndef f(self, cpu: Cpu):\n    self.on[cpu] = self.secret[cpu]",
        ["the ghost 'secret' is read by the plain state 'on'"],
    ),
    "ghost in a branch": (
        "@action\ndef f(self, cpu: Cpu):\n    if self.secret[cpu]:\n        self.on[cpu] = True",
        ["the ghost 'secret' is read by the plain state 'on'"],
    ),
    "ghost decides the next step": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'a'\n    if self.secret[cpu]:\n        yield 'b'\n    self.on[cpu] = True",
        ["the ghost 'secret' is read by"],
    ),
    "endless loop": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'a'\n    while not self.on[cpu]:\n        self.gen = fresh(Gen)",
        ["this loop may go round without a yield", 'yield "label"'],
    ),
    "yield without label": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield\n    self.on[cpu] = True",
        ["a yield names the step that follows", 'Write yield "label".'],
    ),
    "yield in an action": (
        "@action\ndef f(self, cpu: Cpu):\n    yield 'a'\n    self.on[cpu] = True",
        ["only a process takes several steps", "@process(Cpu)"],
    ),
    "try": (
        "@action\ndef f(self):\n    try:\n        self.gen = fresh(Gen)\n    finally:\n        pass",
        ["the language has no try statement", "require(...)"],
    ),
    "list": (
        "@action\ndef f(self):\n    x = [1, 2]",
        ["the language has no list", "Use a Map"],
    ),
    "comprehension": (
        "@invariant(because='x')\ndef f(self):\n    return len([c for c in Cpu if self.on[c]]) < 2",
        ["the language has no list comprehension", "all(...)"],
    ),
    "rigid": (
        "@action\ndef f(self, vm: Vm, cpu: Cpu):\n    self.home[vm] = cpu",
        ["'home' is rigid and never changes"],
    ),
    "knob": (
        "@action\ndef f(self):\n    self.flush = False",
        ["'flush' is a knob and never changes"],
    ),
    "whole map": (
        "@action\ndef f(self):\n    self.on = True",
        ["'on' is a map", "self.on[...] = ..."],
    ),
    "map as value": (
        "@action\ndef f(self):\n    require(self.on)",
        ["'on' is a map and needs an index", "self.on[cpu]"],
    ),
    "indices": (
        "@action\ndef f(self, a: Cpu, b: Cpu):\n    self.on[a, b] = True",
        ["'on' has 1 index (Cpu), not 2"],
    ),
    "parameter without sort": (
        "@action\ndef f(self, cpu):\n    self.on[cpu] = True",
        ["the parameter 'cpu' has no sort", "cpu: Cpu"],
    ),
    "int": (
        "@action\ndef f(self, n: int):\n    pass",
        ["int is not a sort", "Annotated[int, Range(0, 3)]"],
    ),
    "loop that gathers": (
        "@action\ndef f(self):\n    n = False\n    for c in Cpu:\n        n = self.on[c]\n    require(n)",
        ["'n' is given a value in a loop whose rounds all happen at once", "all(...), any(...), count(...) or sum(...)"],
    ),
    "loop that writes one place": (
        "@action\ndef f(self):\n    for c in Cpu:\n        self.gen = fresh(Gen)",
        ["a loop whose rounds all happen at once takes no fresh value"],
    ),
    "helper that writes in a sum": (
        "def bump(self, c):\n    self.on[c] = True\n    return 1\n"
        "@action\ndef f(self):\n    require(sum(self.bump(c) for c in Cpu if not self.on[c]) == 1)",
        ["a condition over many elements must not change the state", "Make the change in a loop of its own."],
    ),
    "loop with rounds that depend": (
        "@action\ndef f(self, cpu: Cpu):\n    for c in Cpu:\n        self.on[c] = self.on[cpu]",
        ["a round of this loop reads 'on' where another may write it"],
    ),
    "loop with require": (
        "@action\ndef f(self):\n    for c in Cpu:\n        require(self.on[c])",
        ["a loop cannot require", "require(all("],
    ),
    "loop with yield": (
        "@process(Cpu)\ndef f(self, cpu):\n    for c in Cpu:\n        yield 'a'\n        self.on[c] = True",
        ["a loop over a sort happens at once and cannot yield"],
    ),
    "state change in a property": (
        "@invariant(because='x')\ndef f(self):\n    self.scope = Scope.LOCAL\n    return True",
        ["an invariant changes no state"],
    ),
    "nothing returned": (
        "@invariant(because='x')\ndef f(self):\n    pass",
        ["'f' returns nothing"],
    ),
    "explanation": (
        "@invariant(because='{vm} is wrong')\ndef f(self):\n    return all(self.on[c] for c in Cpu)",
        ["“{vm} is wrong” names '{vm}'", "The names that it can use are: c."],
    ),
    "event without check": (
        "@event\ndef f(self, cpu: Cpu):\n    require(self.on[cpu])",
        ["the event 'f' checks nothing"],
    ),
    "counter arithmetic": (
        "@action\ndef f(self):\n    self.gen = self.gen + 1",
        ["a counter is advanced by fresh()", "Write fresh(Gen)."],
    ),
    "recursion": (
        "def g(self, cpu):\n    return self.g(cpu)\n\n@action\ndef f(self, cpu: Cpu):\n    require(self.g(cpu))",
        ["'g' calls itself", "write a loop"],
    ),
    "called action": (
        "@action\ndef g(self, cpu: Cpu):\n    self.on[cpu] = True\n\n@action\ndef f(self, cpu: Cpu):\n    self.g(cpu)",
        ["'g' is an action and happens by itself", "plain method"],
    ),
    "helper with steps": (
        "def g(self, cpu):\n    yield 'x'\n    self.on[cpu] = True\n\n@process(Cpu)\ndef f(self, cpu):\n    self.g(cpu)",
        ["'g' takes several steps", "yield from self.g(cpu)"],
    ),
    "with something else": (
        "@process(Cpu)\ndef f(self, cpu):\n    with open('x'):\n        yield 'a'\n        self.on[cpu] = True",
        ["open cannot be called in a model"],
    ),
    "wrong argument count": (
        "def g(self, cpu):\n    return self.on[cpu]\n\n@action\ndef f(self, cpu: Cpu):\n    require(self.g(cpu, cpu))",
        ["g: too many positional arguments"],
    ),
    "set on some ways": (
        "@action\ndef f(self, cpu: Cpu):\n    if self.on[cpu]:\n        x = True\n    self.on[cpu] = x",
        ["'x' is set on some ways to this place only"],
    ),
    "set before some yields, the first way without": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'a'\n    if choose(bool):\n        yield 'b'\n        x = choose(Cpu)\n"
        "    yield 'c'\n    self.on[x] = True\n    yield 'd'\n    self.on[x] = False",
        ["'x' is set on some ways to this place only", "self.on[x] = True"],
    ),
    "set before some yields, the first way with": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'a'\n    if self.on[cpu]:\n        yield 'b'\n        x = choose(Cpu)\n"
        "    else:\n        yield 'c'\n    yield 'd'\n    self.on[x] = True",
        ["'x' is set on some ways to this place only", "self.on[x] = True"],
    ),
    "a local that hides a global": (
        "@action\ndef f(self, cpu: Cpu):\n    if self.on[cpu]:\n        Vm = True\n        self.on[cpu] = Vm\n        return\n"
        "    self.on[cpu] = Vm",
        ["'Vm' is set on some ways to this place only"],
    ),
    "an initial value in an annotation": (
        "ready: bool = True\n\n@action\ndef f(self, cpu: Cpu):\n    require(self.ready)\n    self.on[cpu] = True",
        ["Generated.ready is state", "Assign self.ready in a method decorated with @initially."],
    ),
    "unknown label": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'first'\n    self.on[cpu] = True\n\n@lemma\ndef g(self):\n"
        "    return all(at(self.f, c, 'frist') for c in Cpu)",
        ["f has no label 'frist'", "Did you mean 'first'?"],
    ),
    "unknown local": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'first'\n    seen = self.on[cpu]\n"
        "    yield 'second'\n    self.on[cpu] = not seen\n\n"
        "@lemma\ndef g(self):\n    return all(local(self.f, c, 'sene') for c in Cpu)",
        ["f keeps no local 'sene'", "Did you mean 'seen'?"],
    ),
    "local in a property": (
        "@process(Cpu)\ndef f(self, cpu):\n    yield 'first'\n    seen = self.on[cpu]\n"
        "    yield 'second'\n    self.on[cpu] = not seen\n\n"
        "@invariant(because='x')\ndef g(self):\n    return all(local(self.f, c, 'seen') for c in Cpu)",
        ["only lemmas read a local variable"],
    ),
    "reserved property": (
        "@invariant(because='x')\ndef no_deadlock(self):\n    return self.flush",
        ["the property 'no-deadlock' is built in"],
    ),
    "no self": (
        "@action\ndef f():\n    pass",
        ["'f' needs `self`"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name: str, tmp_path: Path) -> None:
    body, expected = MISTAKES[name]
    with pytest.raises(ModelError) as caught:
        compiled(body, tmp_path)
    message = str(caught.value)
    for part in expected:
        assert part in message
    place = caught.value.place
    assert place is not None
    assert place.file.endswith("wrong.py")
    assert place.line > HEAD.count("\n") - 20


def test_the_same_text_without_mistakes_compiles(tmp_path: Path) -> None:
    compiled("@action\ndef f(self, cpu: Cpu):\n    self.on[cpu] = True", tmp_path)


def test_a_word_that_was_not_imported_is_named(tmp_path: Path) -> None:
    head = HEAD.replace("declare import *", "declare import *\ndel cost")
    with pytest.raises(ModelError, match=r"Import it: from flushproof.model.language import cost"):
        load_and_compile(head + '    @action\n    def f(self):\n        cost("ipi")\n', tmp_path)


def test_policies_under_another_name_are_refused(tmp_path: Path) -> None:
    head = HEAD.replace(
        "    flush = Knob", '    polices = {"none": Policy("", {"flush": False}, "holds")}\n    flush = Knob'
    )
    with pytest.raises(ModelError, match=r"Generated\.polices holds policies, and nothing reads it") as caught:
        load(head, tmp_path, "wrong")
    place = caught.value.place
    assert caught.value.hint == "Did you mean 'policies'?" and place is not None
    assert "class Generated(System)" in head.splitlines()[place.line - 1]


def test_a_class_that_is_no_sort_is_explained(tmp_path: Path) -> None:
    head = HEAD.replace("class Vm(Sort):", "class Vm:")
    with pytest.raises(ModelError, match=r"Vm is not a sort(.|\n)*Write class Vm\(Sort\)"):
        compile_system(
            load(head + "    @action\n    def f(self, cpu: Cpu):\n        self.on[cpu] = True\n", tmp_path, "wrong")
        )


def test_a_sort_without_elements_is_refused(tmp_path: Path) -> None:
    head = HEAD.replace("class Vm(Sort):", "class Vm(Sort, size=0):")
    with pytest.raises(ModelError, match="the sort Vm has size 0, and the least is 1"):
        compile_system(
            load(head + "    @action\n    def f(self, cpu: Cpu):\n        self.on[cpu] = True\n", tmp_path, "wrong")
        )


def test_state_that_is_no_sort_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Generated.n: int is not a sort"):
        load_and_compile(HEAD + "    n: int\n", tmp_path)


def test_the_range_of_a_maps_numbers_stands_with_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Write Map\[Vm, Cpu, Annotated\[int, Range\(0, 3\)\]\]"):
        load_and_compile(HEAD + "    n: Annotated[Map[Vm, Cpu, int], Range(0, 3)]\n", tmp_path)


def load_and_compile(text: str, folder: Path) -> None:
    compile_system(load(text, folder, "wrong"))


def test_a_class_without_source_is_told() -> None:
    space: dict[str, Any] = {"System": System, "action": action}
    exec("class Typed(System):\n    @action\n    def f(self):\n        pass\n", space)
    with pytest.raises(ModelError, match="there is no source text for Typed"):
        compile_system(space["Typed"])


PARTS = """
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Tlb
from flushproof.model.language import *


class Page(Sort):
    pass


class Vmid(Sort):
    pass


class Generated(System):
    mapped: Map[Page, bool]

    def walk(self, cpu, *entry):
        return self.mapped[entry[-1]]

    tlb = Tlb(tag=({tag}), holds=(Page,), walk=walk)

    @action
    def turn(self, cpu: Cpu, page: Page):
        self.mapped[page] = True
        self.tlb.drop_all({cpu})

    @reachable
    def cached(self):
        return any(self.tlb.entry[c, {none}p] for c in Cpu for p in Page)
"""


def test_what_is_wrong_in_a_part_is_told_at_the_line_that_uses_it(tmp_path: Path) -> None:
    text = PARTS.format(tag="", cpu="page", none="")
    with pytest.raises(ModelError) as caught:
        compile_system(load(text, tmp_path, "part_used"))
    error = caught.value
    assert error.place is not None and Path(error.place.file).name == "part_used.py"
    assert text.split("\n")[error.place.line - 1].strip() == "self.tlb.drop_all(page)"
    assert error.within is not None and Path(error.within.file).name == "tlb.py"
    assert "cpu is a Page where a Cpu is needed" in str(error) and "It came up at" in str(error)


def test_a_part_that_is_made_of_what_is_no_sort(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        compile_system(load(PARTS.format(tag="int,", cpu="cpu", none="None, "), tmp_path, "part_made"))
    assert "'tlb.entry': int is not a sort" in str(caught.value) and "tlb = Tlb(tag=(int,)" in str(caught.value)


def test_a_tag_may_be_optional(tmp_path: Path) -> None:
    """VMID 0 is the host's: an entry that has none."""
    cls = load(PARTS.format(tag="Optional[Vmid],", cpu="cpu", none="None, "), tmp_path, "part_optional")
    found = check(cls)
    assert (found.verdict == "violated" and found.violated == "no-deadlock") or found.verdict == "holds"
    assert not found.not_reached
    assert agreed(cls, steps=100)


def test_no_file_has_the_name_of_a_word() -> None:
    """A module that is loaded later would stand in the word's place: `@progress` was one for whoever imported it."""
    from flushproof.model import language

    files = {p.stem for p in Path(str(language.__file__)).parent.glob("*.py")}
    assert not files & set(language.__all__)
    assert not [w for w in language.__all__ if not callable(getattr(language, w)) and w not in ("Rigid", "Ghost")]
