"""The home of a repo: where it is, and whether its store is this user's."""
