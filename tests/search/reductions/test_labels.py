"""What is told without exploring where processes come is true of every reachable state, and tells something."""

from __future__ import annotations

import pytest
from flushproof.model.ir import FALSE, EnumSort
from flushproof.model.ir.terms import map_action
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.reductions.labels import held, simplifier
from flushproof.search.reference.breadth_first import ReferenceEngine
from flushproof.search.task import Limits

from tests.generated import instance as generated


@pytest.mark.parametrize("seed", range(60))
def test_no_reachable_state_holds_anything_else(seed: int) -> None:
    instance = generated(seed, process=True)
    known = held(instance.system)
    slots = [(i, s.var, s.sort) for i, s in enumerate(instance.slots) if isinstance(s.sort, EnumSort)]
    found: dict[str, set[object]] = {name: set() for _, name, _ in slots}

    def look(state: tuple[int, ...]) -> None:
        for i, name, sort in slots:
            found[name].add(sort.members[state[i]])

    explore(instance, properties=[], limits=Limits(states=2000), on_state=look, engine=ReferenceEngine())
    assert all(members <= known[name] for name, members in found.items())


def dead(policy: str) -> set[str]:
    system = instantiate(load_system("xen-pv-paging"), policy).system
    simplified = simplifier(held(system))
    return {a.name for a in system.actions if map_action(a, simplified).guard is FALSE}


def test_what_follows_a_call_that_is_never_made_never_happens() -> None:
    """Without `retyping` nobody changes a page's type, and without `foreign` nobody switches to another domain."""
    found = dead("per-batch")
    assert "hypercall: get_page_type: {page} has its new type" in found
    assert "hypercall: write_ptbase: load another domain's CR3" in found
    assert "hypercall: put_page_type: drop the old reference" not in found
    assert "hypercall: get_page_type: {page} has its new type" not in dead("xsa-401")
