"""The commands, one small file for each group of them; `flushproof.cli` puts them together."""
