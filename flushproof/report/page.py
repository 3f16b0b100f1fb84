"""A result as one page of HTML that needs nothing else: a trace to step through, what holds and why, a proof with its lemmas."""

from __future__ import annotations

import ast
import json
import linecache
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from flushproof.auditing import Audit
from flushproof.model.ir import Place, Property, Scalarset
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import WALK, Trace
from flushproof.model.ir.waits import NO_STUCK
from flushproof.model.language.declare import Knob, System
from flushproof.model.language.load import load_system
from flushproof.model.language.policies import knobs_of
from flushproof.properties.formulas.printing import show
from flushproof.properties.induction.graph import svg
from flushproof.proving import ProofResult
from flushproof.report.audit import audit_text
from flushproof.report.cause import links
from flushproof.report.jsonform import SavedTrace, source_json
from flushproof.report.machine import Machine
from flushproof.report.news import Row, reads
from flushproof.report.proof import (
    audited_text,
    effort_text,
    not_needed_text,
    plain_trace,
    proof_verdict,
    searched_text,
)
from flushproof.report.simulation import NOTHING_MET, SAMPLING, endless, walked_text
from flushproof.report.stuck import svg as two_states
from flushproof.report.telling import Told, beginning, tell
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import confirmed_text, explored_text, never, row_of, total_text, verdict_text, warnings
from flushproof.report.waiting import fill
from flushproof.report.words import Story, cost_words, headline, many, title_of
from flushproof.result import HOLDS, INCONCLUSIVE, VIOLATED, NoVerdict, Result
from flushproof.search.simulate import Simulation
from flushproof.search.task import NO_DEADLOCK, WELL_DEFINED

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE = 10_000
"""No line of a page is wrapped by anyone but the browser."""

PRE = 120
"""What is shown as on a terminal is so wide."""


@dataclass(frozen=True)
class Fact:
    """One row of what a page says about a result: what it is about, and sentences."""

    about: str
    lines: tuple[str, ...]


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only now: a fifth of what starting a command takes

    made = Environment(
        loader=PackageLoader("flushproof.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["breakable"] = breakable
    scripts = {name: _asset(f"{name}.js") for name in ("machine", "page", "explore", "lesson")}
    made.globals.update(version=version("flushproof"), css=_asset("page.css"), scripts=scripts, bare=False)
    return made


def _asset(name: str) -> Markup:
    """A file of this package, as it is."""
    return Markup(files("flushproof.report").joinpath("templates", name).read_text(encoding="utf-8"))


LONG_NAME = 24
"""Names of more characters may break behind a `_`, where a narrow column leaves no room for them; others never do."""


LANE, LANE_EDGE, LETTER, ROOM = 7, 2.7, 0.52, 23.5
"""How wide a lane is at least, what of it is not text, how wide a letter is, and what all lanes may have beside the machine on
a screen of 62rem (in rem; page.css)."""


def breakable(text: str) -> Markup:
    """Text that may break behind `.` and `[`, and in long names; as in `breakable` of machine.js."""
    pieces = re.split(r"(?<=[.\[])(?=\w)", text)
    return Markup("<wbr>").join(part for piece in pieces for part in _parts(piece))


def _parts(piece: str) -> list[str]:
    return re.split(r"(?<=_)(?=\w)", piece) if max(map(len, re.findall(r"\w+", piece)), default=0) > LONG_NAME else [piece]


def rendered(template: str, **said: Any) -> str:
    """A page made of a template."""
    return _templates().get_template(template).render(**said)


def check_page(result: Result) -> str:
    """The page of one check: its trace, or else what was explored and holds."""
    facts = [*what(result.instance, result.source), *_how(result)]
    if result.trace is not None:
        return trace_page(result.trace, facts)
    verdict = verdict_text(result, Look(WIDE))
    return rendered(
        "verdict.html",
        title=title_of(result.instance),
        verdict=result.verdict,
        lines=verdict.splitlines(),
        heads=("property", "came to", "what it says"),
        rows=_properties(result),
        facts=facts,
    )


def trace_page(trace: Trace, facts: list[Fact], *, bare: bool = False) -> str:
    """The page of a trace; `facts`: what is said of it besides; bare: within another page, and without those."""
    story = Story(trace)
    found = links(story)
    return rendered(
        "trace.html",
        title=headline(trace),
        story=story,
        links=found,
        rows=[_row(story, row, told) for row, told in zip(story.rows, tell(story, every_step=True), strict=True)],
        start=beginning(story),
        facts=[*facts, *_costs(story)],
        data=embedded(Machine(story).data(found)),
        bare=bare,
        roomy=_is_roomy(story),
    )


def _is_roomy(story: Story) -> bool:
    """Whether the table of steps needs so much room that the machine stands beside it on a wide screen only."""
    names = (name for row in story.rows for name in re.findall(r"\w+", row.words))
    longest = max((len(name) for name in names if len(name) <= LONG_NAME), default=0)
    lane = max(LANE, LANE_EDGE + longest * LETTER)
    return len(story.lanes) * lane > ROOM


def saved_page(saved: SavedTrace, data: Mapping[str, Any]) -> str:
    """The page of a trace from a file, once Z3 has confirmed it; `data`: what the file says, of which some cannot be checked."""
    says = [f"It was found among {many(data['states'], 'state')}."] if type(data.get("states")) is int else []
    says += ["No other way is shorter."] if data.get("shortest") else []
    facts = [*what(saved.trace.instance, saved.source), Fact("Z3", (_again(saved),))]
    return trace_page(saved.trace, [*facts, Fact("The file says", tuple(says))] if says else facts)


def simulation_page(instance: Instance, source: str, found: Simulation, audit: Audit | None = None) -> str:
    """The page of random walks: the shortest trace among them, or that none met a violation."""
    facts = what(instance, source)
    more = [Fact("Walked", (walked_text(found),)), Fact("How", (SAMPLING,))]
    more += [Fact("Audited", (audit_text(audit).removeprefix("Audited: "),))] if audit is not None else []
    said = {"Never taken": found.never_taken, "Not reached": found.not_reached, "No walk can tell of": endless(instance)}
    more += [Fact(about, (", ".join(fill(name, {}) for name in names),)) for about, names in said.items() if names]
    if found.violations:
        first, *others = found.violations
        also = [Fact("Also met", (", ".join(v.property for v in others),))] if others else []
        shortest = Fact("Shortest", ("Among the walks; a shorter way may exist.",))
        return trace_page(first.trace, [*facts, Fact("Z3", (confirmed_text(None),)), shortest, *also, *more])
    return rendered(
        "verdict.html",
        title=title_of(instance),
        verdict=INCONCLUSIVE,
        lines=[NOTHING_MET],
        heads=("action", "taken"),
        rows=[(fill(name, {}), f"{count:,}") for name, count in found.taken.items()],
        facts=[*facts, *more],
    )


def all_page(results: Sequence[Result], missing: Mapping[str, NoVerdict], asked: int, seconds: float) -> str:
    """The page of many checks: one row for each, and under it each violation with its trace and its story.

    missing: why there is no verdict, by what was asked; asked: how many there should be; seconds: how long all of it took.
    """
    paths = {r.source: fact.lines[0] for r in results for fact in what(r.instance, r.source)[:1]}
    return rendered(
        "all.html",
        title=f"{many(len(paths), 'system')}, {many(len(results), 'verdict')}",
        total=total_text(results, Look(WIDE), asked, seconds).splitlines(),
        rows=[row_of(r) for r in results],
        told=[_told(number, r) for number, r in enumerate(results) if r.trace is not None],
        missing=[(what_, str(why)) for what_, why in missing.items()],
        facts=[Fact("Systems", tuple(paths.values()))],
    )


def _told(number: int, result: Result) -> dict[str, Any]:
    """One violation among many."""
    assert result.trace is not None
    story = Story(result.trace)
    return {
        "number": number,
        "asked": result.asked,
        "story": story,
        "links": links(story),
        "trace": trace_text(result.trace, Look(PRE)),
        "facts": (confirmed_text(result.followed), explored_text(result)),
    }


def proof_page(result: ProofResult, *, bare: bool = False) -> str:
    """The page of a proof: what is proved, the lemmas that it rests on and their graph, or the steps at which it is stuck.

    bare: within another page, and without what is said besides.
    """
    proof = result.proof
    facts = what(result.instance, result.source)
    if result.violated is not None:
        return trace_page(plain_trace(result) or result.violated.trace, [*facts, Fact("Z3", (confirmed_text(None),))])
    if result.audited is not None:
        facts.append(Fact("Audit of the proof", (audited_text(result.audited),)))
    if proof is not None:
        facts.append(Fact("Effort", (effort_text(result),)))
    if result.audit is not None:
        facts.append(Fact("Audited", (audit_text(result.audit).removeprefix("Audited: "),)))
    needs, used = (proof.needs(), proof.used()) if proof else ({}, frozenset())
    lines = proof_verdict(result, Look(WIDE)).splitlines()
    return rendered(
        "proof.html",
        title=title_of(result.instance),
        verdict=result.verdict,
        lines=[*(line.strip() for line in lines), *searched_text(result)],
        lemmas=[
            {
                "name": c.name,
                "formula": show(c.formula),
                "used": c in used,
                "needs": sorted(n.name for n in needs.get(c, ())),
            }
            for c in sorted(proof.inductive if proof else (), key=lambda c: c not in used)
            if c.role == "lemma"
        ],
        not_needed=not_needed_text(result),
        wrong=[(w.property, trace_text(w.trace, Look(PRE))) for w in result.wrong_lemmas],
        stuck=[
            (f.step, f.conjunct.name, Markup(two_states(f.counterexample)))
            for f in (proof.failures if proof and result.verdict != HOLDS else ())
            if f.counterexample
        ],
        graph=[Markup(svg(proof, narrow)) for narrow in (False, True)] if proof is not None and proof.conjuncts else None,
        facts=facts,
        bare=bare,
    )


def _again(saved: SavedTrace) -> str:
    return confirmed_text(saved.followed, saved.trace.property == WALK).replace(":", " again when this page was made:", 1)


def embedded(data: Any) -> Markup:
    """Data inside of a script element, which only `</` and `<!--` could end."""
    return Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))


def _row(story: Story, row: Row, told: Told) -> dict[str, Any]:
    """One step for the table of a trace, readable without any script."""
    return {
        "number": row.number,
        "lane": story.lanes.index(row.actor.name),
        "words": row.words,
        "runs": row.runs,
        "event": row.event,
        "possible": reads(story.instance, row, "guard"),
        "reads": reads(story.instance, row, "branch"),
        "changes": told.changes,
        "caches": told.caches,
        "costs": cost_words(row.costs),
        "source": source_json(row.place),
        "statement": _statement(row.place) if row.place is not None else "",
    }


def _statement(place: Place) -> str:
    """What stands at a place: its line, or if brackets are open there the lines of the whole statement as one."""
    lines = [line.strip() for line in linecache.getlines(place.file)[place.line - 1 :][:8]]
    for count in range(2, len(lines) + 1):
        whole = " ".join(lines[:count]).replace("( ", "(").replace(", )", ")")
        try:
            ast.parse(whole)
        except SyntaxError:
            continue
        return whole if lines[0].endswith(("(", "[", "{", ",")) else lines[0]
    return lines[0] if lines else ""


def what(instance: Instance, source: str) -> list[Fact]:
    """What was looked at: the policy, how it differs from the default, the sizes, what is assumed (a toggle)."""
    cls = load_system(source)
    knobs = knobs_of(cls)
    policy = cls.policies.get(instance.policy or "")
    differs = [
        f"{name}={value} (default: {Knob.text(knobs[name].default)}): {knobs[name].doc}"
        for name, value in instance.knobs.items()
        if name in knobs and value != Knob.text(knobs[name].default)
    ]
    assumed = [f"{n}={v}: {knobs[n].doc}" for n, v in instance.knobs.items() if n in knobs and knobs[n].toggle]
    sizes = [f"{s.name}: {instance.sizes[s.name]}" for s in instance.system.sorts if isinstance(s, Scalarset)]
    facts = [
        Fact("System", (f"{instance.system.name}: {_first_line(cls)}",)),
        Fact("Policy", (f"{instance.policy}: {policy.doc}" if policy else "no named one",)),
        Fact("Differs from the default", tuple(differs) or ("in nothing",)),
        Fact("Sizes", (", ".join(sizes) or "no sort of any number of elements",)),
    ]
    return [*facts, Fact("Assumed", tuple(assumed))] if assumed else facts


def _first_line(cls: type[System]) -> str:
    return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _how(result: Result) -> list[Fact]:
    """How the verdict was come to."""
    found = [Fact("Explored", (explored_text(result).removeprefix("Explored: "),))]
    if result.certified:
        found.insert(0, Fact("Z3", (confirmed_text(result.followed),)))
    if result.trace is not None:
        found.append(Fact("Shortest", ("No other way is shorter." if result.shortest else "A shorter way may exist.",)))
    if result.also_violated:
        found.append(Fact("Also violated on the way", (", ".join(result.also_violated),)))
    if result.audit is not None:
        found.append(Fact("Audited", (audit_text(result.audit).removeprefix("Audited: "),)))
    if said := [*warnings(result), *result.warnings, *result.hints, *filter(None, [never(result)])]:
        found.append(Fact("Notes", tuple(said)))
    if result.verdict != VIOLATED and result.switched_off:
        found.append(Fact("Switched off by these knobs", (", ".join(result.switched_off),)))
    return found


def _costs(story: Story) -> list[Fact]:
    return [Fact("Costs of these steps", (spent,))] if (spent := cost_words(story.costs)) else []


def _properties(result: Result) -> list[tuple[str, str, str]]:
    """Each property that was looked at, with what it came to."""
    docs = {p.name: p for p in result.instance.system.properties}
    said = {p.name: f"Again and again: {p.doc}" for p in result.instance.system.progress if p.doc}
    found = []
    for name in result.checked:
        prop = docs.get(name)
        reachable = prop is not None and prop.kind == "reachable"
        came = "reached" if reachable else "holds"
        if result.verdict != HOLDS:
            came = "not decided"
        if name in result.not_reached:
            came = "not reached"
        elif name in result.switched_off:
            came = "not in question with these knobs"
        elif name in result.vacuous:
            came = "holds vacuously"
        found.append((name, came, said.get(name) or says(name, prop)))
    return found


def says(name: str, prop: Property | None) -> str:
    """What a property is about: its docstring, or what would be said of its violation."""
    if prop is None:
        return BUILT_IN.get(name, "")
    return prop.doc or f"Violated where: {fill(next((c.message for c in prop.clauses if c.message), name), {})}"


BUILT_IN = {
    NO_DEADLOCK: "Some step is always possible, unless the system declares the state final.",
    NO_STUCK: "Whoever waits can still come to go on, whatever has happened.",
    WELL_DEFINED: "No step reads the element of a None or leaves a range.",
}
"""What the properties of every system say."""
