"""flushproof side by side with other checkers: `compare` runs all of them; `scale` shows the cost of a state as a search grows."""
