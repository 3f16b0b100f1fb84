"""Code between two calls, such as preempt_disable and preempt_enable: held with `with`, and ended by `return` too."""

from flushproof.model.language.declare import Part


class Section(Part):
    """``with self.cpus.irqs_disabled(cpu): ...``: begins with one call, and ends with the other, however the block is left.

    begin, end: helpers of the part that has this section; both are given the arguments of the `with`.
    """

    def __init__(self, begin, end):
        self.begin, self.end = begin, end

    def acquire(self, *args):
        self.begin(*args)

    def release(self, *args):
        self.end(*args)
