"""Operands of emulated TLBIs: one description run on integers and on bit-vectors, and what Z3 says about all of
them.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
import z3  # type: ignore[import-untyped]
from flushproof.model.errors import FlushproofError
from flushproof.properties.operands import encodings as tlbi_operands
from flushproof.properties.operands import questions
from flushproof.properties.operands.encodings import (
    ASID,
    GRANULES,
    HALF,
    LEVELS,
    TTL,
    VA,
    Context,
    Emulation,
    Entry,
    Hardware,
    Op,
    Word,
    hint_allows,
    is_entry_of,
    is_legal,
    names,
    removes,
    res0,
    sanitised,
    va_above,
)
from flushproof.properties.operands.questions import (
    FACTS,
    Assumptions,
    Case,
    Cause,
    assume,
    done,
    exactness,
    needed,
    possible,
    review,
    soundness,
    symbols,
    worst,
)


def words(*values: int) -> tuple[Word, ...]:
    return tuple(z3.BitVecVal(v, 64) for v in values)


def as_vectors(case: Case) -> Case:
    entry = Entry(*words(*(getattr(case.entry, f) for f in Entry.__dataclass_fields__)))
    return Case(*words(case.word, case.guest_tcr, case.host_tcr, case.vttbr), entry)


def drawn(r: random.Random) -> Case:
    """A case in which much fits together: an entry of the guest's context, and an operand near its name."""
    tcr = [r.choice((0, 1, 2)) << 14 | r.choice((1, 2, 3)) << 30 | r.getrandbits(3) << 36 for _ in range(2)]
    name = r.getrandbits(64) & (ASID | VA)
    code = tcr[0] >> 30 & 3 if name & HALF else tcr[0] >> 14 & 3
    granule = next(g for g in GRANULES if code == (g.tg1 if name & HALF else g.tg0))
    level = r.choice(LEVELS)
    if not tcr[0] >> 36 & 1:
        name &= ~(0xFF00 << 48)
    name = name & ASID | name & va_above(granule.size(level))
    top = r.choice((0, 0xFF, r.getrandbits(8)))
    vttbr = r.getrandbits(16) << 48
    entry = Entry(
        name, r.choice((granule.hint, r.randint(0, 3))), level, r.getrandbits(1), r.getrandbits(1), top, vttbr
    )
    word = name
    for _ in range(r.randint(0, 3)):
        word ^= 1 << r.randrange(64)
    if r.random() < 0.2:
        word = r.getrandbits(64)
    return Case(word, tcr[0], tcr[r.getrandbits(1)], r.choice((vttbr, r.getrandbits(16) << 48)), entry)


def test_integers_and_bit_vectors_agree() -> None:
    r = random.Random(7)
    answers: dict[str, set[bool]] = {}
    for _ in range(400):
        case = drawn(r)
        other = as_vectors(case)
        op, emulation = r.choice(list(Op)), r.choice(list(Emulation))
        a = Assumptions(
            guest_ttl=bool(r.getrandbits(1)), hardware=Hardware(*(bool(r.getrandbits(1)) for _ in range(4)))
        )
        pairs = {
            "legal": (is_legal(case.guest), is_legal(other.guest)),
            "entry": (is_entry_of(case.entry, case.guest), is_entry_of(other.entry, other.guest)),
            "needed": (needed(op, case, a), needed(op, other, a)),
            "done": (done(emulation, op, case, a), done(emulation, op, other, a)),
        }
        for name, (plain, formula) in pairs.items():
            assert isinstance(plain, bool)
            assert z3.is_true(z3.simplify(formula)) == plain, (name, case)
            answers.setdefault(name, set()).add(plain)
        for plain, formula in (
            (res0(op, case.word, case.guest, a.guest_ttl), res0(op, other.word, other.guest, a.guest_ttl)),
            (sanitised(op, case.word, case.guest), sanitised(op, other.word, other.guest)),
        ):
            assert z3.simplify(formula).as_long() == plain % 2**64
    assert answers["entry"] == answers["needed"] == answers["done"] == {True, False}


@pytest.mark.parametrize("op", Op)
@pytest.mark.parametrize("granule", GRANULES, ids=str)
def test_every_kind_of_entry_can_be_required(op: Op, granule: tlbi_operands.Granule) -> None:
    """No question is settled because there is nothing to remove: pages, blocks, tables, global entries, both halves."""
    case = symbols()
    solver = z3.SolverFor("QF_BV")
    solver.add(
        possible(op, Assumptions(), None, case), needed(op, case, Assumptions()), case.entry.granule == granule.hint
    )
    shapes = [(3, 0), *((level, 0) for level in granule.block_levels)]
    shapes += [] if op.last_level else [(level, 1) for level in (1, 2)]
    for level, table in shapes:
        for upper in (0, HALF):
            for everyone in (0,) if op is Op.ASIDE1 else (0, 1):
                kind = (case.entry.level == level, case.entry.table == table, case.entry.everyone == everyone)
                assert solver.check(*kind, (case.entry.name & HALF) == upper) == z3.sat, (level, table, upper, everyone)


VERDICTS = {
    Emulation.RAW: ("violated", set(Cause) - {Cause.ALIKE}),
    Emulation.SANITISED: ("violated", {Cause.GRANULE, Cause.TOP_BYTE, Cause.ASID_WIDTH}),
    Emulation.NESTED: ("violated", {Cause.HINT}),
    Emulation.EXACT: ("holds", set()),
    Emulation.CAUTIOUS: ("holds", set()),
    Emulation.NUKE: ("holds", set()),
}


@pytest.mark.parametrize("emulation", Emulation)
def test_verdict_and_its_causes(emulation: Emulation) -> None:
    verdict, causes = VERDICTS[emulation]
    found = review(emulation, Assumptions())
    assert found.verdict == verdict
    assert {cause for cause, findings in found.causes.items() if worst(findings) == "violated"} == causes
    for finding in found.sound:
        assert (finding.case is not None) == (finding.verdict == "violated")


@pytest.mark.parametrize(
    ("emulation", "facts", "verdict"),
    [
        (Emulation.NESTED, ["guest-ttl"], "holds"),
        (Emulation.NESTED, ["no-ttl"], "holds"),
        (Emulation.NESTED, ["res0-clean"], "holds"),
        (Emulation.SANITISED, ["own-granule", "no-top-byte"], "violated"),
        (Emulation.SANITISED, ["own-granule", "no-top-byte", "whole-asid"], "holds"),
        (Emulation.SANITISED, ["res0-clean", "guest-ttl"], "violated"),
        (Emulation.RAW, ["own-granule", "no-top-byte", "whole-asid"], "violated"),
        (Emulation.RAW, ["own-granule", "no-top-byte", "whole-asid", "res0-clean"], "holds"),
        (Emulation.RAW, ["own-granule", "no-top-byte", "whole-asid", "guest-ttl"], "holds"),
        (Emulation.RAW, ["own-granule", "no-top-byte", "whole-asid", "no-ttl"], "holds"),
        (Emulation.RAW, ["own-granule", "no-top-byte", "guest-ttl"], "violated"),
    ],
    ids=str,
)
def test_what_a_verdict_rests_on(emulation: Emulation, facts: list[str], verdict: str) -> None:
    assert worst([soundness(emulation, op, assume(facts)) for op in Op]) == verdict


@pytest.mark.parametrize("op", [Op.VAE1, Op.ASIDE1])
@pytest.mark.parametrize("emulation", [Emulation.RAW, Emulation.SANITISED, Emulation.NESTED])
def test_assuming_more_breaks_nothing(emulation: Emulation, op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is taken for granted besides, what holds goes on to hold: all sets of assumptions."""
    monkeypatch.setattr(questions, "_wishes", lambda case: ())  # which case it is does not matter
    sets = [frozenset(f) for size in range(len(FACTS) + 1) for f in itertools.combinations(FACTS, size)]
    holds = {facts: soundness(emulation, op, assume(facts)).verdict == "holds" for facts in sets}
    assert any(holds.values()) and all(holds[a | {f}] for a in sets if holds[a] for f in FACTS)


@pytest.mark.parametrize("cause", [Cause.GRANULE, Cause.TOP_BYTE, Cause.ASID_WIDTH])
def test_what_guest_and_host_have_alike_is_not_blamed_on_a_difference(cause: Cause, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulation that removes nothing fails with guest and host alike, and no field of TCR_EL1 is to blame."""
    monkeypatch.setattr(questions, "emulated", lambda emulation, op, word, *rest: word != word)
    assert soundness(Emulation.RAW, Op.VAE1, Assumptions(), Cause.ALIKE).verdict == "violated"
    assert soundness(Emulation.RAW, Op.VAE1, Assumptions(), cause).verdict == "holds"


def test_an_assumption_that_does_not_exist() -> None:
    with pytest.raises(FlushproofError, match="guest-ttl"):
        assume(["guest_ttl"])
    assert assume(FACTS) == Assumptions(True, True, Hardware(False, False, False, False))


@pytest.mark.parametrize("op", [op for op in Op if op.by_va])
def test_exact_removes_nothing_else(op: Op) -> None:
    assert exactness(Emulation.EXACT, op, Assumptions()).verdict == "holds"
    assert exactness(Emulation.NUKE, op, Assumptions()).verdict == "violated"


@pytest.mark.parametrize("name", ["significant_asid", "ignores_top_byte", "hint_allows"])
def test_each_rule_matters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a rule of the architecture taken away, some verdict is another."""
    instead = {
        "significant_asid": lambda context: ASID,
        "ignores_top_byte": lambda context, word: 0 & word,
        "hint_allows": lambda word, entry: word == word,
    }
    monkeypatch.setattr(tlbi_operands, name, instead[name])
    causes = {c for c in Cause if worst([soundness(Emulation.RAW, op, Assumptions(), c) for op in Op]) == "violated"}
    assert causes < set(Cause)


@pytest.mark.parametrize(
    ("tg0", "tg1", "low_lower", "low_upper"),
    [(0b00, 0b10, 0, 0), (0b10, 0b01, 0b11, 0b11), (0b01, 0b11, 0b1111, 0b1111), (0b01, 0b10, 0b1111, 0)],
)
def test_res0_bits_of_the_manual(tg0: int, tg1: int, low_lower: int, low_upper: int) -> None:
    context = Context(tg0 << 14 | tg1 << 30 | 1 << 36, 0)
    assert res0(Op.VAE1, 0, context, ttl=False) == TTL | low_lower
    assert res0(Op.VAE1, HALF, context, ttl=True) == low_upper
    assert res0(Op.VAAE1, 0, context, ttl=True) == ASID | low_lower
    assert res0(Op.ASIDE1, 0, context, ttl=True) == TTL | VA
    assert res0(Op.ASIDE1, 0, Context(context.tcr ^ 1 << 36, 0), ttl=True) == 0xFF00 << 48 | TTL | VA
    assert res0(Op.VMALLE1, 0, context, ttl=True) == 2**64 - 1


@pytest.mark.parametrize(
    ("granule", "levels"), [(0b01, (1, 2, 3)), (0b10, (2, 3)), (0b11, (1, 2, 3))], ids=["4K", "16K", "64K"]
)
def test_hints_of_the_manual(granule: int, levels: tuple[int, ...]) -> None:
    """TTL[3:2] is the granule, TTL[1:0] the level: level 1 exists for 4K and 64K, for 16K with FEAT_LPA2 only."""
    for level in range(4):
        others = [Entry(0, g.hint, 3, 0, 0, 0, 0) for g in GRANULES if (g.hint, 3) != (granule, level)]
        hint = (granule << 2 | level) << 44
        assert all(hint_allows(hint, entry) == (level not in levels) for entry in others)
    assert all(hint_allows(level << 44, entry) for level in range(4) for entry in others)


def test_dropping_the_sanitising_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tlbi_operands, "sanitised", lambda op, word, context: word)
    assert soundness(Emulation.EXACT, Op.VAE1, Assumptions()).verdict == "violated"


@pytest.mark.parametrize("op", Op)
@pytest.mark.parametrize("granule", GRANULES, ids=str)
@pytest.mark.parametrize("wide", [False, True])
def test_names_are_counted_bit_by_bit(op: Op, granule: tlbi_operands.Granule, wide: bool) -> None:
    """A bit of the name counts as free where changing it in the operand changes nothing."""
    tcr = granule.tg0 << 14 | granule.tg1 << 30 | wide << 36
    for level in (2, 3):
        name = 1 << 48 | VA & va_above(granule.size(level)) & ~HALF
        entry = Entry(name, granule.hint, level, 0, 0, 0, 1 << 48)
        case = Case(name, tcr, tcr, 1 << 48, entry)
        plain = Hardware(ttl=False, granule_by_context=False, top_byte_by_context=False)
        assert is_entry_of(entry, case.guest) and removes(op, name, case.guest, plain, entry)
        bits = [b for b in range(64) if not TTL >> b & 1 and (wide or not 0xFF00 << 48 >> b & 1)]
        free = [b for b in bits if removes(op, name ^ 1 << b, case.guest, plain, entry)]
        assert 1 << len(free) == names(op, granule, level, wide)


def test_a_case_survives_its_emulation_alone() -> None:
    """The cases that are shown are about the emulation: executed as the guest's own, the same operation removes the
    entry.
    """
    for op in Op:
        found = soundness(Emulation.RAW, op, Assumptions())
        if found.case is not None:
            assert needed(op, found.case, Assumptions())
            assert not done(Emulation.RAW, op, found.case, Assumptions())
            same = replace(
                found.case, host_tcr=found.case.guest_tcr, word=sanitised(op, found.case.word, found.case.guest)
            )
            assert done(Emulation.RAW, op, same, Assumptions())


def test_an_interrupt_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    monkeypatch.setattr(z3.Solver, "reason_unknown", lambda _: "interrupted from keyboard")
    with pytest.raises(KeyboardInterrupt):
        soundness(Emulation.RAW, Op.VAE1, Assumptions())
