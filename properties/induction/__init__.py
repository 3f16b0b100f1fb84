"""Proofs for any number of elements: inductive invariants, counterexamples to induction, certificates."""
