"""Finding lemmas, and saying them in the modelling language."""
