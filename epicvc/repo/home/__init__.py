"""The home of a repo: its directory, and the question whether its store belongs to this user."""
