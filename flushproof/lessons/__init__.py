"""The lessons: a course for a class, each lesson a page of text with pictures, machines to try and puzzles, all made by real runs.

A lesson is one Markdown file beside this one.  A fenced block whose language is the name of a directive (`explore`, `trace`,
`picture`, `drawing`, `verdict`, `proof`, `puzzle`, `spot`) is replaced by what it says, in TOML, is to be run.
"""
