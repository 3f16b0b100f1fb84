"""Counting, sizes, next elements, checks in steps: read alike by every engine and other checkers, and proved for no other size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import IntSort
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.formulas.domain import any_number
from flushproof.properties.formulas.steps import Bits, bits_of
from flushproof.search.explore import explore
from flushproof.search.export import export

from benchmarks.checkers import rumur, spin
from flushproof.checking import check
from flushproof.proving import prove

from .checks import CHECKS
from .kinds import Refused, Violated, module
from .numbers import NUMBERS
from .readings import Effort, examine
from .written import load

TABLES = {**NUMBERS, **CHECKS}
CASES = [(k, n) for k, cases in TABLES.items() for n, case in cases.items() if not isinstance(case.right, Refused)]
OUTSIDE = [(k, n) for k, n in CASES if getattr(TABLES[k][n].right, "prop", "") == "well-defined"]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{k}: {n}" for k, n in CASES])
def test_every_engine_reads_it_alike(kind: str, name: str, tmp_path: Path) -> None:
    told = examine(module(TABLES[kind][name].text), tmp_path, Effort())
    assert told.kind == "agrees", (told.reading, told.said)
    assert "native, symmetry" in told.done and "Z3 certifies" in told.done


@pytest.mark.parametrize(("kind", "name"), OUTSIDE, ids=[f"{k}: {n}" for k, n in OUTSIDE])
def test_what_leaves_its_range_is_undefined_elsewhere_too(kind: str, name: str, tmp_path: Path) -> None:
    if shutil.which("rumur") is None or shutil.which("spin") is None:
        pytest.skip("Rumur or SPIN is not installed")
    case = TABLES[kind][name]
    assert isinstance(case.right, Violated)
    instance = instantiate(load(module(case.text), tmp_path, "numbers"))
    assert rumur(instance, tmp_path, timeout=60, optimise="-O0").violated == "well-defined"
    assert spin(instance, tmp_path, timeout=60, optimise="-O0").violated == ""


COUNTED = """
class Counted(System):
    on: Map[Cpu, bool]
    n: Annotated[int, Range(0, size(Cpu))]

    @action
    def turn(self, cpu: Cpu):
        require(not self.on[cpu])
        self.on[cpu] = True
        self.n += 1

    @action
    def idle(self):
        pass

    @invariant("the number is wrong")
    def right(self):
        return self.n == count(self.on[c] for c in Cpu)

Generated = Counted
"""


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_range_follows_the_size(size: int, tmp_path: Path) -> None:
    cls = load(module(COUNTED + "# class Generated"), tmp_path, "numbers")
    for engine in ("native", "reference"):
        found = check(cls, sizes={"cpu": size}, engine=engine)
        assert (found.verdict, found.states) == ("holds", size + 1)  # up to symmetry
    unreduced = explore(instantiate(cls, sizes={"cpu": size}), symmetry=False)
    assert (unreduced.verdict, unreduced.states) == ("holds", 2**size)


def test_a_system_of_one_size_is_not_read_at_another(tmp_path: Path) -> None:
    system = instantiate(load(module(COUNTED + "# class Generated"), tmp_path, "numbers")).system
    assert system.sized == {"Cpu"}
    with pytest.raises(ValueError, match="of 2 Cpu, and not of 3"):
        Instance(system, {**system.sizes, "Cpu": 3})
    with pytest.raises(FlushproofError, match="how many elements there are of Cpu"):
        any_number(system)


def test_nothing_is_proved_of_other_sizes(tmp_path: Path) -> None:
    found = prove(load(module(COUNTED + "# class Generated"), tmp_path, "numbers"))
    assert found.verdict == "inconclusive" and found.proof is None and found.proved == ()
    assert found.reason is not None and "how many elements there are of Cpu" in found.reason
    assert found.shown["right"].kind == "finite"


def test_integers_are_as_wide_as_a_model_needs(tmp_path: Path) -> None:
    """In a question of bits 2 to the 31st is no small number, nor is twice that."""
    text = "n: Annotated[int, Range(0, 1 << 31)]\n\n@action\ndef up(self):\n    require(self.n + self.n < 9)\n    self.n += 4\n"
    instance = instantiate(load(module(text), tmp_path, "numbers"))
    assert bits_of(instance.system) > 33
    bits = Bits(instance)
    assert bits.number(bits.integer(1 << 32), IntSort(0, 1 << 32)) == 1 << 32


def test_a_sum_over_a_scalarset_is_not_exported_as_one(tmp_path: Path) -> None:
    instance = instantiate(load(module(COUNTED + "# class Generated"), tmp_path, "numbers"))
    assert export(instance, "murphi")
    with pytest.raises(FlushproofError, match="export it without scalarsets"):
        export(instance, "murphi", scalarsets=True)
