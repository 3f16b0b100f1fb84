"""Xen's linear page tables: policies, and what each ingredient is for."""

import pytest
from flushproof.model.systems.xen_pv_paging import XenPvPaging

from .verdicts import Cell, cells, found, verdict


@pytest.mark.parametrize("cell", cells(XenPvPaging), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(XenPvPaging, cell)) == cell.expect.verdict
