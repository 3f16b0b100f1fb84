"""The terminal in which the reader picks each step, driven as by its keys, at 80 columns."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from flushproof.model.ir.trace import walked
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.model.language.questions import condition_of
from flushproof.search.walk import Walks
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from flushproof import cli
from flushproof.checking import check
from flushproof.report.jsonform import read_trace, schema
from flushproof.report.stepper import Stepper
from flushproof.report.words import Story

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"
LOADS = "cpu0: vcpu0 is loaded"


def stepper(policy: str = "none", system: str = SWITCH, most: int = 10_000, **more: object) -> Stepper:
    cls = load_system(system)
    instance = instantiate(cls, policy)
    return Stepper(instance, system, [], lambda text: condition_of(cls, instance, text), most, **more)  # type: ignore[arg-type]


def drive(app: Stepper, act: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async def driven() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await act(pilot)

    # In a thread of its own: in this one the browser of other tests has a loop that runs.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, driven()).result()


def shown(app: Stepper, part: str) -> str:
    return str(app.query_one(f"#{part}", Static).render())


async def pick(pilot: Pilot[None], words: str) -> None:
    """Moves to a step by its words, and takes it."""
    app = pilot.app
    assert isinstance(app, Stepper)
    number = next(n for n, (text, _, _) in enumerate(app.offered) if text.startswith(words))
    app.query_one("#choices", OptionList).focus()
    await pilot.press("home", *["down"] * number)
    await pilot.press("enter")
    await pilot.pause()


async def typed(pilot: Pilot[None], key: str, text: str) -> None:
    """Asks for a line and gives it: its last letter is typed, what is before is pasted, since the pilot waits after each key."""
    await pilot.press(key)
    await pilot.press("ctrl+u")
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(Paste(text[:-1]))
    await pilot.press({" ": "space"}.get(text[-1], text[-1]), "enter")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def test_what_can_happen_is_what_the_reference_says_and_a_step_is_taken_and_taken_back() -> None:
    app = stepper()
    walks = Walks(app.instance)

    async def act(pilot: Pilot[None]) -> None:
        start = app.state
        assert [step for _, _, step in app.offered] == list(walks.possible(start))
        await pick(pilot, LOADS)
        assert shown(app, "walk") == f"1 {LOADS}" and shown(app, "head").endswith("after step 1")
        assert "* running[cpu0] = vcpu0" in shown(app, "state") and "  running[cpu1] = None" in shown(app, "state")
        assert [step for _, _, step in app.offered] == list(walks.possible(app.state))
        await pilot.press("left")
        assert app.state == start and shown(app, "walk") == ""
        await pilot.press("r")
        assert shown(app, "walk") == f"1 {LOADS}"

    drive(app, act)


def test_what_a_step_changes_and_breaks_is_shown_before_it_is_taken() -> None:
    app = stepper()

    async def act(pilot: Pilot[None]) -> None:
        for words in (LOADS, "cpu0: the walker fills an entry for vcpu0", "cpu0: its vcpu is put"):
            await pick(pilot, words)
        assert shown(app, "status") == "Nothing is violated here."
        number = next(n for n, (text, _, _) in enumerate(app.offered) if text == "cpu0: vcpu1 is loaded")
        await pilot.press(*["down"] * number)
        await pilot.pause()
        assert "running[cpu0] = vcpu1" in shown(app, "change")
        assert "✗ then no-foreign-hit is violated" in shown(app, "change")
        await pilot.press("right")
        assert shown(app, "status") == "✗ no-foreign-hit: vcpu1 on cpu0 hits an entry that vcpu0 created."

    drive(app, act)


def test_a_state_is_found_by_a_shortest_way_or_it_is_said_that_there_is_none() -> None:
    app = stepper()

    async def act(pilot: Pilot[None]) -> None:
        await typed(pilot, "slash", "tlb.entry[cpu0, vcpu1]")
        assert len(app.steps) == 2 and "2 steps on, by a shortest way" in shown(app, "status")
        await typed(pilot, "slash", "running[cpu0] is vcpu0 and running[cpu1] is vcpu0 and False")
        assert "in no state that can still come (all " in shown(app, "status") and len(app.steps) == 2
        await typed(pilot, "slash", "runing[cpu0] is None")
        assert "there is no 'runing' here" in shown(app, "status") and "Did you mean 'running'?" in shown(app, "status")
        await typed(pilot, "f", "cpu1")
        assert all("cpu1" in line for line in shown(app, "state").splitlines())

    drive(app, act)


def test_a_limit_is_no_proof_that_a_state_does_not_come() -> None:
    app = stepper(most=3)

    async def act(pilot: Pilot[None]) -> None:
        await typed(pilot, "slash", "tlb.entry[cpu0, vcpu1]")
        assert "not among the nearest 3 states; --max-states looks at more." in shown(app, "status")

    drive(app, act)


@pytest.mark.parametrize(("steps", "verdict"), [(1, "inconclusive"), (4, "violated")])
def test_a_walk_is_saved_as_a_trace_that_the_others_read(tmp_path: Path, steps: int, verdict: str) -> None:
    file, app = tmp_path / "walk.json", stepper()
    way = (LOADS, "cpu0: the walker fills an entry for vcpu0", "cpu0: its vcpu is put", "cpu0: vcpu1 is loaded")

    async def act(pilot: Pilot[None]) -> None:
        await typed(pilot, "s", str(file))
        assert "There is no step to write." in shown(app, "status")
        for words in way[:steps]:
            await pick(pilot, words)
        await typed(pilot, "s", str(file))
        assert "confirmed by Z3" in shown(app, "status")

    drive(app, act)
    data = json.loads(file.read_text())
    jsonschema.validate(data, schema())
    assert data["verdict"] == verdict and (data["property"] is None) == (verdict == "inconclusive")
    told = CliRunner().invoke(cli.main, ["trace", str(file)])
    said = {1: "this walk: its initial state and each step.", 4: "this trace: its initial state, each step, and the violation."}
    assert told.exit_code == 0 and f"Z3 confirmed {said[steps]}" in " ".join(told.stdout.split())
    for form in ("mail", "markdown", "mermaid", "json", "html"):
        assert CliRunner().invoke(cli.main, ["trace", str(file), "--format", form]).exit_code == 0
    assert CliRunner().invoke(cli.main, ["view", str(file)]).exit_code == 0
    again = stepper(begun=read_trace(file).trace)
    assert [s for s in again.steps] == app.steps
    args = ["explore", SWITCH, "--policy", "none", "--from", str(file), "--html", str(tmp_path / "page.html")]
    assert CliRunner().invoke(cli.main, args).exit_code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"property": "no-foreign-hit"}, "'violation' is missing or malformed"),
        ({"verdict": "holds"}, "what it says of verdict is not so"),
        ({"trace": []}, "it is a walk without a step"),
        ({"violation": {"clause": None}}, "'property' is missing or malformed"),
    ],
)
def test_a_walk_that_was_changed_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    file, app = tmp_path / "walk.json", stepper()

    async def act(pilot: Pilot[None]) -> None:
        await pick(pilot, LOADS)
        app.save(str(file))

    drive(app, act)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    called = CliRunner().invoke(cli.main, ["trace", str(file)])
    assert called.exit_code == 2 and says in called.stderr


def test_of_several_ways_to_begin_one_is_chosen() -> None:
    app = stepper("2009", "xen-pv-paging")
    assert len(app.starts) == 6

    async def act(pilot: Pilot[None]) -> None:
        assert shown(app, "head").endswith("choose how it begins") and len(app.offered) == 6
        assert len({text for text, _, _ in app.offered}) == 6
        await pilot.press("down", "enter")
        assert app.initial == app.starts[1] and shown(app, "head").endswith("at the start")
        await pilot.press("left")
        assert shown(app, "head").endswith("choose how it begins")

    drive(app, act)


def test_steps_with_the_same_words_are_told_apart() -> None:
    app = stepper("none", "kvm-vcpu-switch")

    async def act(pilot: Pilot[None]) -> None:
        await pick(pilot, "cpu0: vcpu_load(vcpu0)")
        texts = [text for text, _, _ in app.offered]
        assert len(set(texts)) == len(texts)
        for then in ("vcpu_put, __switch_to", "enters the guest"):
            assert f"cpu0: stores last_vcpu_ran (then: {then})" in texts
        said = []
        for _ in texts:
            await pilot.pause()
            said.append(shown(app, "change"))
            await pilot.press("down")
        for then in ("next: vcpu_put, __switch_to", "next: enters the guest"):
            assert any(then in text for text in said)

    drive(app, act)


@pytest.mark.parametrize(
    ("system", "policy", "words", "says"),
    [
        (
            "kvm-trapped-tlbi",
            "exact",
            "is back from the guest",
            {"then: enters the guest", "then: vcpu_put: DSB ISH in __switch_to"},
        ),
        ("kvm-trapped-tlbi", "exact", "schedule VCPU", {"vcpu0", "vcpu1"}),
        ("kvm-vmid-allocator", "fixed", "vcpu_load", {"vm0", "vm1"}),
    ],
)
def test_what_tells_steps_apart_is_in_the_words_of_the_system(system: str, policy: str, words: str, says: set[str]) -> None:
    walks = Walks(instantiate(load_system(system), policy))
    seen, found = [next(iter(walks.starts(1)))], set[str]()
    while len(seen) < 400:
        state = seen.pop(0)
        possible = list(walks.possible(state))
        texts = Story(walked(walks.instance, state)).told(possible, 0)
        assert len({*texts}) == len(texts)
        found |= {text.partition(f"{words} (")[2][:-1] for text in texts if f"{words} (" in text}
        seen += [step.state for step in possible]
    assert says <= found and not any("choice" in text or "None" in text for text in found)


def test_a_saved_trace_is_gone_on_from() -> None:
    trace = check(SWITCH, "none", audit=None).trace
    assert trace is not None
    app = stepper(begun=trace)

    async def act(pilot: Pilot[None]) -> None:
        assert "✗ no-foreign-hit: " in shown(app, "status") and shown(app, "walk").count("\n") == 3
        await pilot.press("0")
        assert app.state == trace.initial
        await pilot.press("r", "r")
        assert app.state == trace.states[2]

    drive(app, act)


def test_without_a_terminal_it_says_so() -> None:
    called = CliRunner().invoke(cli.main, ["step", SWITCH, "--policy", "none"])
    assert called.exit_code == 2 and "step needs a terminal" in called.stderr


def test_in_a_terminal_it_opens_and_ends() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv(sys.executable, [sys.executable, "-m", "flushproof", "step", SWITCH, "--policy", "none"])
    seen, began = b"", time.monotonic()
    while time.monotonic() - began < 120:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        if b"What can happen" in seen:
            os.write(terminal, b"q")
    assert b"What can happen" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
