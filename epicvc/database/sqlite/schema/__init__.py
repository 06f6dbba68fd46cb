"""The definitions of a SQLite database, and what of them could not be restored exactly."""
