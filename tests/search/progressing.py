"""Systems that get nothing done, though everybody is given a chance; each with its mend."""

from flushproof.model.hardware import Cpu
from flushproof.model.language.declare import (
    Knob,
    Map,
    Policy,
    Sort,
    System,
    action,
    choose,
    process,
    progress,
    require,
)


class Lock(Sort, size=2, ordered=True):
    """A lock."""


class TryBoth(System):
    """Two locks, of which each CPU takes any one first, and gives it back where the other is held: two may go round for ever."""

    in_order = Knob(bool, True, "everybody takes the same lock first, and waits for the other")

    held: Map[Lock, bool]

    policies = {
        "in-order": Policy("", {}, "holds"),
        "either-first": Policy("", {"in_order": False}, "both-are-taken"),
    }

    @process(Cpu)
    def takes_both(self, cpu):
        yield "takes one"
        mine = choose(Lock, where=lambda lock: not self.held[lock] and (not self.in_order or lock == 0))
        self.held[mine] = True
        yield "tries the other"
        if any(self.held[lock] for lock in Lock if lock != mine):
            require(not self.in_order)
            self.held[mine] = False
            return
        self.held[...] = True
        yield "has both"
        self.held[...] = False

    @progress("has both")
    def both_are_taken(self):
        """somebody has both locks"""


class Polite(System):
    """A CPU that spins until an interrupt has come, as it does in the end: a cycle that is not fair to the hardware."""

    comes = Knob(bool, True, "the interrupt can come")

    masked: bool
    came: bool
    spins: bool

    policies = {
        "comes": Policy("", {}, "holds"),
        "never": Policy("", {"comes": False}, "it-is-served"),
    }

    @action
    def interrupt(self):
        """the interrupt comes"""
        require(self.comes and not self.came)
        self.came = True

    @process()
    def waits(self):
        yield "looks"
        if not self.came:
            self.spins = not self.spins
            return
        yield "serves it"
        self.came = False

    @progress("serves it")
    def it_is_served(self):
        """the interrupt is served"""


class Queue(System):
    """A shootdown whose requests are queued: a CPU that finds the other's queue full drops its own, and begins again."""

    serves_while_full = Knob(bool, True, "whoever finds a queue full serves its own before it tries again")

    full: Map[Cpu, bool]

    policies = {
        "serves": Policy("", {}, "holds"),
        "retries": Policy("", {"serves_while_full": False}, "a-request-is-served"),
    }

    @process(Cpu)
    def shootdown(self, cpu):
        yield "queues its request at another CPU"
        if all(self.full[other] for other in Cpu if other != cpu):
            if self.serves_while_full:
                yield "serves its own queue"
                self.full[cpu] = False
            yield "tries again"
            return
        for other in Cpu:
            if other != cpu:
                self.full[other] = True

    @progress("serves its own queue")
    def a_request_is_served(self):
        """a request is served"""
