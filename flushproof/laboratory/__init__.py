"""The policy laboratory: which values of a system's knobs are safe, which are the weakest, and what of a policy is needed."""
