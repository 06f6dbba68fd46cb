"""Reads the pages of a SQLite file, to find those that changed and the rows that they hold."""
