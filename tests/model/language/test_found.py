"""What generated systems have shown to be read wrongly, each made as small as it goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.errors import ModelError
from flushproof.model.language.compile import compile_system
from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement

from .grammar import HEADER, load


def agreed(body: str, folder: Path, steps: int = 60) -> int:
    """The steps on which Python and the compiled system agree."""
    cls = load(f"{HEADER}\n\nclass Generated(System):\n{body}", folder, "found")
    walked = Agreement(cls, instantiate(cls), knob_values(cls, None, {})).compare(steps, None)
    assert not walked.could_not_run
    return walked.steps


@pytest.mark.parametrize(
    "sort", ["Optional[A]", "Annotated[int, Range(0, 2)]", "Optional[Annotated[int, Range(0, 2)]]", "Optional[E]"]
)
def test_an_annotation_is_a_sort_to_choose_from(sort: str, tmp_path: Path) -> None:
    body = f"""
    one: {sort}
    other: Map[A, {sort}]

    @action
    def turn(self, a: A):
        self.one = choose({sort}, where=lambda x: x != self.other[a])
        self.other[a] = choose({sort})

    @invariant("they differ")
    def same(self):
        return all(self.other[a] == self.one for a in A)
"""
    assert agreed(body, tmp_path) >= 60


@pytest.mark.parametrize(
    ("sort", "said"),
    [
        ("Optional[self.on]", r"Optional\[self.on\] is not a sort"),
        ("Optional[A, B]", r"Optional\[A, B\] is not a sort"),
        ("Annotated[int, Range(0)]", r"Range\(\) takes two whole numbers"),
    ],
)
def test_what_is_no_annotation_is_refused(sort: str, said: str, tmp_path: Path) -> None:
    body = (
        f"    on: bool\n\n    @action\n    def turn(self):\n        x = choose({sort})\n        self.on = x is None\n"
    )
    cls = load(f"{HEADER}\n\nclass Generated(System):\n{body}", tmp_path, "found")
    with pytest.raises(ModelError, match=said):
        compile_system(cls)


def test_a_process_that_never_takes_a_step(tmp_path: Path) -> None:
    """Nothing is left of it in the compiled system, and Python waits at its first label for ever."""
    body = """
    on: bool

    @process(A)
    def run(self, a):
        yield "wait"
        require(False)

    @action
    def turn(self):
        self.on = not self.on

    @invariant("it is on")
    def off(self):
        return not self.on
"""
    assert agreed(body, tmp_path) >= 60


@pytest.mark.parametrize(
    "body",
    [
        """
        with self.lock(a):
            if choose(bool):
                return
            yield "held"
""",
        """
        self.on = True
        if self.odd:
            self.on = False
            return
        yield "on"
""",
        """
        self.on = True
        while self.odd:
            self.on = not self.on
            yield "odd"
        yield "on"
""",
        """
        self.on = True
        if self.odd:
            self.odd = False
            if choose(bool):
                self.odd = True
                self.on = False
                yield "off"
            yield "x"
        yield "on"
""",
    ],
)
def test_what_is_written_before_paths_part_is_written_first(body: str, tmp_path: Path) -> None:
    """One path ended, and what was written before was written again, over what another path had written."""
    text = f"""
    on: bool
    odd: bool
    lock = Lock()

    @action
    def turn(self):
        self.odd = not self.odd

    @process(A)
    def run(self, a):{body}

    @invariant("it is on")
    def off(self):
        return not self.on
"""
    assert agreed(text, tmp_path, 200) >= 200


RESET = """
        self.x = 1
        if self.c:
            self.x = 2
        elif self.d:
            return
        self.on = not self.on
"""


@pytest.mark.parametrize(
    "member",
    [
        f"@action\n    def go(self):{RESET}",
        f"@action\n    def go(self):\n        self.reset()\n\n    def reset(self):{RESET}",
        f"@action\n    def go(self):\n        self.x = self.reset()\n\n    def reset(self):{RESET.replace('return', 'return 3')}"
        "        return self.x\n",
        f"@action\n    def go(self):\n        with self.lock(choose(A)):{RESET}".replace("\n        ", "\n            ").replace(
            "            with", "        with"
        ),
        f"@action\n    def go(self):\n        for e in (0, 1):{RESET}".replace("\n        ", "\n            ")
        .replace("            for", "        for")
        .replace("return", "continue"),
        f"@initially\n    def boot(self):\n        self.c, self.d = choose(bool), choose(bool){RESET}",
        f"@process(A)\n    def run(self, a):\n        self.reset()\n        yield 'done'\n\n    def reset(self):{RESET}",
    ],
    ids=["action", "helper", "value", "with", "for", "initially", "process"],
)
def test_what_is_set_before_an_early_return_is_not_set_again(member: str, tmp_path: Path) -> None:
    """In actions and helpers it was: the ways of a step were put one behind the other, each with all that it had written."""
    text = f"""
    c: bool
    d: bool
    on: bool
    x: Annotated[int, Range(0, 3)]
    lock = Lock()

    {member}
    @action
    def turn(self):
        self.c, self.d = choose(bool), choose(bool)

    @invariant("two is not reached")
    def two(self):
        return self.x != 2 or not self.on
"""
    assert agreed(text, tmp_path, 200) >= 200


@pytest.mark.parametrize(
    "step",
    [
        "c = a\n        self.who[(c := b)] = c",
        "c = a\n        self.who[(c := b), ] = self.who[c]",
        "c = a\n        self.who[c], c = b, b\n        self.who[c] = a",
        "c = a\n        c, self.who[c] = b, a",
        "c, d = a, b\n        (c, self.who[c]), d = (d, c), c\n        self.who[d] = c",
        "c = a\n        c = self.who[c] = b",
        "c = d = a\n        for c, self.who[c] in ((a, b), (b, a)):\n            d = c\n        self.who[d] = c",
    ],
)
def test_targets_are_assigned_from_left_to_right_after_the_value(step: str, tmp_path: Path) -> None:
    text = f"""
    who: Map[A, A]

    @action
    def turn(self, a: A, b: A):
        {step}

    @invariant("they are at home")
    def away(self):
        return any(self.who[a] != a for a in A)
"""
    assert agreed(text, tmp_path, 100) >= 100


@pytest.mark.parametrize(
    "member",
    [
        "@initially\n    def boot(self):\n        self.on = choose(L) == 9",
        "@initially\n    def boot(self):\n        require(self.at != 9)",
        "@closure\n    def fill(self):\n        if self.at in (0, 9):\n            self.on = True",
        "@closure\n    def fill(self):\n        if self.perhaps != 9:\n            self.on = True",
        "@final\n    def end(self):\n        return self.at == 9",
        "@axiom\n    def there(self):\n        return self.home != 9",
    ],
)
def test_an_element_that_is_not_there_has_a_place(member: str, tmp_path: Path) -> None:
    body = f"""
    on: bool
    at: L
    perhaps: Optional[L]
    home: Rigid[L]

    {member}

    @invariant("it is on")
    def off(self):
        return not self.on
"""
    text = f"{HEADER}\n\nclass Generated(System):\n{body}"
    line = text[: text.index(" 9", len(HEADER))].count("\n") + 1
    with pytest.raises(ModelError, match=rf"found.*\.py:{line}: L 9 does not exist"):
        instantiate(load(text, tmp_path, "found"))


@pytest.mark.parametrize(
    "process",
    [
        '        x = choose(L)\n        yield "x"\n        self.m[x] = 2\n        self.m[choose(L)] += 1',
        '        while choose(Small):\n            yield "go"\n        yield "go"\n        self.who = self.other',
    ],
)
def test_python_may_be_in_that_of_several_states_in_which_a_step_is_not_defined(process: str, tmp_path: Path) -> None:
    text = f"""
    m: Map[L, Small]
    who: A
    other: Optional[A]

    @process(A)
    def go(self, a: A):
{process}
"""
    assert agreed(text, tmp_path, 30) >= 0  # the walks end, and nothing is said to differ
