"""Xen's linear page tables for any number of CPUs and frames: what the lemmas prove, and what each of them is for."""

import functools
from pathlib import Path

import pytest
from flushproof.model.ir import System
from flushproof.model.ir.terms import reads
from flushproof.model.language.instantiate import instantiate
from flushproof.model.proofs.xen_pv_paging import (
    DROPS,
    ENTERED,
    FLUSHES,
    GOES_ON,
    HAS_LEFT,
    LOOKS,
    SENDS,
    WAITS,
    WRITES,
    WRITES_L1,
)
from flushproof.model.systems.xen_pv_paging import XenPvPaging
from flushproof.properties.formulas.conjuncts import Conjunct, conjuncts
from flushproof.properties.induction.induction import Limits, Prover, touches

from flushproof.proving import prove

from .rewritten import rewritten
from .verdicts import Cell, cells

ALL_BUT_RETYPING = "xpti=on lazy=on foreign=on batches=on"
RETYPING = "retyping=on"


def is_provable(cell: Cell) -> bool:
    """Whether the verdict is for any number of CPUs."""
    return cell.expect.verdict == "holds" and "cpu" not in cell.expect.sizes


@pytest.mark.parametrize("cell", [c for c in cells(XenPvPaging) if is_provable(c)], ids=str)
def test_is_proved_for_any_size(cell: Cell) -> None:
    proved = prove(XenPvPaging, cell.policy, knobs=cell.expect.knobs, sizes=cell.expect.sizes)
    assert (proved.verdict, proved.kind, proved.wrong_lemmas) == ("holds", "any-size", ())


@pytest.mark.parametrize("cell", [c for c in cells(XenPvPaging) if c.expect.verdict != "holds"], ids=str)
def test_what_is_broken_is_not_proved(cell: Cell) -> None:
    assert prove(XenPvPaging, cell.policy, knobs=cell.expect.knobs, sizes=cell.expect.sizes).verdict == "violated"


@pytest.mark.parametrize("policy", ["per-batch", "2009"])
def test_what_rests_on_no_flush_is_proved_with_retyping_too(policy: str) -> None:
    """Not even without a flush does Xen write to what is no page table."""
    proved = prove(XenPvPaging, policy, knobs=setting(RETYPING), sizes={"frame": 4}, properties=["no-type-confusion"])
    assert (proved.verdict, proved.kind) == ("holds", "any-size")


def setting(text: str) -> dict[str, str]:
    return dict(item.split("=") for item in text.split())


def claims(cls: type[XenPvPaging], changed: str) -> tuple[System, tuple[Conjunct, ...]]:
    """The policy of 2020 with some knobs changed, all its invariants and all lemmas."""
    system = instantiate(cls, "per-batch", setting(changed), lemmas=True).system
    invariants = [p for p in system.properties if p.kind == "invariant"]
    return system, (*conjuncts(invariants, "property"), *conjuncts(system.lemmas, "lemma"))


shipped = functools.cache(functools.partial(claims, XenPvPaging))

RETYPES = "get_page_type: {page} has its new type"

NEEDED_FOR = {
    "an-upper-entry-is-in-memory-or-about-to-be-flushed": (WAITS, "no-stale-linear-access#1"),
    "so-are-the-two-that-a-lower-entry-stands-for": (
        "restore_all_guest, after a context switch",
        "no-stale-linear-access#2",
    ),
    "an-update-flushes": (FLUSHES, "an-upper-entry-is-in-memory-or-about-to-be-flushed"),
    "the-interrupt-flushes": ("invalidate_interrupt", "an-upper-entry-is-in-memory-or-about-to-be-flushed"),
    "who-waits-holds-flush-lock": (WAITS, "the-interrupt-flushes"),
    "this-cpu-is-spared-no-flush": (FLUSHES, "an-upper-entry-is-in-memory-or-about-to-be-flushed"),
    "cr3-is-the-root-table-or-another-domains": (
        "restore_all_guest, after a context switch (2)",
        "linear-map-shows-tables#1",
    ),
    "who-is-here-walks": ("restore_all_guest, after a context switch", "no-stale-root-copy"),
    "who-walks-is-in-dirty-cpumask": (DROPS, "an-upper-entry-is-in-memory-or-about-to-be-flushed"),
    "who-is-away-is-not-in-dirty-cpumask": (GOES_ON, "foreign-updater-is-clean"),
    "who-changes-cr3-is-away": (HAS_LEFT, "who-walks-is-in-dirty-cpumask"),
    "pages-keep-their-types": (RETYPES, "an-entry-leads-down"),
    "a-root-table-is-a-pinned-l4-table": ("invalidate_interrupt", "linear-map-shows-tables#1"),
    "a-cached-upper-entry-leads-to-an-l2-table": ("Xen is entered: {call}", "linear-map-shows-tables#1"),
    "a-cached-lower-entry-leads-to-an-l1-table": (
        "restore_all_guest, after a context switch",
        "linear-map-shows-tables#2",
    ),
    "an-entry-leads-down": ("restore_all_guest, after a context switch (2)", "linear-map-shows-tables#1"),
    "a-new-entry-leads-down": (WRITES, "linear-map-shows-tables#1"),
    "who-has-an-l1-page-writes-to-it": (WRITES_L1, "a-locks-page-is-locked"),
    "an-l2-entry-was-present": (LOOKS, "who-has-an-l1-page-writes-to-it"),
    "a-locks-page-is-locked": (DROPS, "no-type-confusion#2"),
    "a-lock-has-one-holder": (DROPS, "a-locks-page-is-locked"),
    "a-locked-page-is-in-use": (DROPS, "no-type-confusion#2"),
    "a-root-copy-is-current-or-about-to-be-renewed": (
        "restore_all_guest, after a context switch",
        "no-stale-root-copy",
    ),
    "the-guest-runs-on-an-unchanged-copy": (WAITS, "no-stale-root-copy"),
    "only-the-guest-is-interrupted": ("returns_from_interrupt", "the-guest-runs-on-an-unchanged-copy"),
    "nobody-interrupts-itself": ("invalidate_interrupt", "a-root-copy-is-current-or-about-to-be-renewed"),
    "who-idles-makes-no-update": (FLUSHES, "a-root-copy-is-current-or-about-to-be-renewed"),
    "only-updates-overwrite": (
        "restore_all_guest, after a context switch",
        "an-update-of-the-own-root-table-concerns-this-cpu",
    ),
    "an-update-of-a-root-table-concerns-who-uses-it": (
        "invalidate_interrupt",
        "a-root-copy-is-current-or-about-to-be-renewed",
    ),
    "an-update-of-the-own-root-table-concerns-this-cpu": (FLUSHES, "a-root-copy-is-current-or-about-to-be-renewed"),
    "whom-it-concerns-is-told": (SENDS, "the-interrupt-tells"),
    "this-cpu-is-told": (FLUSHES, "a-root-copy-is-current-or-about-to-be-renewed"),
    "the-interrupt-tells": ("invalidate_interrupt", "a-root-copy-is-current-or-about-to-be-renewed"),
}
"""For each lemma, a step that may break another claim if the lemma did not hold."""


NEEDED_WITH_RETYPING = {
    "what-may-be-cached-is": ("invalidate_interrupt", "linear-map-shows-tables#2"),
    "only-upper-tables-have-entries": (ENTERED, "an-entry-leads-down"),
    "a-pinned-page-is-in-use": (RETYPES, "no-stale-linear-access#1"),
    "an-entry-in-use-is-counted": (RETYPES, "linear-map-shows-tables#1"),
    "what-is-in-hand-is-counted": (WRITES, "linear-map-shows-tables#2"),
    "entries-have-numbers-of-their-own": (WRITES, "so-has-what-is-in-hand"),
    "so-has-what-is-in-hand": (DROPS, "an-entry-in-use-is-counted"),
    "so-has-what-two-have-in-hand": (DROPS, "what-is-in-hand-is-counted"),
    "an-update-has-one-reference-in-hand": (WRITES, "linear-map-shows-tables#2"),
    "a-page-that-changes-its-type-is-taken": ("invalidate_interrupt", "a-cached-upper-entry-leads-to-an-l2-table"),
    "a-taken-page-is-in-use-as-nothing": (RETYPES, "no-type-confusion#2"),
    "a-taken-page-has-one-taker": (RETYPES, "a-page-that-changes-its-type-is-taken"),
    "only-for-a-page-that-is-taken": ("invalidate_interrupt", "a-cached-upper-entry-leads-to-an-l2-table"),
    "who-changes-a-type-is-known": ("invalidate_interrupt", "a-cached-upper-entry-leads-to-an-l2-table"),
    "for-a-page-that-changes-its-type-all-are-flushed": (RETYPES, "linear-map-shows-tables#2"),
}


NEEDED = {
    **{lemma: (ALL_BUT_RETYPING, *why) for lemma, why in NEEDED_FOR.items()},
    **{lemma: (RETYPING, *why) for lemma, why in NEEDED_WITH_RETYPING.items()},
}


def test_no_lemma_is_missing_from_the_tables() -> None:
    system, _ = shipped(RETYPING)
    mine = {p.name for p in system.lemmas if not p.name.endswith(("-set", "-unset"))}
    assert mine == set(NEEDED), "the tool itself says where a local variable is set"


@pytest.mark.parametrize("lemma", NEEDED)
def test_each_lemma_is_needed(lemma: str) -> None:
    changed, step, broken = NEEDED[lemma]
    system, parts = shipped(changed)
    (action,) = (a for a in system.actions if a.name in (step, f"hypercall: {step}"))
    (part,) = (c for c in parts if c.name == broken)
    rest = [c for c in parts if c.name != lemma]
    result = Prover(system, rest, Limits(first=0.1, small=30.0, retries=())).consecution(action, part)
    assert result.verdict == "failed"
    assert result.counterexample is not None


def test_the_largest_type_count_does_not_matter(tmp_path: Path) -> None:
    """Six is for exploring; whatever reads a count is proved with ten times as many too."""
    more = rewritten(XenPvPaging, "MOST_REFERENCES = 6", "MOST_REFERENCES = 60", tmp_path, lemmas=True)
    system, parts = claims(more, RETYPING)
    prover = Prover(system, parts)
    counted = [part for part in parts if "refs" in reads(part.formula)]
    assert {c.name for c in counted} == {
        "no-type-confusion#2",
        "an-entry-leads-down",
        "a-pinned-page-is-in-use",
        "an-entry-in-use-is-counted",
        "what-is-in-hand-is-counted",
        "entries-have-numbers-of-their-own",
        "so-has-what-is-in-hand",
        "a-locked-page-is-in-use",
        "a-taken-page-is-in-use-as-nothing",
    }
    for part in counted:
        assert prover.initiation(part).verdict == "proved"
        assert {prover.consecution(a, part).verdict for a in system.actions if touches(a, part)} == {"proved"}
