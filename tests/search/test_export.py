"""Exported models: other people's checkers count the same states and give the same verdicts."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.language.errors import FlushproofError
from flushproof.model.language.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.ir import FALSE
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.export import export
from flushproof.search.native.engine import NativeEngine
from flushproof.search.reference import Reference

from tests.generated import instance

needs_rumur = pytest.mark.skipif(not shutil.which("rumur") or not shutil.which("gcc"), reason="needs rumur and gcc")
needs_spin = pytest.mark.skipif(not shutil.which("spin") or not shutil.which("gcc"), reason="needs spin and gcc")
needs_tlc = pytest.mark.skipif("TLA2TOOLS" not in os.environ, reason="TLA2TOOLS names no tla2tools.jar")

SHIPPED = [("kvm-vcpu-switch", "none"), ("kvm-vcpu-switch", "last-ran-xen"), ("kvm-icache", "tlb-only")]


def run(*command: str, where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=600)
    return done.stdout + done.stderr


def write(inst: Instance, to: str, where: Path) -> str:
    files = export(inst, to)
    for name, text in files.items():
        (where / name).write_text(text)
    return next(iter(files))


def without_properties(inst: Instance) -> Instance:
    """Checkers do not go on behind a violation; without properties they count all states."""
    actions = tuple(replace(a, obligations=()) for a in inst.system.actions)
    return replace(inst, system=replace(inst.system, properties=(), actions=actions))


def rumur(inst: Instance, where: Path) -> str:
    model = write(inst, "murphi", where)
    options = ("--symmetry-reduction", "off", "--deadlock-detection", "off", "--threads", "1")
    said = run("rumur", "--output", "model.c", *options, model, where=where)
    said += run("gcc", "-O1", "-march=native", "-mcx16", "-w", "-o", "model", "model.c", "-lpthread", where=where)
    return said + run("./model", where=where)


def spin(inst: Instance, where: Path) -> str:
    model = write(inst, "promela", where)
    said = run("spin", "-a", model, where=where)
    assert "Error" not in said, said
    flags = ("-O1", "-w", "-DSAFETY", "-DNOREDUCE", "-DBFS", "-DVECTORSZ=4096")
    said += run("gcc", *flags, "-o", "pan", "pan.c", where=where)
    return said + run("./pan", "-E", "-m100000", where=where)


def number(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    assert found, said[-2000:]
    return int(found[1])


def before_the_first(inst: Instance) -> int:
    """SPIN's state before an initial one is chosen."""
    return int(len(set(Reference(inst).initial_states())) > 1)


@needs_rumur
@pytest.mark.parametrize("seed", [1, 3, 6, 9, 12, 17, 21, 26])
def test_rumur_counts_the_same(seed: int, tmp_path: Path) -> None:
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    said = rumur(inst, tmp_path)
    assert number(r"(\d+) states,", said) == ours.states
    if inst.system.final is FALSE:
        assert number(r"states, (\d+) rules", said) == ours.transitions


@needs_spin
@pytest.mark.parametrize("seed", [1, 3, 6, 9, 12, 17, 21, 26])
def test_spin_counts_the_same(seed: int, tmp_path: Path) -> None:
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    assert number(r"(\d+) states, stored", spin(inst, tmp_path)) == ours.states + before_the_first(inst)


@needs_rumur
@needs_spin
@pytest.mark.parametrize("system,policy", SHIPPED)
def test_shipped_systems(system: str, policy: str, tmp_path: Path) -> None:
    """The same verdict, and where it holds, the same number of states."""
    inst = instantiate(load_system(system), policy)
    ours = explore(inst, symmetry=False, engine=NativeEngine())
    theirs, others = rumur(inst, tmp_path), spin(inst, tmp_path)
    if ours.verdict == "holds":
        assert number(r"(\d+) states,", theirs) == ours.states
        assert number(r"(\d+) states, stored", others) == ours.states + before_the_first(inst)
        assert "No error found" in theirs
        assert "errors: 0" in others
    else:
        assert f'"{ours.property}"' in theirs
        assert "errors: 1" in others


@pytest.mark.parametrize("seed", range(30))
def test_tla_is_a_module_with_all_parts(seed: int) -> None:
    inst = instance(seed)
    text, configuration = export(inst, "tla").values()
    parser = pytest.importorskip("tla", reason="needs a parser of TLA+") if seed < 3 else None
    if parser is not None:
        assert parser.parse(text)
    for name in re.findall(r"INVARIANT (\w+)", configuration):
        assert f"\n{name} == " in text
    for name in re.findall(r": (Do_\w+)", text):
        assert f"\n{name}" in text


@needs_tlc
@pytest.mark.parametrize("seed", [1, 3, 6, 9, 12])
def test_tlc_counts_the_same(seed: int, tmp_path: Path) -> None:
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    model = write(inst, "tla", tmp_path)
    said = run("java", "-cp", os.environ["TLA2TOOLS"], "tlc2.TLC", "-deadlock", "-workers", "1", model, where=tmp_path)
    assert number(r"(\d+) distinct states found", said) == ours.states


def test_unknown_language() -> None:
    with pytest.raises(FlushproofError, match="promela"):
        export(instance(1), "promella")
