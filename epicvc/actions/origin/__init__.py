"""The origin of values: which commit, author and side made a place what it is."""
