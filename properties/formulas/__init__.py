"""Systems and their states as formulas for Z3: one translation, for every domain."""
