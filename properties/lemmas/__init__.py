"""Finding lemmas: clauses that all reachable states satisfy, and that exclude what keeps an induction from going through."""
