"""Answers to conflicts, from a person or a script, for syncs and merges alike."""
