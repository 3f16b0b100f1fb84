"""Puzzles: questions whose every answer was run, so that the page marks them by the tool's own verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flushproof.laboratory.comparing import compare
from flushproof.laboratory.lattice import Lattice, Point, lattice_of
from flushproof.lessons.asking import Asked, all_of, outcome
from flushproof.model.errors import FlushproofError
from flushproof.model.language.declare import Knob
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import proof_of
from flushproof.model.language.policies import knobs_of
from flushproof.proving import ProofRequest, written
from flushproof.proving import run as prove
from flushproof.report.cause import links
from flushproof.report.page import embedded, rendered
from flushproof.report.stuck import svg as two_states
from flushproof.report.words import Story
from flushproof.result import HOLDS, VIOLATED

WEAKEST = "weakest"

MOST = 32
"""So many answers of one puzzle are run, at most."""


@dataclass(frozen=True)
class Answer:
    """One answer: the knobs that it sets, or the named policy that it takes; `key`: what the page knows it by."""

    key: str
    knobs: Mapping[str, str]
    policy: str | None = None


@dataclass(frozen=True)
class Puzzle(Asked):
    """A question about knobs.

    ask: the question; right: the verdict that an answer must give ("holds", "violated"), or "weakest": it holds, and no answer that
        holds as well is weaker in the declared order of the knobs.
    options: one answer each: `say`, and `set` (knobs) or `policy`; or else
    choose: knobs of which the reader picks the values, each combination an answer.
    """

    ask: str = ""
    right: str = HOLDS
    options: Sequence[Mapping[str, Any]] = ()
    choose: Sequence[str] = ()

    def html(self) -> str:
        """The form, with all answers and their marks in it.

        Raises:
            FlushproofError: it is no question: there are no answers, too many, or all of them are right or wrong alike.
        """
        marks = self.marks()
        if len({mark["right"] for mark in marks.values()}) < 2:
            raise FlushproofError(f"{self.place}: all answers are right or wrong alike, so this is no question")
        controls = [] if self.options else [self._control(name) for name in self.choose]
        return rendered(
            "puzzle.html",
            ask=self.ask,
            first=0,
            options=[option["say"] for option in self.options],
            controls=controls,
            data=embedded(marks),
        )

    def marks(self) -> dict[str, dict[str, Any]]:
        """What the tool says of each answer."""
        answers = list(self._answers())
        if not 2 <= len(answers) <= MOST:
            raise FlushproofError(f"{self.place}: a puzzle has 2 to {MOST} answers, and this one {len(answers)}")
        found = {a.key: outcome(self.result(a.knobs, a.policy)) for a in answers}
        if self.right in (HOLDS, VIOLATED):
            return {key: {**said, "right": said["verdict"] == self.right} for key, said in found.items()}
        if self.right != WEAKEST:
            raise FlushproofError(f"{self.place}: right is {HOLDS}, {VIOLATED} or {WEAKEST}, not '{self.right}'")
        return self._weakest(answers, found)

    def _answers(self) -> Iterator[Answer]:
        known = knobs_of(self.loaded)
        if self.options:
            for number, option in enumerate(self.options):
                all_of("key", ("say", "set", "policy"), list(option), self.place)
                yield Answer(str(number), option.get("set", {}), option.get("policy"))
            return
        all_of("knob", list(known), self.choose, self.place)
        for values in itertools.product(*(map(Knob.text, known[name].values()) for name in self.choose)):
            yield Answer(" ".join(values), dict(zip(self.choose, values, strict=True)))

    def _control(self, name: str) -> dict[str, Any]:
        knob = knobs_of(self.loaded)[name]
        return {"name": name, "doc": knob.doc, "values": [Knob.text(value) for value in knob.values()]}

    def _weakest(self, answers: list[Answer], found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Right is what holds, if nothing weaker does."""
        if any(a.policy for a in answers):
            raise FlushproofError(f"{self.place}: a puzzle about the weakest answer sets knobs, and names no policies")
        free = list(dict.fromkeys(name for a in answers for name in a.knobs))
        lattice = lattice_of(self.loaded, self.policy, self.knobs, self.sizes, free)
        points = {a.key: _point(lattice, a.knobs) for a in answers}
        safe = [key for key, said in found.items() if said["verdict"] == HOLDS]
        made = {}
        for key, said in found.items():
            weaker = [k for k in safe if points[k] != points[key] and lattice.is_below(points[k], points[key])]
            note = "But something weaker holds as well." if key in safe and weaker else ""
            made[key] = {**said, "right": key in safe and not weaker, "note": note}
        return made


def _point(lattice: Lattice, knobs: Mapping[str, str]) -> Point:
    """The policy with these knobs; what an answer does not set is as the puzzle's policy has it."""
    values = zip(lattice.axes, lattice.base, strict=True)
    return tuple(axis.texts.index(knobs[axis.name]) if axis.name in knobs else base for axis, base in values)


PARTS = {
    "made": "brings the entry into the cache",
    "missed": "is the invalidation that misses it",
    "early": "removes such an entry too early",
    "pending": "issues what is still pending at the end",
    "hit": "hits it",
}
"""What a step can have to do with the entry of a violation: what a reader can be asked to find."""


@dataclass(frozen=True)
class Spot(Asked):
    """A trace without its story, in which the reader points at a step.

    ask: the question; part: what the step that is meant has to do with the entry that is hit, in `PARTS`; or else
    fixed: a policy that holds; meant is the first step at which it does something else.
    """

    ask: str = ""
    part: str = "missed"
    fixed: str | None = None

    def html(self) -> str:
        """The form, with what the tool says of each step in it.

        Raises:
            FlushproofError: there is no such part, or no step of this trace is meant.
        """
        story, _ = self._meant()
        options = [f"{row.actor.name}: {row.words}" for row in story.rows]
        return rendered("puzzle.html", ask=self.ask, first=1, options=options, controls=[], data=embedded(self.marks()))

    def marks(self) -> dict[str, dict[str, Any]]:
        """What the tool says of each step, by its number."""
        story, meant = self._meant()
        told = [link.text for link in links(story)]
        return {
            str(row.number): {
                "right": row.number in meant,
                "text": meant.get(row.number, f"Step {row.number} is not the one."),
                "story": told if row.number in meant else [],
            }
            for row in story.rows
        }

    def _meant(self) -> tuple[Story, dict[int, str]]:
        all_of("part", list(PARTS), [self.part], self.place)
        return self._parting if self.fixed else self._linked

    @cached_property
    def _linked(self) -> tuple[Story, dict[int, str]]:
        """The trace, and the steps that have this part in its story."""
        story = Story(self.trace())
        meant = {link.step: link.text for link in links(story) if link.part == self.part and link.step}
        if not meant:
            raise FlushproofError(f"{self.place}: no step of this trace {PARTS[self.part]}")
        return story, meant

    @cached_property
    def _parting(self) -> tuple[Story, dict[int, str]]:
        """The trace, and the first step at which the fixed policy does something else."""
        assert self.fixed is not None
        found = compare(self.loaded, (self.policy or "", self.fixed), self.sizes)
        if found.trace is None or found.broken or found.parts is None:
            raise FlushproofError(f"{self.place}: {self.policy} and {self.fixed} do not part on a trace of {self.policy}")
        said = "is not possible here" if not found.moments[found.parts].other.possible else "does something else"
        return Story(found.trace), {found.parts + 1: f"Under the policy {self.fixed} this step {said}."}


@dataclass(frozen=True)
class Lemmas(Asked):
    """A question about lemmas: with which of them does the proof go through?

    ask: the question; options: one answer each: `say`, and `keep`, the lemmas that it may use, by name.
    """

    ask: str = ""
    options: Sequence[Mapping[str, Any]] = ()

    def html(self) -> str:
        """The form, with what Z3 says of each answer in it.

        Raises:
            FlushproofError: it is no question, since all answers are right or wrong alike.
        """
        marks = self.marks()
        if len({mark["right"] for mark in marks.values()}) < 2:
            raise FlushproofError(f"{self.place}: all answers are right or wrong alike, so this is no question")
        options = [option["say"] for option in self.options]
        return rendered("puzzle.html", ask=self.ask, first=0, options=options, controls=[], data=embedded(marks))

    def marks(self) -> dict[str, dict[str, Any]]:
        """What Z3 says of each answer."""
        return {str(number): self._mark(option) for number, option in enumerate(self.options)}

    def _mark(self, option: Mapping[str, Any]) -> dict[str, Any]:
        all_of("key", ("say", "keep"), list(option), self.place)
        system = instantiate(proof_of(self.loaded), self.policy, self.knobs, self.sizes, lemmas=True).system
        known = [lemma.name for lemma in system.lemmas if written(lemma.name)]
        all_of("lemma", known, option["keep"], self.place)
        without = tuple(name for name in known if name not in option["keep"])
        found = prove(ProofRequest(self.loaded, self.policy, self.knobs, self.sizes, without=without, audit=None))
        proved = found.verdict == HOLDS and found.kind == "any-size"
        if proved:
            return {"right": True, "text": "Proved, for any number of elements."}
        stuck = [f for f in (found.proof.failures if found.proof else ()) if f.counterexample]
        if not stuck or stuck[0].counterexample is None:
            raise FlushproofError(f"{self.place}: without a proof there is nothing to show of “{option['say']}”")
        said = f"Not inductive: from a state that all of this allows, the step “{stuck[0].step}” leaves {stuck[0].conjunct.name}."
        return {"right": False, "text": said, "picture": two_states(stuck[0].counterexample)}
