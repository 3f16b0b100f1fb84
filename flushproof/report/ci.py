"""Results for machines that build: JUnit's XML for test reports, SARIF for findings that are shown at their lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from flushproof.checking import is_wrong
from flushproof.model.ir import Place
from flushproof.model.ir.trace import Trace
from flushproof.model.language.load import load_system
from flushproof.model.language.source import class_place
from flushproof.report.cause import links
from flushproof.report.news import Row
from flushproof.report.page import says
from flushproof.report.review import mail
from flushproof.report.words import Story, clause_of, many
from flushproof.result import HOLDS, INCONCLUSIVE, NoVerdict, Result

VERDICT = "verdict"
"""The rule of a policy that is to show a violation and shows none."""

SARIF = "2.1.0"
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# -------------------------------------------------------------------------------------------------------------------- JUnit


def junit(result: Result) -> str:
    """One check: a test case for each property.  What was not decided, since another one is violated sooner, is skipped."""
    suite = Element("testsuite", {"name": result.asked})
    for prop in result.checked:
        case = SubElement(suite, "testcase", {"classname": result.asked, "name": prop})
        if prop == result.violated:
            _failed(case, prop, result)
        elif prop in result.also_violated:
            SubElement(case, "failure", {"type": "violated", "message": f"{prop} is violated on the way"})
        elif result.verdict == INCONCLUSIVE:
            SubElement(case, "error", {"type": "inconclusive", "message": _text(result.reason or "")})
        elif result.verdict != HOLDS:
            SubElement(case, "skipped", {"message": f"not decided: the search ended where {result.violated} is violated"})
        elif prop in result.vacuous:
            SubElement(case, "failure", {"type": "vacuous", "message": f"{prop} holds vacuously"})
    return _suites([suite], result.seconds)


def junit_all(results: Sequence[Result], wrong: Mapping[str, NoVerdict], seconds: float) -> str:
    """Several checks: a test case for each, which fails where the verdict is not the expected one.

    wrong: why there is no verdict, by what was asked.
    """
    suites: dict[str, Element] = {}
    for result in results:
        name = result.instance.system.name
        suite = suites.setdefault(name, Element("testsuite", {"name": name}))
        told = " ".join(filter(None, [result.instance.policy or "defaults", result.settings]))
        case = SubElement(suite, "testcase", {"classname": name, "name": told, "time": f"{result.seconds:.3f}"})
        if is_wrong(result):
            expected = result.expected or "what the policy declares for other settings, or that it holds"
            _failed(case, f"expected {expected}, found {result.found}", result)
        elif result.verdict == INCONCLUSIVE:
            SubElement(case, "error", {"type": "inconclusive", "message": _text(result.reason or "")})
        elif result.vacuous:
            SubElement(case, "error", {"type": "vacuous", "message": f"vacuous: {', '.join(result.vacuous)}"})
    if wrong:
        suite = suites.setdefault("", Element("testsuite", {"name": "not checked"}))
        for what, why in wrong.items():
            case = SubElement(suite, "testcase", {"classname": "not checked", "name": _text(what)})
            said = _text(str(why))
            SubElement(case, "error", {"type": "no verdict", "message": said.splitlines()[0]}).text = said
    return _suites(list(suites.values()), seconds)


def _failed(case: Element, message: str, result: Result) -> None:
    SubElement(case, "failure", {"type": result.found, "message": _text(message)}).text = _text(mail(result))


def _suites(suites: list[Element], seconds: float) -> str:
    whole = Element("testsuites", {"name": "flushproof", "time": f"{seconds:.3f}"})
    for element in (*suites, whole):
        if element is whole:
            whole.extend(suites)
        element.set("tests", str(len(element.findall(".//testcase"))))
        for what in ("failure", "error", "skipped"):
            element.set(f"{what}s" if what != "skipped" else what, str(len(element.findall(f".//{what}"))))
    indent(whole)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(whole, encoding="unicode")


def _text(text: str) -> str:
    """Text without the characters that XML has not."""
    return _NOT_XML.sub("\ufffd", text)


# -------------------------------------------------------------------------------------------------------------------- SARIF


def sarif(
    results: Sequence[Result], wrong: Mapping[str, NoVerdict] = {}, checked: Sequence[Result] = ()
) -> dict[str, Any]:
    """What was found, each at the line of its last step with all steps as a code flow.

    results: what is a finding: each violation of one check, or of many those that are not as expected; a policy that is to show a
        violation and shows none is one too.
    wrong: why there is no verdict, by what was asked.
    checked: all that was checked, if more than the findings: what is undecided or vacuous among it is no run that has succeeded.
    """
    found = [_finding(r) for r in results if r.violated is not None or r.as_expected is False]
    rules = {rule["id"]: rule for rule in map(_rule, results)}
    named = [rules[name] for name in dict.fromkeys(f["ruleId"] for f in found)]
    driver = {"name": "flushproof", "version": version("flushproof"), "rules": named}
    said = [*(f"{what}: {why}" for what, why in wrong.items()), *filter(None, map(_undecided, checked or results))]
    failed = [{"level": "error", "message": {"text": text}} for text in said]
    return {
        "$schema": SARIF_SCHEMA,
        "version": SARIF,
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": not failed, "toolExecutionNotifications": failed}],
                "results": found,
            }
        ],
    }


def _rule(result: Result) -> dict[str, Any]:
    """What is asked of a system: its name, and what GitHub shows on top of a finding and beside it."""
    if result.violated is None:
        name, text = VERDICT, "Each policy gives the verdict that is declared for it."
    else:
        properties = {p.name: p for p in result.instance.system.properties}
        name, text = result.violated, says(result.violated, properties.get(result.violated)) or result.violated
    described = ("shortDescription", "fullDescription", "help")
    return {"id": name, **{where: {"text": text} for where in described}}


def _undecided(result: Result) -> str:
    """Why nothing found is not all that there may be; nothing where it is."""
    if result.verdict == INCONCLUSIVE:
        return f"{result.asked}: inconclusive: {result.reason or 'not everything was explored'}"
    return f"{result.asked}: vacuous: {', '.join(result.vacuous)}" if result.verdict == HOLDS and result.vacuous else ""


def _finding(result: Result) -> dict[str, Any]:
    trace = result.trace
    if trace is None:
        found = result.found if result.violated is None else f"{result.violated}, a state that no interleaving reaches"
        text = f"{result.asked}: expected {result.expected or HOLDS}, found {found}"
        place = class_place(load_system(result.source))
        return {"ruleId": result.violated or VERDICT, "level": "error", "message": {"text": text}, **_at(place)}
    story = Story(trace)
    told = " ".join(link.text for link in links(story))
    text = f"{result.asked}: {result.violated} is violated in {many(len(trace.steps), 'step')}. {story.sentence} {told}"
    flow = [_flow(row, row.place) for row in story.rows if row.place is not None]
    return {
        "ruleId": result.violated,
        "level": "error",
        "message": {"text": text.strip()},
        **_at(_place(story, trace)),
        **({"codeFlows": [{"threadFlows": [{"locations": flow}]}]} if flow else {}),
    }


def _place(story: Story, trace: Trace) -> Place | None:
    """The line of the last step; where nothing happens at all, that of the property."""
    if story.rows and story.rows[-1].place is not None:
        return story.rows[-1].place
    clause = clause_of(trace)
    return clause.place if clause is not None else None


def _at(place: Place | None) -> dict[str, Any]:
    return {"locations": [_location(place)]} if place is not None else {}


def _flow(row: Row, place: Place) -> dict[str, Any]:
    text = f"{row.number}. {row.actor.name}: {row.words}"
    return {"location": {**_location(place), "message": {"text": text}}, "executionOrder": row.number}


def _location(place: Place) -> dict[str, Any]:
    """A line; of a file below the folder where the program runs by its path from there, as a repository has it."""
    path = Path(place.file).resolve()
    below = path.is_relative_to(Path.cwd())
    uri = path.relative_to(Path.cwd()).as_posix() if below else path.as_uri()
    base = {"uriBaseId": "%SRCROOT%"} if below else {}
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri, **base}, "region": {"startLine": max(place.line, 1)}}
    }
