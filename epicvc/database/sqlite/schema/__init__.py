"""Reads and makes the definitions of a SQLite database, and finds those that could not be restored exactly."""
