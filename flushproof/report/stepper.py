"""A terminal in which the reader picks each step: what can happen, what each step would change, the walk, the state.

`Textual` draws it, over SSH as well, and in 80 columns by 24 lines; only who opens it waits until that is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from flushproof.checking import certified
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace, walked
from flushproof.report.jsonform import saved_json
from flushproof.report.news import shown, valued
from flushproof.report.telling import FIXED, tell
from flushproof.report.words import Story, by_whom, many, title_of, told_apart
from flushproof.search.walk import Walks, Way

STARTS = 500
"""So many ways to begin are offered."""

Condition = Callable[[str], Callable[[State], bool]]
"""What a typed condition means."""


@dataclass(frozen=True)
class Asked:
    """A question in the line at the bottom: what is asked, what stands in it, and what is done with the answer."""

    what: str
    text: str
    answer: Callable[[str], None]


class Stepper(App[None]):
    """The terminal.

    source: how to load the system again; given: the knobs that were set besides the policy's; both for the file of a walk.
    condition: what a condition means that is typed in; most: among how many states one is looked for; begun: a walk to go on from.
    """

    TITLE = "flushproof step"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #head { height: 1; text-style: bold; }
    .upper { height: 3fr; }
    .lower { height: 2fr; }
    .upper > *, .lower > * { width: 5fr; border: round $foreground 40%; padding: 0; scrollbar-size-vertical: 1; }
    #choices, #path { width: 4fr; }
    #choices { height: 100%; background: $background; }
    .upper > *:focus, .lower > *:focus { border: round $accent; }
    #status { height: auto; max-height: 6; padding: 0 1; }
    #line { display: none; height: 3; }
    """
    BINDINGS = [
        Binding("enter,right", "take", "take", key_display="⏎"),
        Binding("left,backspace", "undo", "back", key_display="←"),
        Binding("r", "again", "again"),
        Binding("0", "start", "start", show=False),
        Binding("slash", "search", "search", key_display="/"),
        Binding("f", "filter", "filter"),
        Binding("s", "save", "save"),
        Binding("escape", "leave", "leave", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(
        self,
        instance: Instance,
        source: str,
        given: Sequence[str],
        condition: Condition,
        most: int,
        begun: Trace | None = None,
    ) -> None:
        super().__init__()
        self.instance, self.source, self.given, self.condition, self.most = instance, source, given, condition, most
        self.walks = Walks(instance)
        self.starts = self.walks.starts(STARTS) if begun is None else [begun.initial]
        self.initial = self.starts[0]
        self.steps: list[Step] = [] if begun is None else [step for step in begun.steps if not step.event]
        self.begins = begun is None and len(self.starts) > 1
        self.ahead: list[Step] = []
        self.offered: list[tuple[str, State, Step | None]] = []
        self.known: dict[Hashable, str] = {}
        self.asked: Asked | None = None
        self.only = ""
        self.file = f"{instance.system.name}-walk.json"

    # ---------------------------------------------------------------------------------------------------------- the screen

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        with Horizontal(classes="upper"):
            yield OptionList(id="choices", markup=False)
            with VerticalScroll(id="news", can_focus=True):
                yield Static(id="change", markup=False)
        with Horizontal(classes="lower"):
            with VerticalScroll(id="path", can_focus=True):
                yield Static(id="walk", markup=False)
            with VerticalScroll(id="all", can_focus=True):
                yield Static(id="state", markup=False)
        yield Static(id="status", markup=False)
        yield Input(id="line")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#choices").border_title = "What can happen (⏎ takes it)"
        self.query_one("#news").border_title = "What that changes"
        self.query_one("#path").border_title = "The walk"
        self.query_one("#choices").focus()
        self.show()

    @property
    def state(self) -> State:
        return self.steps[-1].state if self.steps else self.initial

    def show(self, said: str = "") -> None:
        """All of it anew; said: what there is to say besides."""
        where = "choose how it begins" if self.begins else f"after step {len(self.steps)}" if self.steps else "at the start"
        self.query_one("#head", Static).update(f"{title_of(self.instance)}: {where}")
        self.offered = self.choices()
        choices = self.query_one("#choices", OptionList)
        choices.clear_options()
        choices.add_options([Option(text) for text, _, _ in self.offered])
        if self.offered:
            choices.highlighted = 0
        else:
            self.query_one("#change", Static).update("")
        self.query_one("#walk", Static).update(self.walk_text())
        self.query_one("#path").scroll_end(animate=False)
        self.show_state()
        self.tell(said)

    def tell(self, said: str = "") -> None:
        """What is violated here, and what there is to say besides."""
        broken = Text("\n").join(Text(f"✗ {name}: {text}", "bold red") for name, text in self.violated(self.state))
        here = Text() if self.begins else broken or Text("Nothing is violated here.")
        self.query_one("#status", Static).update(Text("\n").join(filter(None, [Text(said), here])))

    def choices(self) -> list[tuple[str, State, Step | None]]:
        """What can be picked: words, the state after it, and the step; without a step it is a way to begin."""
        if self.begins:
            return [(self.beginning(state), state, None) for state in self.starts]
        possible = self.walks.possible(self.state)
        texts = told_apart(self.instance, possible, [self.words(self.state, step) for step in possible])
        return [(text, step.state, step) for text, step in zip(texts, possible, strict=True)]

    def beginning(self, state: State) -> str:
        """In what one way to begin differs from others."""
        varies = [i for i in range(len(state)) if len({start[i] for start in self.starts}) > 1]
        return ", ".join(self.value(state, i) for i in varies)

    def value(self, state: State, number: int) -> str:
        return valued(self.instance, self.instance.slots[number], state[number])

    def words(self, state: State, step: Step) -> str:
        """Who takes a step, and what happens."""
        key = (state, step.action, *step.binding.values())
        if key not in self.known:
            (row,) = Story(walked(self.instance, state, (step,))).rows
            self.known[key] = by_whom(row.actor, row.words)
        return self.known[key]

    def violated(self, state: State) -> list[tuple[str, str]]:
        return [(trace.property, Story(trace).sentence) for trace in self.walks.violated(state)]

    def walk_text(self) -> str:
        wide, moves = len(str(len(self.steps))), walked(self.instance, self.initial, tuple(self.steps)).transitions()
        return "\n".join(f"{number:>{wide}} {self.words(state, step)}" for number, (state, step) in enumerate(moves, 1))

    def show_state(self) -> None:
        """Each location with its value; an asterisk marks what the last step changed."""
        state, old = self.state, self.steps[-2].state if len(self.steps) > 1 else self.initial
        rows = [
            Text(f"{'*' if state[i] != old[i] else ' '} {text}", "bold" if state[i] != old[i] else "")
            for i in range(len(state))
            if self.only in (text := self.value(state, i))
        ]
        self.query_one("#all").border_title = f"The state: {self.only}" if self.only else "The state (* changed)"
        self.query_one("#state", Static).update(Text("\n").join([] if self.begins else rows))

    @on(OptionList.OptionHighlighted, "#choices")
    def preview(self) -> None:
        """What the step that is looked at would change, and break."""
        number = self.query_one("#choices", OptionList).highlighted
        if number is None:
            return
        _, after, step = self.offered[number]
        then = Text(self.beginning(after) if step is None else self.news(step))
        for name, _ in self.violated(after) if step is not None else ():
            then.append(f"\n✗ then {name} is violated", "bold red")
        self.query_one("#change", Static).update(then)

    def news(self, step: Step) -> str:
        """What a step reads, changes, and does to caches, as in a trace."""
        story = Story(walked(self.instance, self.state, (step,)))
        (told,) = tell(story, every_step=True)
        moved = [c for c in story.rows[0].changes if c.slot.var == f"{story.rows[0].process}.pc"]
        then = [f"next: {shown(self.instance, c.slot, c.after)}" for c in moved]
        return "\n".join([*told.news, *map(str, told.caches), *then]).replace(FIXED, " ") or "nothing"

    # --------------------------------------------------------------------------------------------------------- the walking

    @on(OptionList.OptionSelected, "#choices")
    def picked(self, event: OptionList.OptionSelected) -> None:
        self.take(event.option_index)

    def action_take(self) -> None:
        number = self.query_one("#choices", OptionList).highlighted
        if number is not None and self.asked is None:
            self.take(number)

    def take(self, number: int) -> None:
        """Goes on by what can be picked under this number."""
        _, state, step = self.offered[number]
        if step is None:
            self.initial, self.begins = state, False
        else:
            self.ahead = self.ahead[:-1] if self.ahead[-1:] == [step] else []
            self.steps.append(step)
        self.show()

    def action_undo(self) -> None:
        if self.steps:
            self.ahead.append(self.steps.pop())
        elif len(self.starts) > 1:
            self.begins, self.ahead = True, []
        self.show()

    def action_again(self) -> None:
        """Takes the step again from which one went back."""
        if self.ahead:
            self.steps.append(self.ahead.pop())
        self.show()

    def action_start(self) -> None:
        self.ahead += reversed(self.steps)
        self.steps = []
        self.show()

    # --------------------------------------------------------------------------------------------------------- the questions

    def ask(self, asked: Asked) -> None:
        """Opens the line at the bottom."""
        self.asked = asked
        line = self.query_one("#line", Input)
        line.value, line.border_title = asked.text, asked.what
        line.cursor_position, line.display = len(asked.text), True
        line.focus()

    def action_leave(self) -> None:
        """Closes the line at the bottom, and stops a search."""
        self.workers.cancel_all()
        self.asked = None
        self.query_one("#line").display = False
        self.query_one("#choices").focus()

    @on(Input.Submitted, "#line")
    def answered(self, event: Input.Submitted) -> None:
        asked = self.asked
        self.action_leave()
        if asked is not None:
            try:
                asked.answer(event.value.strip())
            except FlushproofError as error:
                self.tell(str(error))

    def action_filter(self) -> None:
        self.ask(Asked("The state: only what has this in it", self.only, self.filtered))

    def filtered(self, text: str) -> None:
        self.only = text
        self.show_state()

    def action_search(self) -> None:
        self.ask(Asked("The nearest state in which …, as in vttbr[cpu0] == vm1", "", self.look_for))

    def look_for(self, text: str) -> None:
        if self.begins:
            raise FlushproofError("Choose first how it begins: a state is looked for from there on.")
        self.find(text, self.condition(text))
        self.tell(f"Looking for the nearest state in which {text} (Escape stops it) …")

    @work(thread=True, exclusive=True, exit_on_error=True)
    def find(self, text: str, holds: Callable[[State], bool]) -> None:
        """Looks for a state in another thread, since that can take some seconds."""
        worker, here = get_current_worker(), self.state

        def asked(state: State) -> bool:
            if worker.is_cancelled:
                raise _Stopped
            return holds(state)

        try:
            now, found = asked(here), self.walks.nearest(here, asked, self.most)
        except _Stopped:
            return
        self.call_from_thread(self.found, text, here, now, found)

    def found(self, text: str, here: State, now: bool, found: Way) -> None:
        """Goes to the state that was found, unless somebody went on meanwhile."""
        if self.state != here:
            return
        also = "It holds here; " if now else ""
        looked = many(found.states, "state")
        if found.steps is not None:
            self.steps += found.steps
            self.ahead = []
            self.show(f"{also}{text}: {many(len(found.steps), 'step')} on, by a shortest way ({looked} looked at).")
        elif found.everything:
            other = "no other state" if now else "no state"
            self.tell(f"{also}{text}: in {other} that can still come (all {looked} looked at).")
        else:
            self.tell(f"{also}{text}: not among the nearest {looked}; --max-states looks at more.")

    def action_save(self) -> None:
        self.ask(Asked("Write the walk to this file, for `flushproof view` and `trace`", self.file, self.save))

    def save(self, name: str) -> None:
        """Writes the walk, once Z3 has confirmed it: with what is violated at its end, if something is."""
        if not self.steps or not name:
            raise FlushproofError("There is no step to write." if name else "The file needs a name.")
        trace = next(self.walks.violated(self.initial, self.steps), walked(self.instance, self.initial, tuple(self.steps)))
        text = json.dumps(saved_json(certified(trace), self.source, self.given), indent=1)
        try:
            Path(name).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise FlushproofError(f"{name}: {error.strerror}") from None
        self.file = name
        self.tell(f"{name}: {many(len(self.steps), 'step')}, confirmed by Z3; flushproof view {name} makes a page of it.")


class _Stopped(Exception):
    """Nobody waits for the search any more."""
