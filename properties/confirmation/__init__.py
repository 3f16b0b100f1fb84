"""What exploring found, decided again by Z3: each step of a trace, each property on the reachable states."""
