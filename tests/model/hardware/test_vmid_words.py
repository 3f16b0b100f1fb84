"""Words that hold a generation and a number: whole, and 0 until they are set."""

from flushproof.model.hardware import Cpu, Vmid
from flushproof.model.hardware.vmid_words import Generation, VmidWords
from flushproof.model.language.declare import System, action, choose, fresh, invariant, reachable, require

from .explored import violated


class Copies(System):
    """A generation begins with a word that one CPU sets; others copy it, or clear theirs."""

    generation: Generation
    words = VmidWords(Cpu)

    @action
    def begins(self, cpu: Cpu):
        require(all(self.words.is_zero(c) for c in Cpu))
        self.generation = fresh(Generation)
        self.words.set(cpu, self.generation, choose(Vmid))

    @action
    def copies(self, cpu: Cpu, other: Cpu):
        require(not self.words.is_zero(other))
        generation, number = self.words.get(other)
        self.words.set(cpu, generation, number)

    @action
    def clears(self, cpu: Cpu):
        self.words.set(cpu, None, None)

    @invariant(because="{a} and {b} hold different words")
    def copies_are_whole(self):
        return all(
            self.words.is_zero(a) or self.words.is_zero(b) or self.words.get(a) == self.words.get(b)
            for a in Cpu
            for b in Cpu
        )

    @invariant(because="{cpu} holds half a word")
    def a_word_is_0_or_whole(self):
        return all(self.words.is_zero(cpu) == (self.words.number[cpu] is None) for cpu in Cpu)

    @reachable
    def all_hold_a_word(self):
        return all(not self.words.is_zero(cpu) for cpu in Cpu)


class Torn(Copies):
    """The number alone is copied."""

    @action
    def copies(self, cpu: Cpu, other: Cpu):
        require(not self.words.is_zero(other))
        self.words.number[cpu] = self.words.number[other]


def test_words_are_whole() -> None:
    assert violated(Copies) == set()


def test_a_torn_copy_is_noticed() -> None:
    assert "a-word-is-0-or-whole" in violated(Torn)
