"""What is printed in the modelling language compiles to what was printed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from flushproof.model.ir import TRUE, Clause, EnumSort, IntSort, Lit, OptionSort, Read, Scalarset, Var
from flushproof.model.ir.terms import and_, closed, eq, not_, or_
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.formulas.conjuncts import conjuncts
from flushproof.properties.formulas.printing import show, show_lemma

from ..mechanisms import Generations, VcpuSwitch


@pytest.mark.parametrize("cls", [Generations, VcpuSwitch])
def test_lemmas_survive_printing_and_compiling(cls: type[System], tmp_path: Path) -> None:
    system = compile_system(cls, proofs=True)
    parts = list(conjuncts((*system.lemmas, *system.properties), "lemma"))
    methods = [show_lemma(f"again-{i}", part.clause) for i, part in enumerate(parts)]
    source = tmp_path / "again.py"
    source.write_text(
        "from tests.properties.mechanisms import *\n\n\n"
        f"class Again({cls.__name__}):\n" + textwrap.indent("\n\n".join(methods), "    ") + "\n"
    )
    again = {p.name: p for p in compile_system(load_system(f"{source}:Again"), proofs=True).lemmas}
    for i, part in enumerate(parts):
        (clause,) = again[f"again-{i}"].clauses
        assert show(closed(clause)) == show(part.formula)


def test_labels_are_printed_as_at_and_values_as_in() -> None:
    cpu = Var("cpu", Scalarset("Cpu"))
    labels = EnumSort("load.pc", ("start", "before the lock", "inside"))
    where = Read("load.pc", (cpu,), labels)
    here = or_(eq(where, Lit("start", labels)), eq(where, Lit("before the lock", labels)))
    phase = EnumSort("Phase", ("A", "B", "C"))
    now = Read("phase", (), phase)
    value = or_(eq(now, Lit("A", phase)), eq(now, Lit("B", phase)), not_(here))
    assert show(and_(here, value)) == (
        'at(self.load, cpu, "start", "before the lock")'
        ' and (self.phase in (Phase.A, Phase.B) or not at(self.load, cpu, "start", "before the lock"))'
    )
    flags = IntSort(0, 3)
    word = Read("flags", (cpu,), flags)
    assert show(or_(eq(word, Lit(1, flags)), eq(word, Lit(3, flags)))) == "self.flags[cpu] in (1, 3)"
    text = show_lemma("where-it-is", Clause((cpu,), here, value))
    assert text.splitlines()[:3] == ["@lemma", "def where_it_is(self):", "    return all("]


def test_a_stored_local_is_printed_as_local() -> None:
    cpu = Var("cpu", Scalarset("Cpu"))
    stored = Read("load.helper.vm", (cpu,), OptionSort(Scalarset("Vm")))
    part = Read("loads.vm", (cpu,), OptionSort(Scalarset("Vm")))
    text = show_lemma("it-is", Clause((cpu,), TRUE, eq(stored, part)), ["load"])
    assert 'local(self.load, cpu, "helper.vm") == self.loads.vm[cpu]' in text


def test_a_printed_lemma_reads_well() -> None:
    system = instantiate(Generations, lemmas=True).system
    lemma = next(p for p in system.lemmas if p.name == "who-allocates-is-not-current")
    assert show_lemma(lemma.name, lemma.clauses[0]) == textwrap.dedent(
        """\
        @lemma
        def who_allocates_is_not_current(self):
            return all(
                self.pc[c] not in (Pc.ALLOCATE, Pc.WAIT, Pc.SET_VTTBR, Pc.PUBLISH) or self.vm_gen[self.vm[c]] !=
                self.generation
                for c in Cpu
            )"""
    )
