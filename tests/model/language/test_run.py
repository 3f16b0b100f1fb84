"""The three readings start from one source: what Python runs is what is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.language.compile import compile_system
from flushproof.model.language.instantiate import knob_values
from flushproof.model.language.load import shipped

from .agree import Agreement, knobs_of
from .written import write

SIZES = {"A": 2, "B": 2}


@pytest.mark.parametrize("seed", range(30))
def test_python_and_ir_take_the_same_steps(seed: int, tmp_path: Path) -> None:
    cls = write(seed, tmp_path)
    agreement = Agreement(cls, SIZES, knobs_of(cls))
    assert agreement.run(most=25) > 0


@pytest.mark.parametrize(
    ("system", "policy"), [(name, policy) for name, cls in shipped().items() for policy in cls.policies]
)
def test_python_and_ir_take_the_same_steps_in_shipped_systems(system: str, policy: str) -> None:
    cls = shipped()[system]
    assert Agreement(cls, compile_system(cls).sizes, knob_values(cls, policy, {})).run(most=6, initial=3) > 0
