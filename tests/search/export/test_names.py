"""Names of exported models: whatever a system's names are, no two become one, and none is a word of the language's own."""

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from flushproof.model.hardware import Cpu
from flushproof.model.ir import CounterSort, EnumSort, Lit, OptionSort, Read, Scalarset, Update, Var
from flushproof.model.ir.instance import Instance
from flushproof.model.language import Map, Part, Range, System, action, invariant, process
from flushproof.model.language.instantiate import instantiate
from flushproof.search.explore import explore
from flushproof.search.export import LANGUAGES, export
from flushproof.search.export.names import ExportError, declared, identifier
from flushproof.search.native.engine import NativeEngine

from tests.generated import instance
from tests.search.export.test_export import CHECKERS, require, without_properties

WORDS = """
    x.y x_y x-y x(y) (x,y) x_y_2 x__y é ö 2 2_x old_x_y new_x_y new_1_x_y start_x_y default_x_y highest_x_y rename_x_y used_x_y
    Rank_x_y may_x_y do_x_y Do_x_y wrong_x_y reached_x_y Property_x_y holds_1 value_1 at_0 arg_0 i0 i i_1 v holds code start steps
    is_final used rank next highest below_zero vars Init Begin Next Spec The option held all_used each_used ranked ALL ANY THE its_i
    int INT now NULL EOF errno STDIN uchar max Index cas memcpy rule Rule end var type const array len skip printf assert run
    MODULE Nat Int Cardinality LOCAL LET DIV UNION SUBSET CHANGE
"""
POOL = [*WORDS.split(), 'a"b', "a\\b", "a*/b", "a*)b", "a\nb", "a b"]


class Renamed:
    """An instance with all of its names replaced by others, each kind for itself."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.names: dict[str, tuple[dict[Any, str], Iterator[str]]] = {}
        self.memo: dict[Any, Any] = {}

    def new(self, kind: str, name: Any) -> str:
        known, left = self.names.setdefault(kind, ({}, iter(self.rng.sample(POOL, len(POOL)))))
        if name not in known:
            known[name] = next(left)
        return known[name]

    def __call__(self, part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple(map(self, part))
        if not is_dataclass(part) or isinstance(part, type):
            return part
        if part not in self.memo:
            self.memo[part] = self.changed(part)
        return self.memo[part]

    def changed(self, part: Any) -> Any:
        parts = {f.name: self(getattr(part, f.name)) for f in fields(part) if f.init}
        match part:
            case Lit(str() as value, EnumSort() as sort) | Lit(str() as value, OptionSort(EnumSort() as sort)):
                parts["value"] = self.new(f"members of {sort.name}", value)
            case EnumSort():
                parts["members"] = tuple(self.new(f"members of {part.name}", m) for m in part.members)
                parts["name"] = self.new("enum", part.name)
            case Scalarset() | CounterSort():
                parts["name"] = self.new("sort", part.name)
            case Read():
                parts["name"] = self.new("variable", part.name)
            case Update():
                parts["var"] = self.new("variable", part.var)
            case Var():
                parts["name"] = self.new("parameter", part.name)
        return type(part)(**parts)

    def instance(self, inst: Instance) -> Instance:
        system = inst.system
        sizes = {self.new("sort", name): size for name, size in inst.sizes.items()}
        changed = replace(
            system,
            sorts=self(system.sorts),
            sizes=sizes,
            variables=tuple(replace(self(v), name=self.new("variable", v.name)) for v in system.variables),
            init=self(system.init),
            actions=tuple(replace(self(a), name=self.new("action", a.name)) for a in system.actions),
            properties=tuple(replace(self(p), name=self.new("property", p.name)) for p in system.properties),
            final=self(system.final),
            settle=self(system.settle),
        )
        return Instance(changed, sizes)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_called_whatever(seed: int, language: str) -> None:
    """What the exporter declares is counted by itself; here: that it does not refuse its own."""
    assert export(Renamed(seed).instance(instance(seed)), language)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("seed", range(6))
def test_names_change_no_count(seed: int, checker: str, tmp_path: Path) -> None:
    require(checker)
    inst = without_properties(instance(seed))
    ours = explore(inst, symmetry=False, engine=NativeEngine(), properties=[])
    theirs = CHECKERS[checker](without_properties(Renamed(seed).instance(inst)), tmp_path, False)
    assert theirs.states == ours.states


class Holder(Part):
    """Beside a variable of the same spelling."""

    entry: Map[Cpu, bool]


class Alike(System):
    """Labels and variables that are one as identifiers."""

    tlb = Holder()
    tlb_entry: Map[Cpu, bool]
    n: Annotated[int, Range(0, 3)]

    @process(Cpu)
    def flush(self, cpu: Cpu):
        """{cpu} flushes"""
        yield "flush (TLB)"
        self.tlb.entry[cpu] = True
        yield "flush [TLB]"
        self.tlb_entry[cpu] = True
        yield "flush <TLB>"
        self.tlb.entry[cpu] = False

    @action
    def tlb_entry_2(self):
        """counts"""
        self.n = 1 if self.n == 3 else self.n + 1

    @invariant("both")
    def fine(self):
        return all(self.n <= 3 for cpu in Cpu)


@pytest.mark.parametrize("checker", CHECKERS)
def test_labels_and_variables_that_are_spelled_alike(checker: str, tmp_path: Path) -> None:
    require(checker)
    inst = instantiate(Alike)
    ours = explore(inst, symmetry=False, engine=NativeEngine())
    theirs = CHECKERS[checker](inst, tmp_path, True)
    assert (ours.verdict, theirs.violated, theirs.states) == ("holds", None, ours.states)


@pytest.mark.parametrize("name", POOL)
def test_an_identifier_is_one(name: str) -> None:
    plain = identifier(name)
    assert plain.isascii() and plain.isidentifier() and not plain.startswith("_")
    assert identifier(plain) == plain or plain.startswith("its_") or plain.endswith("_")


def test_a_model_that_lacks_something_is_not_written() -> None:
    wanted = {"variables": (r"^var (\w+)", 2)}
    assert declared("var a\nvar b", wanted)
    with pytest.raises(ExportError, match="2 variables, and the model that was written 1"):
        declared("var a", wanted)
    with pytest.raises(ExportError, match="one name for two variables: a"):
        declared("var a\nvar a", wanted)
