"""The parts serve: real bugs are found with them, and hold no more once they are mended."""

import pytest
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.search.explore import explore

from flushproof.agreement import Agreement

from .museum import AsidFootprints, InterruptibleTlbi, MremapUnlocks, RemoteFenceRollover

BUGS: dict[type[System], int] = {
    InterruptibleTlbi: 3,
    RemoteFenceRollover: 14,
    MremapUnlocks: 7,
    AsidFootprints: 12,
}
"""Each with the length of its shortest trace, the event at its end included."""


@pytest.mark.parametrize("bug", BUGS)
def test_the_bug_is_found_and_its_fix_holds(bug: type[System]) -> None:
    for name, policy in bug.policies.items():
        outcome = explore(instantiate(bug, name))
        assert (outcome.property or outcome.verdict) == policy.expect, name
        if policy.expect == "holds":
            assert outcome.complete and not outcome.not_reached, name
        else:
            assert outcome.trace is not None and len(outcome.trace.steps) == BUGS[bug], name


@pytest.mark.parametrize("bug", BUGS)
def test_python_agrees(bug: type[System]) -> None:
    for name in bug.policies:
        Agreement(bug, instantiate(bug, name), knob_values(bug, name, {})).compare(200, None)
