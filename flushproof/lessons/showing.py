"""What a lesson shows: machines to walk through, traces, pictures of them, verdicts, and proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from xml.etree import ElementTree

from markupsafe import Markup

from flushproof.lessons.asking import Asked, all_of, outcome
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.proving import ProofRequest, ProofResult
from flushproof.proving import run as prove
from flushproof.report.explorer import broken_in, explorer_page
from flushproof.report.page import proof_page, rendered, says, trace_page
from flushproof.report.sequence import svg
from flushproof.report.stuck import svg as two_states
from flushproof.report.waiting import fill
from flushproof.report.words import headline, title_of
from flushproof.result import HOLDS
from flushproof.search.graph import Graph, graph

MOST = 2_000
"""How many states a machine to walk through has, at most."""


def framed(page: str, title: str) -> Markup:
    """A page within a lesson; the lesson's script makes it as high as it is."""
    return Markup('<iframe class="try" title="{}" srcdoc="{}"></iframe>').format(title, page)


def _figure(drawn: Markup, label: str, caption: str) -> Markup:
    """A picture, which scrolls by itself where it is too wide."""
    figure = Markup('<figure tabindex="0" role="group" aria-label="{}">{}<figcaption>{}</figcaption></figure>')
    return figure.format(label, drawn, caption)


@dataclass(frozen=True)
class Explore(Asked):
    """A machine to walk through.

    beside: another policy next to it; find: a property that the reader is to see violated there, which is a puzzle.
    """

    beside: str | None = None
    find: str | None = None

    def html(self) -> str:
        """The machine in a frame, and what is to be found in it."""
        cls = self.loaded
        policies = [self.policy, *([self.beside] if self.beside else [])]
        graphs = [graph(instantiate(cls, policy, self.knobs, self.sizes), MOST) for policy in policies]
        page = explorer_page(graphs, self.source, bare=True)
        frame = framed(page, f"Walk through {title_of(graphs[0].instance)}")
        if self.find is None:
            return frame
        properties = {p.name: p for p in graphs[0].instance.system.properties}
        what = says(self.find, properties.get(self.find))
        return rendered("hunt.html", frame=frame, find=self.find, says=what, least=self.least(graphs[0]))

    def least(self, found: Graph) -> int:
        """The fewest steps to a state in which it is violated: what the reader is measured by.

        Raises:
            FlushproofError: it is violated in no state of the page.
        """
        depth: list[int] = []
        for parent in found.parents:
            depth.append(0 if parent < 0 else depth[parent] + 1)
        ways = [depth[n] for n, said in broken_in(found) if any(name == self.find for name, _ in said)]
        if not ways:
            raise FlushproofError(f"{self.place}: {self.find} is violated in none of {len(found.states):,} states of {self}")
        return min(ways)


@dataclass(frozen=True)
class TracePage(Asked):
    """The shortest trace to a violation, to step through."""

    def html(self) -> str:
        """The trace in a frame."""
        trace = self.trace()
        return framed(trace_page(trace, [], bare=True), headline(trace))


@dataclass(frozen=True)
class Picture(Asked):
    """The shortest trace to a violation, as a sequence diagram: of its two forms the style sheet shows one."""

    caption: str = ""

    def html(self) -> str:
        """A figure."""
        trace = self.trace()
        said = f"{self.caption} ({headline(trace)}.)" if self.caption else f"{headline(trace)}."
        drawn = Markup('<div class="wide">{}</div><div class="narrow">{}</div>')
        return _figure(drawn.format(Markup(svg(trace)), Markup(svg(trace, narrow=True))), headline(trace), said)


@dataclass(frozen=True)
class Drawing(Asked):
    """A drawing made by hand, whose words are the model's.

    file: an SVG beside the lesson. What it says in a text of class `step` a step of the system says, and in one of class `place`
        a part of its state or of its machine is called so.
    """

    file: str = ""
    caption: str = ""

    def html(self) -> str:
        """A figure.

        Raises:
            FlushproofError: there is no such drawing, or it names what the system does not have.
        """
        known = sorted(f.name for f in files("flushproof.lessons").iterdir() if f.name.endswith(".svg"))
        all_of("drawing", known, [self.file], self.place)
        drawn = files("flushproof.lessons").joinpath(self.file).read_text(encoding="utf-8")
        instance = instantiate(self.loaded, self.policy, self.knobs, self.sizes)
        system = instance.system
        said = {
            "step": [text for a in system.actions for text in (fill(a.doc, {}), fill(a.label or "", {}))],
            "place": [text for v in system.variables for text in (v.name, v.view.title if v.view else v.doc)],
        }
        for kind, texts in said.items():
            for word in _words(drawn, kind):
                if not any(word in text for text in texts):
                    raise FlushproofError(f"{self.place}: {self.file} has a {kind} “{word}”, which {title_of(instance)} has not")
        return _figure(Markup(drawn), self.caption, self.caption)


def _words(drawn: str, kind: str) -> Iterator[str]:
    """What a drawing says in texts of one class, each in one line."""
    for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text"):
        if text.get("class") == kind:
            yield " ".join(" ".join(text.itertext()).split())


@dataclass(frozen=True)
class Verdict(Asked):
    """What a run came to, in a sentence, with the command that asks the same."""

    def html(self) -> str:
        """A paragraph."""
        found = outcome(self.result())
        command = f"flushproof check {self.command}"
        kind = "holds" if found["verdict"] == HOLDS else "bad"
        return Markup('<p class="verdict"><code>{}</code><br><b class="{}">{}</b></p>').format(command, kind, found["text"])


@dataclass(frozen=True)
class Proof(Asked):
    """A proof for any number of elements, or the two states at which it is stuck.

    without: lemmas that it has to do without, by name.
    show: "page": lemmas, their graph and how it was audited; "stuck": the first counterexample to induction, as two states.
    """

    without: tuple[str, ...] = ()
    show: str = "page"

    def html(self) -> str:
        """A page in a frame, or two states.

        Raises:
            FlushproofError: it does not come to what is to be shown.
        """
        shown: dict[str, Callable[[], str]] = {"page": self._page, "stuck": self._stuck}
        if self.show not in shown:
            raise FlushproofError(f"{self.place}: show is one of {', '.join(shown)}, not '{self.show}'")
        return shown[self.show]()

    def _result(self) -> ProofResult:
        return prove(ProofRequest(self.loaded, self.policy, self.knobs, self.sizes, without=tuple(self.without)))

    def _page(self) -> str:
        found = self._result()
        if found.verdict != HOLDS:
            raise FlushproofError(f"{self.place}: {self} is not proved: {found.verdict}")
        return framed(proof_page(found, bare=True), f"The proof of {self}")

    def _stuck(self) -> str:
        found = self._result()
        stuck = [f for f in (found.proof.failures if found.proof else ()) if f.counterexample]
        if not stuck:
            raise FlushproofError(f"{self.place}: the proof of {self} is stuck nowhere")
        first = stuck[0]
        assert first.counterexample is not None
        said = f"The step “{first.step}” leaves {first.conjunct.name}."
        return _figure(Markup(two_states(first.counterexample)), "two states", said)
