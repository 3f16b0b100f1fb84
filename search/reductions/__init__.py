"""Fewer states with the same answers: symmetry, fused steps, labels that nothing reaches, counters by rank."""
