"""`flushproof export`, as a user gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flushproof.cli import main


@pytest.mark.parametrize(
    ("language", "suffixes"), [("murphi", {".m"}), ("promela", {".pml"}), ("tla", {".tla", ".cfg"})]
)
def test_files_are_written(language: str, suffixes: set[str], tmp_path: Path) -> None:
    args = ["export", "kvm-vcpu-switch", "--policy", "none", "--to", language]
    done = CliRunner().invoke(main, [*args, "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = sorted((tmp_path / "out").iterdir())
    assert {p.suffix for p in written} == suffixes
    assert done.stdout.split() == [str(p) for p in sorted(written, key=lambda p: done.stdout.index(str(p)))]
    printed = CliRunner().invoke(main, args).stdout
    assert printed in {p.read_text() for p in written}


def test_scalarsets_are_asked_for() -> None:
    args = ["export", "kvm-vcpu-switch", "--to", "murphi"]
    plain, symmetric = (CliRunner().invoke(main, [*args, *more]).stdout for more in ([], ["--scalarsets"]))
    assert "type Cpu : 0 .. 1;" in plain and "type Cpu : scalarset(2);" in symmetric
    done = CliRunner().invoke(main, ["export", "kvm-vcpu-switch", "--to", "tla", "--scalarsets"])
    assert done.exit_code == 2 and "tla has no scalarsets" in done.stderr


def test_an_unknown_language_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["export", "kvm-vcpu-switch", "--to", "smv"])
    assert done.exit_code == 2 and "murphi" in done.stderr
