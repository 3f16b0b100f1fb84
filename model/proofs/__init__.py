"""Proofs of the systems for any number of elements, one file a system: lemmas, hints, and the ghosts that only they need."""
