"""The tables of docs/systems say of each policy what the tool says: the verdict, and how long the shortest trace is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flushproof.checking import check

DOCS = Path(__file__).parents[2] / "docs" / "systems"

VERDICT = re.compile(r"\*\*(holds)\*\*|([A-Za-z][A-Za-z0-9-]*), (\d+) steps")
AT_A_SIZE = re.compile(r"with (\d) (?:VMIDs )?(.*)")
SETTING = re.compile(r"`(?:--set )?([a-z_.]+=[a-z0-9-]+)`")


def cells() -> Iterator[tuple[str, str, str, int | None, str]]:
    """System, policy, setting, number of VMIDs and verdict of each cell with verdicts alone, in tables that give lengths."""
    for path in sorted(DOCS.glob("*.md")):
        for table in re.findall(r"(?:^\|.*\n)+", path.read_text(), re.MULTILINE):
            header, _, *rows = ([c.strip() for c in line.strip("|\n ").split(" | ")] for line in table.splitlines())
            if header[0] != "policy" or not re.search(r"\d+ steps", table):
                continue
            for row in rows:
                for what, cell in zip(header[1:], row[1:], strict=False):
                    setting = SETTING.search(what)
                    for part in cell.split("; "):
                        sized = AT_A_SIZE.fullmatch(part)
                        verdict = sized[2] if sized else part
                        if VERDICT.fullmatch(verdict):
                            size = int(sized[1]) if sized else None
                            yield path.stem, row[0].strip("`"), setting[1] if setting else "", size, verdict


CELLS = list(cells())


def test_there_are_such_tables() -> None:
    assert len(CELLS) > 25 and {cell[0] for cell in CELLS} >= {"kvm-vcpu-switch", "kvm-vmid-allocator"}


@pytest.mark.parametrize(("system", "policy", "setting", "vmids", "cell"), CELLS)
def test_what_a_table_says(system: str, policy: str, setting: str, vmids: int | None, cell: str) -> None:
    knobs = dict([setting.split("=")]) if setting else {}
    found = check(system, policy, knobs=knobs, sizes={"vmid": vmids} if vmids else {})
    steps = "" if found.trace is None else f", {len(found.trace.steps)} steps"
    assert f"{found.violated}{steps}" == cell if found.violated else cell == "**holds**" and found.verdict == "holds"
