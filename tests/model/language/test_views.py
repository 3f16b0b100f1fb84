"""What state is in the machine (`View`): where it is declared, and what a view may not speak of."""

from typing import Annotated, Any, Optional

import pytest
from flushproof.model.errors import ModelError
from flushproof.model.hardware import Cpu, Tlb, Vm, Vmid
from flushproof.model.ir import View
from flushproof.model.language import Ghost, Map, System, action
from flushproof.model.language.compile import compile_system
from flushproof.model.language.load import shipped


def test_annotations_maps_and_parts_say_what_state_is() -> None:
    class Machine(System):
        """Two caches and a register."""

        vttbr: Annotated[Map[Cpu, Optional[Vm]], View("context", "VTTBR_EL2")]
        own: Ghost[Annotated[Map[Cpu, bool], View("cache", "TLB of its own")]]
        plain: Map[Cpu, bool]

        def walkable(self, cpu, vm):
            return self.vttbr[cpu] == vm

        def walked(self, cpu, vmid, vm):
            return self.vttbr[cpu] == vm

        tlb = Tlb(tag=(Vm,), holds=(), walk=walkable)
        owned = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=walked)

        @action
        def loads(self, cpu: Cpu, vm: Vm):
            self.vttbr[cpu] = vm

    variables = compile_system(Machine).variable
    assert variables["vttbr"].view == View("context", "VTTBR_EL2")
    assert variables["own"].view == View("cache", "TLB of its own") and variables["own"].kind == "ghost"
    assert variables["plain"].view is None
    assert variables["tlb.entry"].view == View("cache", "TLB", tag=1)
    assert variables["owned.entry"].view == View("cache", "TLB", tag=1, by=(2,))


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (Annotated[Map[Cpu, bool], View("cashe", "TLB")], "no 'cashe'.*\n.*Did you mean 'cache'"),  # type: ignore[arg-type]
        (Annotated[Map[Cpu, bool], View("pending", "IPI", of=1)], "of=1"),
        (Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", tag=2)], "tag=2"),
        (Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", tag=1, by=(1,))], "behind the tag"),
        (Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", by=(2,))], "behind the tag"),
        (Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", tag=1, holds=("owner",))], "names 1 parts of an entry that holds 0"),
        (Annotated[bool, View("cache", "TLB")], "no position"),
        (Annotated[Map[Cpu, bool], View("context", "a"), View("lock", "b")], "one View"),
    ],
)
def test_a_view_of_what_is_not_there_is_refused(annotation: Any, says: str) -> None:
    class Machine(System):
        """One variable."""

        state: annotation

        @action
        def idle(self):
            pass

    with pytest.raises(ModelError, match=says):
        compile_system(Machine)


def test_every_shipped_system_says_what_its_caches_are() -> None:
    for name, cls in shipped().items():
        views = [v.view for v in compile_system(cls).variables if v.view is not None]
        assert any(view.what == "cache" for view in views), name
