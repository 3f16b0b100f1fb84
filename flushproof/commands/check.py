"""`flushproof check`: the main job."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flushproof.auditing import Amount
from flushproof.checking import Request, expectations, is_wrong, run, run_all, with_settings
from flushproof.commands.options import (
    BAD_INPUT,
    HOLDS,
    INCONCLUSIVE,
    INTERNAL,
    VIOLATED,
    audit_option,
    draw_if_any,
    folder,
    html_option,
    long_option,
    look,
    memory,
    picture_option,
    settings_options,
    system_argument,
    try_path,
    warn,
    write,
)
from flushproof.commands.progress import counted, shown
from flushproof.engines import DEFAULT_ENGINE, ENGINES, Resources
from flushproof.model.errors import FlushproofError
from flushproof.model.language.declare import System, system_name
from flushproof.model.language.load import load_system
from flushproof.report.ci import junit, junit_all, sarif
from flushproof.report.jsonform import all_json, check_json
from flushproof.report.page import all_page, check_page
from flushproof.report.pictures import mermaid, mermaid_verdict
from flushproof.report.review import mail, markdown, markdown_all
from flushproof.report.trace import Look
from flushproof.report.verdict import all_text, check_text, verdict_text
from flushproof.result import HOLDS as WITHOUT_VIOLATION
from flushproof.result import INCONCLUSIVE as CUT_SHORT
from flushproof.result import NoVerdict, Result
from flushproof.search.task import Limits

WIDE = 160
"""How wide the table of all checks may be in a file: nothing wraps in there."""

PICTURE_WIDTH = 100
"""How wide a verdict in words is in a picture."""

DEFAULT_BOUND = 4
"""How many values a counter has that is not renamed."""

FOLDER = click.Path(file_okay=False, path_type=Path)
STATUS = {"holds": HOLDS, "violated": VIOLATED, "inconclusive": INCONCLUSIVE}


def _mermaid(result: Result) -> str:
    if result.trace is None:
        return mermaid_verdict(result.instance, verdict_text(result, Look(PICTURE_WIDTH)))
    return mermaid(result.trace)


FORMS: Mapping[str, Callable[[Result], str]] = {
    "text": lambda result: check_text(result, look()),
    "json": lambda result: json.dumps(check_json(result), indent=1),
    "mermaid": _mermaid,
    "html": check_page,
    "mail": mail,
    "markdown": markdown,
    "junit": junit,
    "sarif": lambda result: json.dumps(sarif([result]), indent=1),
}
"""How one result is printed."""

FORMS_OF_ALL = ("text", "json", "markdown", "junit", "sarif")
"""How many results are printed."""


@click.command("check", short_help="Explore every interleaving; say what holds, show what does not.")
@system_argument(required=False)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Every policy of SYSTEM, or of every system, against its expected verdicts.",
)
@settings_options
@click.option(
    "--property",
    "properties",
    metavar="NAME",
    multiple=True,
    help="Check only this. Any number of times. Without it: all. With --all: in every row.",
)
@click.option(
    "--symmetry",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Explore one of several states that differ only in names.",
)
@click.option(
    "--fuse", is_flag=True, help="Take hidden steps with the one before: fewer states, traces perhaps longer."
)
@click.option(
    "--rename",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Rename counters by rank, so that any number of their values is covered.",
)
@click.option(
    "--bound",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --rename off: values beyond N are cut off. [default: 4]",
)
@click.option(
    "--compact", is_flag=True, help="Keep 64-bit fingerprints instead of states: less memory, not quite certain."
)
@click.option(
    "--engine", type=click.Choice(list(ENGINES)), default=DEFAULT_ENGINE, show_default=True, help="Who explores."
)
@click.option(
    "--decide-with", type=click.Choice(["z3"]), help="Let Z3 decide the properties too, on every reachable state."
)
@long_option
@audit_option
@click.option("--max-states", metavar="N", type=click.IntRange(min=1), help="Stop after this many states.")
@click.option(
    "--max-memory", "--memory", metavar="SIZE", callback=memory, help="Stop at this much memory, as in 500M or 2G."
)
@click.option("--max-seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Stop after this time.")
@click.option("--max-depth", metavar="N", type=click.IntRange(min=0), help="Stop this many steps from the start.")
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="Threads that explore."
)
@click.option(
    "--checkpoint", metavar="DIR", type=FOLDER, help="Keep the search in this folder, so that it survives a kill."
)
@click.option("--resume", metavar="DIR", type=FOLDER, help="Go on with the search that --checkpoint kept there.")
@click.option(
    "--spill",
    metavar="DIR",
    type=FOLDER,
    help="Put states and the visited set here where --max-memory has no room for them.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --all: how many at once. Without it: one for each CPU.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMS)),
    default="text",
    show_default=True,
    help="How to print the result.",
)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the result as JSON, for `flushproof trace FILE`; with --all a file for each, in the folder FILE.",
)
@html_option
@picture_option
def check_command(
    system: str | None,
    everything: bool,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    properties: tuple[str, ...],
    symmetry: str,
    fuse: bool,
    rename: str,
    bound: int | None,
    compact: bool,
    engine: str,
    decide_with: str | None,
    audit: Amount | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
    max_depth: int | None,
    workers: int,
    checkpoint: Path | None,
    resume: Path | None,
    spill: Path | None,
    jobs: int | None,
    form: str,
    save: Path | None,
    html: Path | None,
    picture: Path | None,
) -> None:
    """Explores every interleaving of SYSTEM, and says whether its properties hold or shows a shortest way to break one.

    SYSTEM is a name that `flushproof list` shows, or path/to/file.py:Class.

    \b
    flushproof check kvm-vcpu-switch --policy none
    flushproof check kvm-vcpu-switch --policy last-ran --set fb=off
    flushproof check kvm-vmid-generation --policy fixed --size cpu=3
    flushproof check my_system.py:MySystem --property no-stale-hit
    flushproof check my_system.py --all
    flushproof check --all

    Under a named policy, the trace shown is the shortest one to the property that the discussion of this policy was about;
    without a policy, or with --property, the shortest one to any of the properties.

    Exit status: 0 holds, 1 violated, 2 bad input, 3 inconclusive, or holds vacuously: a property that nothing could have
    violated, or a @reachable state that was not reached. With --all: 0 if every verdict is as expected, and none vacuous;
    --policy, --set, --size and --property then choose or change the rows.
    """
    _refuse_what_does_not_go_together(
        system=system,
        everything=everything,
        narrowed=bool(picture or form not in FORMS_OF_ALL),
        jobs=jobs,
        checkpoint=checkpoint,
        resume=resume,
        decide_with=decide_with,
        bound=bound if rename == "on" else None,
    )
    how = Request(
        System,
        symmetry=symmetry == "on",
        fuse=fuse,
        compact=compact,
        bound=None if rename == "on" else bound or DEFAULT_BOUND,
        engine=engine,
        resources=Resources(workers, checkpoint or resume, resume is not None, spill),
        decide_with_z3=decide_with == "z3",
        audit=audit,
        limits=Limits(max_states, max_memory, max_seconds, max_depth),
    )
    if everything:
        chosen = None if system is None else _with_policies(load_system(system))
        cases = with_settings(list(expectations(chosen)), policy, knobs, sizes, properties)
        sys.exit(_check_all([replace(case, **_manner(how)) for case in cases], jobs or os.cpu_count() or 1, form, save, html))
    assert system is not None
    asked = replace(how, system=load_system(system), policy=policy, knobs=knobs, sizes=sizes, properties=properties)
    sys.exit(_check_one(asked, form, save, html, picture))


def _refuse_what_does_not_go_together(
    *,
    system: str | None,
    everything: bool,
    narrowed: bool,
    jobs: int | None,
    checkpoint: Path | None,
    resume: Path | None,
    decide_with: str | None,
    bound: int | None,
) -> None:
    """narrowed: whether something is said that is about one check alone; bound: one that is given though counters are renamed.

    Raises:
        click.UsageError: two options contradict each other, or one lacks another.
    """
    if not everything and system is None:
        raise click.UsageError("Give a SYSTEM, or --all. `flushproof list` shows the systems.")
    if everything and narrowed:
        raise click.UsageError(f"--all prints {', '.join(FORMS_OF_ALL)}, and draws no trace.")
    if jobs and not everything:
        raise click.UsageError("--jobs is about --all; the threads of one check are its --workers.")
    if checkpoint and resume:
        raise click.UsageError("Give --checkpoint to begin a search and --resume to go on with it, not both.")
    if everything and (checkpoint or resume):
        raise click.UsageError("--checkpoint and --resume are about one search, not --all.")
    if resume and decide_with:
        raise click.UsageError(
            "--decide-with needs to see every state, and --resume does not go through the old ones again."
        )
    if bound:
        raise click.UsageError("--bound is about counters that are not renamed: give --rename off with it.")


def _check_one(asked: Request, form: str, save: Path | None, html: Path | None, picture: Path | None) -> int:
    for path in filter(None, (save, html, picture)):
        try_path(path)
    with shown("exploring") as progress:
        result = run(replace(asked, progress=progress))
    if save is not None:
        write(save, json.dumps(check_json(result), indent=1))
    if html is not None:
        write(html, check_page(result))
    warn(result.warnings)
    draw_if_any(result.trace, picture)
    click.echo(FORMS[form](result), color=True)
    return INCONCLUSIVE if result.vacuous and result.verdict == WITHOUT_VIOLATION else STATUS[result.verdict]


def _lacking(results: Sequence[Result], wrong: Mapping[str, NoVerdict], cases: Sequence[Request]) -> dict[str, NoVerdict]:
    """Why there is no verdict, by what was asked; of the last cases there is none where an interrupt came first."""
    never = cases[len(results) + len(wrong) :]
    return {**wrong, **{str(case): NoVerdict("an interrupt came first") for case in never}}


def _printed_all(
    results: Sequence[Result], lacking: Mapping[str, NoVerdict], asked: int, wrong: int, seconds: float, form: str
) -> str:
    """lacking: why there is no verdict, by what was asked; asked: how many there should be; wrong: of how many the input was."""
    match form:
        case "json":
            return json.dumps(all_json(results, seconds), indent=1)
        case "markdown":
            return markdown_all(results, lacking)
        case "junit":
            return junit_all(results, lacking, seconds)
        case "sarif":
            return json.dumps(sarif([r for r in results if is_wrong(r)], lacking, results), indent=1)
    return all_text(results, look(elsewhere=WIDE), asked, wrong, seconds)


def _save_all(results: Sequence[Result], into: Path) -> None:
    """Writes a file for each result: `kvm-vcpu-switch_last-ran_fb=off.json`."""
    names = Counter[str]()
    for result in results:
        name = re.sub(r"[^\w.=-]+", "_", result.asked)
        names[name] += 1
        again = f"_{names[name]}" if names[name] > 1 else ""
        write(into / f"{name}{again}.json", json.dumps(check_json(result), indent=1))


def _with_policies(cls: type[System]) -> dict[str, type[System]]:
    if not cls.policies:
        raise FlushproofError(
            f"{system_name(cls)} has no policies whose verdicts --all could compare; check it without --all"
        )
    return {system_name(cls): cls}


def _check_all(
    cases: Sequence[Request], jobs: int, form: str, save: Path | None, html: Path | None
) -> int:
    """Checks the cases against their expected verdicts."""
    started = time.monotonic()
    if save is not None:
        folder(save)
    if html is not None:
        try_path(html)
    results: list[Result] = []
    wrong: dict[str, NoVerdict] = {}
    told: frozenset[str] = frozenset()
    interrupted = False
    with counted("checking", len(cases)) as done, suppress(KeyboardInterrupt):
        interrupted = True
        for case, found in zip(cases, run_all(cases, jobs), strict=True):
            if isinstance(found, NoVerdict):
                if found not in wrong.values():  # what is wrong with a system is so under each of its policies
                    click.echo(f"flushproof: {case}: {found}", err=True)
                wrong[str(case)] = found
            else:
                results.append(found)
                told = warn(found.warnings, told)
                if found.interrupted:
                    break
            done()
        else:
            interrupted = False
    seconds = time.monotonic() - started
    if save is not None:
        _save_all(results, save)
    lacking = _lacking(results, wrong, cases)
    if html is not None:
        write(html, all_page(results, lacking, len(cases), seconds))
    click.echo(_printed_all(results, lacking, len(cases), len(wrong), seconds, form), color=True)
    if wrong:
        return INTERNAL if any(found.internal for found in wrong.values()) else BAD_INPUT
    if any(is_wrong(r) for r in results):
        return VIOLATED
    if any(r.vacuous for r in results):
        return INCONCLUSIVE
    return INCONCLUSIVE if interrupted or any(r.verdict == CUT_SHORT for r in results) else HOLDS


def _manner(how: Request) -> dict[str, Any]:
    return {
        name: getattr(how, name)
        for name in ("symmetry", "fuse", "compact", "bound", "engine", "resources", "decide_with_z3", "audit", "limits")
    }
