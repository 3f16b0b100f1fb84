"""Xen's TLB flush clock: policies, and what each ingredient is for."""

import pytest
from flushproof.model.systems.xen_tlbflush_clock import XenTlbflushClock

from .verdicts import Cell, cells, found, verdict


@pytest.mark.parametrize("cell", cells(XenTlbflushClock), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(XenTlbflushClock, cell)) == cell.expect.verdict
