"""Small systems, one for an idea, that the lessons are made of; `flushproof lessons` writes them beside its pages."""
