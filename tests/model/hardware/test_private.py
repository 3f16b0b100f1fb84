"""The private machine: a vcpu's TLB there holds what its own tables ever said, until it invalidates."""

from typing import Optional

import pytest
from flushproof.model.hardware import Page, PrivateMachine, Vcpu
from flushproof.model.language.declare import Knob, Map, System, action, invariant, reachable

from .explored import violated


class Alone(System):
    """Each vcpu changes its own mapping and invalidates its own TLB, or forgets to."""

    invalidates = Knob(bool, True, "with each change")

    maps: Map[Vcpu, Optional[Page]]

    def mapped(self, vcpu, page):
        return self.maps[vcpu] == page

    private = PrivateMachine(holds=(Page,), walk=mapped)

    @action
    def remap(self, vcpu: Vcpu, page: Optional[Page]):
        self.maps[vcpu] = page
        if self.invalidates:
            self.private.invalidate(vcpu)

    @invariant(because="{vcpu} could hit {page}, which it does not map")
    def no_stale_entry(self):
        return all(self.maps[vcpu] == page or not self.private.could_hit(vcpu, page) for vcpu in Vcpu for page in Page)

    @invariant(because="{vcpu} maps {page} and could not hit it")
    def whatever_is_mapped_can_be_hit(self):
        return all(self.private.could_hit(vcpu, page) for vcpu in Vcpu for page in Page if self.maps[vcpu] == page)

    @reachable
    def the_machines_differ(self):
        return any(
            self.private.could_hit(a, page) and not self.private.could_hit(b, page)
            for a in Vcpu
            for b in Vcpu
            for page in Page
        )


@pytest.mark.parametrize(("invalidates", "expected"), [(True, set()), (False, {"no-stale-entry"})])
def test_entries_stay_until_they_are_invalidated(invalidates: bool, expected: set[str]) -> None:
    assert violated(Alone, {"invalidates": invalidates}) == expected
