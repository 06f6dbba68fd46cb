"""Bringing a SQLite database to given rows and schema, and proving beforehand that it can be done."""
