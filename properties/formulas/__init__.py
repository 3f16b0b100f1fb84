"""Systems and their states as formulas for Z3: one translation, for every domain; and expressions in the model's own words."""
