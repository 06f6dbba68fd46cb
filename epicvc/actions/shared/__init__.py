"""The common parts of many actions: sessions, commits, reaching a state, differences, questions."""
