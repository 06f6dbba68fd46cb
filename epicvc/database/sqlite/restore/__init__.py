"""Brings a SQLite database to given rows and schema, and proves beforehand that this is possible."""
