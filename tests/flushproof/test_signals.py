"""Ctrl-C and SIGTERM: what was found is reported, whenever they come, and nothing else is said."""

import ctypes
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from flushproof.search import simulate
from flushproof.search.native import engine

from flushproof.cli import _stoppable, main

SIGNALS = [signal.SIGINT, signal.SIGTERM]
SYSTEM = ["kvm-vmid-generation", "--policy", "fixed", "--symmetry", "off", "--max-seconds", "300"]

LOADING = """
import importlib.abc, signal, sys

module = sys.argv.pop()

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from flushproof.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["flushproof.cli", "z3", "numpy", "flushproof.commands.check"])
def test_an_interrupt_while_loading_says_nothing(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOADING, module], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


class _Read:
    """An argument for C, while which is read a signal comes: ctypes says something else than what was raised."""

    @property
    def _as_parameter_(self) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0


def test_an_interrupt_while_an_argument_is_read_for_c_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = ctypes.CDLL(None).abs
    absolute.argtypes = [ctypes.c_int]
    monkeypatch.setattr("flushproof.commands.catalog.shipped", lambda *_: absolute(_Read()))
    done = CliRunner().invoke(main, ["list"])
    assert (done.exit_code, done.output) == (3, "flushproof: interrupted: no verdict\n")


@pytest.fixture(params=SIGNALS)
def stopped_early(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches and walks are told to end when they have begun."""
    look, walk = engine.Search._look, simulate._Walker.walk

    def signalled_look(self: engine.Search) -> None:
        if self.head > 1000:
            signal.raise_signal(request.param)
        look(self)

    def signalled_walk(self: simulate._Walker, steps: int) -> None:
        if self.walks == 3:
            signal.raise_signal(request.param)
        walk(self, steps)

    monkeypatch.setattr(engine, "_CHUNK", 300)
    monkeypatch.setattr(engine.Search, "_look", signalled_look)
    monkeypatch.setattr(simulate._Walker, "walk", signalled_walk)


def test_a_search_that_is_told_to_end(stopped_early: None) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    done = CliRunner().invoke(main, ["check", *SYSTEM])
    assert done.exit_code == 3 and "stopped by an interrupt after" in done.stdout and not done.stderr
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_search_with_a_checkpoint_that_is_told_to_end(stopped_early: None, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["check", *SYSTEM, "--checkpoint", str(tmp_path), "--format", "json"])
    assert done.exit_code == 3 and not done.stderr
    kept = json.loads((tmp_path / "checkpoint.json").read_text())["progressed"]["count"]
    assert kept == json.loads(done.stdout)["states"] > 1000


def test_walks_that_are_told_to_end(stopped_early: None) -> None:
    done = CliRunner().invoke(main, ["simulate", "kvm-vcpu-switch", "--policy", "both"])
    assert done.exit_code == 3 and "stopped by an interrupt" in done.stdout and not done.stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_all_checks_that_are_told_to_end(number: int) -> None:
    """Once the first are begun: all processes of the group get it, as from a terminal or from whoever ends a service."""
    program = (
        "import os, signal, sys; from flushproof import checking, processes; from flushproof.__main__ import main\n"
        "def each(*a, **k):\n"
        "    for i, answer in enumerate(processes.each(*a, **k)):\n"
        "        yield answer\n"
        f"        if i == 1: os.killpg(0, {int(number)})\n"
        "checking.each = each; main()"
    )
    command = [sys.executable, "-c", program, "check", "kvm-vmid-generation", "--all", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 3 and not done.stderr
    assert re.search(r"only 2 of \d+ verdicts", done.stdout)


def test_an_interrupt_that_comes_while_an_object_is_taken_apart_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), _stoppable():
        Interrupted()
        time.sleep(60)


def test_an_interrupt_that_comes_where_ctypes_would_make_another_error_of_it_waits() -> None:
    class Argument:
        @classmethod
        def from_param(cls, _: object) -> ctypes.c_int:
            signal.raise_signal(signal.SIGINT)
            return ctypes.c_int(-7)

    absolute, found = ctypes.CDLL(None).abs, []
    absolute.argtypes = [Argument]
    with pytest.raises(KeyboardInterrupt), _stoppable():
        found.append(absolute(0))
        time.sleep(60)
    assert found == [7]
