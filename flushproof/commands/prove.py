"""`flushproof prove` and `flushproof verify`: proofs for any number of elements."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from flushproof.auditing import Amount
from flushproof.commands.check import WIDE
from flushproof.commands.options import (
    BAD_INPUT,
    HOLDS,
    INCONCLUSIVE,
    INTERNAL,
    VIOLATED,
    audit_option,
    html_option,
    long_option,
    look,
    settings_options,
    system_argument,
    terminated_as_interrupted,
    text_or_json,
    try_path,
    write,
)
from flushproof.commands.progress import counted, shown
from flushproof.engines import engine_of
from flushproof.model.errors import FlushproofError
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, shipped
from flushproof.properties.induction import certificates
from flushproof.properties.induction.graph import mermaid, svg
from flushproof.proving import ProofRequest, ProofResult, Way, promises, run, run_all
from flushproof.report.jsonform import saved_json
from flushproof.report.page import proof_page
from flushproof.report.proof import plain_trace, proof_json, proof_text, table_json, table_text, verification_text
from flushproof.result import NoVerdict
from flushproof.search.explore import never_takes_over, takes_over
from flushproof.search.task import Limits

TO_BEGIN = Limits(seconds=60.0)
"""Of the search for a state in which the policy takes over, where it begins in what another one reaches."""

STATUS = {"holds": HOLDS, "violated": VIOLATED, "inconclusive": INCONCLUSIVE}


@click.command("prove", short_help="Prove a policy for any number of CPUs, VMs and VMIDs.")
@system_argument(required=False)
@click.option("--all", "everything", is_flag=True, help="Every shipped policy that is said to hold.")
@settings_options
@click.option("--property", "properties", metavar="NAME", multiple=True, help="Prove only this. Any number of times.")
@click.option(
    "--by",
    type=click.Choice(get_args(Way)),
    default="auto",
    show_default=True,
    help="induction: for any size, after exploring the given sizes. k-induction, bounded: for the given sizes, by unrolling steps, "
    "without exploring. auto: for any size, and what is not proved then by exploring or else by k-induction.",
)
@click.option(
    "--depth",
    metavar="K",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many steps to unroll at most.",
)
@click.option(
    "--max-seconds",
    metavar="S",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="How long to explore the given sizes, and how long to unroll steps.",
)
@click.option(
    "--infer",
    metavar="S",
    type=click.FloatRange(min=0),
    help="How long to look for missing lemmas; 0 for not at all.  [default: 60, with --all 0]",
)
@click.option(
    "--without",
    metavar="LEMMA",
    multiple=True,
    help="Leave out this lemma of the system, or `all` that were written: the search has to find others. Any number of times.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --all: how many proofs at once.  [default: one for each CPU]",
)
@click.option(
    "--graph",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw what the proof rests on: FILE.svg, or FILE.mmd for Mermaid.",
)
@html_option
@long_option
@audit_option
@text_or_json
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proof to a file, for `flushproof verify FILE` or any SMT-LIB solver; of what is violated the trace, for "
    "`flushproof trace FILE`.",
)
def prove_command(
    system: str | None,
    everything: bool,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    properties: tuple[str, ...],
    by: Way,
    depth: int,
    max_seconds: float,
    infer: float | None,
    without: tuple[str, ...],
    jobs: int | None,
    graph: Path | None,
    html: Path | None,
    audit: Amount | None,
    form: str,
    save: Path | None,
) -> None:
    """Proves SYSTEM's properties for every number of CPUs, VMs, vcpus, VMIDs and rollovers at once.

    \b
    flushproof prove kvm-vcpu-switch --policy last-ran
    flushproof prove kvm-vcpu-switch --policy both --set fb=off --save proof.json
    flushproof prove my_system.py:MySystem --property no-stale-hit --by bounded --depth 8
    flushproof prove --all

    First the policy is explored at the sizes given: a violation ends the matter, with its trace, and so does one of a lemma. Then
    Z3 is asked, for each action and each property or lemma, whether the action can break it where all of them hold. What fails is
    shown as two states, before and after the step, and whether exploring reaches the first.

    A proof is of one kind, always named: any-size; finite (every reachable state at these sizes); bounded (up to a depth).

    Exit status: 0 proved for any size (with --by k-induction: at least at these sizes), 1 violated, 2 bad input, 3 neither.
    """
    if everything == (system is not None):
        raise click.UsageError("Give either a SYSTEM or --all. `flushproof list` shows the systems.")
    if jobs and not everything:
        raise click.UsageError("--jobs is about --all.")
    how = ProofRequest(System, limits=Limits(seconds=max_seconds), infer=infer, by=by, depth=depth, audit=audit)
    if system is None:
        if policy or knobs or sizes or properties or without or save or graph or html:
            raise click.UsageError("--all takes each system as it is.")
        sys.exit(_prove_all(how, jobs or os.cpu_count() or 1, form))
    request = replace(
        how,
        system=load_system(system),
        policy=policy,
        knobs=knobs,
        sizes=sizes,
        properties=properties,
        infer=60.0 if infer is None else infer,
        without=without,
    )
    if graph is not None and graph.suffix not in PICTURES:
        raise FlushproofError(f"{graph}: a proof is drawn as .svg or .mmd")
    for path in filter(None, (save, graph, html)):
        try_path(path)
    with shown("proving") as progress, terminated_as_interrupted():
        result = run(replace(request, progress=progress, told=progress))
    click.echo(json.dumps(proof_json(result), indent=1) if form == "json" else proof_text(result, look()), color=True)
    if html is not None:
        write(html, proof_page(result))
    for target, written in ((save, _save), (graph, _draw)):
        if target is not None:
            try:
                written(result, target)
            except FlushproofError as error:  # the verdict stands
                click.echo(f"flushproof: {error}", err=True)
    sys.exit(STATUS[result.verdict])


PICTURES = {".svg": svg, ".mmd": mermaid}


def _save(result: ProofResult, path: Path) -> None:
    if (trace := plain_trace(result)) is not None:
        write(path, json.dumps(saved_json(trace, result.source, result.given), indent=1))
        click.echo(f"flushproof: {path} has the trace, for `flushproof trace`: there is nothing to prove", err=True)
        return
    if result.proof is None or not result.proved:
        raise FlushproofError(f"nothing is proved for any size, so there is no proof to write to {path}")
    write(path, json.dumps(certificates.certificate(result.proof, result.instance, result.given), indent=1))


def _draw(result: ProofResult, path: Path) -> None:
    if result.proof is None:
        why = "the policy is violated" if result.violated else result.reason or "no induction was asked for"
        raise FlushproofError(f"{why}, so there is no proof to draw in {path}")
    write(path, PICTURES[path.suffix](result.proof))


def _prove_all(how: ProofRequest, jobs: int, form: str) -> int:
    manner = {name: getattr(how, name) for name in ("limits", "infer", "by", "depth", "audit")}
    requests = [replace(request, **manner) for request in promises()]
    results: list[ProofResult] = []
    broken: list[NoVerdict] = []
    interrupted = True
    with counted("proving", len(requests)) as done, suppress(KeyboardInterrupt), terminated_as_interrupted():
        for request, found in zip(requests, run_all(requests, jobs), strict=True):
            if isinstance(found, NoVerdict):
                click.echo(f"flushproof: {request}: {found}", err=True)
                broken.append(found)
            else:
                results.append(found)
            done()
        interrupted = False
    if interrupted:
        click.echo(f"flushproof: interrupted; {len(results)} of {len(requests)} proofs are shown", err=True)
    click.echo(
        json.dumps(table_json(results), indent=1) if form == "json" else table_text(results, look(WIDE)), color=True
    )
    if broken:
        return INTERNAL if any(found.internal for found in broken) else BAD_INPUT
    if any(r.verdict == "violated" for r in results):
        return VIOLATED
    return INCONCLUSIVE if interrupted or any(r.verdict == "inconclusive" for r in results) else HOLDS


@click.command("verify", short_help="Check a proof's file again, without the search.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--system", "spec", metavar="SYSTEM", help="Where it is: path/to/file.py:Class.  [default: shipped]")
@click.option(
    "--cvc5", type=click.Choice(["on", "off"]), default="on", show_default=True, help="Ask cvc5 too, if installed."
)
def verify_command(file: Path, spec: str | None, cvc5: str) -> None:
    """Checks a proof that `flushproof prove --save FILE` wrote, without any search.

    Every question is made anew from the system's source as it is now, under the policy and settings that the file names, and asked:
    of the shipped system of the name in the file, or of the one that --system names. Only the lemmas that a search found, and what
    suffices for which question, are taken from the file.

    Exit status: 0 verified, 1 not verified, 2 the file is no proof, 3 there is no system to compare it with.
    """
    claimed = certificates.read(file)
    known = spec or (claimed.system if claimed.system in shipped() else None)
    instance = None
    if known is not None:
        try:
            instance = instantiate(load_system(known), claimed.policy, claimed.given, lemmas=True)
        except FlushproofError as error:
            raise FlushproofError(f"{file} does not fit {known} as it is now: {error}") from None
    found = certificates.verify(claimed, instance, cvc5=cvc5 == "on")
    if instance is not None and instance.system.handover is not None and not takes_over(instance, engine_of(), TO_BEGIN):
        found = replace(found, complaints=(*found.complaints, never_takes_over(instance)))
    click.echo(verification_text(found, look()), color=True)
    sys.exit(INCONCLUSIVE if not found.compared else HOLDS if found.ok else VIOLATED)
