"""The visited set: its hash spreads the states of real systems, and it keeps its promises as it grows."""

import numpy as np
import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reference.interpreter import Reference

WORD = (1 << 64) - 1
START, FACTOR, LAST = 7809847782465536322, -6884282663029611473 & WORD, -1800455987208640293 & WORD


def fold(a: int, b: int) -> int:
    product = a * b
    return (product ^ product >> 64) & WORD


def hashed(words: list[int]) -> int:
    mixed = START
    for word in words:
        mixed = fold(mixed ^ word, FACTOR)
    return fold(mixed, LAST)


@pytest.mark.parametrize("system,policy", [("kvm-vcpu-switch", "last-ran-xen"), ("kvm-icache", "tlb-only")])
def test_hash_spreads_states_of_real_systems(system: str, policy: str) -> None:
    inst = instantiate(load_system(system), policy)
    store = Store(Library(inst, ()), None)
    store.add(list(Reference(inst).initial_states()))
    head = 0
    while head < min(store.count, 100_000):
        head = store.expand(head, store.count)
        store.grow()
    states = store.packed(0, store.count).tolist()
    bits, mask = store.workers[0].get("index_bits"), store.workers[0].get("mask")
    table = np.frombuffer(store._table.copy(0, store.table_bytes), dtype=np.uint32).astype(np.int64)
    taken = np.nonzero(table)[0].tolist()
    assert len(taken) == store.count
    distances = []
    for position in taken:
        entry = int(table[position])
        value = hashed(states[(entry & ((1 << bits) - 1)) - 1])
        assert entry >> bits == value >> 32 >> bits
        distances.append((position - value) & mask)
    load = store.count / (mask + 1)
    usual = (1 / (1 - load) - 1) / 2
    assert np.mean(distances) < 1.2 * usual + 0.05
    assert max(distances) < 100
    assert len(set(map(tuple, states))) == store.count
    store.close()
