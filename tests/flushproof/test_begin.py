"""From nothing to a system of one's own: `flushproof new`, and what a shell completes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from flushproof.model.language.load import load_system

from flushproof import cli
from flushproof.checking import expectations, run
from flushproof.proving import prove

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"


def completed(*words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    *before, begun = words
    return [item.value for item in BashComplete(cli.main, {}, "flushproof", "_X").get_completions(list(before), begun)]


def test_a_new_system_is_broken_and_fixed_as_it_says_and_provable(tmp_path: Path) -> None:
    file = tmp_path / "my_system.py"
    called = CliRunner().invoke(cli.main, ["new", str(file)])
    assert called.exit_code == 0 and f"flushproof check {file}:MySystem --policy broken" in called.stdout
    cls = load_system(f"{file}:MySystem")
    results = {r.instance.policy: r for r in (run(case) for case in expectations({"my-system": cls}))}
    assert {name: (r.found, r.as_expected) for name, r in results.items()} == {
        "fixed": ("holds", True),
        "broken": ("no-foreign-hit", True),
    }
    assert prove(f"{file}:MySystem", "fixed", seconds_to_infer=60.0, audit=None).kind == "any-size"


@pytest.mark.parametrize("name", ["my_system.txt", "1st.py", "no/such/folder.py"])
def test_a_file_that_is_no_system_is_refused(tmp_path: Path, name: str) -> None:
    called = CliRunner().invoke(cli.main, ["new", str(tmp_path / name)])
    assert called.exit_code == 2 and called.stderr.startswith("flushproof: ")
    assert not (tmp_path / name).exists()


def test_no_file_is_written_over(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("precious")
    called = CliRunner().invoke(cli.main, ["new", str(file)])
    assert called.exit_code == 2 and "is there already" in called.stderr and file.read_text() == "precious"


def test_a_shell_completes_systems_policies_knobs_and_sizes() -> None:
    assert completed("check", "kvm-vc") == ["kvm-vcpu-switch"]
    assert completed("check", f"{SWITCH[:-3]}") == [SWITCH]
    assert completed("check", SWITCH, "--policy", "n") == ["none"]
    assert completed("prove", SWITCH, "--policy", "") == ["none", "always", "wrong"]
    assert completed("check", SWITCH, "--set", "fl") == ["flush="]
    assert completed("check", SWITCH, "--set", "flush=") == ["flush=off", "flush=on"]
    assert completed("simulate", SWITCH, "--size", "v") == ["vcpu=2"]


def test_a_shell_is_offered_nothing_of_a_system_that_is_none() -> None:
    assert completed("check", "no-such-system", "--policy", "") == []
    assert completed("check", "--policy", "") == []
    assert completed("check", "no_such_file.py:") == []
