"""Schema migrations of a database, with or without an epic repo around it."""
