"""Work in several processes: its order, a death, and an end before it is done."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing import connection

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
    assert found == [0, 1, 2, DIED, DIED, DIED]


def test_who_stops_early_leaves_no_process_behind() -> None:
    answers = each(time.sleep, [0, 600, 600], jobs=2)
    assert next(answers) is None
    answers.close()  # type: ignore[attr-defined]
    # Not by joining them: the executor's own thread waits for them as well, and either may be the one that is told.
    for _ in range(1000):
        if not multiprocessing.active_children():
            return
        time.sleep(0.1)
    raise AssertionError("a process is left")


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
