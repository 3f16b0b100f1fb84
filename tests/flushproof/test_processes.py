"""Work in several processes: its order, a death, and an end before it is done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing import connection

import psutil
import pytest

from flushproof.processes import DIED, each


def double(number: int) -> int:
    return 2 * number


def die_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def test_answers_come_in_order() -> None:
    assert list(each(double, range(5), jobs=2)) == [0, 2, 4, 6, 8]
    assert list(each(double, [], jobs=2)) == []


def test_a_death_is_told_and_not_waited_for() -> None:
    found = list(each(die_at_three, range(6), jobs=1))
    assert found == [0, 1, 2, DIED, 4, 5]
    assert list(each(die_at_three, range(6), jobs=3, apart=True)) == [0, 1, 2, DIED, 4, 5]


def test_who_stops_early_leaves_no_process_behind() -> None:
    answers = each(time.sleep, [0, 600, 600], jobs=2)
    assert next(answers) is None
    answers.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def refuse(number: int) -> int:
    raise ValueError(f"{number} is refused")


def test_an_error_is_raised_where_the_answer_would_be() -> None:
    with pytest.raises(ValueError, match="7 is refused") as raised:
        next(each(refuse, [7], jobs=1))
    assert "in refuse" in raised.value.__notes__[0]


def unsendable(number: int) -> object:
    return lambda: number


def test_an_answer_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(Exception, match="pickle"):
        next(each(unsendable, [7], jobs=1))


def end_when_asked(_: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    return 1


def test_an_interrupt_is_for_the_caller_alone() -> None:
    """As Ctrl-C in a terminal, and what ends a whole group of processes, reach all of them."""
    assert list(each(end_when_asked, [0, 0], jobs=1)) == [1, 1]


def test_a_process_ends_with_its_parent() -> None:
    program = (
        "import os, time; from flushproof.processes import each, Worker; from tests.flushproof import test_processes as t;"
        "w = Worker.started(time.sleep); w.ask(0, 600); print(w.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    child.wait(timeout=60)


def answer_by_half(number: int) -> bytes:
    """All but 0 stop in the middle of telling their answer, as those do that are killed just then."""

    def half(self: connection.Connection, message: bytes) -> None:
        os.write(self.fileno(), bytes(message)[: len(message) // 2])
        time.sleep(600)

    if number:
        time.sleep(1)
        connection.Connection._send = half  # type: ignore[attr-defined]
    return bytes(100_000)


def stop_in_the_middle_of_an_answer() -> None:
    answers = each(answer_by_half, [0, 1], jobs=2)
    assert len(next(answers)) == 100_000
    time.sleep(4)
    answers.close()  # type: ignore[attr-defined]


def test_half_an_answer_is_not_waited_for() -> None:
    """Neither where the iteration ends nor where the program does."""
    program = "from tests.flushproof import test_processes as t; t.stop_in_the_middle_of_an_answer()"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
