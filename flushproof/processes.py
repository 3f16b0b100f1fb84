"""The same work on many things, in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

DIED = "a process died before it had an answer (out of memory, killed, or a file that it needs was changed meanwhile)"

_STOPS = {signal.SIGINT, signal.SIGTERM}


def each(work: Callable[[T], R], things: Sequence[T], jobs: int, *, apart: bool = False) -> Iterator[R | str]:
    """`work(thing)` of each thing, in order, from so many processes at once; `DIED` where a process did not survive its thing.

    apart: each in a process of its own, so that what came before has no influence.
    An interrupt reaches the caller alone.  Whoever stops to iterate ends the processes, at whatever they are, and nothing
    waits for them: neither this function nor the program's end.  What `work` raises is raised here.
    """
    workers: list[Worker[T, R]] = []
    answers: dict[int, R | str | BaseException] = {}
    begun = 0
    try:
        for wanted in range(len(things)):
            while wanted not in answers:
                idle = next((w for w in workers if w.number is None), None)
                if begun < len(things) and (idle or len(workers) < jobs):
                    if idle is None:
                        idle = Worker.started(work)
                        workers.append(idle)
                    idle.ask(begun, things[begun])
                    begun += 1
                    continue
                ready = wait([w.connection for w in workers if w.number is not None])
                for worker in [w for w in workers if w.connection in ready]:
                    number, answer = worker.number, worker.answer()
                    assert number is not None
                    answers[number] = answer
                    if apart or worker.number is not None:  # it did not survive
                        workers.remove(worker)
                        worker.kill()
            told = answers.pop(wanted)
            if isinstance(told, BaseException):
                raise told
            yield told
    finally:
        for worker in workers:
            worker.kill()


@dataclass
class Worker(Generic[T, R]):
    """A process that is sent one thing after the other.

    number: which thing it has now, if it has one.
    """

    process: SpawnProcess
    connection: Connection
    number: int | None = None

    @classmethod
    def started(cls, work: Callable[[T], R]) -> Worker[T, R]:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_answer_all, args=(work, theirs), daemon=True)
        with _no_interrupts(), theirs:  # only the child has that end: when it dies, ours says so
            process.start()
        return cls(process, ours)

    def ask(self, number: int, thing: T) -> None:
        self.number = number
        with suppress(OSError):  # it died: there will be no answer
            self.connection.send(thing)

    @property
    def ready(self) -> bool:
        """Whether it has an answer, or died."""
        return self.connection.poll()

    def answer(self) -> R | str | BaseException:
        """What it made of its thing; it has none afterwards, if it lives on."""
        try:
            succeeded, answer = self.connection.recv()
        except (EOFError, OSError):
            return DIED
        self.number = None
        assert succeeded or isinstance(answer, BaseException)
        return answer  # type: ignore[no-any-return]

    def kill(self) -> None:
        """Ends the process; it has no way to go on, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """What is started inside is never interrupted, from its first moment on: it inherits which signals are blocked."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _answer_all(work: Callable[[Any], object], connection: Connection) -> None:
    """What a process does: it answers until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where nothing can be blocked
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    while True:
        try:
            thing = connection.recv()
        except EOFError:
            return
        try:
            answer = True, work(thing)
            message = pickle.dumps(answer)
        except BaseException as error:
            message = pickle.dumps((False, _sendable(error)))
        connection.send_bytes(message)


def _end_with_the_parent() -> None:
    """Nobody waits for an answer once the parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _sendable(error: BaseException) -> BaseException:
    """The error with its own traceback in words, or what remains of it where it cannot be sent."""
    text = "".join(traceback.format_exception(error))
    try:
        error.add_note(text)
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, BaseException)
        return error
    except Exception:
        return RuntimeError(text)
