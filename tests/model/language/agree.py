"""Python's own run of a system beside its compiled form, on random walks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement


def agreed(cls: Any, policy: str | None = None, sizes: Mapping[str, int] | None = None, steps: int = 600) -> bool:
    """Whether both took so many steps, and Python could run everything.

    Raises:
        Disagreement: they differ.
    """
    agreement = Agreement(cls, instantiate(cls, policy, sizes=sizes or {}), knob_values(cls, policy, {}))
    walked = agreement.compare(steps, None)
    return walked.steps >= steps and not walked.could_not_run
