"""The shipped systems: one file for each mechanism, with its story, its steps, its properties and its historical policies."""
