"""Parts of many actions: sessions, commits, going to a state, differences, questions."""
