"""What the benchmarks measure and draw, on systems that take no time."""

import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine

from benchmarks import specs
from benchmarks.checkers import Run, Unfinished, execute, missing, run_rumur, run_spin, spin
from benchmarks.compare import ALL, alone, hopeless, measure, picture, show
from benchmarks.parts import parts
from benchmarks.plot import Series, plot
from benchmarks.rivals import handwritten, measured
from benchmarks.subject import Subject

DOCS = Path(__file__).parents[2] / "docs" / "systems"
SMALL = Subject.parse(["xen-pv-paging", "per-batch", "Frame=4", "Cpu=1"])


def test_parts_are_of_the_same_search() -> None:
    found, ours = parts(SMALL.instance()), explore(SMALL.instance(), symmetry=False, engine=NativeEngine())
    assert (found.states, found.transitions) == (ours.states, ours.transitions)
    *shares, whole = (float(row[1]) for row in found.rows())
    assert sum(shares) == pytest.approx(whole, abs=3)


def test_alone_is_the_whole_search() -> None:
    run, ours = alone(SMALL.instance()), explore(SMALL.instance(), symmetry=False, engine=NativeEngine())
    assert (run.states, run.transitions, run.violated) == (ours.states, ours.transitions, None)


def test_what_is_not_at_hand_or_too_slow_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.compare.CHECKERS", {"SPIN": spin})
    monkeypatch.setattr("benchmarks.checkers.export", lambda *_: {"no-model": ""})
    runs = measure(SMALL, 60, {})
    assert list(runs) == ["flushproof"] and "left out: SPIN" in capsys.readouterr().err


def test_who_was_too_slow_before_is_not_tried_with_more() -> None:
    runs = {"flushproof": Run(1000, 3000, 0.1, 0.1, 1, None), "Rumur": Run(1000, 3000, 1.0, 0.1, 1, None)}
    before = {"xen-pv-paging per-batch Frame=3": runs}
    assert hopeless(SMALL, 50_000, 60, before) == {"SPIN", "TLC"}
    assert hopeless(SMALL, 70_000, 60, before) == {"Rumur", "SPIN", "TLC"}
    assert hopeless(SMALL, 70_000, 60, {"xen-pv-paging 2009": runs}) == set()


@pytest.mark.parametrize("language", ["murphi", "promela"])
def test_models_written_by_hand_are_of_the_same_system(language: str, tmp_path: Path) -> None:
    """The same states and steps, and a violation where the rollover's invalidation is left out."""
    checker, suffix = {"murphi": ("Rumur", ".m"), "promela": ("SPIN", ".pml")}[language]
    if reason := missing(checker):
        pytest.skip(reason)
    ours = explore(Subject.parse(["kvm-vmid-allocator", "fixed"]).instance(), symmetry=False, engine=NativeEngine())
    model = handwritten(suffix, 2, tmp_path)

    def asked() -> Run:
        return run_rumur(model, tmp_path, optimise="-O1") if suffix == ".m" else run_spin(model, tmp_path, optimise="-O1")

    theirs = asked()
    # SPIN counts the initial state as a transition.
    assert (theirs.states, theirs.transitions) == (ours.states, ours.transitions + (checker == "SPIN"))
    assert theirs.violated is None
    flush, none = ("pending[cpu][t] := true", "pending[cpu][t] := false") if suffix == ".m" else ("= ALL;\n  d_", "= 0;\n  d_")
    text = (tmp_path / model).read_text()
    assert text.count(flush) == 1
    (tmp_path / model).write_text(text.replace(flush, none))
    assert asked().violated in ("no-foreign-hit", "")


def test_rivals_are_held_against_flushproof(tmp_path: Path) -> None:
    def absent(where: Path, timeout: float) -> Run:
        raise Unfinished("there is no program rumur")

    ours = {"flushproof": Run(1000, 3000, 1.0, 0.1, 10_000, None)}
    rivals = {"SPIN": lambda where, timeout: Run(1000, 3001, 4.0, 0.1, 60_000, None), "Rumur": absent}
    rows = list(measured("a system", rivals, ours, 60))
    assert [row[1] for row in rows] == ["flushproof", "SPIN", "Rumur"]
    assert rows[1][2:] == ["1,000", "3,001", "4.00", "0.00025 M/s", "4"] and "no program" in rows[2][2]


def test_a_program_is_stopped_after_its_seconds_of_the_processor(tmp_path: Path) -> None:
    with pytest.raises(Unfinished, match=r"within 0\.2 seconds"):
        execute([sys.executable, "-c", "while True: pass"], tmp_path, 0.2)
    with pytest.raises(Unfinished, match="no program"):
        execute(["no-such-program"], tmp_path, 1)


def test_the_table_compares_with_flushproof() -> None:
    runs = {
        "flushproof": Run(1000, 3000, 1.0, 0.1, 10_000, None),
        "SPIN": Run(1000, 3000, 4.0, 0.1, 60_000, "some-property"),
    }
    last = show(runs).splitlines()[-1].split()
    assert last[:2] == ["SPIN", "violated"] and last[-2:] == ["4.0", "6.0"]
    drawn = xml.fromstring(picture({"a-system fixed Cpu=2": runs}))
    assert "SPIN" in [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]


def test_a_plot_has_a_point_for_each_value_in_order() -> None:
    drawn = xml.fromstring(plot([Series("a <b>", [[(1e3, 2.0), (1e5, 0.02)], [(1e4, 1.0)]])], "x", "y"))
    points = [
        (float(c.get("cx", "")), float(c.get("cy", ""))) for c in drawn.iter("{http://www.w3.org/2000/svg}circle")
    ]
    assert len(points) == 3
    assert points[0][0] < points[2][0] < points[1][0]
    assert points[0][1] < points[2][1] < points[1][1]


def test_all_subjects_exist() -> None:
    for words in ALL:
        assert Subject.parse(words.split()).instance().sizes


def test_specs_are_counted_as_their_page_says_and_larger_ones_judged() -> None:
    row = next(r for r in specs.COMPARED if (r.system, r.policy, r.cpus) == ("tla-vmidalloc", "put", 1))
    assert f"{row.ours().states:,}" in (DOCS / "tla-vmidalloc.md").read_text()
    small = specs.Large("tla-vmidalloc", "tip", {"cpu": 2}, {"cnp": True}, ("UniqueVMIDPerCPU",))
    [[name, asked, verdict, steps, *_]] = specs.large([small], 60)
    assert name == "tla-vmidalloc tip cpu=2 cnp=on"
    assert (asked, verdict, steps) == ("UniqueVMIDPerCPU", "UniqueVMIDPerCPU", "43")


def test_tlc_is_asked_about_the_sizes_of_a_row_and_only_with_the_spec_at_hand(tmp_path: Path) -> None:
    row = specs.COMPARED[2]
    told = specs.configuration(row).splitlines()
    assert {"CONSTANT TASKS = {t1, t2, t3, t4}", "CONSTANT VMIDS = 3", "CONSTANT SCHED_OUT = sched_out"} <= set(told)
    assert "VIEW View" in told and "CONSTANT GENERATIONS = 3" in told
    with pytest.raises(Unfinished):
        specs.by_tlc(row, tmp_path, tmp_path)
