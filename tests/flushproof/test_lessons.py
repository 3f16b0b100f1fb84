"""The lessons: each has what a lesson has, its puzzles are marked as the tool says, and its page is used with mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, system_name
from flushproof.search.graph import graph
from playwright.sync_api import Browser, expect

from flushproof import check, cli
from flushproof.checking import expectations, is_wrong, run
from flushproof.lessons.asking import Asked, own_systems, read
from flushproof.lessons.course import DIRECTIVES, Lesson, lessons, page_of
from flushproof.lessons.puzzles import Lemmas, Puzzle, Spot
from flushproof.lessons.showing import Drawing, Explore, Picture, Proof, TracePage

from .browser import Opened

LESSONS = lessons()

RIGHT = {
    "1-tlb": [{"2"}],
    "2-switch": [{"2"}, {"2"}],
    "3-vmids": [{"5"}, {"broadcast"}, {"local"}],
    "4-rollover": [{"18"}, {"3"}],
    "5-barriers": [{"8"}, {"on broadcast on"}, {"on local on"}],
    "6-icache": [{"15"}, {"2"}],
    "7-walks": [{"4"}, {"2"}],
    "8-deferred": [{"before-free on", "at-once off"}],
    "9-proof": [{"4"}],
}
"""Of each lesson's puzzles the right answers: what the texts say around them rests on these."""


@cache
def page(name: str) -> str:
    return page_of([lesson.name for lesson in LESSONS].index(name))


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Opened]:
    folder = tmp_path_factory.mktemp("lessons")

    def at(name: str, width: int = 1280, scheme: str = "light") -> Opened:
        file = folder / f"{name}.html"
        file.write_text(page(name), encoding="utf-8")
        return Opened(browser, file, width, scheme)

    return at


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_has_a_picture_something_to_try_a_puzzle_and_notes_for_the_teacher(lesson: Lesson) -> None:
    asked = list(lesson.directives())
    assert any(isinstance(d, Picture | Drawing | Proof) for d in asked)
    assert any(isinstance(d, Explore | TracePage) for d in asked)
    assert any(isinstance(d, Puzzle | Spot | Lemmas) for d in asked)
    headings = [line for line in lesson.text.split("\n") if line.startswith("## ")]
    assert headings[:3] == ["## A picture", "## Try it", "## Puzzle"] and headings[-1] == "## For the teacher"
    assert len(lesson.about) < 200


@pytest.mark.parametrize("path", own_systems(), ids=lambda path: path.stem)
def test_a_system_of_the_lessons_gives_the_verdicts_that_it_declares(path: Path) -> None:
    cls = load_system(str(path))
    cases = list(expectations({system_name(cls): cls}))
    assert len(cases) >= 2
    for case in cases:
        result = run(case)
        assert not is_wrong(result) and not result.vacuous and not result.not_reached, case


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_answers_of_a_puzzle_are_those_that_the_teacher_expects(lesson: Lesson) -> None:
    found = []
    for asked in lesson.directives():
        if isinstance(asked, Puzzle | Spot | Lemmas):
            found.append({key for key, mark in asked.marks().items() if mark["right"]})
    assert found == RIGHT[lesson.name]


def test_every_directive_and_key_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/lessons.md").read_text()
    for name, kind in DIRECTIVES.items():
        row = next(line for line in text.split("\n") if line.startswith(f"| `{name}` |"))
        own = {f.name for f in fields(kind)} - {f.name for f in fields(Asked)}
        assert all(f"`{key}" in row for key in own), name


def test_marks_are_what_the_reference_says() -> None:
    for lesson in LESSONS:
        for asked in lesson.directives():
            if isinstance(asked, Puzzle) and asked.choose:
                for key, mark in asked.marks().items():
                    knobs = dict(zip(asked.choose, key.split(" "), strict=True))
                    told = check(asked.source, asked.policy, knobs=knobs, sizes=asked.sizes, engine="reference", audit=None)
                    assert told.verdict == mark["verdict"], (lesson.name, key)


def test_a_weaker_answer_that_holds_makes_a_stronger_one_wrong() -> None:
    path = next(p for p in own_systems() if p.stem == "few_vmids")
    asked = Puzzle("here", path.name, sizes={"cpu": 1}, choose=["flush"], right="weakest")
    marks = asked.marks()
    assert [marks[k]["right"] for k in ("none", "local", "broadcast")] == [False, True, False]
    assert marks["broadcast"]["verdict"] == "holds" and "weaker" in marks["broadcast"]["note"]
    assert {k: m["right"] for k, m in Puzzle("here", path.name, choose=["flush"]).marks().items()} == {
        "none": False,
        "local": False,
        "broadcast": True,
    }


@pytest.mark.parametrize(
    ("kind", "said", "message"),
    [
        (Explore, {"sise": {}}, "there is no 'sise' here. Did you mean 'sizes'?"),
        (Drawing, {"system": "one_tlb.py", "file": "4-rolover.svg"}, "Did you mean '4-rollover.svg'?"),
        (Drawing, {"system": "one_tlb.py", "file": "4-rollover.svg"}, "“compares it with vmid_gen”, which one-tlb has not"),
        (Explore, {}, "missing 1 required positional argument: 'system'"),
        (TracePage, {"system": "one_tlb.py", "policy": "after"}, "nothing is violated, so there is no trace"),
        (Explore, {"system": "one_tlb.py", "policy": "after", "find": "no-use-after-free"}, "is violated in none of"),
        (Puzzle, {"system": "one_tlb.py", "choose": ["flash"]}, "there is no knob 'flash'. Did you mean 'flush'?"),
        (Puzzle, {"system": "one_tlb.py", "choose": []}, "a puzzle has 2 to 32 answers, and this one 1"),
        (Puzzle, {"system": "one_tlb.py", "choose": ["flush"], "right": "save"}, "right is holds, violated or weakest"),
        (Puzzle, {"system": "one_tlb.py", "options": [{"say": "a", "sets": {}}]}, "there is no key 'sets'"),
        (Puzzle, {"system": "one_tlb.py", "options": [{"say": "a"}, {"say": "b"}]}, "no question"),
        (Spot, {"system": "one_tlb.py", "policy": "never", "part": "mist"}, "there is no part 'mist'"),
        (Spot, {"system": "one_tlb.py", "policy": "never", "part": "missed"}, "no step of this trace is the invalidation"),
        (Lemmas, {"system": "last_ran.py", "options": [{"say": "a", "keep": ["b"]}]}, "there is no lemma 'b'"),
        (Proof, {"system": "last_ran.py", "show": "all"}, "show is one of page, stuck"),
    ],
)
def test_what_a_directive_cannot_do_is_said_with_its_place(kind: type, said: dict[str, object], message: str) -> None:
    with pytest.raises(FlushproofError) as error:
        read(kind, said, "2-switch.md:17").html()  # type: ignore[attr-defined]
    assert str(error.value).startswith("2-switch.md:17: ") and message in str(error.value)


def test_what_holds_vacuously_marks_nothing_as_right() -> None:
    option = {"say": "at one CPU no vcpu ever migrates", "policy": "last-ran"}
    asked = Puzzle("2-switch.md:17", "kvm-vcpu-switch", "none", sizes={"cpu": 1}, options=[{"say": "nothing"}, option])
    with pytest.raises(FlushproofError, match="holds vacuously: a-vcpu-migrates"):
        asked.marks()


def test_what_is_hunted_for_is_found_in_as_few_steps_as_the_search_says() -> None:
    for lesson in LESSONS:
        for asked in lesson.directives():
            if isinstance(asked, Explore) and asked.find:
                instance = instantiate(asked.loaded, asked.policy, asked.knobs, asked.sizes)
                trace = check(asked.source, asked.policy, knobs=asked.knobs, sizes=asked.sizes, properties=[asked.find]).trace
                assert trace is not None
                events = sum(step.event for step in trace.steps)
                assert asked.least(graph(instance, 2_000)) == len(trace.steps) - events, lesson.name


def test_a_puzzle_is_solved_with_the_mouse(opened: Callable[..., Opened]) -> None:
    one = opened("1-tlb")
    form = one.page.locator("form.puzzle").filter(has_text="The TLB is flushed")
    output = form.locator("output")
    form.get_by_role("button").click()
    expect(output).to_have_text("Pick an answer first.")
    form.get_by_text("before the page table entry").click()
    form.get_by_role("button").click()
    expect(output).to_contain_text("NOT YET")
    expect(output).to_contain_text("Violated in 5 steps")
    output.get_by_text("The steps").click()
    assert output.locator("ol").first.locator("li").all_inner_texts()[1] == "cpu0: flushes the TLB"
    form.get_by_text("after the page table entry").click()
    expect(output).to_be_empty()
    form.get_by_role("button").click()
    expect(output).to_contain_text("RIGHT")
    assert one.said == [] and all(a.startswith(("file:", "about:")) for a in one.asked)


def test_a_puzzle_is_solved_with_keys(opened: Callable[..., Opened]) -> None:
    one = opened("8-deferred")
    form = one.page.locator("form.puzzle").filter(has_text="weakest that are safe")
    form.locator("select").first.focus()
    one.press("ArrowDown", "ArrowDown", "Tab", "Tab", "Enter")
    expect(form.locator("output")).to_contain_text("RIGHT")
    form.locator("select").nth(1).focus()
    one.press("ArrowDown", "Tab", "Enter")
    expect(form.locator("output")).to_contain_text("something weaker holds as well")


def test_where_a_proof_is_stuck_two_states_are_drawn(opened: Callable[..., Opened]) -> None:
    one = opened("9-proof", 360)
    drawn = one.page.locator("main > figure svg")
    assert drawn.locator("desc").text_content().startswith("load(cpu=cpu0, vcpu=vcpu0) breaks no-foreign-hit")  # type: ignore[union-attr]
    box = drawn.bounding_box()
    assert box is not None and box["x"] + box["width"] <= 360
    said = [text for text in drawn.locator("text").all_text_contents() if "runs" in text]
    assert said[:2] == ["runs None", "runs vcpu0"]  # of cpu0: before, after
    form = one.page.locator("form.puzzle")
    form.get_by_text("none: what must hold").click()
    form.get_by_role("button").click()
    expect(form.locator("output svg")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_picture_is_read_without_scrolling_sideways(opened: Callable[..., Opened], width: int) -> None:
    one = opened("3-vmids", width)
    assert one.page.locator("main > figure").evaluate("f => f.scrollWidth - f.clientWidth") <= 0
    drawn = one.page.locator("main > figure svg:visible")
    assert drawn.count() == 1
    assert drawn.evaluate("s => s.getBoundingClientRect().width / s.viewBox.baseVal.width") > 0.9  # its text is as large as meant
    inside = "s => [...s.querySelectorAll('text')].every(t => t.getBBox().x + t.getBBox().width <= s.viewBox.baseVal.width)"
    assert drawn.evaluate(inside)


def test_a_violation_is_hunted_for_in_the_machine(opened: Callable[..., Opened]) -> None:
    one = opened("1-tlb")
    output, frame = one.page.locator(".hunt output"), one.page.frame_locator(".hunt iframe")
    expect(output).to_have_text("You have taken no step yet.")
    for words in ("the walker caches", "calls munmap()", "clears the page table entry"):
        frame.locator(".choices button").filter(has_text=words).click()
    expect(output).to_have_text("3 steps so far.")
    frame.locator(".choices button").filter(has_text="frees the page").focus()
    one.press("Enter")
    expect(output).to_have_text("RIGHT Found, in 4 steps. No way is shorter.")
    one.press("ArrowLeft")
    expect(output).to_have_text("3 steps so far.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_is_read_at_any_width_and_without_a_mouse(opened: Callable[..., Opened], lesson: Lesson, scheme: str) -> None:
    narrow = opened(lesson.name, 360, scheme)
    assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 360
    for frame in narrow.page.locator("iframe.try").all():
        assert frame.evaluate("f => f.contentDocument.documentElement.scrollWidth - f.clientWidth") <= 0
        expect(frame).not_to_have_css("height", "672px")  # as high as what is in it, not as the style sheet has it
    narrow.page.locator(".teacher summary").click()
    assert narrow.said == []
    assert narrow.violations() == []


def test_the_course_is_written_by_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = LESSONS[:1]  # each page by itself is made, and looked at, above
    for module in ("lessons.course", "commands.lessons"):
        monkeypatch.setattr(f"flushproof.{module}.lessons", lambda: first)
    called = CliRunner().invoke(cli.main, ["lessons", str(tmp_path / "course")])
    assert called.exit_code == 0 and called.stdout.strip() == str(tmp_path / "course" / "index.html"), called.output
    index = (tmp_path / "course" / "index.html").read_text()
    for name in (first[0].page, *(path.name for path in own_systems())):
        assert (tmp_path / "course" / name).exists() and f'href="{name}"' in index
