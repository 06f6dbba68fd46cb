"""The SQLite file of a store: its tables, their rows, and the writes of one transaction."""
