"""Python's own run of a system beside its compiled form, on random walks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flushproof.model.language.core_text import core_class
from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement


def agreed(
    cls: Any, policy: str | None = None, sizes: Mapping[str, int] | None = None, steps: int = 600, core: bool = False
) -> bool:
    """Whether both took so many steps, and Python could run everything.

    core: Python runs the class's core in the place of its source.

    Raises:
        Disagreement: they differ.
    """
    run = core_class(cls) if core else cls
    agreement = Agreement(run, instantiate(cls, policy, sizes=sizes or {}), knob_values(cls, policy, {}))
    walked = agreement.compare(steps, None)
    return walked.steps >= steps and not walked.could_not_run
